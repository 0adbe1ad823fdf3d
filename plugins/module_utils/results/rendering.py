# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end-of-run table: a summary as lines of text, ending with the verdict, the counts and the paths. Pure.

The lines that say what was observed (start-up, API server, service levels, nodes, warnings, trust) are facts: a name, a
text and a tone. A part of the summary that was not measured has no line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..measure.validity import GOOD as TRUST_GOOD
from ..measure.validity import NO_DATA, POOR
from ..measure.volumes import OWN_TIMES
from ..text import clock_time, duration_text, text_of
from .accelerator_facts import accelerator_facts
from .merge import DONE, done_of
from .table import BAD, FAINT, GOOD, MESSAGE, PLAIN, WARN, Line, columns, heading, shortened, wrapped
from .times import seconds_between
from .verdict import ABORTED, FAILED, PASSED

Summary = Mapping[str, Any]
Fact = tuple[str, str, str]

_VERDICT_TONES = {PASSED: GOOD, FAILED: BAD, ABORTED: BAD}
#: How many of each the table shows; all of them are in summary.json.
_MAX_NAMESPACES = 3
_MAX_PODS = 1
_MAX_REQUESTS = 8
_MAX_REASONS = 8
_MAX_MISSED = 2
_MAX_WARNINGS = 5
_MAX_STATEMENTS = 2
#: Characters of one reason and of one statement: two lines of the table.
_STATEMENT = 170
#: Share of all calls that a verb and resource must have to be named: a handful of calls has no 99th percentile.
_WORTH_NAMING = 0.01


def report_lines(summary: Summary, *, path: str, page: str | None = None) -> list[Line]:
    """The whole table. `path` is summary.json, `page` is report.html if it was made."""
    title = f"run {summary['run_id']}, attempt {summary['attempt']}"
    if summary["profile"]:
        title += f", profile {summary['profile']}"
    lines = [heading(title)]
    for part in (_objects, _requests, _facts, _namespaces):
        lines += part(summary)
    return lines + _ending(summary, path, page)


