"""metrics.prom, read by Prometheus' own two parsers: OpenMetrics', and the older one of the textfile collector."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.network import PLUGIN
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.openmetrics import openmetrics_text
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from helpers.example_accelerators import cause, pool, restarts, wait, with_jobs
from helpers.example_batches import RUN, batch, guarded, latencies
from helpers.example_observations import api_server, node, nodes, observation, silent_node, sli, warning
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families


def text_of(*batches: Any, observations: Any = (), **run: Any) -> str:
    evidence = Evidence(run={**RUN, **run}, batches=[*batches], observations=[*observations])
    return openmetrics_text(build_summary(evidence))


def samples_of(text: str) -> dict[tuple[str, frozenset], float]:
    """Return the samples by name and labels, as both parsers read them alike."""
    read = []
    for parse in (openmetrics_families, text_families):
        found = [sample for family in parse(text) for sample in family.samples]
        assert {sample.timestamp for sample in found} == {None}
        read.append({(one.name, frozenset(one.labels.items())): one.value for one in found})
    assert read[0] == read[1]
    return read[0]


def value(samples: dict, name: str, **labels: str) -> float | None:
    return samples.get((f"kubestress_{name}", frozenset({"run_id": "r1", "profile": "safe", **labels}.items())))


def test_the_figures_of_the_summary_are_there():
    samples = samples_of(text_of(batch(), observations=[observation()]))
    assert value(samples, "run_info", attempt="1", settings_hash="abc") == 1
    assert value(samples, "run_verdict", verdict="passed") == 1
    assert value(samples, "run_verdict", verdict="failed") == 0
    assert value(samples, "run_trust", trust="good") == 1
    assert value(samples, "run_duration_seconds") == 62.5
    assert value(samples, "run_start_timestamp_seconds") == 1795233600
    assert value(samples, "objects", kind="Deployment", state="created") == 30
    assert value(samples, "request_seconds", verb="create", kind="Deployment", quantile="0.99") == pytest.approx(
        0.03, rel=0.01
    )
    assert value(samples, "request_seconds_count", verb="create", kind="Deployment") == 30
    assert value(samples, "request_seconds_sum", verb="create", kind="Deployment") == pytest.approx(0.465)
    assert value(samples, "request_retries_by_cause", cause="429") == 2
    assert value(samples, "limit_wait_seconds", limit="in_flight") == 1.5
    assert value(samples, "client_cpu_seconds") == 18
    assert value(samples, "jobs", state="complete") == 4
    assert value(samples, "pod_startup_seconds_count", group="job", stage="total") == 2
    assert value(samples, "slo_met", slo="pod start-up: pods") == 1
    assert value(samples, "apiserver_cpu_seconds") == 12.5
    assert value(samples, "warning_events", reason="FailedScheduling", kind="Pod") == 3
    assert value(samples, "node_threads_peak", node="n-1") == 900
    assert value(samples, "clock_skew_seconds") == 0.012
    assert value(samples, "build_pod_processes", statistic="median") == 72
    assert value(samples, "network_operations", source=PLUGIN, operation="add") == 10
    assert value(samples, "network_operations", source=PLUGIN, operation="failed") == 1


def test_accelerator_jobs_are_there_by_queue_pool_and_cause():
    jobs = with_jobs(
        waits=[wait(1, 1, 9), wait(priority="low", waiting=2)],
        pools=[pool("a", pods=12)],
        restarts=[restarts(times=2, failed=1, c1=1)],
        unschedulable=[cause(told=5, pending=4)],
    )
    samples = samples_of(text_of(batch(**jobs)))
    role = {"role": "accelerator_jobs"}
    queue = {**role, "queue": "team", "priority": "high"}
    assert value(samples, "job_wait_seconds", **queue, stage="admitted", quantile="0.99") == pytest.approx(9, rel=0.01)
    assert value(samples, "jobs_waiting", **{**queue, "priority": "low"}) == 2
    assert value(samples, "job_pool_pods", **role, pool="a") == 12
    assert value(samples, "job_pool_slices", **role, pool="a") == 3
    assert value(samples, "job_set_restarts", **role) == 2
    assert value(samples, "job_causes_pending", **role, by="scheduler", cause="Insufficient google.com/tpu") == 4


def test_who_stopped_a_run_and_what_its_guard_saw():
    samples = samples_of(text_of(batch(aborted="guard: …", stopped_by="guard", guard=guarded(peak=3))))
    assert value(samples, "run_stopped_by", by="guard") == 1
    assert value(samples, "run_stopped_by", by="killed") == 0
    assert value(samples, "guard_highest", sign="failed_pods", unit="") == 3
    assert value(samples, "guard_threshold", sign="failed_pods", unit="") == 1
    assert value(samples, "guard_highest", sign="api_p99", unit="s") == 0.25
    assert value(samples, "guard_highest", sign="lost_nodes", unit="") is None


def test_what_nobody_measured_has_no_sample():
    samples = samples_of(text_of(batch(client=None, pods={}, processes={}), observations=[
        observation(nodes=nodes(silent_node("n-1")), processes={}),
    ]))  # fmt: skip
    names = {name for name, _labels in samples}
    for name in ("client_cpu_seconds", "pods", "pod_startup_seconds", "node_threads_peak", "build_pod_processes"):
        assert f"kubestress_{name}" not in names
    assert value(samples, "slo_met", slo="pod start-up") is None


def test_nothing_at_all_is_still_a_file():
    text = text_of()
    assert value(samples_of(text), "run_verdict", verdict="passed") == 1
    assert text.endswith("\n# EOF\n")


def test_each_family_has_its_help_and_type_and_only_this_collections_names():
    text = text_of(batch(), observations=[observation()])
    for family in openmetrics_families(text):
        assert family.name.startswith("kubestress_")
        assert family.documentation.endswith(".")
        assert family.type in ("gauge", "summary")
    lines = text.splitlines()
    assert len(lines) == len(set(lines))


def test_labels_hold_whatever_a_name_has():
    samples = samples_of(text_of(batch(), profile='a "quoted"\\name\nof two lines'))
    labels = next(dict(labels) for name, labels in samples if name == "kubestress_run_info")
    assert labels["profile"] == 'a "quoted"\\name\nof two lines'


def test_the_size_does_not_grow_with_the_run():
    causes = {f"cause {number}": 1 for number in range(500)}
    huge = batch(
        pods={**batch()["pods"], "causes": causes},
        namespaces=[
            {"name": f"n-{number}", "jobs_complete": 1, "jobs_failed": 0, "pods_succeeded": 1, "pods_failed": 0}
            | {"failed_pods": []}
            for number in range(1000)
        ],
        requests={"create": {"Job": latencies(*range(1, 9999))}},
    )
    seen = observation(
        api_server=api_server(sli=[sli("POST", f"r{number}", 1, 1, 1, 1, 1, 1) for number in range(400)]),
        nodes=nodes(*(node(f"n-{number}") for number in range(300))),
        events={"source": "watch", "total": 9, "warnings": [warning(f"R{number}", 1) for number in range(50)]},
    )
    assert len(samples_of(text_of(huge, observations=[seen]))) < 800
