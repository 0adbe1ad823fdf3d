"""On OpenShift the cluster gives pods their user id, and refuses any other: it is asked wherever a plan is compiled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.waiting import until

NAME = "securitycontextconstraints.security.openshift.io"
CONSTRAINTS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": NAME},
    "spec": {
        "group": "security.openshift.io",
        "scope": "Cluster",
        "names": {"plural": "securitycontextconstraints", "kind": "SecurityContextConstraints"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture
def openshift(kubectl: Any) -> Iterator[None]:
    """Let the API server have OpenShift's group while the test runs."""

    def is_served() -> bool:
        groups = json.loads(kubectl("get", "--raw", "/apis"))["groups"]
        return "security.openshift.io" in {group["name"] for group in groups}

    kubectl("create", "-f", "-", stdin=json.dumps(CONSTRAINTS))
    until(is_served)
    yield
    kubectl("delete", "customresourcedefinition", NAME)
    until(lambda: not is_served())


def user_ids(kubectl: Any, run_id: str) -> set[int | None]:
    """The user ids in the pod templates of a run."""
    found = kubectl("get", "deployments,statefulsets,jobs", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"]
    assert found
    return {each["spec"]["template"]["spec"].get("securityContext", {}).get("runAsUser") for each in found}


ROLE_ALONE = """
- hosts: localhost
  connection: local
  gather_facts: false
  roles: [kubestress.core.deployments]
"""


@pytest.mark.parametrize("way", ["whole", "without preflight", "a role alone"])
def test_pods_have_no_user_id_of_ours(
    openshift: None, ansible_playbook: Any, kubectl: Any, tmp_path: Path, run_id: str, prefix: str, way: str
) -> None:
    (tmp_path / "role.yml").write_text(ROLE_ALONE)
    playbook = tmp_path / "role.yml" if way == "a role alone" else "kubestress.core.stress"
    small = {
        "profile": "smoke",
        "run_id": run_id,
        "namespaces_prefix": prefix,
        "namespaces_total": 1,
        "build_jobs_enabled": False,
        "deployments_per_namespace": 1,
    }
    skipped = ["--skip-tags", "preflight"] if way == "without preflight" else []
    done = ansible_playbook(playbook, *skipped, extra_vars=small, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert user_ids(kubectl, run_id) == {None}


def test_elsewhere_they_have(ansible_playbook: Any, kubectl: Any, tmp_path: Path, run_id: str, prefix: str) -> None:
    (tmp_path / "role.yml").write_text(ROLE_ALONE)
    small = {"run_id": run_id, "namespaces_prefix": prefix, "namespaces_total": 1, "deployments_per_namespace": 1}
    done = ansible_playbook(tmp_path / "role.yml", extra_vars=small, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert user_ids(kubectl, run_id) == {65534}
