# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict at the top of the page, and the key figures below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import LatencySketch

from .formats import count, counted, milliseconds, number, percent, seconds, things
from .model import BAD, DONE, FAINT, GOOD, NO_DATA, PLAIN, WARN, Figure, Head, at

_SENTENCES = {
    "passed": "Everything that the settings asked for happened.",
    "failed": "The run finished, but not everything that the settings asked for happened.",
    "aborted": "The run did not finish.",
}
#: The same for a run whose end somebody or something has caused.
_STOPPED = {
    "guard": "The guard stopped the run at a sign of ill health.",
    "signal": "The run was interrupted.",
    "deletion": "The run stopped because somebody else deleted objects of it.",
    "outage": "The run stopped because the API server could not be reached for too long.",
    "time": "The run stopped because its time was over.",
    "playbook": "The run stopped because the playbook that wanted it was gone.",
    "killed": "The run was killed.",
}
#: Share of retried attempts above which they are worth a warning; a busy server always causes a few.
_MANY_RETRIES = 0.01


def head_of(summary: Mapping[str, Any], run: Mapping[str, Any]) -> Head:
    """Verdict, reasons and doubts."""
    statements = at(summary, "validity", "statements") or []
    doubts = [f"{one.get('about')}: {one.get('text')}" for one in statements if one.get("state") in ("limited", "poor")]
    if not statements and _simulated(run):
        doubts = ["The nodes are simulated: their pods ran nothing, so figures of their load mean nothing."]
    return Head(
        verdict=summary["verdict"],
        sentence=_STOPPED.get(str(summary.get("stopped_by")), _SENTENCES.get(summary["verdict"], "")),
        reasons=list(summary.get("reasons") or ()),
        trust=at(summary, "validity", "trust") or NO_DATA,
        doubts=doubts,
    )


def _simulated(run: Mapping[str, Any]) -> bool:
    return any(kind.get("simulated") for kind in at(run, "cluster", "nodes", "kinds") or ())


def key_figures(summary: Mapping[str, Any]) -> list[Figure]:
    """The figures that readers look for first. Those that do not apply are left out; the rest may be "no data"."""
    figures = [_objects(summary), _rate(summary), _latency(summary), _again(summary), _startup(summary)]
    return [*figures, *_jobs(summary), *_pods(summary), *_processes(summary), _levels(summary), *_client(summary)]


def _objects(summary: Mapping[str, Any]) -> Figure:
    objects = summary.get("objects") or {}
    kinds = objects.values()
    if not kinds:
        return Figure(name="Objects stored", value=NO_DATA, detail="no batch left measurements", tone=FAINT)
    total = {name: sum(one.get(name) or 0 for one in kinds) for name in ("requested", *DONE, "failed")}
    done, changed = sum(total[name] for name in DONE), [name for name in ("patched", "deleted") if total[name]]
    ready = sum(one["ready"] for one in kinds if one.get("ready") is not None)
    parts = [f"{ready:,} ready" if any(one.get("ready") is not None for one in kinds) else "readiness: no data"]
    parts += [f"{total[name]:,} {name}" for name in ("created", *changed)] if changed else []
    parts += [f"{total['failed']:,} failed"] if total["failed"] else []
    parts += [f"{total['unchanged']:,} {'unchanged' if changed else 'existed already'}"] if total["unchanged"] else []
    # A Job is ready when it is complete; that is a separate figure.
    unready = [kind for kind, one in objects.items() if kind != "Job" and one.get("not_ready")]
    parts += [f"not all ready: {', '.join(unready)}"] if unready else []
    whole = done == total["requested"] and not unready
    short = BAD if total["failed"] or not _goes_on(summary) else PLAIN
    value = f"{done:,} of {total['requested']:,}"
    return Figure(
        name=", ".join(["Objects stored", *changed]),
        value=value,
        detail=", ".join(parts),
        tone=GOOD if whole else short,
    )


def _goes_on(summary: Mapping[str, Any]) -> bool:
    """Whether this is the page of a run that goes on, where what is not done yet is not wrong."""
    return summary.get("verdict") == "running"


def _rate(summary: Mapping[str, Any]) -> Figure:
    rate = summary.get("rate") or {}
    peak, limit = rate.get("peak_in_flight"), rate.get("max_in_flight")
    detail = (
        "nothing was sent"
        if peak is None
        else f"peak {peak:,} requests in flight" + (f", limit {limit:,}" if limit else "")
    )
    value = rate.get("objects_per_second")
    text = NO_DATA if value is None else f"{number(value)} objects/s"
    return Figure(name="Rate", value=text, detail=detail, tone=FAINT if value is None else PLAIN)


def _latency(summary: Mapping[str, Any]) -> Figure:
    """The p99 of all creates, from their merged histograms; percentiles themselves cannot be merged."""
    kinds = at(summary, "requests", "create") or {}
    measured = {kind: row for kind, row in kinds.items() if row.get("count")}
    name = "Create latency, p99"
    if not measured or not all(row.get("histogram") for row in measured.values()):
        return Figure(
            name=name, value=NO_DATA, detail="no create request was measured" if not measured else "", tone=FAINT
        )
    sketch = LatencySketch()
    for row in measured.values():
        sketch.merge(LatencySketch.from_dict(row["histogram"]))
    slowest = max(measured, key=lambda kind: measured[kind].get("p99_ms") or 0)
    detail = f"median {seconds(sketch.percentile(50))}; slowest {slowest}, {milliseconds(measured[slowest]['p99_ms'])}"
    return Figure(name=name, value=seconds(sketch.percentile(99)), detail=detail)


