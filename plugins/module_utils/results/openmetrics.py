# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics.prom: the summary's figures as OpenMetrics, in a form that node exporter's textfile collector reads. Pure.

Only gauges and summaries: they look the same in OpenMetrics and in Prometheus' text format, and the counters of a
finished run no longer grow. Samples have no timestamp, because the textfile collector rejects those. A figure that was
not measured has no sample.

To add a metric, yield a `Family` in the function for its part of the summary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .times import epoch_seconds, seconds_between
from .verdict import ABORTED, FAILED, PASSED, STOPPED_BY, level_name

Summary = Mapping[str, Any]

#: Samples of one family: causes, reasons, nodes, service levels.
MAX_ROWS = 50
_QUANTILES = {"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99"}
_TRUST = ("good", "limited", "poor")
_COUNTS = ("requested", "created", "patched", "deleted", "unchanged", "failed", "ready")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


class Sample(NamedTuple):
    """One line: labels, value (None is not written), and a suffix to the family's name."""

    labels: Mapping[str, Any]
    value: float | None
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """A metric by its full name; `kind` is gauge or summary, `text` the help line."""

    name: str
    text: str
    samples: list[Sample]
    kind: str = "gauge"


def openmetrics_text(summary: Mapping[str, Any]) -> str:
    """The whole file. Every sample has the labels `run_id` and `profile`."""
    return families_text(families_of(summary), {"run_id": summary["run_id"], "profile": summary["profile"] or ""})


def families_text(families: Iterable[Family], own: Mapping[str, Any]) -> str:
    """The whole file of any families that have samples; each sample has the labels `own` too."""
    lines: list[str] = []
    for family in families:
        samples = [
            f"{family.name}{sample.suffix}{_labels({**own, **sample.labels})} {_number(sample.value)}"
            for sample in family.samples
            if sample.value is not None
        ]
        if samples:
            lines.append(f"# HELP {family.name} {family.text.translate(_HELP_ESCAPES)}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines += samples
    return "\n".join([*lines, "# EOF", ""])


def families_of(summary: Summary) -> Iterator[Family]:
    """All families, also those without samples."""
    for part in (
        _run,
        _requests,
        _rate,
        _client,
        _guard,
        _jobs_and_pods,
        _volumes,
        _accelerator_jobs,
        _connectivity,
        _service_levels,
        _server,
        _nodes,
        _network,
    ):
        yield from part(summary)


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Family:
    return Family(f"kubestress_{name}", text, list(samples))


def _one(name: str, text: str, value: float | None) -> Family:
    return _gauge(name, text, [Sample({}, value)])


def _summary(name: str, text: str, rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], *, unit: str) -> Family:
    """Percentiles as a summary in seconds; `rows` are labels and figures whose names end in the unit."""
    factor = {"ms": 0.001, "s": 1.0}[unit]
    samples = []
    for labels, row in rows:
        for percentile, quantile in _QUANTILES.items():
            value = row.get(f"{percentile}_{unit}")
            seconds = None if value is None else round(value * factor, 6)
            samples.append(Sample({**labels, "quantile": quantile}, seconds))
        samples.append(Sample(labels, row.get("count"), "_count"))
        samples.append(Sample(labels, (row.get("histogram") or {}).get("sum_seconds"), "_sum"))
    return Family(f"kubestress_{name}", text, samples, "summary")


def _states(label: str, states: Iterable[str], now: str) -> list[Sample]:
    return [Sample({label: state}, int(state == now)) for state in states]


def _run(summary: Summary) -> Iterator[Family]:
    labels = {"attempt": summary["attempt"], "settings_hash": summary["settings_hash"] or ""}
    yield _gauge("run_info", "The run that this file describes.", [Sample(labels, 1)])
    verdicts = _states("verdict", (PASSED, FAILED, ABORTED), summary["verdict"])
    yield _gauge("run_verdict", "1 for the verdict of the run, 0 for the others.", verdicts)
    trust = _states("trust", _TRUST, summary["validity"]["trust"])
    yield _gauge("run_trust", "1 for the trust in the figures, 0 for the other levels.", trust)
    by = _states("by", STOPPED_BY, summary.get("stopped_by") or "")
    yield _gauge("run_stopped_by", "1 for who or what ended the run before its work was done, 0 for the others.", by)
    started, finished = summary["started"], summary["finished"]
    yield _one("run_start_timestamp_seconds", "When the run started.", epoch_seconds(started))
    yield _one("run_end_timestamp_seconds", "When the run ended.", epoch_seconds(finished))
    yield _one("run_duration_seconds", "How long the run took.", seconds_between(started, finished))
    yield _gauge(
        "objects",
        "Objects by kind: requested, created, patched, deleted, unchanged, failed, ready.",
        (
            Sample({"kind": kind, "state": state}, counts[state])
            for kind, counts in summary["objects"].items()
            for state in _COUNTS
        ),
    )
    phases: dict[str, float] = {}
    for phase in summary["phases"]:
        phases[phase["role"]] = phases.get(phase["role"], 0) + phase["seconds"]
    seconds = (Sample({"role": role}, round(value, 3)) for role, value in phases.items())
    yield _gauge("phase_seconds", "From a role's first request to its last response.", seconds)


