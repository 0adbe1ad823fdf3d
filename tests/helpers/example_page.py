"""Summaries, timelines and runs for tests of report.html: one that passed, and the extremes.

Shapes are those that the results room writes; figures are made up, but always the same.
"""

from __future__ import annotations

import math
import random
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import LatencySketch

from helpers.example_accelerators import cause, pool, restarts, wait, with_jobs

Documents = dict[str, Any]
STARTED = "2026-11-21T05:21:10.000Z"


def rfc3339(seconds: float) -> str:
    """Return the time `seconds` after the start of the run."""
    whole = 5 * 3600 + 21 * 60 + 10 + int(seconds)
    return f"2026-11-{21 + whole // 86400:02}T{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}.000Z"


def counts(requested: int, *, ready: int) -> dict[str, int]:
    """Return the row of one kind, all of them stored."""
    done = {"created": requested, "patched": 0, "deleted": 0, "unchanged": 0}
    return {"requested": requested, **done, "failed": 0, "ready": ready, "not_ready": requested - ready}


def latency_row(rng: random.Random, count: int, middle_ms: float, errors: int = 0) -> dict[str, Any]:
    """Return the row of one verb and kind."""
    sketch = LatencySketch()
    for _one in range(min(count, 2000)):
        sketch.add(rng.lognormvariate(math.log(middle_ms / 1000), 0.6))
    document = sketch.to_dict() | {"count": count}
    percentiles = {f"p{p}_ms": round((sketch.percentile(p) or 0) * 1000, 3) for p in (50, 90, 95, 99)}
    return {
        "count": count,
        "errors": errors,
        **percentiles,
        "max_ms": round(sketch.max_seconds * 1000, 3),
        "histogram": document,
    }


