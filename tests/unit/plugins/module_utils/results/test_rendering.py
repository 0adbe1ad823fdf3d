"""The end-of-run table: what it says, how wide it is, and how it ends."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.network import PLUGIN
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.rendering import report_lines
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from ansible_collections.kubestress.core.plugins.module_utils.results.table import (
    BAD,
    GOOD,
    WARN,
    WIDTH,
    columns,
    shortened,
    wrapped,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.times import seconds_between
from helpers.example_batches import RUN, batch, counts, latencies, outages, silent
from helpers.example_observations import api_server, network_operations, node, nodes, observation, sli, warning

PATH = "/home/me/kubestress-results/r1/summary.json"
PAGE = "/home/me/kubestress-results/r1/report.html"


def lines_of(*batches, observations=(), page=None, **more):
    evidence = Evidence(run={**RUN, **more}, batches=[*batches], observations=[*observations])
    return report_lines(build_summary(evidence), path=PATH, page=page)


def text_of(*batches, **more):
    return "\n".join(line.text for line in lines_of(*batches, **more))


def test_it_ends_with_verdict_counts_and_path():
    lines = lines_of(batch())
    assert [line.text for line in lines[-3:]] == [
        "  verdict   PASSED after 1 min 2 s",
        "  counts    objects: 34 requested, 34 created, 0 unchanged, 0 failed; Jobs: 4 complete",
        f"  results   {PATH}",
    ]
    assert lines[-3].tone == GOOD
    assert [line.text for line in lines_of(batch(), page=PAGE)[-2:]] == [f"  results   {PATH}", f"  page      {PAGE}"]


def test_patched_and_deleted_have_columns_where_something_was():
    changed = batch(
        state="patched", objects={"Deployment": counts(30, created=0) | {"patched": 30, "ready": 30}}, jobs={}
    )
    gone = batch(state="absent", objects={"Deployment": counts(30, created=0, ready=None) | {"deleted": 30}}, jobs={})
    text = text_of(batch(objects={"Deployment": counts(30)}), changed, gone)
    assert "requested  created  patched  deleted  unchanged  failed  ready" in text
    assert "objects: 90 requested, 30 created, 30 patched, 30 deleted, 0 unchanged, 0 failed" in text


def test_it_says_what_was_measured():
    text = text_of(batch())
    assert text.startswith("── run r1, attempt 1, profile safe ──")
    for part in (
        "objects     requested  created  unchanged  failed  ready",
        "Deployment         30       30          0       0     30",
        "create Deployment     30 ",
        "create Job             4 ",
        "rate      17.0 objects/s; 50 of at most 50 requests in flight; retries: 2 x 429",
        "Jobs      4 complete, 0 failed; took p50 11.0 s, p99 12.9 s; 6 Job pods active at once, ceiling 6",
        "pods      8 succeeded, 0 failed; start-up p50 1.00 s, p99 2.00 s",
        "sending   deployments 2 s, build_jobs 58 s (first request to last response); the whole run took",
        "trust     good (no data: API server, etcd, kubelets, events, clock skew, simulated nodes)",
    ):
        assert part in text


def test_it_says_when_the_api_server_could_not_be_reached_and_which_controllers_were_silent():
    text = text_of(batch(outages=outages(62.4), controllers=silent("kube-scheduler")))
    assert "outages   the API server could not be reached once, for 1 min 2 s in all; at 04:00:10 UTC:" in text
    assert "silence   kube-scheduler did not renew its lease for 30 s from 04:00:20 UTC on" in text
    usual = text_of(batch())
    assert "outages" not in usual
    assert "silence" not in usual


def test_it_says_what_was_observed():
    slow = api_server(sli=[sli("POST", "pods", 0, 0, 0, 10, 90, 100), sli("GET", "secrets", 1, 1, 1, 1, 1, 1)])
    pressed = [{"type": "PIDPressure", "status": "True", "from": None, "to": None}]
    seen = observation(
        api_server=slow,
        nodes=nodes(node("n-1", conditions=pressed), node("n-2", threads_peak=2)),
        events={"source": "watch", "total": 9, "warnings": [warning(f"Reason{n}", 9 - n) for n in range(7)]},
        skew={"estimate_ms": 2500.0, "error_ms": 10.0, "samples": 9},
    )
    lines = lines_of(batch(), observations=[seen])
    text = "\n".join(line.text for line in lines)
    for part in (
        "start-up  stateless 3: p50 1 s, p99 2 s; job 2: p50 1 s, p99 1 s",
        "server    highest p99 more than 5 s (POST pods, namespace, 100 calls); CPU 12 s; memory 400 MiB",
        "levels    service levels in this run: 2 met, 1 missed",
        "missed: p99 of POST pods (namespace) was more than 5 s over 100 calls",
        "nodes     n-1, closest of 2 nodes to its limit: 900 of 32,768 threads, 75 of 1,024 in its largest",
        "pressure: n-1 PIDPressure",
        "warnings  Reason0 9 (Pod), Reason1 8 (Pod), Reason2 7 (Pod), Reason3 6 (Pod), Reason4 5 (Pod), 2",
        "trust     limited (no data: etcd)",
        "The API server's clock is 2,500 ms ahead of this machine's, give or take 10 ms",
    ):
        assert part in text
    assert next(line.tone for line in lines if "missed: p99" in line.text) == WARN


def test_it_counts_the_network_plug_ins_operations():
    lines = [line for line in lines_of(batch(), observations=[observation()]) if "ADD" in line.text]
    assert [(line.text.strip(), line.tone) for line in lines] == [
        (f"network   10 ADD, 4 DEL, 1 failed (seen by the {PLUGIN})", WARN)
    ]
    quiet = observation(network_operations=network_operations({"04:00": (2, 1, 0)}))
    assert f"2 ADD, 1 DEL (seen by the {PLUGIN})" in text_of(batch(), observations=[quiet])


def test_a_large_run_in_which_much_went_wrong_fits_on_a_screen_or_two():
    kinds = [f"Kind{number}" for number in range(9)]
    rows = [
        {"name": f"n-{number}", "jobs_complete": 0, "jobs_failed": 1, "pods_succeeded": 0, "pods_failed": 3}
        | {"failed_pods": [{"name": f"p-{pod}", "reason": "OOMKilled"} for pod in range(3)]}
        for number in range(1000)
    ]
    bad = batch(
        objects={kind: counts(30, ready=29) for kind in kinds},
        requests={verb: {kind: latencies(*range(1, 9)) for kind in kinds} for verb in ("create", "delete")},
        namespaces=rows,
        warnings=[f"warning {number} " + "x " * 200 for number in range(9)],
    )
    slow = [sli("POST", f"kind{number}", 0, 0, 0, 0, 0, 10) for number in range(40)]
    lines = lines_of(bad, observations=[observation(api_server=api_server(sli=slow))], page=PAGE)
    assert len(lines) <= 70
    assert all(len(line.text) <= WIDTH for line in lines)


def test_a_usual_run_is_at_most_sixty_lines():
    kinds = ("Namespace", "ConfigMap", "Secret", "Deployment", "Service", "StatefulSet", "Job")
    usual = batch(
        objects={kind: counts(30) for kind in kinds},
        requests={"create": {kind: latencies(*range(1, 9)) for kind in kinds}},
    )
    assert len(lines_of(usual, observations=[observation()], page=PAGE)) <= 40


def test_namespaces_show_up_where_something_failed_worst_first():
    pods = [{"name": f"build-{number}", "reason": "OOMKilled"} for number in range(5)]
    rows = [
        {"name": "n-1", "jobs_complete": 2, "jobs_failed": 0, "pods_succeeded": 4, "pods_failed": 0, "failed_pods": []},
        {"name": "n-2", "jobs_complete": 2, "jobs_failed": 0, "pods_succeeded": 4, "pods_failed": 1, "failed_pods": []},
        {
            "name": "n-3",
            "jobs_complete": 1,
            "jobs_failed": 1,
            "pods_succeeded": 2,
            "pods_failed": 5,
            "failed_pods": pods,
        },
    ]
    text = "\n".join(line.text for line in lines_of(batch(namespaces=rows)))
    assert "n-1" not in text
    assert text.index("n-3 ") < text.index("build-0: OOMKilled") < text.index("and 4 more, all in") < text.index("n-2 ")


def test_many_failing_namespaces_stay_a_short_table():
    rows = [
        {"name": f"n-{number}", "jobs_complete": 0, "jobs_failed": 1, "pods_succeeded": 0, "pods_failed": 3}
        | {"failed_pods": []}
        for number in range(1000)
    ]
    lines = lines_of(batch(namespaces=rows))
    assert len(lines) < 40
    assert any(line.text == "  and 997 more namespaces with failures" for line in lines)


def test_failures_are_red_and_reasons_stand_before_the_verdict():
    entry = {"kind": "Deployment", "namespace": "n-1", "name": "web-1", "cause": "x " * 100}
    lines = lines_of(batch(objects={"Deployment": counts(30, ready=29)}, jobs={}, not_ready=[entry]))
    tones = {line.text.strip(): line.tone for line in lines}
    assert tones["Deployment: 1 of 30 not ready"] == BAD
    starts = [line.text[:14] for line in lines]
    assert starts.index("  Deployment: ") < starts.index("  verdict   FA")


def test_a_reason_is_shown_to_its_end():
    """A quota's figures, or what to do about a certificate, come last."""
    objects = [f"team-a/deployment-{number}-config-1" for number in range(1, 4)]
    quota = "exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=3, limited: count/configmaps=3"
    message = f'configmaps "deployment-1-config-1" is forbidden: {quota}'
    rows = [
        {"kind": "ConfigMap", "namespace": namespace, "name": name, "reason": "QuotaExceeded", "message": message}
        | {"operation": "create"}
        for namespace, name in (each.split("/") for each in objects)
    ]
    text = " ".join(line.text.strip() for line in lines_of(batch(first_failures=rows)))
    assert "limited: count/configmaps=3" in text


