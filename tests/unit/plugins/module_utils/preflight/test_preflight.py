"""From what was read to rows, problems and warnings."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import Node, Quota, Supply
from ansible_collections.kubestress.core.plugins.module_utils.cluster.access import Access, Missing
from ansible_collections.kubestress.core.plugins.module_utils.preflight.preflight import (
    PREFLIGHT_OPTIONS,
    Answer,
    Planned,
    Question,
    judge,
    result_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.preflight.survey import Survey
from ansible_collections.kubestress.core.plugins.module_utils.results.table import WIDTH
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from helpers.example_settings import settings
from helpers.role_plans import compiled_plan, plan_namespaces

RISK = "It may break the cluster."


def planned(**changed):
    chosen = settings(**changed)
    return Planned(run_id="mine", fragments=compiled_plan(chosen), namespaces=plan_namespaces(chosen))


def question(**more):
    return Question(**{"profile": "safe", **more})


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
    answer = judge(planned(), question(), found())
    assert (answer.problems, answer.warnings) == ([], [])
    builds = answer.demand["fragments"][-1]
    assert (builds["role"], builds["pods_at_peak"], builds["rounds"]) == ("build_jobs", 30, 80)
    assert builds["expected_seconds"] == pytest.approx(76 * 60, rel=0.03)
    assert answer.demand["processes_at_peak"] == 30 * 72
    assert answer.cluster["nodes"]["kinds"] == [
        {"kubeletVersion": "v1.36.3", "cores": 64, "pods": 500, "simulated": True, "count": 10}
    ]


def test_every_reason_is_told_at_once():
    small = Supply(nodes=nodes(1, pods=20), pods_counted=True, namespaces=4, quotas=[])
    stranger = {"metadata": {"name": "deploy-test-3"}}
    missing = [Missing(Access("batch", "jobs", "create")), Missing(Access("", "secrets", "get"))]
    answer = judge(planned(), question(risk=RISK), found(supply=small, namespaces=[stranger], missing=missing))
    starts = [
        "missing permissions: create jobs.batch, get secrets",
        "namespace deploy-test-3",
        "pods at peak",
        "profile",
    ]
    assert [problem[: len(start)] for problem, start in zip(answer.problems, starts, strict=True)] == starts
    assert answer.message().startswith("preflight: 4 reasons not to start: (1) missing permissions")
    assert "\n" not in answer.message()


def test_a_message_is_short_however_many_reasons_there_are():
    answer = Answer(problems=["x" * 300 for _number in range(20)])
    assert len(answer.message()) < 500
    assert answer.message().endswith("; and 19 more, see the table above")
    assert len(Answer(problems=["x" * 9000]).message()) < 500


def test_one_reason_is_one_plain_line():
    answer = judge(planned(), question(), found(missing=[Missing(Access("", "secrets", "create"))]))
    assert answer.message() == (
        "preflight: missing permissions: create secrets: grant them to the user of this connection"
    )


def test_missing_permissions_are_grouped_by_the_place_where_they_are_missing():
    missing = [
        Missing(Access("", "namespaces", "create", namespaced=False)),
        Missing(Access("batch", "jobs", "create"), ("team-b",)),
        Missing(Access("batch", "jobs", "get"), ("team-b",)),
        Missing(Access("", "pods", "list"), tuple(f"n-{number}" for number in range(7))),
    ]
    assert judge(planned(), question(), found(missing=missing)).message() == (
        "preflight: missing permissions: create namespaces; create jobs.batch, get jobs.batch (in team-b); list pods "
        "(in n-0, n-1, n-2, n-3, n-4 and 2 more): grant them to the user of this connection"
    )


def test_a_listed_namespace_that_does_not_exist_stops_the_run():
    plan = replace(planned(), existing=["deploy-test-1"])
    answer = judge(plan, question(), found(absent={"deploy-test-1", "deploy-test-2"}))
    assert answer.problems == ["namespace deploy-test-1 does not exist, but namespaces_existing names it"]


def test_where_namespaces_cannot_be_seen_the_users_word_counts():
    supply = Supply(nodes=nodes(), pods_counted=True, unread={"namespaces": "namespaces is forbidden"})
    plan = replace(planned(), existing=["deploy-test-1"])
    before = judge(planned(), question(), found(supply=supply)).demand["objects"]["Namespace"]
    assert judge(plan, question(), found(supply=supply)).demand["objects"]["Namespace"] == before - 1


def test_over_a_limit_names_the_way_to_accept_it_and_accepting_it_makes_it_a_warning():
    small = Supply(nodes=nodes(1, pods=20), pods_counted=True, namespaces=4, quotas=[])
    refused = judge(planned(), question(), found(supply=small))
    assert [problem.endswith(", or set preflight_accept_over_limit=true") for problem in refused.problems] == [True]
    accepted = judge(planned(), question(accept_over_limit=True), found(supply=small))
    assert accepted.problems == []
    assert accepted.warnings[0].endswith("(accepted by preflight_accept_over_limit)")


@pytest.mark.parametrize(
    ("more", "problems", "warnings"),
    [({}, 1, 0), ({"accept_risk": True}, 0, 0), ({"check_mode": True}, 0, 1), ({"accept_over_limit": True}, 1, 0)],
)
def test_a_risky_profile_needs_consent_of_its_own_and_check_mode_only_announces_it(more, problems, warnings):
    answer = judge(planned(), question(risk=RISK, **more), found())
    assert (len(answer.problems), len(answer.warnings)) == (problems, warnings)


def test_a_thousand_exhausted_quotas_stay_a_bounded_answer():
    quotas = [
        Quota(namespace=f"deploy-test-{number}", name="q", hard={"pods": "0"}, used={}, scoped=False)
        for number in range(1, 1001)
    ]
    full = Supply(nodes=nodes(100), pods_counted=True, namespaces=1004, quotas=quotas)
    answer = judge(planned(namespaces_total=1000), question(), found(supply=full))
    assert len(answer.rows) == 61
    assert len(answer.problems) == 21
    assert answer.problems[-1] == "and 980 more of the same sort"


def test_the_table_keeps_to_its_width_and_says_everything():
    small = Supply(nodes=nodes(1, pods=20), pods_counted=True, namespaces=4, quotas=[])
    plan, asked = planned(), question()
    result = result_of(judge(plan, asked, found(supply=small)), plan, asked)
    text = "\n".join(result["table"])
    assert max(len(line) for line in result["table"]) <= WIDTH
    assert len(result["tones"]) == len(result["table"])
    assert "preflight of run mine, profile safe, Kubernetes v1.36.3, 1 node " in text
    assert re.search(r"expected length of build_jobs +75 min +-$", text, re.MULTILINE)
    assert "600 with all members active" in text
    assert "stop: pods at peak: 90 needed, 20 offered" in text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nodes_sampled": -1}, "nodes_sampled: -1 is not allowed; it must be 0 to 1,000"),
        ({"read_budget": 0.0}, "read_budget: 0.0 is not allowed; it must be more than 0, up to 600"),
        (
            {"rbac_account": "load"},
            "rbac_account: 'load' is not allowed; NAMESPACE/NAME of a ServiceAccount, such as team-a/load",
        ),
    ],
)
def test_options_out_of_range_are_named(more, message):
    options = {name: spec.get("default") for name, spec in PREFLIGHT_OPTIONS.items()} | more
    with pytest.raises(SettingError, match=message):
        Question.of(options, check_mode=False)


def test_a_plan_without_a_role_is_called_by_its_modules_options():
    plan = planned()
    for fragment in plan.fragments:
        object.__setattr__(fragment, "levers", {})
    small = Supply(nodes=nodes(1, pods=20), pods_counted=True, namespaces=4, quotas=[])
    answer = judge(plan, question(risk=RISK), found(supply=small))
    assert "namespace_total=10 is too many" in answer.problems[0]
    assert answer.problems[0].endswith("or set accept_over_limit=true")
    assert answer.problems[1].endswith("Set accept_risk=true if you want that")


def test_a_plan_that_makes_no_namespaces_may_use_those_of_others():
    plan = planned()
    used = Planned(run_id="mine", fragments=plan.fragments[1:], namespaces=plan.namespaces)
    answer = judge(used, question(), found(namespaces=[{"metadata": {"name": "deploy-test-1"}}]))
    assert (answer.problems, answer.existing) == ([], {"own": [], "allowed": ["deploy-test-1"]})
