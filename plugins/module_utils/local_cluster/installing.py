# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that an option of the cluster brings: made where they are missing, definitions first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ..machine.sync import wait_until
from .api import Api
from .errors import NotReadyError

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RBAC = "rbac.authorization.k8s.io"
#: The path of a collection, and an object of it.
Wanted: TypeAlias = "tuple[str, dict[str, Any]]"


def definitions(folder: Path) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of a folder of `crds`, without those of folders in it."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def an_object(api_version: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    """A cluster-scoped object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **content}


def role_of(user: str, rules: Sequence[dict[str, Any]]) -> list[Wanted]:
    """A ClusterRole with these rules and its binding, both with the name of the user."""
    version = f"{_RBAC}/v1"
    return [
        (f"/apis/{version}/clusterroles", an_object(version, "ClusterRole", user, rules=list(rules))),
        (
            f"/apis/{version}/clusterrolebindings",
            an_object(
                version,
                "ClusterRoleBinding",
                user,
                roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": user},
                subjects=[{"apiGroup": _RBAC, "kind": "User", "name": user}],
            ),
        ),
    ]


def missing(api: Api, folder: Path, objects: Sequence[Wanted]) -> list[Wanted]:
    """What `install` would create."""
    wanted = [*((DEFINITIONS, one) for one in definitions(folder)), *objects]
    return [(path, one) for path, one in wanted if api.get(f"{path}/{one['metadata']['name']}") is None]


def install(api: Api, folder: Path, objects: Sequence[Wanted], *, timeout_seconds: float) -> list[str]:
    """Create what is missing, and return it in words. What exists is left as it is.

    :param folder: the folder of the definitions.
    :raises NotReadyError: if the server does not serve the definitions in time.
    """
    wanted = missing(api, folder, objects)
    names = [one["metadata"]["name"] for path, one in wanted if path == DEFINITIONS]
    for path, one in wanted:
        if path == DEFINITIONS:
            api.post(path, one)
    _wait_served(api, names, timeout_seconds=timeout_seconds)
    for path, one in wanted:
        if path != DEFINITIONS:
            api.post(path, one)
    return describe(wanted)


def describe(wanted: Sequence[Wanted]) -> list[str]:
    """What is created, in words."""
    return [f"create {one['kind']} {one['metadata']['name']}" for _path, one in wanted]


def _wait_served(api: Api, names: Sequence[str], *, timeout_seconds: float) -> None:
    waiting: list[str] = []

    def established() -> bool:
        waiting[:] = [name for name in names if not _is_established(api.get(f"{DEFINITIONS}/{name}"))]
        return not waiting

    if not wait_until(established, timeout_seconds=timeout_seconds):
        raise NotReadyError(f"not served within {timeout_seconds:g} s: {', '.join(waiting)}")


def _is_established(definition: dict[str, Any] | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
