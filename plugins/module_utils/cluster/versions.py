# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events tell something new: between us and the API server there may be a cache that repeats and reorders them.

The versions of an object only rise, and after its deletion nothing older about it counts any more. API servers write
versions as decimal numbers that can be compared within one kind (KEP-5504); what is no number is not compared.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .watch import Event

#: In place of a version: the object is gone.
_GONE = sys.maxsize


class Versions:
    """The newest known version of each object of one kind, by uid; memory grows with the objects, 100 bytes each."""

    def __init__(self) -> None:
        # Hashes of the uids: two uids with the same one are less likely than a fault of the machine.
        self._newest: dict[int, int] = {}

    def is_news(self, event: Event) -> bool:
        """Whether an event (ADDED, MODIFIED, DELETED) tells something new; from now on it is known."""
        metadata = event.object["metadata"]
        if "uid" not in metadata:
            return True  # what an extension server computes, such as PodMetrics, is stored nowhere
        uid = hash(metadata["uid"])
        known = self._newest.get(uid, -1)
        if event.type == "DELETED":
            self._newest[uid] = _GONE
            return known is not _GONE
        version = metadata.get("resourceVersion", "")
        if not version.isdecimal():
            return known is not _GONE
        number = int(version)
        if number <= known:
            return False
        self._newest[uid] = number
        return True

    def stored(self, uid: str, version: str) -> None:
        """The API server has answered that it stored this version; the event that shows it is news all the same."""
        if version.isdecimal():
            key = hash(uid)
            self._newest[key] = max(self._newest.get(key, -1), int(version) - 1)

    def is_gone(self, uid: str) -> bool:
        """Whether the deletion of an object is known."""
        return self._newest.get(hash(uid)) is _GONE

    def is_newer(self, metadata: Mapping[str, Any], uid: str) -> bool:
        """Whether an object's version was written after what is known of another object, `uid`."""
        known = self._newest.get(hash(uid), -1)
        version = metadata.get("resourceVersion", "")
        return known is _GONE or not version.isdecimal() or int(version) > known
