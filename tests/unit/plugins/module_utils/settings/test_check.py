"""From given values to settings or lines: sources are named, and all problems are reported at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.settings.check import (
    Checked,
    Given,
    check_role,
    check_run,
)
from ansible_collections.kubestress.core.plugins.module_utils.settings.precedence import Found
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import Setting, SettingError
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES, RUN_SETTINGS


def given(values: dict[str, Any], *, source: str = "", **changes: Any) -> Given:
    """The values as users gave them, from `source`; those that are left out have their default."""

    def value_of(setting: Setting) -> Found:
        if setting.name not in values:
            return Found(setting.default)
        if isinstance(values[setting.name], SettingError):
            raise values[setting.name]
        return Found(values[setting.name], source)

    parts: dict[str, Any] = {
        "profile": "",
        "profile_values": {},
        "profiles": ["safe", "smoke"],
        "present": {},
        "extra_vars": {},
        "connection_options": ("kubeconfig",),
        "value_of": value_of,
    }
    return Given(**parts | changes)


def check(values: dict[str, Any], **changes: Any) -> Checked:
    return check_run(given(values, **changes))


def test_settings_of_a_run_in_their_types():
    checked = check({"namespaces_total": "7", "run_qps": "2.5"})
    assert (checked.problems, checked.warnings) == ([], [])
    assert (checked.settings["namespaces_total"], checked.settings["run_qps"]) == (7, 2.5)
    assert checked.settings.keys() == RUN_SETTINGS.keys()


@pytest.mark.parametrize(
    ("value", "source", "line"),
    [
        ("x", "", "namespaces_total: 'x' is not a whole number, 1 to 100,000"),
        (
            "x",
            "environment variable TOTAL_NAMESPACES",
            (
                "namespaces_total: 'x' is not a whole number, 1 to 100,000 "
                "(from the environment variable TOTAL_NAMESPACES; run_environment=false leaves such variables out)"
            ),
        ),
        (-1, "profile mine", "namespaces_total: -1 is not allowed; it must be 1 to 100,000 (from the profile mine)"),
    ],
)
def test_the_line_says_where_the_value_comes_from(value, source, line):
    assert check({"namespaces_total": value}, source=source).problems == [line]


def test_all_problems_at_once():
    checked = check(
        {"namespaces_total": SettingError("namespaces_total: 'nope' is undefined"), "run_qps": -1},
        extra_vars={"namespaces_totl": 1},
        profile="mine",
        profile_values={"run_qpss": 1},
    )
    assert [line.partition(":")[0] for line in checked.problems] == [
        "namespaces_total",
        "run_qps",
        "run_qpss",
        "namespaces_totl",
    ]


def test_a_profile_is_asked_for_with_those_there_are():
    assert check({"run_profile_required": "true"}).problems == [
        "profile: none is given; -e profile=NAME with one of safe, smoke, or the path of a .yml file"
    ]
    assert check({"run_profile_required": "true"}, profile="safe").problems == []


def test_a_playbook_of_one_profile_refuses_another():
    fixed = {"run_profile_fixed": "safe"}
    assert check(fixed, profile="safe").problems == []
    (line,) = check(fixed, profile="smoke").problems
    assert line.startswith("profile: smoke is given, but this playbook is for the profile safe; ")


def test_what_the_environment_gave_is_known():
    checked = check({"namespaces_total": "7"}, source="environment variable TOTAL_NAMESPACES")
    assert checked.environment == {"namespaces_total": "TOTAL_NAMESPACES"}
    assert check({"namespaces_total": "7"}, source="profile mine").environment == {}


@pytest.mark.parametrize(("policy", "problems", "warnings"), [("refuse", 1, 1), ("warn", 0, 2), ("ignore", 0, 0)])
def test_unknown_names_by_policy(policy, problems, warnings):
    present = {"run_of_the_mill": 1, "kubestress_kubconfig": 1, "kubestress_kubeconfig": 1, "local_cluster_nodes": 1}
    checked = check({"run_unknown_variables": policy}, present=present)
    assert (len(checked.problems), len(checked.warnings)) == (problems, warnings)


# --- a role that works without a run ---------------------------------------------------------------------------------


def test_a_role_alone_has_its_variables_and_those_that_it_reads():
    checked = check_role(given({"run_id": "Any.Label_Value", "cleanup_timeout": "30"}), ROLES["cleanup"])
    assert checked.problems == []
    assert checked.settings.keys() == {setting.name for setting in ROLES["cleanup"].settings} | {
        "run_id",
        "namespaces_existing",
        "namespaces_names",
    }
    assert checked.settings["cleanup_timeout"] == 30


@pytest.mark.parametrize("role", [name for name, role in ROLES.items() if role.alone])
def test_all_roles_refuse_alike(role):
    needed = dict.fromkeys(("run_id", *ROLES[role].requires), "r")
    wrong = given(needed, extra_vars={f"{role}_x": 1, "namespaces_totl": 1})
    assert [line.partition(":")[0] for line in check_role(wrong, ROLES[role]).problems] == sorted(
        [f"{role}_x", "namespaces_totl"]
    )


@pytest.mark.parametrize(
    ("role", "values", "line"),
    [
        ("cleanup", {}, "run_id: none is given; name one, as in -e run_id=…"),
        ("cleanup", {"cleanup_older_than": "7d"}, "cleanup_older_than: '7d' is not a whole number"),
        (
            "cleanup",
            {"run_id": "r", "cleanup_timeout": 0},
            "cleanup_timeout: 0 is not allowed; it must be 1 to",
        ),
        ("report", {"run_id": "r", "report_attempt": 0}, "report_attempt: 0 is not allowed"),
        ("local_cluster", {"local_cluster_nodes": "many"}, "local_cluster_nodes: 'many' is not a whole number"),
        (
            "must_gather",
            {"must_gather_collect": False},
            "must_gather_path: none is given; name one, as in -e must_gather_path=…",
        ),
        (
            "must_gather",
            {"must_gather_collect": "Yes", "must_gather_path": "x"},
            "must_gather_collect: true is given beside must_gather_path, 'x'; give one of them",
        ),
        ("must_gather", {"must_gather_collect": "maybe"}, "must_gather_collect: 'maybe' is not allowed; choose one of"),
        ("must_gather", {"must_gather_namespaces": "Team"}, "must_gather_namespaces: 'Team' is not the name of"),
        (
            "must_gather",
            {"must_gather_max_size": "100", "must_gather_max_file_size": 200},
            "must_gather_max_file_size: 200 is more than must_gather_max_size, which is 100",
        ),
        (
            "must_gather",
            {"must_gather_path": "x", "must_gather_window": -1},
            "must_gather_window: -1 is not allowed; it must be 1 to 604,800",
        ),
    ],
)
def test_what_a_role_alone_refuses(role, values, line):
    (problem,) = check_role(given(values), ROLES[role]).problems
    assert problem.startswith(line)
