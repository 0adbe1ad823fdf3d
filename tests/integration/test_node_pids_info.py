"""kubestress.core.node_pids_info on a real API server, whose nodes are simulated and tell nothing."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.one_task import returned

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(tmp_path: Path, ansible_playbook: Any) -> Ask:
    """Return a function that runs the module with options, and gives exit code and what the task returned."""

    def run(*arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        return returned(ansible_playbook, tmp_path, "kubestress.core.node_pids_info", options, *arguments)

    return run


@pytest.fixture
def deaf_node(kubectl: Any) -> Iterator[str]:
    """Yield a node that claims a kubelet where the API server cannot, or will not, ask for one."""
    name = f"deaf-{secrets.token_hex(3)}"
    taint = {"key": "test", "effect": "NoSchedule"}
    document = {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"test": name}},
        "spec": {"taints": [taint]},
    }  # fmt: skip
    kubectl("create", "-f", "-", stdin=json.dumps(document))
    status = {
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 9}},
        }
    }
    kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", json.dumps(status))
    yield name
    kubectl("delete", "node", name, "--wait=false")


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["run", "check mode"])
def test_simulated_nodes_are_no_data_and_not_nought(ask: Ask, kubectl: Any, arguments: tuple[str, ...]) -> None:
    simulated = {node["metadata"]["name"] for node in kubectl("get", "nodes", "-l", "type=kwok")["items"]}
    rc, answer = ask(*arguments, node_selector="type=kwok")
    assert rc == 0, answer
    assert answer["changed"] is False
    assert {node["name"] for node in answer["nodes"]} <= simulated
    assert answer["nodes_total"] == len(simulated) > 0
    assert {node["simulated"] for node in answer["nodes"]} == {True}
    assert all(node["processes"] is node["threads"] is node["pods"] is None for node in answer["nodes"])
    assert answer["no_data"][0]["cause"] == "simulated node: it has no kubelet and runs no processes"
    assert answer["no_data"][0]["nodes"] == len(simulated)
    assert (answer["nodes_with_data"], answer["pods"], answer["tightest"], answer["requests"]) == (0, [], None, 0)


def test_a_kubelet_that_cannot_be_asked_is_no_data(ask: Ask, deaf_node: str) -> None:
    rc, answer = ask(node_selector=f"test={deaf_node}", node_timeout=5, run_id="none")
    assert rc == 0, answer
    (node,) = answer["nodes"]
    assert (node["name"], node["simulated"], node["processes"], node["threads"]) == (deaf_node, False, None, None)
    assert all(row["limit"] is row["used"] is None and row["cause"] for row in node["limits"].values())
    assert len(node["causes"]) == answer["requests"] == 3
    assert all("the kubelet cannot be reached: " in cause or "no answer" in cause for cause in node["causes"])


def test_a_user_who_may_not_ask_kubelets_gets_no_data(ask: Ask, deaf_node: str, kubectl: Any) -> None:
    role = secrets.token_hex(3)
    rule = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
    access: list[dict[str, Any]] = [
        {"kind": "ClusterRole", "rules": [rule]},
        {
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": role}],
        },
    ]
    for one in access:
        document = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": role}, **one}
        kubectl("create", "-f", "-", stdin=json.dumps(document))
    try:
        rc, answer = ask(nodes=[deaf_node], impersonate_user=role)
        assert rc == 0, answer
        assert {row["cause"].split(": ")[1] for row in answer["no_data"]} == {"the user may not get nodes/proxy"}
        rc, answer = ask(impersonate_user=role)
        assert rc != 0
        assert answer["msg"].startswith("nodes cannot be listed: nodes is forbidden")
    finally:
        kubectl("delete", "clusterrolebinding", role)
        kubectl("delete", "clusterrole", role)


def test_bad_input_is_one_clear_line(ask: Ask) -> None:
    rc, answer = ask(node_selector="a=b=c")
    assert rc != 0
    assert answer["msg"].startswith("node_selector: 'a=b=c': ")
    rc, answer = ask(top=5000)
    assert rc != 0
    assert answer["msg"] == "top: 5000; allowed are 0 to 1000"
