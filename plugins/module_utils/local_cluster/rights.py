# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients of a real node may do: as roles and bindings of the API server."""

from __future__ import annotations

from typing import Any

from .api import Api
from .pki import DNS_CLIENT, KUBELET_CLIENT

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
