# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the nodes of a running control plane to what is wanted, and waiting until pods could run on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..machine.sync import wait_until
from . import nodes
from .api import Api
from .errors import NotReadyError
from .pki import ADMIN, DNS_CLIENT, KUBELET_CLIENT, Pki
from .settings import REAL_NODE_NAME, Settings

_GROUP = "rbac.authorization.k8s.io"
_PATH = f"/apis/{_GROUP}/v1"
_READ = ["get", "list", "watch"]
DNS_RULES = [
    {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": _READ},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
]


def grant(api: Api) -> None:
    """Have them. Logs, exec and statistics: the kubelet asks whether the API server's own client may have them."""
    _bind(api, KUBELET_CLIENT, role="system:kubelet-api-admin")
    _create(api, "ClusterRole", DNS_CLIENT, rules=DNS_RULES)
    _bind(api, DNS_CLIENT, role=DNS_CLIENT)


def _bind(api: Api, user: str, *, role: str) -> None:
    """Let a user have a role, by a binding of the user's name."""
    _create(
        api,
        "ClusterRoleBinding",
        user,
        roleRef={"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        subjects=[{"apiGroup": _GROUP, "kind": "User", "name": user}],
    )


def _create(api: Api, kind: str, name: str, **content: Any) -> None:
    path = f"{_PATH}/{kind.lower()}s"
    if api.get(f"{path}/{name}") is None:
        api.post(path, {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": {"name": name}, **content})


DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
MAX_NAMED = 5


class Population:
    """The simulated nodes of one cluster, as its API server has them."""

    def __init__(self, settings: Settings, pki: Pki) -> None:
        self.settings = settings
        self.size = nodes.NodeSize(settings.node_cpu, settings.node_memory, settings.pods_per_node)
        self.api = Api(settings.endpoint, ca=pki.ca_certificate, token=pki.token(ADMIN))

    def changes(self) -> nodes.NodeChanges:
        """What is to be done."""
        return nodes.compare(
            nodes.existing_nodes(self.api),
            count=self.settings.nodes,
            size=self.size,
            tainted=self.settings.real_node,
        )

    def match(self) -> nodes.NodeChanges:
        """Do it; returns what was done."""
        changes = self.changes()
        nodes.apply(self.api, changes, size=self.size, tainted=self.settings.real_node)
        if self.settings.real_node:
            grant(self.api)
        else:
            # One that is gone for good would be waited for by its pods.
            self.api.delete(f"{nodes.PATH}/{REAL_NODE_NAME}")
        return changes

    def wait_usable(self, *, check_parts: Callable[[], None], logs: Path) -> None:
        """Ready is when a pod could be created and would start: the account that it needs, and its node, are there.

        :param check_parts: raises if a part of the cluster ended meanwhile.
        :param logs: the folder of logs to name in the error.
        :raises NotReadyError: naming what was missing at the end.
        """
        missing: list[str] = []

        def usable() -> bool:
            check_parts()
            missing[:] = nodes.not_ready(nodes.existing_nodes(self.api))
            if self.settings.real_node:
                real = self.api.get(f"{nodes.PATH}/{REAL_NODE_NAME}")
                missing.extend(nodes.not_ready([real]) if real else [REAL_NODE_NAME])
            if self.api.get(DEFAULT_ACCOUNT) is None:
                missing.append("the service account default/default")
            return not missing

        if not wait_until(usable, timeout_seconds=self.settings.ready_timeout):
            more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
            raise NotReadyError(
                f"the control plane runs, but not ready within {self.settings.ready_timeout} s: "
                f"{', '.join(missing[:MAX_NAMED])}{more} (logs: {logs})"
            )


def told(changes: nodes.NodeChanges) -> list[str]:
    """The changes in words."""
    counted = (
        ("create", changes.create),
        ("resize", changes.resize),
        ("delete", changes.delete),
        ("change the taint of", changes.taint),
    )
    return [f"{verb} {len(names)} nodes" for verb, names in counted if names]