def _again(summary: Mapping[str, Any]) -> Figure:
    retries, errors = at(summary, "rate", "retries"), at(summary, "rate", "errors")
    if not summary.get("requests") or (retries is None and errors is None):
        return Figure(name="Retried requests", value=NO_DATA, detail="no request was measured", tone=FAINT)
    again, failed = sum((retries or {}).values()), sum((errors or {}).values())
    detail = counted(errors or retries, most=3) or "no attempt failed"
    if failed:
        detail = f"{things(failed, 'attempt')} failed: {detail}"
    attempts = sum(row.get("count") or 0 for kinds in summary["requests"].values() for row in kinds.values())
    tone = WARN if max(again, failed) > _MANY_RETRIES * attempts else PLAIN
    return Figure(name="Retried requests", value=count(again), detail=detail, tone=tone)


def _startup(summary: Mapping[str, Any]) -> Figure:
    value = at(summary, "pods", "startup_p99_s")
    median = at(summary, "pods", "startup_p50_s")
    detail = "no pod start was observed" if value is None else f"median {seconds(median)}, from created to running"
    return Figure(name="Pod start-up, p99", value=seconds(value), detail=detail, tone=FAINT if value is None else PLAIN)


def _jobs(summary: Mapping[str, Any]) -> list[Figure]:
    jobs = summary.get("jobs") or {}
    of_kind = at(summary, "objects", "Job") or {}
    asked = of_kind.get("requested")
    if of_kind.get("patched") or of_kind.get("deleted"):
        asked = (of_kind.get("ready") or 0) + (of_kind.get("not_ready") or 0)
    if not asked and not jobs.get("complete") and not jobs.get("failed"):
        return []
    complete, failed, peak, ceiling = (
        jobs.get(key) for key in ("complete", "failed", "peak_active_pods", "ceiling_active_pods")
    )
    parts = [f"{failed:,} failed"] if failed else []
    if peak is not None:
        parts.append(f"peak {peak:,} pods active" + (f", ceiling {ceiling:,}" if ceiling else ""))
    value = count(complete) + (f" of {asked:,}" if asked and complete is not None else "")
    over = bool(ceiling and peak is not None and peak > ceiling)
    short = bool(asked and complete is not None and complete < asked)
    if short and not failed and not over and _goes_on(summary):
        tone = PLAIN
    else:
        tone = FAINT if complete is None else BAD if failed or over or short else GOOD
    return [Figure(name="Jobs complete", value=value, detail="; ".join(parts), tone=tone)]


def _pods(summary: Mapping[str, Any]) -> list[Figure]:
    pods = summary.get("pods") or {}
    failed, restarts, kills = pods.get("failed"), pods.get("restarts"), pods.get("oom_kills")
    if failed is None:
        return []
    parts = [counted(pods.get("causes"), most=2)] if failed else []
    parts += [f"{things(restarts, 'restart')} of containers"] if restarts else []
    parts += [f"{kills:,} out-of-memory kills"] if kills else []
    if pods.get("succeeded") is not None:
        parts.insert(0, f"{pods['succeeded']:,} succeeded")
    detail = ", ".join(part for part in parts if part)
    return [Figure(name="Pods failed", value=count(failed), detail=detail, tone=WARN if failed else PLAIN)]


def _processes(summary: Mapping[str, Any]) -> list[Figure]:
    if not at(summary, "objects", "Job", "requested"):
        return []
    found = at(summary, "processes", "per_build_pod") or {}
    name = "Processes in a build pod"
    if not found.get("samples"):
        return [Figure(name=name, value=NO_DATA, detail=found.get("cause") or "no kubelet reported them", tone=FAINT)]
    detail = f"{number(found['min'])} to {number(found['max'])}, {things(found['samples'], 'sample')}"
    median = found.get("median")
    return [
        Figure(name=name, value=f"peak {number(found['max'])}" if median is None else number(median), detail=detail)
    ]


def _levels(summary: Mapping[str, Any]) -> Figure:
    judged = [one for one in summary.get("slo") or () if one.get("met") is not None]
    if not judged:
        return Figure(name="Service levels met", value=NO_DATA, detail="none were measured", tone=FAINT)
    met = sum(1 for one in judged if one["met"])
    unmeasured = len(summary["slo"]) - len(judged)
    detail = "in this run" + (f"; {unmeasured:,} without data" if unmeasured else "")
    tone = GOOD if met == len(judged) else BAD
    return Figure(name="Service levels met", value=f"{met:,} of {len(judged):,}", detail=detail, tone=tone)


def _client(summary: Mapping[str, Any]) -> list[Figure]:
    client = summary.get("client") or {}
    share = client.get("cpu_share")
    if share is None:
        return []
    busy, lag = client.get("busy_seconds"), client.get("loop_lag_p99_ms")
    parts = [] if busy is None else [f"saturated for {things(busy, 'second')}" if busy else "never saturated"]
    parts += [] if lag is None else [f"event loop delay p99 {milliseconds(lag)}"]
    tone = WARN if busy else PLAIN
    return [Figure(name="Load generator CPU", value=f"{percent(share)} of a core", detail=", ".join(parts), tone=tone)]
