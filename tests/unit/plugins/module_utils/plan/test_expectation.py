"""What is expected of builds: bounds by hand, the likely values by the phases' means."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.expectation import (
    Span,
    expectation_of,
    expectations_of,
    first_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: "job-{{ index }}"}
spec:
  completions: 10
  parallelism: 3
  template: {spec: {containers: [{name: main, image: x}]}}
"""


def demand(**changed):
    entry = {
        "role": "builds",
        "count": 4,
        "active": 1,
        "processes": 72,
        "pod_phases": [[2, 5], [5, 15], [10, 30], [12, 38]],
        "busy_phase": 3,
        "steps": [[{"template": "job", "content": JOB}]],
        **changed,
    }
    return demand_of(parse_fragments([entry], Context(run_id="r1")), namespaces=[(1, "a"), (2, "b")])


def test_builds_in_rounds():
    (found,) = expectations_of(demand()).values()
    assert (found["pods"], found["pods_at_once"]) == (80, 6)
    # Four Jobs one after another, each with four rounds of three pods.
    assert found["rounds"] == 16
    assert (found["first_busy_s"]["earliest"], found["first_busy_s"]["latest"]) == (7, 20)
    assert (found["first_finished_s"]["earliest"], found["first_finished_s"]["latest"]) == (29, 88)
    assert (found["all_finished_s"]["earliest"], found["all_finished_s"]["latest"]) == (16 * 29, 16 * 88)
    assert (found["first_job_s"]["earliest"], found["first_job_s"]["latest"]) == (4 * 29, 4 * 88)
    spans = [found[f"{name}_s"] for name in ("first_busy", "first_finished", "first_job", "all_finished")]
    for span in spans:
        assert span["earliest"] <= span["likely"] <= span["latest"]
    # 20 s of 58.5 s on average with all processes, else the shell and its timer.
    assert found["processes_mean"] == pytest.approx((20 * 72 + 38.5 * 2) / 58.5, abs=0.1)


def test_the_more_pods_start_together_the_sooner_the_first_is_done():
    phases = ((2, 5), (5, 15))
    alone, many, most = (first_of(pods, phases) for pods in (1, 20, 100_000))
    assert alone.likely == pytest.approx(13.5, abs=0.5)
    assert alone.likely > many.likely > most.likely >= 7
    assert first_of(1, ((3, 3),)) == Span(earliest=3, likely=3, latest=3)


def test_what_nobody_knows_is_not_expected():
    (found,) = expectations_of(demand(busy_phase=0)).values()
    assert (found["first_busy_s"], found["processes_mean"]) == (None, None)
    (found,) = expectations_of(demand(processes=0)).values()
    assert (found["processes_busy"], found["processes_mean"]) == (None, None)
    assert expectations_of(demand(pod_phases=[], busy_phase=0)) == {}
    (nothing,) = demand(count=0).fragments
    assert expectation_of(nothing) is None
