"""The ClusterRole for a scan in docs/rights.md allows what is asked for, and nothing else."""

from __future__ import annotations

import re

import yaml
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS
from helpers.collection import CHECKOUT


def test_the_role_in_the_documentation_is_what_a_scan_reads() -> None:
    text = (CHECKOUT / "docs" / "rights.md").read_text()
    (block,) = (one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "kubestress-storage" in one)
    allowed = [
        (group, resource, verb)
        for rule in yaml.safe_load(block)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    asked = [(listed.group, listed.plural, "list") for listed in LISTS.values()]
    assert sorted(allowed) == sorted([*asked, ("", "nodes/proxy", "get")])


def test_the_first_six_rules_are_what_lies_in_namespaces() -> None:
    """The text below the role says that they are enough for an account of some namespaces."""
    text = (CHECKOUT / "docs" / "rights.md").read_text()
    (block,) = (one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "kubestress-storage" in one)
    first = {resource for rule in yaml.safe_load(block)["rules"][:6] for resource in rule["resources"]}
    assert first == {listed.plural for listed in LISTS.values() if listed.namespaced}
