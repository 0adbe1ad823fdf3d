"""Somebody else's playbook with the role observe around its tasks, as the guide shows it, and its report."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.commands import CHECKOUT

SHOP = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "shop:1"}]},
        },
    },
}


@pytest.fixture
def guide(kubectl: Any, prefix: str, tmp_path: Path) -> Any:
    """Yield the guide's play with a namespace of the test's own, and the folder that it lies in."""
    (text,) = re.findall(r"```yaml\n(- name: .*?)```", (CHECKOUT / "docs" / "evidence.md").read_text(), re.DOTALL)
    kubectl("create", "namespace", prefix)
    (tmp_path / "shop.yml").write_text(yaml.safe_dump(SHOP))
    (tmp_path / "rollout.yml").write_text(
        re.sub(r"\[shop\]|(?<=--namespace )shop", lambda found: prefix if found[0] == "shop" else f"[{prefix}]", text)
    )
    yield tmp_path
    kubectl("delete", "namespace", prefix, "--wait=false")


def play(ansible_playbook: Any, kubectl_binary: str, kubeconfig: Path, folder: Path, *arguments: str) -> Any:
    path = os.pathsep.join([str(Path(kubectl_binary).parent), os.environ["PATH"]])
    env = {"PATH": path, "KUBECONFIG": str(kubeconfig)}
    return ansible_playbook(folder / "rollout.yml", *arguments, cwd=folder, env=env)


def summary_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "kubestress-results" / "shop-rollout" / "summary.json").read_text())


def test_the_guides_playbook_is_measured_and_reported(
    ansible_playbook: Any, kubectl_binary: str, kubeconfig: Path, guide: Path
) -> None:
    done = play(ansible_playbook, kubectl_binary, kubeconfig, guide)
    assert done.rc == 0, done.output
    summary = summary_of(guide)
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert summary["pods"]["startup"]["stateless"]["watched"]["count"] == 3
    assert summary["api_server"]["source"] == "metrics"
    assert summary["events"]["source"] == "watch"
    assert (guide / "kubestress-results" / "shop-rollout" / "report.html").stat().st_size > 0


def test_work_that_fails_is_measured_until_then_and_still_fails(
    ansible_playbook: Any, kubectl_binary: str, kubeconfig: Path, guide: Path
) -> None:
    (guide / "shop.yml").unlink()
    done = play(ansible_playbook, kubectl_binary, kubeconfig, guide)
    assert done.rc == 2
    assert "shop.yml" in done.output
    (file,) = (guide / "kubestress-results" / "shop-rollout" / "attempts" / "1" / "observations").glob("*.json")
    assert json.loads(file.read_text())["finished"] is not None
    assert summary_of(guide)["pods"]["startup"] in ({}, None)


def test_check_mode_starts_nothing(ansible_playbook: Any, kubectl_binary: str, kubeconfig: Path, guide: Path) -> None:
    done = play(ansible_playbook, kubectl_binary, kubeconfig, guide, "--check")
    assert done.rc == 0, done.output
    assert not (guide / "kubestress-results").exists()
