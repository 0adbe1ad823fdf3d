"""The filters that the workload roles' plans are made with."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.filter.build_members import build_members
from ansible_collections.kubestress.core.plugins.filter.build_variables import build_variables
from ansible_collections.kubestress.core.plugins.filter.connectivity_variables import connectivity_variables
from ansible_collections.kubestress.core.plugins.filter.pod_variables import pod_variables
from ansible_collections.kubestress.core.plugins.filter.role_template import role_template
from ansible_collections.kubestress.core.plugins.module_utils.plan.build_farm import build_names

SAFE: dict[str, Any] = {
    "namespaces_total": 10,
    "build_jobs_enabled": True,
    "build_jobs_per_namespace": 20,
    "build_jobs_active_per_namespace": 1,
    "build_jobs_completions": 10,
    "build_jobs_parallelism": 3,
    "build_jobs_processes": 72,
    "build_jobs_time_scale": 1.0,
    "build_jobs_timeout": 900,
    "build_jobs_wait_timeout": 0,
}


def test_members_carry_the_names():
    assert build_members(2, 1) == [{"build_name": name} for name in build_names(seed=1, count=2)]


def test_a_count_given_as_text_is_one():
    assert build_members("2", 1) == build_members(2, 1)


def test_too_many_members_are_refused_by_number():
    with pytest.raises(AnsibleFilterError, match="build names: 720001 asked for"):
        build_members(720001, 1)


def test_the_wait_is_derived_from_rounds_and_one_deadline():
    """2,000 pods, 30 at once: 67 rounds of 88 s at most, and the deadline of one Job."""
    assert build_variables(SAFE)["build_wait_timeout"] == 67 * 88 + 900


def test_the_role_used_alone_needs_no_switch_for_its_wait():
    alone = SAFE | {"build_jobs_enabled": False}
    assert build_variables(alone)["build_wait_timeout"] == build_variables(SAFE)["build_wait_timeout"]


def test_a_wait_that_is_given_stays():
    assert build_variables(SAFE | {"build_jobs_wait_timeout": 120})["build_wait_timeout"] == 120


def test_lengths_follow_the_time_scale():
    found = build_variables(SAFE | {"build_jobs_time_scale": 0.1})
    assert (found["build_shortest"], found["build_longest"]) == ("2.9s", "8.8s")
    assert "compile:compile:1000:3000" in found["build_phases"].split()


@pytest.mark.parametrize("missing", ["build_jobs_time_scale", "namespaces_total"])
def test_a_missing_setting_is_named(missing):
    settings = {name: value for name, value in SAFE.items() if name != missing}
    with pytest.raises(AnsibleFilterError, match=f"the settings have no {missing}"):
        build_variables(settings)


def test_pod_variables_come_with_all_settings():
    run: dict[str, Any] = {
        "run_user_id": None,
        "run_node_selector": {},
        "run_tolerations": [],
        "run_image_pull_secrets": [],
    }
    found = pod_variables(SAFE | run)
    assert found.items() >= SAFE.items()
    assert found["pod_user_id"] == 65534
    assert pod_variables(SAFE | run, openshift=True)["pod_user_id"] is None


def test_pod_variables_name_a_missing_setting():
    with pytest.raises(AnsibleFilterError, match="the settings have no run_user_id"):
        pod_variables(SAFE)


def test_a_roles_own_template_gets_its_path_and_any_other_name_stays(tmp_path):
    own = tmp_path / "templates" / "job.yml.j2"
    own.parent.mkdir()
    own.write_text("kind: Job")

    assert role_template("job.yml.j2", str(tmp_path)) == str(own)
    assert role_template("mine.yml.j2", str(tmp_path)) == "mine.yml.j2"
    assert role_template("/somewhere/mine.yml.j2", str(tmp_path)) == "/somewhere/mine.yml.j2"


CHECK = {
    "connectivity_count": 10,
    "connectivity_interval": 30,
    "connectivity_request_timeout": 5,
    "connectivity_warm_up": 60,
    "deployments_per_namespace": 3,
    "deployments_ready_timeout": 600,
}


def test_the_checks_deadline_leaves_time_for_everything_at_its_longest():
    """A minute to start, the warm-up, 3 Services x 11 requests x 7 s, 10 pauses of 30 s."""
    found = connectivity_variables(CHECK)
    assert found["connectivity_deadline_seconds"] == 60 + 60 + 3 * 11 * 7 + 10 * 30
    assert found["connectivity_wait_timeout"] == found["connectivity_deadline_seconds"] + 600


def test_the_check_names_a_missing_setting():
    with pytest.raises(AnsibleFilterError, match="connectivity_variables: the settings have no connectivity_warm_up"):
        connectivity_variables({name: value for name, value in CHECK.items() if name != "connectivity_warm_up"})