def test_no_line_is_too_wide_whatever_the_names():
    name = "a" * 63
    rows = [
        {"name": name, "jobs_complete": 10**9, "jobs_failed": 10**9, "pods_succeeded": 10**9, "pods_failed": 10**9}
        | {"failed_pods": [{"name": name, "reason": "r" * 300}]}
    ]
    huge = batch(
        objects={"VeryLongKindNameThatSomebodyCalledACustomResource" * 2: counts(10**9)},
        namespaces=rows,
        not_ready=[{"kind": "Job", "namespace": name, "name": name, "cause": "because " * 50}],
        phases=[{"role": f"role_number_{number}", "seconds": 1.0} for number in range(30)],
    )
    for line in lines_of(huge, run_id="r" * 63, profile="p" * 60):
        assert len(line.text) <= WIDTH
        assert "\n" not in line.text


def test_what_was_not_measured_is_a_dash_or_is_left_out():
    text = "\n".join(line.text for line in lines_of(batch(objects={"Secret": counts(1, ready=None)}, rate={}, pods={})))
    assert "Secret           1        1          0       0      -" in text
    assert "rate" not in text
    assert "pods  " not in text


@pytest.mark.parametrize(
    ("started", "finished", "seconds"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:01:00.5Z", 60.5),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+01:00", 0),
        (None, "2026-01-01T00:01:00Z", None),
        ("yesterday", "2026-01-01T00:01:00Z", None),
    ],
)
def test_lengths_between_times(started, finished, seconds):
    assert seconds_between(started, finished) == seconds


def test_columns_wrapping_and_cutting():
    assert columns([("a", "1"), ("bb", "22")], align="lr") == ["  a    1", "  bb  22"]
    assert columns([], align="lr") == []
    assert wrapped("one two", indent=2) == ["  one two"]
    assert shortened("abcdef", 4) == "abc…"
