# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From apiVersion and kind to the path of a request, as the server itself says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from .client import Cluster
from .errors import Invalid, NotFound


@dataclass(frozen=True)
class Resource:
    """One served kind. `plural` is its name in paths; `verbs` are those that the server allows."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of the collection, or with `name` of one object. No namespace: all of them."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Discovery:
    """Asks the server once per apiVersion."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._groups: dict[str, dict[str, Resource]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises Invalid naming both if the server does not serve it."""
        kinds = await self._kinds(api_version)
        if kind not in kinds:
            served = ", ".join(sorted(kinds)[:12]) or "nothing"
            raise Invalid(f"the API server has no {kind} in {api_version} (it has {served})", reason="UnknownKind")
        return kinds[kind]

    async def _kinds(self, api_version: str) -> dict[str, Resource]:
        async with self._locks.setdefault(api_version, asyncio.Lock()):
            if api_version not in self._groups:
                path = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
                try:
                    document = await self._cluster.get(path)
                except NotFound as error:
                    raise Invalid(f"the API server does not serve {api_version}", reason="UnknownKind") from error
                self._groups[api_version] = {
                    entry["kind"]: Resource(
                        api_version, entry["kind"], entry["name"], entry["namespaced"], frozenset(entry["verbs"])
                    )
                    for entry in document["resources"]
                    if "/" not in entry["name"]
                }
            return self._groups[api_version]
