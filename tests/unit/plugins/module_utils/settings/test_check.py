"""From given values to settings or lines: sources are named, and all problems come at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.settings.check import Given, checked
from ansible_collections.kubestress.core.plugins.module_utils.settings.variable import SettingError, Variable

TOTAL = "{{ lookup('kubestress.core.setting', 'namespaces_total', env='TOTAL_NAMESPACES', default=100) }}"
VARIABLES = {
    variable.name: variable
    for variable in (
        Variable(name="namespaces_total", role="namespaces", spec={"type": "int", "default": 100}, default=TOTAL),
        Variable(name="run_qps", role="run", spec={"type": "float", "default": 0}),
        Variable(name="run_profile_required", role="run", spec={"type": "bool", "default": False}),
        Variable(name="run_unknown_variables", role="run", spec={"type": "str", "default": "refuse"}),
        Variable(name="local_cluster_nodes", role="local_cluster", spec={"type": "int", "default": 10}),
    )
}


def check(values: dict[str, Any], *, by_user: bool = True, **changes: Any) -> tuple[dict, list, list]:
    """Check the values; those that are left out have their default."""

    def value_of(variable: Variable) -> tuple[Any, bool]:
        if isinstance(values.get(variable.name), SettingError):
            raise values[variable.name]
        return values.get(variable.name, variable.spec["default"]), by_user and variable.name in values

    given: dict[str, Any] = {
        "variables": VARIABLES,
        "profile": "",
        "profile_values": {},
        "profiles": ["safe", "smoke"],
        "environment": {},
        "present": {},
        "extra_vars": {},
        "connection_options": ("kubeconfig",),
        "value_of": value_of,
    }
    return checked(Given(**given | changes))


def test_settings_in_their_types_without_other_roles():
    settings, problems, warnings = check({"namespaces_total": "7", "run_qps": "2.5"})
    assert (problems, warnings) == ([], [])
    assert settings == {
        "namespaces_total": 7,
        "run_qps": 2.5,
        "run_profile_required": False,
        "run_unknown_variables": "refuse",
    }


@pytest.mark.parametrize(
    ("value", "changes", "told"),
    [
        ("x", {"by_user": True}, "namespaces_total: 'x' is not a whole number, 1 to 100,000"),
        (
            "x",
            {"by_user": False, "environment": {"TOTAL_NAMESPACES": "x"}},
            "namespaces_total: 'x' is not a whole number, 1 to 100,000 (from the environment variable TOTAL_NAMES…)",
        ),
        (
            -1,
            {"by_user": False, "profile": "mine", "profile_values": {"namespaces_total": -1}},
            "namespaces_total: -1 is not allowed; it must be 1 to 100,000 (from the profile mine)",
        ),
    ],
)
def test_the_line_says_where_the_value_comes_from(value, changes, told):
    assert check({"namespaces_total": value}, **changes)[1] == [told.replace("NAMES…", "NAMESPACES")]


def test_all_problems_at_once():
    _settings, problems, _warnings = check(
        {"namespaces_total": SettingError("namespaces_total: 'nope' is undefined"), "run_qps": -1},
        extra_vars={"namespaces_totl": 1},
        profile="mine",
        profile_values={"run_qpss": 1},
    )
    assert [line.partition(":")[0] for line in problems] == [
        "namespaces_total",
        "run_qps",
        "run_qpss",
        "namespaces_totl",
    ]


def test_a_profile_is_asked_for_with_those_there_are():
    assert check({"run_profile_required": "true"})[1] == [
        "profile: none is given; -e profile=NAME with one of safe, smoke, or the path of a .yml file"
    ]
    assert check({"run_profile_required": "true"}, profile="safe")[1] == []


@pytest.mark.parametrize(("policy", "problems", "warnings"), [("refuse", 1, 1), ("warn", 0, 2), ("ignore", 0, 0)])
def test_unknown_names_by_policy(policy, problems, warnings):
    present = {"run_of_the_mill": 1, "kubestress_kubconfig": 1, "kubestress_kubeconfig": 1, "local_cluster_nodes": 1}
    _settings, found, warned = check({"run_unknown_variables": policy}, present=present)
    assert (len(found), len(warned)) == (problems, warnings)
