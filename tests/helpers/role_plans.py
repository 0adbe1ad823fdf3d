"""The plan that the roles make of settings: their tasks/plan.yml, templated by Ansible, compiled as batch does it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.kubestress.core.plugins.filter import (
    accelerator,
    build_members,
    build_variables,
    connectivity_variables,
    role_template,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import Demand, demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments

from helpers.collection import CHECKOUT

try:
    from ansible.template import trust_as_template
except ImportError:  # before 2.19 all text was a template

    def trust_as_template(value: str) -> str:
        """Return the text as it is."""
        return value


# By hand: tests import the collection as plain packages, where Ansible's own loader does not find its filters.
FILTERS = {
    name: function
    for module in (accelerator, build_members, build_variables, connectivity_variables, role_template)
    for name, function in module.FilterModule().filters().items()
}
_ROLE_FILE = re.compile(r"\{\{ lookup\('ansible\.builtin\.file', role_path ~ '/(.+?)'\) \}\}")
WORKLOADS = ("namespaces", "deployments", "statefulsets", "volumes", "connectivity", "build_jobs", "accelerator_jobs")
#: Workloads that are off unless settings say otherwise, which not all settings of tests have.
_OFF = frozenset({"volumes", "accelerator_jobs"})


def role_fragments(
    role: str, settings: Mapping[str, Any], *, before: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return what the role's plan entry adds to the plan `before`."""
    folder = CHECKOUT / "roles" / role
    (task,) = yaml.safe_load((folder / "tasks" / "plan.yml").read_text())
    variables = {"kubestress_settings": dict(settings), "role_path": str(folder), "kubestress_plan": list(before)}
    variables |= {name: _trusted(value, folder) for name, value in task["vars"].items()}
    templar = Templar(loader=DataLoader(), variables=variables)
    for name, function in FILTERS.items():
        templar.environment.filters[f"kubestress.core.{name}"] = function
    several = f"kubestress_{role}_fragments"
    if several in variables:
        return templar.template(variables[several])
    return [templar.template(variables[f"kubestress_{role}_fragment"])]


def role_fragment(role: str, settings: Mapping[str, Any], *, before: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return the one fragment that the role's plan entry adds to the plan `before`."""
    (fragment,) = role_fragments(role, settings, before=before)
    return fragment


def _trusted(value: Any, role: Path) -> Any:
    if isinstance(value, str):
        # Lookups are found by the same loader that filters are.
        found = _ROLE_FILE.fullmatch(value)
        return (role / found[1]).read_text() if found else trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(inner, role) for key, inner in value.items()}
    return [_trusted(inner, role) for inner in value] if isinstance(value, list) else value


def raw_plan(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fragments of all roles that the settings switch on, as tasks of a play hand them to batch."""
    plan: list[dict[str, Any]] = []
    for role in WORKLOADS:
        if settings.get(f"{role}_enabled", role not in _OFF):
            plan += role_fragments(role, settings, before=plan)
    return plan


def compiled_plan(settings: Mapping[str, Any], *, openshift: bool = False) -> list[Fragment]:
    """Return the same, compiled."""
    return parse_fragments(raw_plan(settings), Context(run_id="run-1", openshift=openshift))


def plan_namespaces(settings: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Return the namespaces of the settings as (index, name)."""
    prefix = settings["namespaces_prefix"]
    return [(number, f"{prefix}-{number}") for number in range(1, settings["namespaces_total"] + 1)]


def planned_demand(settings: Mapping[str, Any], *, existing: Sequence[str] = ()) -> Demand:
    """Return what the plan of the settings weighs."""
    return demand_of(compiled_plan(settings), namespaces=plan_namespaces(settings), existing=existing)
