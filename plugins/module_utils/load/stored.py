# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what the API server said it stored is there at the end, for the kinds that nobody watches.

One list of each kind, of which only the metadata are sent, is compared with the names that were stored. Where their
number and the sum of their hashes are the same, all are there; only where they differ is the kind listed once more and
compared name by name, which takes memory for every object.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..cluster.client import Cluster
from ..cluster.decoding import keys_decoder
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.inventory import read_each
from ..cluster.labels import run_selector
from ..cluster.watch import METADATA_ONLY, key_of
from ..readiness.registry import finishes
from .object_states import Key
from .scheduler import Operation


@dataclass(slots=True)
class _Total:
    """How many hashes were added, and their sum: two sets of 64-bit hashes with the same are the same."""

    number: int = 0
    total: int = 0

    def add(self, key_hash: int) -> None:
        self.number += 1
        self.total += key_hash

    def update(self, other: _Total) -> None:
        self.number += other.number
        self.total += other.total

    def clear(self) -> None:
        self.number = self.total = 0


def _no_places() -> dict[tuple[str, str], array[int]]:
    return defaultdict(lambda: array("I"))


_Seen = TypeVar("_Seen", _Total, set[int])


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
    """What was stored of the kinds that nobody watches: 4 bytes an object where all namespaces have the same names.

    After `compare`, `missing` has what is not there, and `warnings` says of which kinds nobody knows.
    """

    def __init__(self, resources: Mapping[tuple[str, str], Resource], namespace_at: Callable[[int], str]) -> None:
        """`resources`: by kind. What ends by itself, such as a Job, may be gone at the end.

        `namespace_at`: the name of a namespace by its index.
        """
        self._resources = {kind: resource for kind, resource in resources.items() if not finishes(*kind)}
        self._namespace_at = namespace_at
        self.missing: list[Missing] = []
        self.warnings: list[str] = []
        #: By kind, role and name the indexes of the namespaces.
        self._stored: dict[tuple[str, str], dict[tuple[str, str], array[int]]] = defaultdict(_no_places)

    def add(self, operation: Operation) -> None:
        """An object is stored."""
        kind = (operation.api_version, operation.kind)
        if kind in self._resources:
            self._stored[kind][operation.role, operation.name].append(operation.unit.lane.namespace.index)

    async def compare(self, cluster: Cluster, *, run_id: str) -> None:
        """List the run's objects of each kind."""
        for kind in sorted(self._stored):
            try:
                why_not = await self._compare(cluster, kind, run_id=run_id)
            except ClusterError as error:
                why_not = str(error)
            if why_not is not None:
                self.warnings.append(f"{kind[1]}: it could not be counted how many are there at the end: {why_not}")

    async def _compare(self, cluster: Cluster, kind: tuple[str, str], *, run_id: str) -> str | None:
        """Put what is missing of a kind into `missing`, or say why not all could be read. Raises ClusterError."""
        stored = _Total()
        for key, _role in self._keys(kind):
            stored.add(hash(key))
        total = _Total()
        why_not = await self._list(cluster, kind, total, run_id=run_id)
        if why_not is not None or total == stored:
            return why_not
        there: set[int] = set()
        why_not = await self._list(cluster, kind, there, run_id=run_id)
        if why_not is None:
            missing = [(key, role) for key, role in self._keys(kind) if hash(key) not in there]
            cause = f"stored, but not there at the end, as {len(missing):,} of {stored.number:,} of its kind"
            self.missing += [Missing(kind[1], key, role, cause) for key, role in sorted(missing)]
        return why_not

    def _keys(self, kind: tuple[str, str]) -> Iterator[tuple[Key, str]]:
        """(key, role) of each object of a kind."""
        namespaced = self._resources[kind].namespaced
        for (role, name), places in self._stored[kind].items():
            for index in places:
                yield (self._namespace_at(index) if namespaced else "", name), role

    async def _list(self, cluster: Cluster, kind: tuple[str, str], there: _Seen, *, run_id: str) -> str | None:
        """Add the hashes of the keys to `there`, or say why not all could be read. Raises ClusterError.

        A hash takes a quarter of a key's memory, and a run may have a hundred thousand objects of a kind.
        """
        resource, decode = self._resources[kind], keys_decoder()
        why_not: str | None = None
        # Who may not list a kind everywhere may in the namespaces.
        narrow = sorted({key[0] for key, _role in self._keys(kind)}) if resource.namespaced else []
        for scopes in ([None], narrow):
            for scope in scopes:
                found: _Seen = type(there)()
                why_not = await read_each(
                    cluster,
                    resource.path(scope),
                    lambda item, found=found: found.add(hash(key_of(item))),  # type: ignore[misc]
                    query={"labelSelector": run_selector(run_id)},
                    decode=decode,
                    accept=METADATA_ONLY,
                    begin_again=found.clear,
                )
                if why_not is not None:
                    break
                there.update(found)
            if why_not is None:
                return None
        return why_not
