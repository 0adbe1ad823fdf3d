# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events tell something new: between us and the API server there may be a cache that repeats and reorders them.

The versions of an object only rise, and after its deletion nothing older about it counts any more. API servers write
versions as decimal numbers that can be compared within one kind (KEP-5504); what is no number is not compared.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from typing import Any

from .watch import Event

#: In place of a version: the object is gone.
_GONE = sys.maxsize
_TOO_LONG = len(str(_GONE))
#: Places of an empty table, a power of two, and the share of them that may be in use.
_FIRST_PLACES = 64
_FULL = 2 / 3


def uid_number(uid: str) -> int:
    """Stands for a uid in a third of its memory, never 0: that two are the same is less likely than a machine's fault.

    Python keeps integers below 2**60 in 32 bytes, larger ones in 48.
    """
    return hash(uid) >> 4 or 1


def _comparable(version: str) -> int | None:
    """A version as a number; None where it is none, or longer than any of an API server's (64 bits)."""
    return int(version) if version.isdecimal() and len(version) < _TOO_LONG else None


class _Numbers:
    """A number by uid_number, in two arrays of 8 bytes an entry; a dict of a run's pods would take 110 bytes each.

    Open addressing: an entry is at the place that its key's last bits name, or at the next free one after it.
    """

    def __init__(self) -> None:
        self._used = 0
        self._allocate(_FIRST_PLACES)

    def get(self, key: int) -> int:
        """The number; -1 where none is known."""
        place = self._place(key)
        return self._numbers[place] if self._keys[place] else -1

    def __setitem__(self, key: int, number: int) -> None:
        place = self._place(key)
        if not self._keys[place]:
            self._keys[place] = key
            self._used += 1
        self._numbers[place] = number
        if self._used > _FULL * len(self._keys):
            self._grow()

    def _place(self, key: int) -> int:
        keys, last = self._keys, len(self._keys) - 1
        place = key & last
        while keys[place] and keys[place] != key:
            place = (place + 1) & last
        return place

    def _allocate(self, places: int) -> None:
        self._keys, self._numbers = array("q", bytes(8 * places)), array("q", bytes(8 * places))

    def _grow(self) -> None:
        entries = zip(self._keys, self._numbers, strict=True)
        self._allocate(2 * len(self._keys))
        for key, number in entries:
            if key:
                place = self._place(key)
                self._keys[place], self._numbers[place] = key, number


class Versions:
    """The newest known version of each object of one kind, by uid; memory grows with the objects, 30 bytes each."""

    def __init__(self) -> None:
        self._newest = _Numbers()

    def is_news(self, event: Event) -> bool:
        """Whether an event (ADDED, MODIFIED, DELETED) tells something new; from now on it is known."""
        metadata = event.object["metadata"]
        if "uid" not in metadata:
            return True  # what an extension server computes, such as PodMetrics, is stored nowhere
        uid = uid_number(metadata["uid"])
        known = self._newest.get(uid)
        if event.type == "DELETED":
            self._newest[uid] = _GONE
            return known != _GONE
        version = _comparable(metadata.get("resourceVersion", ""))
        if version is None:
            return known != _GONE
        if version <= known:
            return False
        self._newest[uid] = version
        return True

    def stored(self, uid: str, version: str) -> None:
        """The API server has answered that it stored this version; the event that shows it is news all the same."""
        number = _comparable(version)
        if number is not None:
            key = uid_number(uid)
            self._newest[key] = max(self._newest.get(key), number - 1)

    def is_known(self, uid: str, version: str) -> bool:
        """Whether an event has shown this version of an object, or a later one."""
        number, known = _comparable(version), self._newest.get(uid_number(uid))
        return known == _GONE or (number is not None and known >= number)

    def is_gone(self, uid: str) -> bool:
        """Whether the deletion of an object is known."""
        return self._newest.get(uid_number(uid)) == _GONE

    def is_newer(self, metadata: Mapping[str, Any], uid: int) -> bool:
        """Whether an object's version was written after what is known of another object, by its uid_number."""
        known = self._newest.get(uid)
        version = _comparable(metadata.get("resourceVersion", ""))
        return known == _GONE or version is None or version > known
