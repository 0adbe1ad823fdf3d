"""Extra vars, inventory, environment, profile, default: for each setting the first of them that gives it counts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.kubestress.core.plugins.module_utils.settings.precedence import Fallback, Found, find
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import SETTINGS

TOTAL = SETTINGS["namespaces_total"]
EXTRA, INVENTORY, ENVIRONMENT, PROFILE = {"extra": 1}, {"inventory": 2}, {"environment": "3"}, {"profile": 4}
FROM_ENVIRONMENT = Found("3", "environment variable TOTAL_NAMESPACES")
FROM_PROFILE = Found(4, "profile mine")


def variables(tmp_path, monkeypatch, *, extra: Any = None, inventory: Any = None) -> dict[str, Any]:
    """The variables that Ansible itself makes of extra vars and an inventory, behind them our role default."""
    hosts = tmp_path / "hosts.yml"
    given = f"{{{TOTAL.name}: {inventory!r}}}" if inventory is not None else "{}"
    hosts.write_text(f"all: {{hosts: {{h: {given}}}}}\n")
    extra_vars = (f"{TOTAL.name}={extra}",) if extra is not None else ()
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(extra_vars=extra_vars))
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(hosts)])
    found = VariableManager(loader=loader, inventory=manager).get_vars(host=manager.get_host("h"))
    return {TOTAL.name: TOTAL.role_default, **found}


@pytest.fixture(autouse=True)
def _extra_vars_are_read_anew(monkeypatch):
    """Ansible keeps those of a process in an attribute of the function that reads them."""
    from ansible.utils.vars import load_extra_vars

    monkeypatch.delattr(load_extra_vars, "extra_vars", raising=False)
    yield
    if hasattr(load_extra_vars, "extra_vars"):
        del load_extra_vars.extra_vars


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (EXTRA | INVENTORY | ENVIRONMENT | PROFILE, Found("1")),
        (INVENTORY | ENVIRONMENT | PROFILE, Found(2)),
        (ENVIRONMENT | PROFILE, FROM_ENVIRONMENT),
        (PROFILE, FROM_PROFILE),
        ({}, Found(100)),
        # Each of them may be empty, which counts as not given.
        ({"extra": "", **PROFILE}, FROM_PROFILE),
        ({"inventory": "", **ENVIRONMENT}, FROM_ENVIRONMENT),
        ({"environment": "", **PROFILE}, FROM_PROFILE),
        ({"environment": " "}, Found(100)),
        ({"profile": None}, Found(100)),
        ({"profile": ""}, Found(100)),
        ({"profile": 0}, Found(0, "profile mine")),
        # Even the value of the default, given by a user, counts before the environment.
        ({"inventory": 100, **ENVIRONMENT}, Found(100)),
    ],
)
def test_precedence(tmp_path, monkeypatch, sources, expected):
    present = variables(tmp_path, monkeypatch, extra=sources.get("extra"), inventory=sources.get("inventory"))
    fallback = Fallback(
        environment={"TOTAL_NAMESPACES": sources["environment"]} if "environment" in sources else {},
        profile="mine" if "profile" in sources else "",
        profile_values={TOTAL.name: sources["profile"]} if "profile" in sources else {},
    )
    templar = Templar(loader=DataLoader(), variables=present)
    assert find(TOTAL, present, fallback, template=templar.template) == expected


def test_what_is_no_setting_of_a_run_has_no_environment_and_no_profile():
    nodes = SETTINGS["local_cluster_nodes"]
    fallback = Fallback(environment={}, profile="mine", profile_values={nodes.name: 3})
    assert find(nodes, {}, fallback, template=str) == Found(10)
    assert find(nodes, {nodes.name: 7}, fallback, template=int) == Found(7)


def test_a_role_that_the_play_does_not_use_has_its_settings_all_the_same():
    assert find(TOTAL, {}, Fallback(environment={}), template=str) == Found(100)