def _figure(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _objects(summary: Summary) -> list[Line]:
    if not summary["objects"]:
        return []
    names = [*_count_names(summary), "ready"]
    rows: list[tuple[str, ...]] = [("objects", *names)]
    rows += [(kind, *(_figure(counts[name]) for name in names)) for kind, counts in summary["objects"].items()]
    texts = columns(rows, align="l" + "r" * len(names))
    lines = [Line(texts[0], FAINT)]
    for counts, text in zip(summary["objects"].values(), texts[1:], strict=True):
        short = counts["not_ready"] or done_of(counts) < (counts["requested"] or 0)
        lines.append(Line(text, BAD if counts["failed"] or short else PLAIN))
    return lines


def _count_names(summary: Summary) -> list[str]:
    """The counts of objects to show: patched and deleted only where something was."""
    names = ("requested", *DONE, "failed")
    rows = summary["objects"].values()
    return [name for name in names if name not in ("patched", "deleted") or any(row[name] for row in rows)]


def _requests(summary: Summary) -> list[Line]:
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


def _facts(summary: Summary) -> list[Line]:
    """Rate, Jobs, pods, processes, the observed parts and times of sending; parts that do not apply are left out."""
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
    facts += _evidence_facts(summary)
    facts.append(("sending", _sending(summary), PLAIN))
    lines = []
    for name, text, tone in facts:
        if text:
            first, *rest = wrapped(text, indent=12)
            lines += [Line(f"  {name:<9} {first.strip()}", tone), *(Line(part, tone) for part in rest)]
    return lines


def _sending(summary: Summary) -> str:
    """For how long each role sent, which is no length of its work, and beside it the length of all."""
    roles = ", ".join(f"{phase['role']} {duration_text(phase['seconds'])}" for phase in summary["phases"])
    if not roles:
        return ""
    whole = seconds_between(summary["started"], summary["finished"])
    lasted = "" if whole is None else f"; the whole run took {duration_text(whole)}"
    return f"{shortened(roles, 250)} (first request to last response){lasted}"


def _rate(rate: Summary) -> str:
    if rate["objects_per_second"] is None and rate["peak_in_flight"] is None:
        return ""
    retries = ", ".join(f"{number:,} x {cause}" for cause, number in rate["retries"].items() if number) or "none"
    return (
        f"{_figure(rate['objects_per_second'], 1)} objects/s; {_figure(rate['peak_in_flight'])} of at most "
        f"{_figure(rate['max_in_flight'])} requests in flight; retries: {retries}"
    )


def _jobs(jobs: Summary) -> str:
    if not jobs["complete"] and not jobs["failed"]:
        return ""
    text = f"{_figure(jobs['complete'])} complete, {_figure(jobs['failed'])} failed"
    if jobs["duration"] and jobs["duration"]["p50_s"] is not None:
        text += f"; took p50 {_figure(jobs['duration']['p50_s'], 1)} s, p99 {_figure(jobs['duration']['p99_s'], 1)} s"
    if jobs["ceiling_active_pods"]:
        peak, ceiling = _figure(jobs["peak_active_pods"]), _figure(jobs["ceiling_active_pods"])
        text += f"; {peak} Job pods active at once, ceiling {ceiling}"
    return text


def _pods(pods: Summary) -> str:
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


def _evidence_facts(summary: Summary) -> list[Fact]:
    """(name, text, tone) of each line; a part that was not measured appears only in the line on trust."""
    return [
        *_startup_facts(summary["pods"]["startup"]),
        *_volume_facts(summary.get("volumes")),
        *accelerator_facts(summary.get("accelerator_jobs")),
        *_service_facts(summary.get("connectivity")),
        *_server_facts(summary["api_server"]),
        *_level_facts(summary["slo"]),
        *_node_facts(summary["nodes"]),
        *_network_facts(summary.get("network_operations")),
        *_warning_facts(summary["events"]),
        *_outage_facts(summary.get("outages")),
        *_silence_facts(summary.get("controllers")),
        *_trust_facts(summary["validity"]),
    ]


def _seconds(value: float | None) -> str:
    # Pod timestamps are whole seconds and the sketch is accurate to 1 %: more digits would mean nothing.
    return "-" if value is None else f"{value:,.1f}".removesuffix(".0") + " s"


def _startup_facts(startup: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    parts = []
    for group, stages in startup.items():
        row = stages.get("total") or {}
        if row.get("count"):
            parts.append(f"{group} {row['count']:,}: p50 {_seconds(row['p50_s'])}, p99 {_seconds(row['p99_s'])}")
    return [("start-up", "; ".join(parts), PLAIN)] if parts else []


def _volume_facts(volumes: Summary | None) -> list[Fact]:
    """A line a role: how long its claims, pods and snapshots took."""
    if not volumes:
        return []
    facts: list[Fact] = []
    for role, stages in volumes["stages"].items():
        parts = [
            f"{stage} p50 {_short_seconds(row['p50_s'])}, p99 {_short_seconds(row['p99_s'])} ({row['count']:,})"
            for stage, row in stages.items()
            if row.get("count") and stage not in OWN_TIMES
        ]
        if parts:
            facts.append(("" if facts else "volumes", f"{role}: {'; '.join(parts)}", PLAIN))
    if volumes["unconsumed"]:
        text = f"{volumes['unconsumed']:,} claims wait for a first consumer, and no pod of the run is one"
        facts.append(("" if facts else "volumes", text, PLAIN))
    return facts


def _short_seconds(value: float | None) -> str:
    """These are measured by this machine's clock, and a fast driver takes milliseconds."""
    return "-" if value is None else duration_text(value) if value >= 1 else f"{value * 1000:,.0f} ms"


def _service_facts(checks: Summary | None) -> list[Fact]:
    if checks is None or checks["source"] == "none":
        return []
    text = f"{checks['requests']:,} requests, {checks['failed']:,} failed"
    for phase, row in checks["phases"].items():
        if row is not None:
            p50, p99 = _figure(row["p50_s"] * 1000, 1), _figure(row["p99_s"] * 1000, 1)
            text += f"; {phase.replace('_', ' ')} p50 {p50} ms, p99 {p99} ms"
    return [("Services", text, WARN if checks["failed"] else PLAIN)]


def _server_facts(server: Summary | None) -> list[Fact]:
    if not server or server["source"] == "none":
        return []
    parts = []
    least = sum(row["count"] for row in server["sli"]) * _WORTH_NAMING
    rows = [row for row in server["sli"] if row.get("p99_s") is not None and row["count"] >= least]
    if rows:
        worst = max(rows, key=lambda row: row["p99_s"])
        call = " ".join(str(worst[key]) for key in ("verb", "resource", "subresource") if worst.get(key))
        parts.append(f"highest p99 {_bucket(worst)} ({call}, {worst['scope']}, {worst['count']:,} calls)")
    if server["cpu_seconds"] is not None:
        parts.append(f"CPU {server['cpu_seconds']:,.0f} s")
    if server["resident_bytes_max"] is not None:
        parts.append(f"memory {text_of(server['resident_bytes_max'], 'bytes')}")
    rejected = sum(row["rejected"] or 0 for row in server["flow_control"])
    if rejected:
        parts.append(f"{rejected:,} requests rejected")
    return [("server", "; ".join(parts), PLAIN)] if parts else []


def _bucket(row: Summary) -> str:
    """The bounds of the bucket: a histogram is no more precise than that."""
    low, high = row["p99_bucket_s"] or (row["p99_s"], None)
    if high is None:
        return f"more than {low:g} s"
    return f"between {low:g} and {high:g} s" if low else f"at most {high:g} s"


def _level_facts(levels: Sequence[Summary]) -> list[Fact]:
    if not levels:
        return []
    missed = [level for level in levels if level["met"] is False]
    met = sum(level["met"] is True for level in levels)
    undecided = len(levels) - met - len(missed)
    text = f"service levels in this run: {met:,} met, {len(missed):,} missed"
    facts: list[Fact] = [("levels", text + (f", {undecided:,} undecided" if undecided else ""), PLAIN)]
    facts += [("", f"missed: {shortened(level['statement'], _STATEMENT)}", WARN) for level in missed[:_MAX_MISSED]]
    if len(missed) > _MAX_MISSED:
        facts.append(("", f"and {len(missed) - _MAX_MISSED:,} more, all in summary.json", WARN))
    return facts


def _node_facts(nodes: Summary | None) -> list[Fact]:
    """The node closest to its limit; nodes are sorted by that."""
    rows = (nodes or {}).get("nodes") or ()
    facts: list[Fact] = []
    measured = [row for row in rows if row["samples"]]
    if measured:
        which = f", closest of {len(measured):,} nodes to its limit" if len(measured) > 1 else ""
        facts.append(("nodes", f"{measured[0]['name']}{which}: {_peaks(measured[0])}", PLAIN))
    pressed = [f"{row['name']} {one['type']}" for row in rows for one in row["conditions"] or ()]
    if pressed:
        unique = list(dict.fromkeys(text.replace(" Ready", " NotReady") for text in pressed))
        facts.append(("" if facts else "nodes", shortened(f"pressure: {', '.join(unique)}", _STATEMENT), WARN))
    return facts


def _peaks(row: Summary) -> str:
    parts = []
    if row["threads_peak"] is not None:
        limit = f" of {row['max_threads']:,}" if row["max_threads"] else ""
        parts.append(f"{row['threads_peak']:,}{limit} threads")
    pod = row["pod_threads_peak"] or row["pod_processes_peak"]
    if pod is not None:
        limit = f" of {row['pod_pids_limit']:,}" if row["pod_pids_limit"] else ""
        parts.append(f"{pod:,}{limit} in its largest pod")
    if row["cpu_cores_peak"] is not None:
        parts.append(f"{row['cpu_cores_peak']:,.1f} cores")
    return ", ".join(parts)


def _network_facts(found: Summary | None) -> list[Fact]:
    """Operations of the network plug-in, by who counted them."""
    sources = (found or {}).get("sources") or {}
    parts = [
        f"{row['add']:,} ADD, {row['del']:,} DEL"
        + (f", {row['failed']:,} failed" if row["failed"] else "")
        + f" (seen by the {source})"
        for source, row in sources.items()
    ]
    failed = any(row["failed"] for row in sources.values())
    return [("network", shortened("; ".join(parts), _STATEMENT), WARN if failed else PLAIN)] if parts else []


def _warning_facts(events: Summary | None) -> list[Fact]:
    rows = (events or {}).get("warnings") or ()
    if not rows:
        return []
    parts = [f"{row['reason']} {row['count']:,} ({row['kind']})" for row in rows[:_MAX_WARNINGS]]
    if len(rows) > _MAX_WARNINGS:
        parts.append(f"{len(rows) - _MAX_WARNINGS:,} more reasons")
    return [("warnings", ", ".join(parts), WARN)]


def _outage_facts(outages: Summary | None) -> list[Fact]:
    """How often and how long the API server could not be reached, and when first."""
    if not outages or not outages["number"]:
        return []
    rows = outages["list"]
    number, seconds = outages["number"], duration_text(outages["seconds"])
    times = "once" if number == 1 else f"{number:,} times"
    text = f"the API server could not be reached {times}, for {seconds} in all"
    first = rows[0]
    text += f"; {'first ' if number > 1 else ''}at {clock_time(first['began'])}: {first['message']}"
    return [("outages", shortened(text, _STATEMENT), WARN)]


def _silence_facts(controllers: Summary | None) -> list[Fact]:
    rows = (controllers or {}).get("silences") or ()
    parts = [
        f"{row['controller']} did not renew its lease for {duration_text(row['seconds'])} from "
        f"{clock_time(row['began'])} on"
        for row in rows[:_MAX_WARNINGS]
    ]
    if len(rows) > _MAX_WARNINGS:
        parts.append(f"{len(rows) - _MAX_WARNINGS:,} more, all in summary.json")
    return [("silence", shortened("; ".join(parts), _STATEMENT), WARN)] if parts else []


def _trust_facts(validity: Summary) -> list[Fact]:
    """What limits the trust in the figures, the worst first, and what was not measured."""
    doubts = [one for one in validity["statements"] if one["state"] not in (TRUST_GOOD, NO_DATA)]
    doubts.sort(key=lambda one: one["state"] != POOR)
    tone = {TRUST_GOOD: PLAIN, POOR: BAD}.get(validity["trust"], WARN)
    text = str(validity["trust"])
    missing = [one["about"] for one in validity["statements"] if one["state"] == NO_DATA]
    if missing:
        text += f" (no data: {', '.join(missing)})"
    facts: list[Fact] = [("trust", text, tone)]
    facts += [("", shortened(one["text"], _STATEMENT), FAINT) for one in doubts[:_MAX_STATEMENTS]]
    if len(doubts) > _MAX_STATEMENTS:
        facts.append(("", f"and {len(doubts) - _MAX_STATEMENTS} more, all in summary.json", FAINT))
    return facts


def _namespaces(summary: Summary) -> list[Line]:
    """Jobs and pods of namespaces with failures, the worst first."""
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


def _ending(summary: Summary, path: str, page: str | None) -> list[Line]:
    tone = _VERDICT_TONES[summary["verdict"]]
    reasons = summary["reasons"][:_MAX_REASONS]
    if len(summary["reasons"]) > _MAX_REASONS:
        reasons = [*reasons, f"and {len(summary['reasons']) - _MAX_REASONS:,} more reasons, all in summary.json"]
    # A message of the API server comes last in a reason, and so does what to do about it: little is cut off.
    lines = [
        Line(part, tone) for reason in reasons for part in wrapped(shortened(reason, MESSAGE), indent=2, hanging=4)
    ]
    seconds = seconds_between(summary["started"], summary["finished"])
    length = "" if seconds is None else f" after {duration_text(seconds)}"
    lines.append(Line(f"  verdict   {summary['verdict'].upper()}{length}", tone))
    if summary["objects"]:
        lines += [Line(part) for part in wrapped(f"counts    {counts_line(summary)}", indent=2, hanging=10)]
    # Never wrapped or cut: people copy paths.
    return [*lines, Line(f"  results   {path}"), *([Line(f"  page      {page}")] if page else [])]


def counts_line(summary: Summary) -> str:
    """Objects by outcome, and Jobs, on one line."""
    totals = {name: sum(counts[name] or 0 for counts in summary["objects"].values()) for name in _count_names(summary)}
    text = ", ".join(f"{number:,} {name}" for name, number in totals.items())
    jobs = summary["jobs"]
    return f"objects: {text}" + (f"; Jobs: {jobs['complete']:,} complete" if jobs["complete"] else "")