def _requests(summary: Summary) -> Iterator[Family]:
    rows = [
        ({"verb": verb, "kind": kind}, row)
        for verb, kinds in summary["requests"].items()
        for kind, row in kinds.items()
    ]
    yield _summary("request_seconds", "Latency of API requests as the client measured it.", rows, unit="ms")
    longest = (
        Sample(labels, None if row["max_ms"] is None else round(row["max_ms"] / 1000, 6)) for labels, row in rows
    )
    yield _gauge("request_max_seconds", "Longest API request as the client measured it.", longest)
    failed = (Sample(labels, row.get("errors")) for labels, row in rows)
    yield _gauge("request_errors", "Failed attempts of API requests.", failed)


def _rate(summary: Summary) -> Iterator[Family]:
    rate = summary["rate"]
    yield _one("objects_per_second", "Objects stored per second while sending.", rate["objects_per_second"])
    yield _one("requests_in_flight_peak", "Peak of API requests in flight.", rate["peak_in_flight"])
    yield _one("requests_in_flight_limit", "Limit on requests in flight.", rate["max_in_flight"])
    for name, text in (("retries", "Retried requests"), ("errors", "Failed attempts")):
        samples = (Sample({"cause": cause}, number) for cause, number in _most(rate[name]))
        yield _gauge(f"request_{name}_by_cause", f"{text}, by cause.", samples)
    waits = rate["limit_wait_seconds"]
    samples = (Sample({"limit": limit}, seconds) for limit, seconds in waits.items())
    yield _gauge("limit_wait_seconds", "Time that requests waited for the run's own limits, in total.", samples)


def _client(summary: Summary) -> Iterator[Family]:
    client = summary["client"] or {}
    yield _one("client_cpu_seconds", "CPU time of the load generator.", client.get("cpu_seconds"))
    yield _one("client_busy_seconds", "Seconds in which the load generator was saturated.", client.get("busy_seconds"))


def _guard(summary: Summary) -> Iterator[Family]:
    signs = (summary.get("guard") or {}).get("signs") or ()
    highest = [Sample({"sign": one["name"], "unit": one["unit"]}, one["peak"]) for one in signs]
    yield _gauge("guard_highest", "The highest figure of each sign that the guard looked for, in its unit.", highest)
    limits = [Sample({"sign": one["name"], "unit": one["unit"]}, one["threshold"]) for one in signs]
    yield _gauge("guard_threshold", "The figure of each sign from which on the guard acts, in its unit.", limits)


def _jobs_and_pods(summary: Summary) -> Iterator[Family]:
    jobs, pods = summary["jobs"], summary["pods"]
    yield _gauge(
        "jobs", "Jobs by how they ended.", (Sample({"state": name}, jobs[name]) for name in ("complete", "failed"))
    )
    yield _one("job_pods_active_peak", "Peak of active pods of Jobs.", jobs["peak_active_pods"])
    yield _one("job_pods_active_ceiling", "Limit on active pods of Jobs.", jobs["ceiling_active_pods"])
    duration: list[tuple[Summary, Summary]] = [({}, jobs["duration"])] if jobs["duration"] else []
    yield _summary("job_duration_seconds", "From a Job's start to its end.", duration, unit="s")
    states = (Sample({"state": name}, pods[name]) for name in ("succeeded", "failed"))
    yield _gauge("pods", "Pods that ended.", states)
    causes = (Sample({"cause": cause}, number) for cause, number in _most(pods["causes"]))
    yield _gauge("pod_failures", "Failed pods by cause.", causes)
    yield _one("pod_restarts", "Restarts of containers.", pods["restarts"])
    yield _one("pod_oom_kills", "Containers killed for exceeding their memory limit.", pods["oom_kills"])
    startup = [
        ({"group": group, "stage": stage}, row)
        for group, stages in pods["startup"].items()
        for stage, row in stages.items()
    ]
    yield _summary("pod_startup_seconds", "Pod start-up by stage.", startup, unit="s")


def _volumes(summary: Summary) -> Iterator[Family]:
    stages = (summary.get("volumes") or {}).get("stages") or {}
    rows = [({"role": role, "stage": stage}, row) for role, found in stages.items() for stage, row in found.items()]
    yield _summary("volume_seconds", "How long claims, their pods and snapshots took, by stage.", rows, unit="s")


