# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared: one row per metric. To compare another figure, add a row; nothing else knows the metrics by name.

`path` leads to the figure in summary.json, or in must-gather.json:

- `a.b` is the entry b of a. `a.{x}.b` stands for each entry of a; its key becomes part of the metric's name.
- `a[x,y].b` stands for each row of the list a; its fields x and y become part of the name. `a[].b` takes all rows.
- Several figures of one name are put together by `together`.

Two more documents can be reached: `run` is run.json, and `derived` has what `sources.py` computes.

Tolerances and floors. A difference counts if it is larger than the tolerance, in percent of the value before, and also
larger than the floor, in the metric's unit. The fewer runs there are, the wider both are. They were chosen so that
equal runs on a busy machine with two cores come out as the same:

- Counts of failures have no floor: from none to one is a difference.
- Times of pods and Jobs are differences of timestamps with whole seconds, so a median may jump by a second.
- Latencies depend on the load generator's machine too. Those of few requests are those of one moment: a p99 needs 100
  requests, a median 30. The API server's are read from buckets, each twice as wide as the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..measure.events import FORK_FAILED

Better = Literal["lower", "higher", "neither"]
#: What a metric decides. Failures come first: times of runs in which more failed are times of what survived.
Weight = Literal["failures", "times", "context"]
FAILURES: Weight = "failures"
TIMES: Weight = "times"
CONTEXT: Weight = "context"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row.

    - `name` is what `compare_tolerances` calls it, `what` what people read.
    - `better`: which direction is an improvement. Where neither is, a difference is only a difference.
    - `known`: path of a figure that is not null if an entry that is missing means 0.
    - `per`: an entry beside the figure that it is divided by.
    - `counted`, `least`: the entry beside the figure with the number of observations, and how many it needs.
    - `codes`: numbers for words.
    - `without`: what is captured and has a row of its own.
    - `absent`: what it means that a run has no value.
    - `key`: shown even if it did not change.
    - `alone`, `few`: tolerance and floor are so many times as large if a side has one or two runs, and if there are
      more, but too few for a test.
    """

    name: str
    what: str
    path: str
    unit: str = ""
    better: Better = "lower"
    tolerance_percent: float = 25.0
    floor: float = 0.0
    weight: Weight = CONTEXT
    together: Literal["sum", "max", "count"] = "sum"
    known: str = ""
    per: str = ""
    counted: str = ""
    least: int = 0
    codes: dict[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    absent: str = "no data"
    key: bool = False
    alone: float = 2.0
    few: float = 1.0


def _failures(name: str, what: str, path: str, *, known: str = "", key: bool = False) -> Metric:
    return Metric(name=name, what=what, path=path, known=known, weight=FAILURES, key=key)


def _context(name: str, what: str, path: str, *, unit: str = "", known: str = "", key: bool = False) -> Metric:
    return Metric(name=name, what=what, path=path, unit=unit, known=known, better="neither", key=key)


#: Latencies depend on what else a machine does in that minute, so few runs say little of them.
_LATENCY: dict[str, Any] = {"alone": 5.0, "few": 2.0}
#: A p99 of some dozens of pods is the slowest of them.
_LARGEST: dict[str, Any] = {"alone": 3.0, "few": 2.0}

_RUN = (
    Metric(
        name="runs_not_passed",
        what="runs that did not pass",
        path="verdict",
        codes={"passed": 0.0, "failed": 1.0, "aborted": 1.0},
        weight=FAILURES,
        key=True,
    ),
    _failures("objects_failed", "objects that could not be stored", "objects[].failed"),
    _failures("objects_not_ready", "objects not ready", "objects[].not_ready"),
    _failures("jobs_failed", "Jobs failed", "jobs.failed", key=True),
    _context("jobs_complete", "Jobs complete", "jobs.complete", key=True),
    _failures("pods_failed", "pods failed", "pods.failed", key=True),
    Metric(
        name="pods_failed_by",
        what="pods failed by {cause}",
        path="pods.causes.{cause}",
        known="pods.failed",
        without=(FORK_FAILED,),
    ),
    _failures(
        "fork_failures", "pods failed by a failed fork", f"pods.causes.{FORK_FAILED}", known="pods.failed", key=True
    ),
    _failures(
        "fork_events",
        "Warnings about failed forks",
        "events.warnings[].fork_failures",
        known="events.total",
        key=True,
    ),
    _failures("pods_never_ready", "pods never ready", "pods.never_ready"),
    Metric(
        name="node_conditions",
        what="pressure or not Ready on nodes",
        path="nodes.nodes[].conditions[]",
        known="nodes.seen",
        together="count",
        weight=FAILURES,
        key=True,
    ),
    _failures(
        "network_operations_failed",
        "{source}: network operations that failed",
        "network_operations.sources.{source}.failed",
    ),
    _context("network_add", "{source}: network ADD", "network_operations.sources.{source}.add", key=True),
    _context("network_del", "{source}: network DEL", "network_operations.sources.{source}.del"),
    _failures("service_requests_failed", "requests to Services that failed", "connectivity.failed"),
    Metric(
        name="first_failure",
        what="first failure after",
        path="derived.first_failure_s",
        unit="s",
        better="neither",
        absent="none",
        key=True,
    ),
    Metric(
        name="outage_seconds",
        what="API server not reached",
        path="outages.seconds",
        unit="s",
        floor=5.0,
        weight=TIMES,
    ),
    Metric(
        name="request_errors",
        what="requests that failed",
        path="rate.errors[]",
        known="rate.requests",
        tolerance_percent=50.0,
        floor=10.0,
        weight=TIMES,
        key=True,
    ),
    _context("request_errors_by", "requests that failed by {cause}", "rate.errors.{cause}", known="rate.requests"),
    Metric(
        name="retries",
        what="requests sent again",
        path="rate.retries[]",
        known="rate.requests",
        tolerance_percent=50.0,
        floor=10.0,
        weight=TIMES,
        key=True,
    ),
    _context("retries_by", "requests sent again after {cause}", "rate.retries.{cause}", known="rate.requests"),
    Metric(
        name="request_p50",
        what="{verb} {kind} p50",
        path="requests.{verb}.{kind}.p50_ms",
        unit="ms",
        tolerance_percent=100.0,
        floor=100.0,
        counted="count",
        least=30,
        **_LATENCY,
        weight=TIMES,
    ),
    Metric(
        name="request_p99",
        what="{verb} {kind} p99",
        path="requests.{verb}.{kind}.p99_ms",
        unit="ms",
        tolerance_percent=200.0,
        floor=250.0,
        counted="count",
        least=100,
        **_LATENCY,
        weight=TIMES,
    ),
    Metric(
        name="api_server_p50",
        what="API server: {verb} {resource}/{subresource} p50",
        path="api_server.sli[verb,group,resource,subresource,scope].p50_s",
        unit="s",
        tolerance_percent=200.0,
        floor=0.1,
        counted="count",
        least=30,
        **_LATENCY,
        weight=TIMES,
    ),
    Metric(
        name="api_server_p99",
        what="API server: {verb} {resource}/{subresource} p99",
        path="api_server.sli[verb,group,resource,subresource,scope].p99_s",
        unit="s",
        tolerance_percent=200.0,
        floor=0.5,
        counted="count",
        least=100,
        **_LATENCY,
        weight=TIMES,
    ),
    Metric(
        name="api_server_rejected",
        what="API server: requests rejected by flow control",
        path="api_server.flow_control[].rejected",
        known="api_server.scrapes",
        floor=10.0,
        weight=TIMES,
    ),
    _context("api_server_cpu", "API server: CPU seconds", "api_server.cpu_seconds", unit="s"),
    Metric(
        name="etcd_p99",
        what="API server to etcd: {operation} {type} p99",
        path="api_server.etcd[operation,type].p99_s",
        unit="s",
        tolerance_percent=200.0,
        floor=0.25,
        counted="count",
        least=100,
        **_LATENCY,
    ),
    Metric(
        name="startup_p50",
        what="start-up p50, {group}: {stage}",
        path="pods.startup.{group}.{stage}.p50_s",
        unit="s",
        floor=1.5,
        counted="count",
        least=5,
        weight=TIMES,
    ),
    Metric(
        name="startup_p99",
        what="start-up p99, {group}: {stage}",
        path="pods.startup.{group}.{stage}.p99_s",
        unit="s",
        tolerance_percent=50.0,
        floor=1.5,
        counted="count",
        least=5,
        **_LARGEST,
        weight=TIMES,
    ),
    Metric(
        name="startup_all_p99",
        what="pod start-up p99, all pods",
        path="pods.startup_p99_s",
        unit="s",
        tolerance_percent=50.0,
        floor=1.5,
        **_LARGEST,
        weight=TIMES,
        key=True,
    ),
    Metric(
        name="job_duration_mean",
        what="Job duration, mean",
        path="jobs.duration.histogram.sum_seconds",
        per="count",
        unit="s",
        floor=2.0,
        counted="count",
        least=5,
        weight=TIMES,
        key=True,
    ),
    Metric(
        name="job_duration_p50",
        what="Job duration p50",
        path="jobs.duration.p50_s",
        unit="s",
        floor=2.0,
        counted="count",
        least=30,
        weight=TIMES,
    ),
    Metric(
        name="job_duration_p99",
        what="Job duration p99",
        path="jobs.duration.p99_s",
        unit="s",
        tolerance_percent=50.0,
        floor=2.0,
        counted="count",
        least=5,
        **_LARGEST,
        weight=TIMES,
    ),
    _context("length", "length of the run", "derived.length_s", unit="s", key=True),
    _context("requests", "requests", "rate.requests"),
    _context("restarts", "restarts of containers", "pods.restarts"),
    _context("oom_kills", "containers killed for memory", "pods.oom_kills"),
    _context("build_processes", "processes in a build pod, peak", "processes.per_build_pod.max", key=True),
    Metric(
        name="node_threads",
        what="threads of a node, peak",
        path="nodes.nodes[].threads_peak",
        together="max",
        better="neither",
        key=True,
    ),
    Metric(
        name="node_threads_share",
        what="threads of a node, of its limit",
        path="nodes.nodes[].threads_peak",
        per="max_threads",
        unit="%",
        together="max",
        floor=10.0,
        weight=TIMES,
        key=True,
    ),
    _context("warnings", "Warnings", "events.total", key=True),
    _context("warnings_by", "Warnings {reason}", "events.warnings[reason].count", known="events.total"),
)

_GATHER = (
    _failures("gather_errors", "{kind}", "totals.errors.{kind}", known="derived.read", key=True),
    _failures("gather_operations_failed", "{source}: operations that failed", "totals.sources.{source}.failed"),
    _context("gather_add", "{source}: ADD", "totals.sources.{source}.add", key=True),
    _context("gather_del", "{source}: DEL", "totals.sources.{source}.del", key=True),
    Metric(
        name="gather_busiest_hour",
        what="{source}: ADD in the busiest hour",
        path="hours[].sources.{source}.add",
        together="max",
        better="neither",
    ),
    Metric(
        name="gather_first_failure",
        what="first failure after",
        path="derived.gather_first_failure_s",
        unit="s",
        better="neither",
        absent="none",
        key=True,
    ),
    _failures("gather_builds_failed", "builds failed", "builds.failed", key=True),
    _context("gather_builds_finished", "builds finished", "builds.finished", key=True),
    _context("gather_builds_at_once", "builds at once, most", "builds.peak_at_once"),
    Metric(
        name="gather_build_length",
        what="build length, median",
        path="builds.lengths_s.median",
        unit="s",
        floor=5.0,
        weight=TIMES,
        key=True,
    ),
    _context("gather_processes", "processes of a node, most", "processes.max", key=True),
)

METRICS = (*_RUN, *_GATHER)
