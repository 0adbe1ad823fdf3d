# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full claims are, asked for as long as a watch goes on, and which of them come to a threshold."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Protocol

from ..cluster.client import Cluster
from ..cluster.errors import ClusterError
from ..storage.document import OK, Usage
from ..storage.findings import CLAIM
from ..storage.inventory import Inventory
from ..storage.kubelets import read_fill
from ..storage.selection import Selection
from ..storage.usage import Fill, Levels, usage_of
from .judging import APPEARED, CHANGED, VANISHED

#: Seconds between two questions to the kubelets, which measure about once a minute.
_USAGE_SECONDS = 60.0


class TellLevel(Protocol):
    """Is told of a claim whose level is another than before; `change` as of a finding."""

    def __call__(self, *, change: str, namespace: str, name: str, level: str, used_percent: float | None) -> None:
        """Fields of a line."""


class Filling:
    """The newest figures. The inventory's part `usage` tells how far they go."""

    def __init__(
        self, inventory: Inventory, selection: Selection, thresholds: Mapping[str, float], tell: TellLevel
    ) -> None:
        self._inventory = inventory
        self._selection = selection
        self._limits = Levels(warning=thresholds["volume_warning"], critical=thresholds["volume_critical"])
        self._tell = tell
        self._fill = Fill()
        self._levels: dict[str, str] = {}

    async def follow(self, cluster: Cluster) -> None:
        """Ask until cancelled."""
        while True:
            # A copy, so that the part tells of the questions before until these are answered.
            inventory = dataclasses.replace(self._inventory, parts=dict(self._inventory.parts))
            with contextlib.suppress(ClusterError):
                self._fill = await read_fill(cluster, inventory, self._selection.records(CLAIM))
                self._inventory.parts["usage"] = inventory.parts["usage"]
                self._compare()
            await asyncio.sleep(_USAGE_SECONDS)

    def rows(self) -> list[Usage]:
        """One row for each of the bound claims. They are made anew each time: kept, they would take memory."""
        claims = {key: self._inventory.claims[key] for key in self._selection.records(CLAIM)}
        return usage_of(self._inventory, claims, self._fill, self._limits)

    def _compare(self) -> None:
        """Tell of each claim that is nearly full now and was not before, or the other way round."""
        rows = {f"{row.namespace}/{row.name}": row for row in self.rows() if row.level != OK}
        for key in self._levels.keys() - rows.keys():
            namespace, _slash, name = key.partition("/")
            self._tell(change=VANISHED, namespace=namespace, name=name, level=OK, used_percent=None)
        for key, row in rows.items():
            before = self._levels.get(key)
            if before != row.level:
                how = APPEARED if before is None else CHANGED
                percent = row.used_percent
                self._tell(change=how, namespace=row.namespace, name=row.name, level=row.level, used_percent=percent)
        self._levels = {key: row.level for key, row in rows.items()}
