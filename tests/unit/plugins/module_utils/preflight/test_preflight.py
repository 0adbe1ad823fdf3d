"""From what was read to rows, problems and warnings."""

from __future__ import annotations

import re

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import Node, Quota, Supply
from ansible_collections.kubestress.core.plugins.module_utils.cluster.inventory import Access
from ansible_collections.kubestress.core.plugins.module_utils.preflight.preflight import Question, judge, result_of
from ansible_collections.kubestress.core.plugins.module_utils.preflight.survey import Survey
from ansible_collections.kubestress.core.plugins.module_utils.results.table import WIDTH
from helpers.example_settings import settings


def question(*, changed=None, **more):
    defaults = {
        "run_id": "mine",
        "profile": "safe",
        "accept_over_limit": False,
        "accept_risk": False,
        "check_mode": False,
        "nodes_sampled": 10,
        "read_budget_seconds": 5.0,
    }
    return Question(settings=settings(**(changed or {})), **{**defaults, **more})


def nodes(count=10, *, pods=500):
    return [
        Node(
            name=f"n{number}",
            ready=True,
            unschedulable=False,
            labels={},
            taints=(),
            cpu=64_000,
            memory=2**38,
            pods=pods,
            cores=64,
            simulated=True,
            software={"kubeletVersion": "v1.36.3"},
        )
        for number in range(count)
    ]


def found(*, supply=None, **more):
    offered = supply or Supply(nodes=nodes(), pods_counted=True, namespaces=4, quotas=[])
    return Survey(version={"gitVersion": "v1.36.3"}, supply=offered, **more)


def test_nothing_in_the_way():
    answer = judge(question(), found())
    assert (answer.problems, answer.warnings) == ([], [])
    assert answer.demand["expected_seconds"] == 3919.5
    assert answer.demand["build_pods_ceiling"] == 30
    assert answer.cluster["nodes"]["kinds"] == [
        {"kubeletVersion": "v1.36.3", "cores": 64, "pods": 500, "simulated": True, "count": 10}
    ]


def test_every_reason_is_told_at_once():
    small = Supply(nodes=nodes(1, pods=20), pods_counted=True, namespaces=4, quotas=[])
    stranger = {"metadata": {"name": "deploy-test-3"}}
    missing = [Access("batch", "jobs", "create"), Access("", "secrets", "get")]
    answer = judge(
        question(changed={"preflight_risk": "It may break the cluster"}),
        found(supply=small, namespaces=[stranger], missing=missing),
    )
    starts = [
        "missing permissions: create jobs.batch, get secrets",
        "namespace deploy-test-3",
        "pods at peak",
        "profile",
    ]
    assert [problem[: len(start)] for problem, start in zip(answer.problems, starts, strict=True)] == starts
    assert answer.message().startswith("preflight: 4 reasons not to start: (1) missing permissions")
    assert "\n" not in answer.message()


def test_one_reason_is_one_plain_line():
    answer = judge(question(), found(missing=[Access("", "secrets", "create")]))
    assert answer.message() == (
        "preflight: missing permissions: create secrets: grant them to the user of this connection"
    )


def test_over_a_limit_names_the_way_to_accept_it_and_accepting_it_makes_it_a_warning():
    small = Supply(nodes=nodes(1, pods=20), pods_counted=True, namespaces=4, quotas=[])
    refused = judge(question(), found(supply=small))
    assert [problem.endswith(", or set preflight_accept_over_limit=true") for problem in refused.problems] == [True]
    accepted = judge(question(accept_over_limit=True), found(supply=small))
    assert accepted.problems == []
    assert accepted.warnings[0].endswith("(accepted by preflight_accept_over_limit)")


@pytest.mark.parametrize(
    ("more", "problems", "warnings"),
    [({}, 1, 0), ({"accept_risk": True}, 0, 0), ({"check_mode": True}, 0, 1), ({"accept_over_limit": True}, 1, 0)],
)
def test_a_risky_profile_needs_consent_of_its_own_and_check_mode_only_announces_it(more, problems, warnings):
    answer = judge(question(changed={"preflight_risk": "It breaks clusters."}, **more), found())
    assert (len(answer.problems), len(answer.warnings)) == (problems, warnings)


def test_a_thousand_exhausted_quotas_stay_a_bounded_answer():
    quotas = [
        Quota(namespace=f"deploy-test-{number}", name="q", hard={"pods": "0"}, used={}, scoped=False)
        for number in range(1, 1001)
    ]
    full = Supply(nodes=nodes(100), pods_counted=True, namespaces=1004, quotas=quotas)
    asked = question(changed={"namespaces_total": 1000})
    answer = judge(asked, found(supply=full))
    assert len(answer.rows) == 61
    assert len(answer.problems) == 21
    assert answer.problems[-1] == "and 980 more of the same sort"


def test_the_table_keeps_to_its_width_and_says_everything():
    small = Supply(nodes=nodes(1, pods=20), pods_counted=True, namespaces=4, quotas=[])
    asked = question()
    result = result_of(judge(asked, found(supply=small)), asked)
    text = "\n".join(result["table"])
    assert max(len(line) for line in result["table"]) <= WIDTH
    assert len(result["tones"]) == len(result["table"])
    assert "preflight of run mine, profile safe, Kubernetes v1.36.3, 1 node " in text
    assert re.search(r"expected length of the builds +65 min +-$", text, re.MULTILINE)
    assert "600 with all Jobs active" in text
    assert "stop: pods at peak: 90 needed, 20 offered" in text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nodes_sampled": -1}, "nodes_sampled=-1: give a number from 0 to 1000"),
        ({"read_budget_seconds": 0.0}, "read_budget=0: give seconds, above 0 and up to 600"),
    ],
)
def test_options_out_of_range_are_named(more, message):
    with pytest.raises(ValueError, match=message):
        question(**more).validate()
