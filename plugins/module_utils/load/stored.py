# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what the API server said it stored is there at the end, for the kinds that nobody watches.

One list of each kind, of which only the metadata are sent, is compared with the names that were stored.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.inventory import read_each
from ..cluster.labels import run_selector
from ..cluster.proof import list_of
from ..cluster.watch import METADATA_ONLY, key_of
from ..readiness.registry import finishes
from .object_states import Key
from .scheduler import Operation


@dataclass(frozen=True, slots=True)
class Missing:
    """An object that was stored, and is not there at the end."""

    kind: str
    key: Key
    role: str
    cause: str

    def row(self) -> dict[str, str]:
        """As the measurements name what is not ready."""
        return {"kind": self.kind, "namespace": self.key[0], "name": self.key[1], "cause": self.cause}


class StoredNames:
    """What was stored of the kinds that nobody watches; most names cost 8 bytes, as those of all namespaces are alike.

    After `compare`, `missing` has what is not there, and `warnings` says of which kinds nobody knows.
    """

    def __init__(self, resources: Mapping[tuple[str, str], Resource]) -> None:
        """`resources`: by kind. What ends by itself, such as a Job, may be gone at the end."""
        self._resources = {kind: resource for kind, resource in resources.items() if not finishes(*kind)}
        self.missing: list[Missing] = []
        self.warnings: list[str] = []
        self._names: dict[tuple[str, str], dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))

    def add(self, operation: Operation) -> None:
        """An object is stored."""
        kind = (operation.api_version, operation.kind)
        if kind in self._resources:
            self._names[kind][operation.namespace, operation.role].append(sys.intern(operation.name))

    async def compare(self, cluster: Cluster, *, run_id: str) -> None:
        """List the run's objects of each kind."""
        for kind in sorted(self._names):
            there: set[int] = set()
            try:
                why_not = await self._list(cluster, kind, there, run_id=run_id)
            except ClusterError as error:
                why_not = str(error)
            if why_not is None:
                self._compare(kind, there)
            else:
                self.warnings.append(f"{kind[1]}: it could not be counted how many are there at the end: {why_not}")

    async def _list(self, cluster: Cluster, kind: tuple[str, str], there: set[int], *, run_id: str) -> str | None:
        """Put the hashes of the keys into `there`, or say why not all could be read. Raises ClusterError.

        A hash takes a quarter of a key's memory, and a run may have a hundred thousand objects of a kind.
        """
        resource = self._resources[kind]
        why_not: str | None = None
        # Who may not list a kind everywhere may in the namespaces.
        narrow = sorted({namespace for namespace, _role in self._names[kind]}) if resource.namespaced else []
        for scopes in ([None], narrow):
            for scope in scopes:
                found: set[int] = set()
                why_not = await read_each(
                    cluster,
                    resource.path(scope),
                    lambda item, found=found: found.add(hash(key_of(item))),  # type: ignore[misc]
                    query={"labelSelector": run_selector(run_id)},
                    decode=list_of,
                    accept=METADATA_ONLY,
                    begin_again=found.clear,
                )
                if why_not is not None:
                    break
                there.update(found)
            if why_not is None:
                return None
        return why_not

    def _compare(self, kind: tuple[str, str], there: set[int]) -> None:
        namespaced = self._resources[kind].namespaced
        names = self._names[kind]
        missing = [
            (key, role)
            for (namespace, role), stored in names.items()
            for name in stored
            if hash(key := (namespace if namespaced else "", name)) not in there
        ]
        number = sum(len(stored) for stored in names.values())
        cause = f"stored, but not there at the end, as {len(missing):,} of {number:,} of its kind"
        self.missing += [Missing(kind[1], key, role, cause) for key, role in sorted(missing)]
