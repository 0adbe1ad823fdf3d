"""The alert rules that we ship are whole, and ask for figures and labels that a scan's metrics.prom has."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.storage.openmetrics import storage_metrics
from helpers import example_storage as example
from prometheus_client.openmetrics.parser import text_string_to_metric_families

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "prometheus"
FILE = FOLDER / "storage-alerts.yml"
GROUPS = {group["name"]: group["rules"] for group in yaml.safe_load(FILE.read_text())["groups"]}
RULES = [pytest.param(name, rule, id=rule["alert"]) for name, rules in GROUPS.items() for rule in rules]
DURATION = re.compile(r"\d+[smhd]")


@pytest.fixture(scope="module")
def exported() -> dict[str, dict[str, set[str]]]:
    """Return the labels of each figure, by name, without samples of objects and with them."""
    found: dict[str, dict[str, set[str]]] = {}
    for group, per_object in (("kubestress-storage", False), ("kubestress-storage-per-object", True)):
        labels: dict[str, set[str]] = defaultdict(set)
        for family in text_string_to_metric_families(storage_metrics(example.busy(), per_object=per_object)):
            for sample in family.samples:
                labels[sample.name] |= set(sample.labels)
        found[group] = labels
    return found


@pytest.mark.parametrize(("group", "rule"), RULES)
def test_rule_is_whole(group: str, rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert DURATION.fullmatch(rule["for"])
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert rule["annotations"]["summary"]


@pytest.mark.parametrize(("group", "rule"), RULES)
def test_expression_is_one(group: str, rule: dict[str, Any]) -> None:
    del group
    promql_parser.parse(rule["expr"])


def test_every_rule_that_is_tested_is_there() -> None:
    document = yaml.safe_load((FOLDER / "storage-alerts-test.yml").read_text())
    tested = {one["alertname"] for test in document["tests"] for one in test["alert_rule_test"]}
    assert tested <= {rule["alert"] for rules in GROUPS.values() for rule in rules}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH; building it takes minutes")
@pytest.mark.parametrize("words", [("check", FILE.name), ("test", "storage-alerts-test.yml")], ids=["check", "test"])
def test_promtool_accepts_them(words: tuple[str, str]) -> None:
    verb, name = words
    done = subprocess.run(["promtool", verb, "rules", name], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("group", "rule"), RULES)
def test_rule_asks_for_figures_and_labels_that_are_there(
    group: str, rule: dict[str, Any], exported: dict[str, dict[str, set[str]]]
) -> None:
    used = re.findall(r"kubestress_\w+", rule["expr"])
    assert used
    assert set(used) <= set(exported[group])
    labels = {label for name in used for label in exported[group][name]}
    named = set(re.findall(r"(\w+)=~?\"", rule["expr"])) | set(re.findall(r"by \((\w+)\)", rule["expr"]))
    named |= set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert named <= labels


def test_what_the_rules_must_warn_of() -> None:
    alerts = {rule["alert"] for rules in GROUPS.values() for rule in rules}
    assert alerts >= {
        "StorageClaimFillingUp",
        "StorageClaimNearlyFull",
        "StorageOrphans",
        "StorageSnapshotNotReady",
        "StoragePoolUnhealthy",
        "StoragePoolOvercommitted",
        "StorageScanStale",
    }
