# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the nodes of a running control plane as wanted, and wait until pods can run on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..machine.sync import wait_until
from . import installing, nodes, storage_objects
from .api import Api
from .controllers import ControllerObjects
from .errors import NotReadyError
from .node_kinds import NodeSize
from .pki import ADMIN, DNS_CLIENT, KUBELET_CLIENT, Pki
from .settings import CONTROLLERS_OF_JOBS, REAL_NODE_NAME, Settings

_GROUP = "rbac.authorization.k8s.io"
_PATH = f"/apis/{_GROUP}/v1"
_READ = ["get", "list", "watch"]
DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
MAX_LISTED = 5
DNS_RULES = [
    {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": _READ},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
]


class Population:
    """The nodes of one cluster."""

    def __init__(self, settings: Settings, pki: Pki) -> None:
        self.settings = settings
        self._pki = pki
        size = NodeSize(settings.node_cpu, settings.node_memory, settings.pods_per_node)
        self.wanted = nodes.plain_nodes(settings.nodes, size, tainted=settings.real_node)
        for pool in settings.node_pools:
            self.wanted |= pool.nodes(size, beside_real=settings.real_node)

    @cached_property
    def api(self) -> Api:
        """The connection, made when it is first needed: before a first start there is no token."""
        return Api(self.settings.endpoint, ca=self._pki.ca_certificate, token=self._pki.token(ADMIN))

    def changes(self) -> nodes.NodeChanges:
        """The changes to the simulated nodes that are needed."""
        return nodes.compare(nodes.existing_nodes(self.api), self.wanted)

    def match(self) -> nodes.NodeChanges:
        """Make the changes, and return them."""
        changes = self.changes()
        nodes.apply(self.api, changes, self.wanted)
        if self.settings.real_node:
            grant(self.api)
        else:
            # Pods would wait for a node that is gone.
            self.api.delete(f"{nodes.PATH}/{REAL_NODE_NAME}")
        return changes

    def prepare_storage(self) -> list[str]:
        """Create what the controllers of volumes expect; returns it in words."""
        return installing.install(
            self.api, self._definitions, self._storage, timeout_seconds=self.settings.ready_timeout
        )

    def match_storage(self) -> list[str]:
        """Make everything for volumes that is missing, and return it in words."""
        made = self.prepare_storage()
        registered = storage_objects.register_nodes(self.api)
        return [*made, *([f"register the driver on {registered} nodes"] if registered else [])]

    def missing_storage(self) -> list[str]:
        """What `prepare_storage` would create, in words."""
        return installing.describe(installing.missing(self.api, self._definitions, self._storage))

    @cached_property
    def controllers(self) -> ControllerObjects:
        """What the controllers of jobs expect."""
        return ControllerObjects(self.api, self.settings, self._pki)

    def prepare_controller(self, name: str) -> list[str]:
        """Create what one controller of jobs expects; returns it in words."""
        return self.controllers.prepare(name)

    def match_controllers(self) -> list[str]:
        """Make what is missing for the controllers of jobs, remove webhooks that nobody serves; returns it in words."""
        made = [change for name in self.settings.controllers for change in self.prepare_controller(name)]
        unserved = self._unserved()
        self.controllers.remove(unserved)
        return [*made, *_removals(unserved)]

    def missing_controllers(self) -> list[str]:
        """What `match_controllers` would do, in words."""
        made = [change for name in self.settings.controllers for change in self.controllers.missing(name)]
        return [*made, *_removals(self._unserved())]

    def _unserved(self) -> list[str]:
        return self.controllers.unwanted([one for one in CONTROLLERS_OF_JOBS if one not in self.settings.controllers])

    @property
    def _storage(self) -> list[installing.Wanted]:
        return storage_objects.storage_objects(mounted=self.settings.real_node)

    @property
    def _definitions(self) -> Path:
        return self.settings.sources_dir / "crds"

    def wait_usable(self, *, check_parts: Callable[[], None], logs: Path) -> None:
        """Wait until a pod could be created and start: its service account exists and its node is Ready.

        :param check_parts: raises if a part of the cluster has ended.
        :param logs: the folder of logs, for the error.
        :raises NotReadyError: naming what is still missing.
        """
        missing: list[str] = []

        def usable() -> bool:
            check_parts()
            missing[:] = nodes.not_ready(nodes.existing_nodes(self.api))
            if self.settings.real_node:
                real = self.api.get(f"{nodes.PATH}/{REAL_NODE_NAME}")
                if real is None or not nodes.is_settled(real, now=time.time()):
                    missing.append(REAL_NODE_NAME)
                if self.settings.storage and not storage_objects.is_registered(self.api, REAL_NODE_NAME):
                    missing.append(f"the driver {storage_objects.DRIVER_NAME} on {REAL_NODE_NAME}")
            if self.api.get(DEFAULT_ACCOUNT) is None:
                missing.append("the service account default/default")
            return not missing

        if not wait_until(usable, timeout_seconds=self.settings.ready_timeout):
            more = f" and {len(missing) - MAX_LISTED} more" if len(missing) > MAX_LISTED else ""
            raise NotReadyError(
                f"the control plane runs, but these are not ready within {self.settings.ready_timeout} s: "
                f"{', '.join(missing[:MAX_LISTED])}{more} (logs: {logs})"
            )


def _removals(paths: Sequence[str]) -> list[str]:
    return [f"delete {path.rpartition('/')[0].rpartition('/')[2]} {path.rpartition('/')[2]}" for path in paths]


def describe_changes(changes: nodes.NodeChanges) -> list[str]:
    """The changes in words."""
    counted = (
        ("create", changes.create),
        ("resize", changes.resize),
        ("delete", changes.delete),
        ("change the labels of", changes.relabel),
        ("change the taint of", changes.taint),
    )
    return [f"{verb} {len(names)} nodes" for verb, names in counted if names]


def grant(api: Api) -> None:
    """Give the API server's client access to the kubelet (logs, exec, statistics), and the DNS server its role."""
    _bind(api, KUBELET_CLIENT, role="system:kubelet-api-admin")
    _create(api, "ClusterRole", DNS_CLIENT, rules=DNS_RULES)
    _bind(api, DNS_CLIENT, role=DNS_CLIENT)


def _bind(api: Api, user: str, *, role: str) -> None:
    """Bind a role to a user, in a binding with the user's name."""
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
