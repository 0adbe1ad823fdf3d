# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end-of-run table: a summary as lines for people. It ends with verdict, counts and the paths of the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text import duration_text
from .rendering_evidence import Fact, evidence_facts
from .table import BAD, FAINT, GOOD, PLAIN, WARN, Line, columns, heading, shortened, wrapped
from .times import seconds_between
from .verdict import ABORTED, FAILED, PASSED

_VERDICT_TONES = {PASSED: GOOD, FAILED: BAD, ABORTED: BAD}
#: What the table shows of namespaces with failures, failed pods of one of them, and requests.
_MAX_NAMESPACES = 3
_MAX_PODS = 1
_MAX_REQUESTS = 8
#: Reasons, and letters of each (two lines).
_MAX_REASONS = 8
_REASON = 190


def report_lines(summary: Mapping[str, Any], *, path: str, page: str | None = None) -> list[Line]:
    """The whole table. `path` is where summary.json lies, `page` where report.html does, if it was made."""
    title = f"run {summary['run_id']}, attempt {summary['attempt']}"
    if summary["profile"]:
        title += f", profile {summary['profile']}"
    lines = [heading(title)]
    for part in (_objects, _requests, _facts, _namespaces):
        lines += part(summary)
    return lines + _ending(summary, path, page)


def _figure(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _objects(summary: Mapping[str, Any]) -> list[Line]:
    if not summary["objects"]:
        return []
    names = ("requested", "created", "unchanged", "failed", "ready")
    rows: list[tuple[str, ...]] = [("objects", *names)]
    rows += [(kind, *(_figure(counts[name]) for name in names)) for kind, counts in summary["objects"].items()]
    texts = columns(rows, align="lrrrrr")
    lines = [Line(texts[0], FAINT)]
    for counts, text in zip(summary["objects"].values(), texts[1:], strict=True):
        short = counts["ready"] is not None and counts["ready"] < (counts["requested"] or 0)
        lines.append(Line(text, BAD if counts["failed"] or short else PLAIN))
    return lines


def _requests(summary: Mapping[str, Any]) -> list[Line]:
    found = [(verb, kind, row) for verb, kinds in summary["requests"].items() for kind, row in kinds.items()]
    if not found:
        return []
    found.sort(key=lambda entry: -(entry[2]["count"] or 0))
    rows: list[tuple[str, ...]] = [("requests", "count", "failed", "p50 ms", "p90 ms", "p99 ms", "max ms")]
    for verb, kind, row in found[:_MAX_REQUESTS]:
        latencies = [_figure(row[name], 1) for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms")]
        rows.append((f"{verb} {kind}", _figure(row["count"]), _figure(row["errors"]), *latencies))
    texts = columns(rows, align="lrrrrrr")
    lines = [Line(texts[0], FAINT), *(Line(text) for text in texts[1:])]
    if len(found) > _MAX_REQUESTS:
        lines.append(Line(f"  and {len(found) - _MAX_REQUESTS:,} more, all in summary.json", FAINT))
    return lines


def _facts(summary: Mapping[str, Any]) -> list[Line]:
    """A few lines each: rate, client, Jobs, pods, what was observed, phases; what does not apply is left out."""
    processes = summary["processes"]["per_build_pod"]
    facts: list[Fact] = [
        ("rate", _rate(summary["rate"]), PLAIN),
        ("Jobs", _jobs(summary["jobs"]), PLAIN),
        ("pods", _pods(summary["pods"]), PLAIN),
    ]
    if processes["samples"]:
        median = "" if processes["median"] is None else f", median {processes['median']}"
        text = f"{processes['min']} to {processes['max']} in a build pod{median} ({processes['samples']} samples)"
        facts.append(("processes", text, PLAIN))
    facts += evidence_facts(summary)
    phases = ", ".join(f"{phase['role']} {duration_text(phase['seconds'])}" for phase in summary["phases"])
    facts.append(("phases", shortened(phases, 300), PLAIN))
    lines = []
    for name, text, tone in facts:
        if text:
            first, *rest = wrapped(text, indent=12)
            lines += [Line(f"  {name:<9} {first.strip()}", tone), *(Line(part, tone) for part in rest)]
    return lines


def _rate(rate: Mapping[str, Any]) -> str:
    if rate["objects_per_second"] is None and rate["peak_in_flight"] is None:
        return ""
    retries = ", ".join(f"{number:,} x {cause}" for cause, number in rate["retries"].items() if number) or "none"
    return (
        f"{_figure(rate['objects_per_second'], 1)} objects/s; {_figure(rate['peak_in_flight'])} of at most "
        f"{_figure(rate['max_in_flight'])} requests in flight; retries: {retries}"
    )


def _jobs(jobs: Mapping[str, Any]) -> str:
    if not jobs["complete"] and not jobs["failed"]:
        return ""
    text = f"{_figure(jobs['complete'])} complete, {_figure(jobs['failed'])} failed"
    if jobs["duration"] and jobs["duration"]["p50_s"] is not None:
        text += f"; took p50 {_figure(jobs['duration']['p50_s'], 1)} s, p99 {_figure(jobs['duration']['p99_s'], 1)} s"
    if jobs["ceiling_active_pods"]:
        peak, ceiling = _figure(jobs["peak_active_pods"]), _figure(jobs["ceiling_active_pods"])
        text += f"; {peak} Job pods active at once, ceiling {ceiling}"
    return text


def _pods(pods: Mapping[str, Any]) -> str:
    parts = []
    if pods["succeeded"] or pods["failed"]:
        parts.append(f"{_figure(pods['succeeded'])} succeeded, {_figure(pods['failed'])} failed")
    if pods["startup_p50_s"] is not None:
        p50, p99 = _figure(pods["startup_p50_s"], 2), _figure(pods["startup_p99_s"], 2)
        parts.append(f"start-up p50 {p50} s, p99 {p99} s")
    if pods.get("restarts"):
        parts.append(f"{pods['restarts']:,} restarts, {pods.get('oom_kills') or 0:,} out-of-memory kills")
    if pods["causes"]:
        parts.append("failed by " + ", ".join(f"{cause} {number:,}" for cause, number in pods["causes"].items()))
    return "; ".join(parts)


def _namespaces(summary: Mapping[str, Any]) -> list[Line]:
    """Jobs and pods of the namespaces in which something failed, worst first."""
    failing = [row for row in summary["namespaces"] if row["jobs_failed"] or row["pods_failed"]]
    if not failing:
        return []
    failing.sort(key=lambda row: (-(row["jobs_failed"] or 0), -(row["pods_failed"] or 0)))
    counts = ("jobs_complete", "jobs_failed", "pods_succeeded", "pods_failed")
    shown = failing[:_MAX_NAMESPACES]
    header = ("failures by namespace", *(name.replace("_", " ").replace("jobs", "Jobs") for name in counts))
    texts = columns(
        [header, *((row["name"], *(_figure(row[name]) for name in counts)) for row in shown)], align="lrrrr"
    )
    lines = [Line(texts[0], FAINT)]
    for row, text in zip(shown, texts[1:], strict=True):
        lines.append(Line(text, BAD if row["jobs_failed"] else WARN))
        pods = row["failed_pods"]
        lines += [Line(shortened(f"      {pod['name']}: {pod['reason']}", 100), FAINT) for pod in pods[:_MAX_PODS]]
        if len(pods) > _MAX_PODS:
            lines.append(Line(f"      and {len(pods) - _MAX_PODS:,} more, all in summary.json", FAINT))
    if len(failing) > len(shown):
        lines.append(Line(f"  and {len(failing) - len(shown):,} more namespaces with failures", FAINT))
    return lines


def _ending(summary: Mapping[str, Any], path: str, page: str | None) -> list[Line]:
    tone = _VERDICT_TONES[summary["verdict"]]
    reasons = summary["reasons"][:_MAX_REASONS]
    if len(summary["reasons"]) > _MAX_REASONS:
        reasons = [*reasons, f"and {len(summary['reasons']) - _MAX_REASONS:,} more reasons, all in summary.json"]
    lines = [
        Line(part, tone) for reason in reasons for part in wrapped(shortened(reason, _REASON), indent=2, hanging=4)
    ]
    seconds = seconds_between(summary["started"], summary["finished"])
    length = "" if seconds is None else f" after {duration_text(seconds)}"
    lines.append(Line(f"  verdict   {summary['verdict'].upper()}{length}", tone))
    if summary["objects"]:
        lines += [Line(part) for part in wrapped(f"counts    {counts_line(summary)}", indent=2, hanging=10)]
    # Not wrapped and not cut: a path is there to be copied.
    return [*lines, Line(f"  results   {path}"), *([Line(f"  page      {page}")] if page else [])]


def counts_line(summary: Mapping[str, Any]) -> str:
    """Objects by outcome, and Jobs, in one short line."""
    totals = {
        name: sum(counts[name] or 0 for counts in summary["objects"].values())
        for name in ("requested", "created", "unchanged", "failed")
    }
    text = ", ".join(f"{number:,} {name}" for name, number in totals.items())
    jobs = summary["jobs"]
    return f"objects: {text}" + (f"; Jobs: {jobs['complete']:,} complete" if jobs["complete"] else "")