def spread(rng: random.Random, count: int, middle_s: float) -> dict[str, Any]:
    """Return percentiles in seconds."""
    values = sorted(rng.lognormvariate(math.log(middle_s), 0.4) for _one in range(min(count, 500)))
    row = {f"p{p}_s": round(values[min(len(values) - 1, len(values) * p // 100)], 3) for p in (50, 90, 95, 99)}
    return {"count": count, **row, "max_s": round(values[-1], 3), "histogram": None}


def load_series(rng: random.Random, bins: int, *, jobs_from: float = 0.3, failing: bool = False) -> dict[str, list]:
    """Return the series of a run: a burst of objects, then Jobs in waves; None where there was no answer."""
    series: dict[str, list] = {
        name: []
        for name in (
            "requests",
            "errors",
            "retries",
            "in_flight",
            "latency_p50_ms",
            "latency_p99_ms",
            "cpu_share",
            "pods_pending",
            "pods_running",
            "pods_succeeded",
            "pods_failed",
        )
    }
    succeeded = failed = 0
    for index in range(bins):
        share = index / bins
        burst = (
            max(0.0, math.sin(share * math.pi / jobs_from)) if share < jobs_from else 0.15 * (1 + math.sin(index / 9))
        )
        sent = int(320 * burst + rng.random() * 12)
        bad = int(sent * 0.04) if failing and 0.4 < share < 0.5 else 0
        running = int(600 * min(1, share * 4) * (1 if share < 0.85 else (1 - share) / 0.15))
        succeeded += int(running * 0.02)
        failed += 3 if failing and 0.4 < share < 0.6 else 0
        quiet = sent < 4
        row = (
            sent,
            bad,
            bad + (1 if rng.random() < 0.05 else 0),
            min(50, sent // 6 + 1),
            None if quiet else round(12 + 40 * burst + rng.random() * 6, 2),
            None if quiet else round(60 + 700 * burst**2 + rng.random() * 80, 2),
            round(min(1.0, 0.1 + 0.7 * burst), 3),
            int(80 * burst),
            running,
            succeeded,
            failed,
        )
        for name, value in zip(series, row, strict=True):
            series[name].append(value)
    return series


def node_series(rng: random.Random, name: str, seconds: float, points: int, peak: int) -> dict[str, Any]:
    """Return one node's series, with a gap where its kubelet did not answer."""
    times = [round(index * seconds / points, 1) for index in range(points)]
    threads = [
        int(peak * (0.3 + 0.7 * math.sin(math.pi * index / points)) + rng.random() * 40) for index in range(points)
    ]
    holes: list[Any] = [None if 0.6 < index / points < 0.63 else value for index, value in enumerate(threads)]
    limits = {"max_threads": 32000, "pod_pids_limit": 4096}
    return {
        "node": name,
        "t": times,
        "threads": holes,
        "cpu_cores": [],
        "memory_bytes": [],
        "pods": [],
        "limits": limits,
    }


def run_document(**changed: Any) -> Documents:
    """Return run.json."""
    settings = {
        "namespaces_total": 20,
        "namespaces_prefix": "shop",
        "deployments_per_namespace": 30,
        "build_jobs_processes": 72,
        "build_jobs_requests": {"cpu": "50m", "memory": "64Mi"},
        "run_qps": 0.0,
        "run_node_selector": {},
        "run_log_file": "",
        "deployments_image": "registry.example/e2e-test-images/agnhost:2.53",
        "cleanup_on_completion": False,
        "cleanup_grace_period": None,
    }
    settings |= {f"observe_setting_{number}": number for number in range(40)}
    kind = {
        "kubeletVersion": "v1.36.3",
        "osImage": "Debian GNU/Linux 13 (trixie)",
        "kernelVersion": "6.12.1",
        "cores": 64,
    }
    kind |= {"containerRuntimeVersion": "containerd://2.1.0", "architecture": "amd64", "pods": 500, "count": 10}
    rows = [
        {
            "name": "pods at peak",
            "needed_text": "640",
            "offered_text": "4,918",
            "verdict": "ok",
            "cure": "",
            "note": "",
        },
        {
            "name": "processes in a build pod",
            "needed_text": "72",
            "offered_text": "64",
            "verdict": "over",
            "cure": "build_jobs_processes: 64",
            "note": "podPidsLimit",
        },
    ]
    document = {
        "schema": 1,
        "run_id": "shop-20261121-k3fzq",
        "attempt": 1,
        "profile": "standard",
        "started": STARTED,
        "settings_hash": "ea344c73560a36d08611c9aeb62f0629ff494e4022f18ed1e8b920ed59c2a8ed",
        "settings": settings,
        "versions": {"ansible": "2.19.14", "collection": "1.0.0", "python": "3.11.7"},
        "cluster": {
            "version": "v1.36.3",
            "platform": "linux/amd64",
            "openshift": False,
            "namespaces": 25,
            "pods_running": 82,
            "nodes": {
                "total": 10,
                "ready": 10,
                "allocatable_cores": 640.0,
                "allocatable_memory_bytes": 2748779069440,
                "allocatable_pods": 5000,
                "kinds": [{**kind, "simulated": False}],
            },
        },
        "preflight": {"rows": rows, "problems": [], "cautions": []},
    }
    return document | changed


def summary_document(*, seconds: float = 312, scale: int = 1, seed: int = 7, **changed: Any) -> Documents:
    """Return summary.json of a run that passed; `scale` multiplies its objects, of which there are 1,300."""
    rng = random.Random(seed)
    amounts = {
        "Namespace": 20,
        "ConfigMap": 400,
        "Secret": 400,
        "Deployment": 200,
        "Service": 200,
        "Job": 60,
        "StatefulSet": 20,
    }
    amounts = {kind: amount * scale for kind, amount in amounts.items()}
    document = {
        "schema": 1,
        "run_id": "shop-20261121-k3fzq",
        "attempt": 1,
        "profile": "standard",
        "verdict": "passed",
        "reasons": [],
        "started": STARTED,
        "finished": rfc3339(seconds),
        "settings_hash": run_document()["settings_hash"],
        "objects": {kind: counts(n, ready=n) for kind, n in amounts.items()},
        "requests": {
            "create": {kind: latency_row(rng, n, 14 + 5 * i) for i, (kind, n) in enumerate(amounts.items())},
            "list": {kind: latency_row(rng, 4, 30) for kind in ("Pod", "Job")},
        },
        "rate": {
            "objects_per_second": 41.7,
            "peak_in_flight": 50,
            "max_in_flight": 50,
            "retries": {"429": 2},
            "errors": {"429": 2},
            "limit_wait_seconds": {"in_flight": 31.5, "rate": 0.0},
        },
        "client": {
            "cpu_seconds": 41.2,
            "wall_seconds": seconds,
            "cpu_share": 0.13,
            "busy_seconds": 0,
            "loop_lag_p99_ms": 4.1,
            "loop_lag_max_ms": 38.0,
            "cores": 2,
        },
        "jobs": {
            "complete": amounts["Job"],
            "failed": 0,
            "peak_active_pods": 118,
            "ceiling_active_pods": 120,
            "duration": spread(rng, amounts["Job"], 22.0),
            "pods_retried": 2,
        },
        "pods": {
            "succeeded": 240 * scale,
            "failed": 2,
            "startup_p50_s": 1.268,
            "startup_p99_s": 3.781,
            "causes": {"Error (exit code 1)": 2},
            "restarts": 12,
            "oom_kills": 12,
            "startup": {
                group: {
                    stage: spread(rng, 300, middle)
                    for stage, middle in (
                        ("scheduled", 0.2),
                        ("initialized", 0.4),
                        ("started", 1.1),
                        ("ready", 1.6),
                        ("total", 1.7),
                        ("watched", 1.8),
                    )
                }
                for group in ("stateless", "stateful", "job")
            },
            "worst": [
                {
                    "namespace": f"shop-{n}",
                    "name": f"web-{n}-7c9d8f6b5-x{n}k2p",
                    "group": "stateless",
                    "node": f"worker-{n}",
                    "total_s": 9.0 - n / 2,
                    "stages": {"scheduled": 0, "initialized": 1, "started": 6 - n / 2, "ready": 2},
                    "cause": "",
                }
                for n in range(1, 8)
            ],
        },
        "statefulsets": {"pods_killed": 12, "restarts": 12, "oom_kills": 12},
        "processes": {"per_build_pod": {"min": 71, "median": 73, "max": 75, "samples": 412, "source": "kubelet"}},
        "namespaces": [
            {
                "name": f"shop-{n}",
                "jobs_complete": 3,
                "jobs_failed": 0,
                "pods_succeeded": 12,
                "pods_failed": int(n < 3),
                "failed_pods": [{"name": f"build-{n}-0-abcde", "reason": "Error (exit code 1)"}] if n < 3 else [],
            }
            for n in range(1, amounts["Namespace"] + 1)
        ],
        "expected": expected(),
        "slo": levels(),
        "api_server": server(rng),
        "nodes": nodes(10),
        "events": {
            "source": "watch",
            "cause": None,
            "total": 31,
            "warnings": [
                {
                    "reason": reason,
                    "kind": "Pod",
                    "count": n,
                    "first": rfc3339(12),
                    "last": rfc3339(200),
                    "example": {"namespace": "shop-3", "name": "web-1-7c9d8f6b5-abcde", "message": message},
                }
                for reason, n, message in (
                    ("BackOff", 24, "Back-off restarting failed container eater in pod killed-0_shop-3(0b2c…)"),
                    ("FailedScheduling", 7, "0/10 nodes are available: 10 Insufficient cpu."),
                )
            ],
        },
        "skew": {"estimate_ms": 3.0, "error_ms": 500.0, "samples": 31},
        "validity": {
            "trust": "good",
            "statements": [
                {"about": "client", "state": "good", "text": "This machine had room: no second at its limit."},
                {"about": "clock", "state": "good", "text": "The clocks differ by less than half a second."},
                {"about": "nodes", "state": "no data", "text": "Nobody was asked for the load of other nodes."},
            ],
        },
        "phases": [{"role": role, "seconds": end - start} for role, start, end in phases(seconds)],
    }
    return document | changed


def expected() -> Documents:
    """Return what was expected of the builds and what was seen: one thing too late, one not seen."""
    names = ("name", "earliest_s", "likely_s", "latest_s", "seen_s", "documented_s", "cause")
    rows = [
        ("first_pod", 1.3, 1.3, 1.3, 1.1, 5, None),
        ("first_busy", 8.3, 10.1, 21.3, None, 10, "worker-1: simulated node: it runs no processes"),
        ("first_finished", 30.3, 46.2, 89.3, 47.0, 60, None),
        ("all_finished", 117.2, 229.1, 357.2, 401.5, None, None),
        ("first_removed", 417.2, 489.4, 657.2, None, 300, "the run ended before any TTL"),
    ]
    role = {"role": "build_jobs", "pods": 240, "pods_at_once": 120, "rounds": 4}
    node = {"name": "worker-1", "build_pods_peak": 12, "likely": 311, "most": 864}
    seen = {"threads_low": 1_200, "threads_peak": 2_050, "rise": 850, "max_threads": 32_000}
    return {
        "startup_p50_s": 1.3,
        "startup_stage": "watched",
        "roles": [
            {
                **role,
                "processes_busy": 72,
                "processes_mean": 25.9,
                "milestones": [dict(zip(names, row, strict=True)) for row in rows],
            }
        ],
        "nodes": [node | seen],
        "nodes_cause": None,
    }


def levels() -> list[Documents]:
    """Return service levels: some met, one not measured."""
    rows = [
        ("mutating API calls", "POST", "pods", "namespace", 1234, 0.1, 1.0, True),
        ("mutating API calls", "POST", "configmaps", "namespace", 400, 0.05, 1.0, True),
        ("read-only API calls", "LIST", "pods", "cluster", 14, 0.4, 30.0, True),
        ("pod start-up", None, None, "stateless", 600, 3.78, 5.0, True),
        ("read-only API calls", "GET", "nodes", "resource", 0, None, 1.0, None),
    ]
    names = ("name", "verb", "resource", "scope", "count", "p99_s", "limit_s", "met")
    statement = "p99 was between 0.05 and 0.1 s over 1,234 calls in this run's 63 s; the service level allows 1 s"
    return [dict(zip(names, row, strict=True)) | {"statement": statement} for row in rows]


def server(rng: random.Random) -> Documents:
    """Return the API server's figures."""
    resources = ("pods", "configmaps", "secrets", "deployments", "replicasets", "jobs", "services", "leases", "nodes")
    return {
        "source": "metrics",
        "cause": None,
        "servers": 1,
        "instances": [{"started": STARTED, "scrapes": 21}],
        "restarted": False,
        "scrapes": 21,
        "failed_scrapes": {},
        "window": {"from": rfc3339(0), "to": rfc3339(312)},
        "sli": [
            {
                "verb": verb,
                "group": "",
                "resource": one,
                "subresource": "",
                "scope": "namespace",
                "count": 1000,
                "p50_s": 0.01,
                "p90_s": 0.04,
                "p99_s": round(0.05 + rng.random(), 3),
                "p99_bucket_s": [0.05, 0.1],
                "buckets": {},
            }
            for one in resources
            for verb in ("POST", "LIST", "PUT", "GET")
        ],
        "flow_control": [
            {"priority_level": one, "rejected": 0, "queued_max": 3, "executing_max": 12.0, "wait_p99_s": 0.05}
            for one in ("global-default", "workload-low", "system", "leader-election")
        ],
        "inflight": {"mutating_max": 31, "read_only_max": 18},
        "etcd": [
            {"operation": one, "type": "pods", "count": 9000, "p50_s": 0.002, "p99_s": 0.031}
            for one in ("get", "update")
        ],
        "objects": {"pods": {"before": 82, "after": 702}, "events": {"before": 40, "after": 3160}},
        "cpu_seconds": 512.4,
        "resident_bytes_max": 1_450_000_000,
    }


def nodes(amount: int) -> Documents:
    """Return the nodes' figures: the first node is near its limit and was under pressure."""
    rows = [
        {
            "name": f"worker-{n}",
            "simulated": False,
            "samples": 60,
            "cause": None,
            "max_threads": 32000,
            "threads_peak": 27000 if n == 1 else 9000 - n,
            "pod_pids_limit": 4096,
            "pod_threads_peak": 75,
            "cpu_cores_peak": 12.4,
            "memory_bytes_peak": 21_000_000_000,
            "pods_peak": 71,
            "conditions": [
                {
                    "type": "PIDPressure",
                    "status": "True",
                    "reason": "KubeletHasInsufficientPID",
                    "from": rfc3339(90),
                    "to": rfc3339(130),
                }
            ]
            if n == 1
            else [],
        }
        for n in range(1, amount + 1)
    ]
    return {"source": "kubelet", "cause": None, "requests": 600, "nodes": rows, "not_asked": 0}


def phases(seconds: float) -> list[tuple[str, float, float]]:
    """Return role, start and end of each phase."""
    shares = (
        ("namespaces", 0.0, 0.02),
        ("deployments", 0.01, 0.3),
        ("statefulsets", 0.02, 0.35),
        ("build_jobs", 0.3, 1.0),
        ("connectivity", 0.32, 0.6),
    )
    return [(role, round(start * seconds, 1), round(end * seconds, 1)) for role, start, end in shares]


def timeline_document(
    *, seconds: float = 312, nodes_amount: int = 4, failing: bool = False, **changed: Any
) -> Documents:
    """Return timeline.json."""
    rng = random.Random(11)
    width = 2 ** max(0, math.ceil(math.log2(seconds / 1200)))
    points = int(min(600, seconds / 5))
    times = [round(index * seconds / points, 1) for index in range(points)]
    wave = [0.5 + 2.5 * abs(math.sin(3 * index / points)) for index in range(points)]
    marks = [{"t": 0.3 * seconds, "text": "build_jobs began", "kind": "phase"}]
    if failing:
        marks += [
            {
                "t": (0.4 + index / 100) * seconds,
                "text": f"create Job build-{index} failed: QuotaExceeded",
                "kind": "failure",
            }
            for index in range(14)
        ]
        marks += [
            {"t": 0.7 * seconds, "text": "worker-1: PIDPressure", "kind": "pressure"},
            {"t": 0.9 * seconds, "text": "the API server restarted", "kind": "restart"},
        ]
    document = {
        "schema": 1,
        "run_id": "shop-20261121-k3fzq",
        "started": STARTED,
        "phases": [{"role": role, "start_s": start, "end_s": end} for role, start, end in phases(seconds)],
        "marks": marks,
        "load": {"bin_seconds": width, "series": load_series(rng, int(seconds / width), failing=failing)},
        "api_server": {
            "t": times,
            "cpu_share": [round(one, 3) for one in wave],
            "resident_bytes": [int(9e8 + 5e8 * index / points) for index in range(points)],
            "inflight_mutating": [int(10 * one) for one in wave],
            "inflight_read_only": [int(5 * one) for one in wave],
            "rejected": [0] * points,
        },
        "nodes": [node_series(rng, f"worker-{n}", seconds, points, 9000 - 400 * n) for n in range(1, nodes_amount + 1)],
    }
    return document | changed


def passed() -> Documents:
    """Return the arguments of render_page for a run that passed."""
    return {"summary": summary_document(), "timeline": timeline_document(), "run": run_document()}


def failed() -> Documents:
    """Return those of a run with many failures: many reasons, long names, text that looks like markup."""
    long = "a-very-long-namespace-name-that-reaches-the-sixty-three-letters-x"
    summary = summary_document(verdict="failed")
    summary["reasons"] = ["Job: 14 of 60 failed", "Job pods: 131 active at once, above the ceiling of 120"] + [
        f"create Job {long}/build-{n}: QuotaExceeded: exceeded quota: compute, requested: pods=6, used: pods=98, "
        "limited: pods=100"
        for n in range(18)
    ]
    summary["objects"]["Job"] |= {"created": 46, "failed": 14, "ready": 46}
    summary["jobs"] |= {"complete": 32, "failed": 14, "peak_active_pods": 131}
    summary["pods"] |= {
        "failed": 96,
        "causes": {"OOMKilled": 60, "DeadlineExceeded": 30, "<script>alert(1)</script>": 6},
    }
    summary["pods"]["worst"].insert(
        0,
        {
            "namespace": long,
            "name": f"{long}-0",
            "group": "stateful",
            "node": None,
            "total_s": None,
            "stages": {},
            "cause": "ImagePullBackOff: Back-off pulling registry.example/with/a/long/path/to/image:tag-of-letters",
        },
    )
    summary["namespaces"] = [
        {
            "name": f"{long[:-3]}{n:03}",
            "jobs_complete": 1,
            "jobs_failed": 2,
            "pods_succeeded": 3,
            "pods_failed": 4,
            "failed_pods": [{"name": f"build-{n}-{m}-abcde", "reason": "OOMKilled (exit code 137)"} for m in range(4)],
        }
        for n in range(24)
    ]
    summary["accelerator_jobs"] = with_jobs(
        waits=[wait(1, 3, 40), wait(priority="low", waiting=12, longest=301.0)],
        pools=[pool(f"v5e-{n}", pods=4 * (n < 7), at_once=int(n < 7)) for n in range(8)],
        restarts=[restarts(times=9, failed=14, c1=12, c137=2)],
        unschedulable=[
            cause(told=40, pending=12, longest=301.0),
            cause(told=15, pending=12, longest=301.0, by="queue"),
        ],
    )["accelerator_jobs"]
    summary["slo"][0] |= {"met": False, "p99_s": 2.4}
    summary["rate"] |= {"errors": {"429": 310, "timeout": 12, "connection": 3}, "retries": {"429": 310, "timeout": 12}}
    summary["client"] |= {"busy_seconds": 41, "cpu_share": 0.97}
    summary["validity"] = {
        "trust": "poor",
        "statements": [
            {"about": "client", "state": "poor", "text": "This machine was at its limit in 41 of 312 seconds."},
            {"about": "API server", "state": "limited", "text": "Two of three API servers were never read."},
            {"about": "clock", "state": "good", "text": "The clocks differ by less than half a second."},
        ],
    }
    return {"summary": summary, "timeline": timeline_document(failing=True), "run": run_document()}


def aborted() -> Documents:
    """Return those of a run that ended before it measured anything."""
    summary = {
        "schema": 1,
        "run_id": "nightly",
        "attempt": 3,
        "profile": None,
        "verdict": "aborted",
        "reasons": ["preflight: the cluster https://api.example:6443 does not answer: connection refused"],
        "started": STARTED,
        "finished": rfc3339(4),
        "settings_hash": None,
        "objects": {},
        "requests": {},
        "rate": {"objects_per_second": None, "peak_in_flight": None, "max_in_flight": None, "retries": {}},
        "jobs": {"complete": None, "failed": None, "peak_active_pods": None, "ceiling_active_pods": None},
        "pods": {"succeeded": None, "failed": None, "startup_p50_s": None, "startup_p99_s": None, "causes": {}},
        "processes": {"per_build_pod": {"min": None, "median": None, "max": None, "samples": 0, "source": "none"}},
        "namespaces": [],
        "slo": [],
        "phases": [],
    }
    return {
        "summary": summary,
        "timeline": None,
        "run": {"schema": 1, "run_id": "nightly", "attempt": 3, "settings": {}},
    }


def ten_hours() -> Documents:
    """Return those of a run of ten hours."""
    return {
        "summary": summary_document(seconds=36000, scale=4),
        "timeline": timeline_document(seconds=36000, nodes_amount=20, failing=True),
        "run": run_document(),
    }


def huge() -> Documents:
    """Return those of a run of 100,000 objects in 1,540 namespaces with failures everywhere, on 500 nodes."""
    summary = summary_document(seconds=7200, scale=77)
    for row in summary["namespaces"]:
        row |= {"jobs_failed": 1, "pods_failed": 5}
        row["failed_pods"] = [{"name": f"build-{m}-abcde", "reason": "OOMKilled (exit code 137)"} for m in range(5)]
    summary["nodes"] = nodes(500)
    summary["events"]["warnings"] *= 25
    return {
        "summary": summary,
        "timeline": timeline_document(seconds=7200, nodes_amount=20, failing=True),
        "run": run_document(),
    }
