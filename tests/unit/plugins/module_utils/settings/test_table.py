"""The table of settings agrees with itself, with what is generated from it, and with the modules' documentation."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.convert import converted
from ansible_collections.kubestress.core.plugins.module_utils.settings.rules import problems_of
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import Setting
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES, RUN_SETTINGS, SETTINGS

PLUGINS = "ansible_collections.kubestress.core.plugins"
EVERY = [pytest.param(setting, id=name) for name, setting in SETTINGS.items()]

PREFLIGHT = {
    "nodes_sampled": "preflight_nodes_sampled",
    "read_budget": "preflight_read_budget",
    "exact_pods": "preflight_exact_pods",
}
#: Module -> its options that are settings, with their names as settings.
OPTIONS = {
    "batch": {
        "max_concurrent": "run_max_concurrent",
        "qps": "run_qps",
        "burst": "run_burst",
        "request_timeout": "run_request_timeout",
        "retry_deadline": "run_retry_deadline",
        "outage_limit": "run_outage_limit",
        "namespaces_parallel": "namespaces_parallel",
        "observe.enabled": "observe_enabled",
        "observe.api_interval": "observe_api_interval",
        "observe.node_interval": "observe_node_interval",
        "observe.events": "observe_events",
        **{f"preflight_options.{option}": name for option, name in PREFLIGHT.items()},
    },
    "cleanup": {
        "max_concurrent": "run_max_concurrent",
        "namespaces": "cleanup_namespaces",
        "delete_foreign": "cleanup_delete_foreign",
        "grace_period": "cleanup_grace_period",
    },
    "observe": {
        "name": "observe_name",
        "namespaces": "observe_namespaces",
        "api_interval": "observe_api_interval",
        "node_interval": "observe_node_interval",
        "events": "observe_events",
        "max_seconds": "observe_max_seconds",
    },
    "preflight": PREFLIGHT,
    "local_cluster": {
        setting.name.removeprefix("local_cluster_"): setting.name
        for setting in ROLES["local_cluster"].settings
        if not setting.name.endswith("_dir")
    },
    # But for secrets, what only the role has, and the folder, of which the role has a default.
    "storage_info": {
        setting.name.removeprefix("storage_"): setting.name
        for setting in ROLES["storage"].entries[0].settings
        if not setting.secret and setting.name not in ("storage_dest", "storage_fail_on")
    },
    # But for the file and the folder, of which the role has defaults, and what differs for a process of its own.
    "storage_watch": {
        setting.name.removeprefix("storage_watch_"): setting.name
        for setting in ROLES["storage"].entries[1].settings
        if setting.name.removeprefix("storage_watch_") not in ("dest", "metrics_file", "state", "max_seconds")
    },
}


@pytest.mark.parametrize("setting", EVERY)
def test_row(setting: Setting) -> None:
    assert (setting.type in ("int", "float")) is (setting.allowed is not None), "every number has a range, nothing else"
    assert setting.meaning.endswith((".", ")")), "the meaning is in sentences"
    assert "E(" not in setting.meaning, "the documentation adds the environment variable"
    assert not re.search(r"\d+ to \d+\.", setting.meaning), "the documentation adds the range"
    assert bool(setting.environment) == bool(setting.old_flags)


@pytest.mark.parametrize("setting", EVERY)
def test_default_passes_its_own_check(setting: Setting) -> None:
    value = converted(setting, setting.default)
    assert value == setting.default
    assert problems_of({setting.name: value} if value not in (None, "") else {}) == []


def test_all_defaults_together_pass_the_rules() -> None:
    defaults = {name: setting.default for name, setting in RUN_SETTINGS.items() if setting.default is not None}
    assert problems_of(defaults | {"run_id": "x"}) == []


def test_names() -> None:
    assert len(SETTINGS) == sum(len(role.settings) for role in ROLES.values()), "a name comes twice"
    for role in ROLES.values():
        assert [setting.name for setting in role.settings if not setting.name.startswith(f"{role.name}_")] == []
        assert {*role.reads, *role.requires} <= set(SETTINGS)
        assert role.alone or not (role.reads or role.requires)
    environment = [setting.environment for setting in SETTINGS.values() if setting.environment]
    assert len(environment) == len(set(environment))


# --- modules whose options are settings ------------------------------------------------------------------------------


def documented(module: str) -> dict[str, Any]:
    """Return a module's documented options, those of its fragments and inner ones included, by dotted name."""
    plugin = importlib.import_module(f"{PLUGINS}.modules.{module}")
    documents = [yaml.safe_load(plugin.DOCUMENTATION)]
    for fragment in documents[0].get("extends_documentation_fragment", []):
        name = fragment.rpartition(".")[2]
        found = importlib.import_module(f"{PLUGINS}.doc_fragments.{name}")
        documents.append(yaml.safe_load(found.ModuleDocFragment.DOCUMENTATION))
    options: dict[str, Any] = {}
    for document in reversed(documents):
        for name, option in document["options"].items():
            options[name] = option
            options |= {f"{name}.{inner}": spec for inner, spec in option.get("suboptions", {}).items()}
    return options


def argument(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a documented option as an argument spec has it."""
    plain = {key: spec[key] for key in spec.keys() - {"description", "suboptions"}}
    if "suboptions" in spec:
        plain["options"] = {name: argument(inner) for name, inner in spec["suboptions"].items()}
    return plain


@pytest.mark.parametrize("module", OPTIONS)
def test_documented_options_have_the_settings_type_default_and_range(module: str) -> None:
    options = documented(module)
    for option, name in OPTIONS[module].items():
        spec, setting = options[option], SETTINGS[name]
        assert argument(spec) == setting.argument_spec(), option
        if setting.allowed and not name.endswith("_port"):
            text = " ".join(str(spec["description"]).split())
            assert f"Must be {setting.allowed}." in text, f"{module}.{option} does not say: Must be {setting.allowed}."


# The argument spec of preflight stands inside its main; sanity compares it with the documentation.
@pytest.mark.parametrize("module", sorted(OPTIONS.keys() - {"preflight"}))
def test_arguments_are_taken_from_the_table(module: str) -> None:
    plugin = importlib.import_module(f"{PLUGINS}.modules.{module}")
    arguments = plugin.ARGUMENT_SPEC if module == "local_cluster" else plugin.ARGUMENTS
    for option, name in OPTIONS[module].items():
        outer, _dot, inner = option.partition(".")
        spec = arguments[outer]["options"][inner] if inner else arguments[outer]
        assert spec == SETTINGS[name].argument_spec()
