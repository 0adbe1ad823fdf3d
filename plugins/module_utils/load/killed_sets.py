# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""StatefulSets whose pods are meant to be killed: such a set is ready once each of its pods has run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ..measure.pod_status import controller_of, has_started
from ..readiness.state import State
from .standing import Key, Standings


class KilledSets:
    """Fed with the events of such sets and of their pods."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self._replicas: dict[Key, int] = {}
        self._ran: dict[Key, set[str]] = defaultdict(set)

    def take_set(self, key: Key, obj: Mapping[str, Any]) -> None:
        """A set as it is now."""
        self._replicas[key] = obj["spec"].get("replicas", 1)
        self._judge(key)

    def take_pod(self, pod: Mapping[str, Any]) -> None:
        """A pod as it is now."""
        owner = controller_of(pod)
        if owner is None or owner[0] != "StatefulSet" or not has_started(pod):
            return
        key = (pod["metadata"]["namespace"], owner[1])
        if pod["metadata"]["name"] not in self._ran[key]:
            self._ran[key].add(pod["metadata"]["name"])
            self._judge(key)

    def _judge(self, key: Key) -> None:
        known = self._standings.find("StatefulSet", key)
        if known is None or key not in self._replicas:
            return
        ran, wanted = len(self._ran[key]), self._replicas[key]
        if ran >= wanted:
            self._standings.set("StatefulSet", key, known, State.READY, "")
        else:
            known.cause = f"{ran} of {wanted} pods have run"
