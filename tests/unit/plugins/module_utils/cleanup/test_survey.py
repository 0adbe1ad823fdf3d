"""What lies in every namespace without anybody having put it there, against what somebody would miss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cleanup.foreign import (
    claimed_by_set,
    made_by_cluster,
    uncounted_names,
)
from ansible_collections.kubestress.core.plugins.module_utils.cleanup.survey import is_mirror
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource


def resource(api_version: str, kind: str) -> Resource:
    return Resource(api_version, kind, f"{kind.lower()}s", True, frozenset())


@dataclass
class Case:
    """An object and whether the cluster made it."""

    api_version: str
    kind: str
    name: str
    native: bool
    metadata: dict[str, Any] = field(default_factory=dict)


TOKEN = {"annotations": {"kubernetes.io/service-account.name": "default"}}
CASES = [
    Case("v1", "ServiceAccount", "default", True),
    Case("v1", "ServiceAccount", "builder", True),
    Case("v1", "ServiceAccount", "robot", False),
    Case("v1", "ConfigMap", "kube-root-ca.crt", True),
    Case("v1", "ConfigMap", "settings", False),
    Case("v1", "Secret", "default-token-x", True, TOKEN),
    Case("v1", "Secret", "token", False, {"annotations": {"kubernetes.io/service-account.name": "robot"}}),
    Case("v1", "Endpoints", "web", True),
    Case("discovery.k8s.io/v1", "EndpointSlice", "web-x", True),
    Case("coordination.k8s.io/v1", "Lease", "lock", True),
    Case("rbac.authorization.k8s.io/v1", "RoleBinding", "system:image-pullers", True),
    Case("rbac.authorization.k8s.io/v1", "RoleBinding", "admins", False),
    Case("operators.coreos.com/v1", "ClusterServiceVersion", "x", True, {"labels": {"olm.copiedFrom": "openshift"}}),
    # The name alone does not make it: this is another kind of another group.
    Case("example.com/v1", "ConfigMap", "kube-root-ca.crt", False),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind} {case.name}")
def test_made_by_cluster(case: Case) -> None:
    metadata = {"name": case.name, **case.metadata}
    assert made_by_cluster(resource(case.api_version, case.kind), metadata) is case.native


@pytest.mark.parametrize(
    ("api_version", "kind", "mirror"),
    [
        ("v1", "Event", True),
        ("events.k8s.io/v1", "Event", True),
        ("project.openshift.io/v1", "Project", True),
        ("v1", "Pod", False),
        ("example.com/v1", "Event", False),
    ],
)
def test_is_mirror(api_version: str, kind: str, mirror: bool) -> None:
    assert is_mirror(resource(api_version, kind)) is mirror


def test_lists_leave_out_what_is_in_every_namespace() -> None:
    selector = uncounted_names(resource("v1", "ServiceAccount"))
    assert selector == "metadata.name!=builder,metadata.name!=default,metadata.name!=deployer"
    assert uncounted_names(resource("v1", "Pod")) == ""
    assert uncounted_names(resource("example.com/v1", "ConfigMap")) == ""


@pytest.mark.parametrize(
    ("name", "claimed"),
    [("data-oom-0", True), ("data-oom-12", True), ("data-oom", False), ("data-room-0", False), ("notes", False)],
)
def test_claims_of_a_set(name: str, claimed: bool) -> None:
    assert claimed_by_set(name, {"oom"}) is claimed