def _accelerator_jobs(summary: Summary) -> Iterator[Family]:
    jobs = summary.get("accelerator_jobs") or {}
    waits = [({name: row[name] for name in ("role", "queue", "priority")}, row) for row in jobs.get("waits", ())]
    stages = [
        ({**labels, "stage": stage}, figures)
        for labels, row in waits[:MAX_ROWS]
        for stage, figures in row["stages"].items()
    ]
    yield _summary("job_wait_seconds", "How long accelerator jobs waited, by stage.", stages, unit="s")
    pending = (Sample(labels, row["waiting"]) for labels, row in waits[:MAX_ROWS])
    yield _gauge("jobs_waiting", "Accelerator jobs that still waited for nodes at the end.", pending)
    pools = jobs.get("pools", ())[:MAX_ROWS]
    for what in ("pods", "slices"):
        placed = (Sample({"role": row["role"], "pool": row["pool"]}, row[what]) for row in pools)
        yield _gauge(f"job_pool_{what}", f"Accelerator jobs' {what} by the pool of their nodes.", placed)
    restarts = (Sample({"role": row["role"]}, row["restarts"]) for row in jobs.get("restarts", ()))
    yield _gauge("job_set_restarts", "Restarts of JobSets.", restarts)
    causes = (
        Sample({"role": row["role"], "by": row["by"], "cause": row["cause"]}, row["pending"])
        for row in jobs.get("unschedulable", ())[:MAX_ROWS]
    )
    yield _gauge("job_causes_pending", "Pods without a node and jobs in a queue at the end, by cause.", causes)


def _connectivity(summary: Summary) -> Iterator[Family]:
    checks = summary.get("connectivity") or {}
    yield _one("service_requests", "Requests of the check of the Services.", checks.get("requests"))
    yield _one("service_requests_failed", "Requests of the check that failed.", checks.get("failed"))
    codes = (Sample({"code": code}, number) for code, number in _most(checks.get("codes") or {}))
    yield _gauge("service_request_codes", "Requests of the check, by the code of the answer.", codes)
    rows = [({"phase": phase}, row) for phase, row in (checks.get("phases") or {}).items() if row]
    text = "Requests of the check, from the beginning to the end of a phase."
    yield _summary("service_request_seconds", text, rows, unit="s")


def _service_levels(summary: Summary) -> Iterator[Family]:
    levels = [({"slo": level_name(level)}, level) for level in summary["slo"][:MAX_ROWS]]
    for name, text, key in (
        ("slo_met", "1 if the service level was met in this run, 0 if not.", "met"),
        ("slo_p99_seconds", "Measured 99th percentile of the service level.", "p99_s"),
        ("slo_limit_seconds", "Limit of the service level.", "limit_s"),
    ):
        yield _gauge(name, text, (Sample(labels, level.get(key)) for labels, level in levels))


def _server(summary: Summary) -> Iterator[Family]:
    server, events = summary["api_server"] or {}, summary["events"] or {}
    yield _one("apiserver_cpu_seconds", "CPU time of the API server while observed.", server.get("cpu_seconds"))
    resident = server.get("resident_bytes_max")
    yield _one("apiserver_resident_bytes_max", "Peak memory of the API server.", resident)
    rejected = (
        Sample({"priority_level": row["priority_level"]}, row["rejected"]) for row in server.get("flow_control", ())
    )
    yield _gauge("apiserver_rejected", "Requests that the API server rejected.", list(rejected)[:MAX_ROWS])
    skew = (summary["skew"] or {}).get("estimate_ms")
    yield _one(
        "clock_skew_seconds",
        "API server's clock minus the client's.",
        None if skew is None else round(skew / 1000, 6),
    )
    # Several kinds can have the same reason.
    warnings = (
        Sample({"reason": row["reason"], "kind": row["kind"]}, row["count"]) for row in events.get("warnings", ())
    )
    yield _gauge("warning_events", "Warning events by reason.", list(warnings)[:MAX_ROWS])


def _nodes(summary: Summary) -> Iterator[Family]:
    rows = (summary["nodes"] or {}).get("nodes", ())[:MAX_ROWS]
    for name, text, key in (
        ("node_threads_peak", "Peak of processes and threads of a node.", "threads_peak"),
        ("node_threads_limit", "Limit of processes and threads of a node.", "max_threads"),
        ("node_cpu_cores_peak", "Peak CPU of a node, in cores.", "cpu_cores_peak"),
        ("node_memory_bytes_peak", "Peak memory of a node.", "memory_bytes_peak"),
        ("node_pods_peak", "Peak of pods of a node.", "pods_peak"),
    ):
        yield _gauge(name, text, (Sample({"node": row["name"]}, row[key]) for row in rows))
    build = summary["processes"]["per_build_pod"]
    values = (Sample({"statistic": name}, build[name]) for name in ("min", "median", "max"))
    yield _gauge("build_pod_processes", "Processes of a build pod.", values)


def _network(summary: Summary) -> Iterator[Family]:
    sources = (summary.get("network_operations") or {}).get("sources") or {}
    counts = (
        Sample({"source": source, "operation": name}, row[name])
        for source, row in sources.items()
        for name in ("add", "del", "failed")
    )
    yield _gauge("network_operations", "Operations of the network plug-in, by who counted them.", counts)


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest counts."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_ROWS]


def _labels(labels: Mapping[str, Any]) -> str:
    text = ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{text}}}" if text else ""


def _number(value: float) -> str:
    # repr() keeps full precision, and writes whole numbers as they are.
    return repr(int(value)) if isinstance(value, bool) or float(value).is_integer() else repr(float(value))
