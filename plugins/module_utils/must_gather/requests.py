# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distinct requests of one source: each is counted once, whatever was written about it, and in little memory.

A request is known by container id and verb, as a number. 12 bytes for each, in open addressing: 16 to 32 with the free
places, where Python's own dictionary takes over 100. All places of a table would be doubled at once, so there are 64.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator

ADD, DEL = 0, 1
_SHARDS = 64
#: Bits of a key that tell which request it is. From Python's hash of the id, whose secret who writes logs cannot know:
#: two ids have the same one in 10^18 times. A process and those that it forks have the same secret.
_HASHED = 2**61 - 1
_NOT_ZERO = 1 << 62
_FIRST = 16
#: Share of places in use, in eighths, from which a shard is doubled.
_FULL = 6
#: Requests that wait in a dictionary until they are put away together: most lines are about one of the last requests.
_RECENT = 8192


class Requests:
    """Requests with the time of the first line about each, in stamps, and whether it ended with an error."""

    def __init__(self) -> None:
        self._keys: list[array[int]] = [array("Q") for _shard in range(_SHARDS)]
        self._values: list[array[int]] = [array("I") for _shard in range(_SHARDS)]
        self._used = [0] * _SHARDS
        self._recent: dict[int, int] = {}

    def see(self, requests: Iterable[tuple[bytes, int, int, bool]]) -> None:
        """Take in lines about requests, in any order: container id, verb, stamp, and whether it ended with an error."""
        # Spelled out in one loop, because it is passed for each line of a log.
        recent = self._recent
        for container, verb, stamp, failed in requests:
            key = (hash(container) & _HASHED) << 1 | verb | _NOT_ZERO
            value = stamp << 1 | failed
            known = recent.get(key)
            if known is None:
                recent[key] = value
                if len(recent) >= _RECENT:
                    self._put_away()
            elif failed or value < known:
                recent[key] = _both(known, value)

    def _see_keys(self, requests: Iterable[tuple[int, int]]) -> None:
        recent = self._recent
        for key, value in requests:
            recent[key] = _both(recent.get(key, value), value)
            if len(recent) >= _RECENT:
                self._put_away()

    def _put_away(self) -> None:
        """Move what is recent into the table."""
        for key, value in self._recent.items():
            shard = key >> 56 & (_SHARDS - 1)
            keys = self._keys[shard]
            if self._used[shard] * 8 >= len(keys) * _FULL:
                keys = self._grow(shard)
            mask = len(keys) - 1
            # The bits that chose the shard are the same for all in it.
            place = key >> 1 & mask
            while (there := keys[place]) and there != key:
                place = place + 1 & mask
            if there:
                self._values[shard][place] = _both(self._values[shard][place], value)
            else:
                keys[place] = key
                self._values[shard][place] = value
                self._used[shard] += 1
        self._recent.clear()

    def _grow(self, shard: int) -> array[int]:
        old_keys, old_values = self._keys[shard], self._values[shard]
        size = max(_FIRST, 2 * len(old_keys))
        keys, values = array("Q", bytes(8 * size)), array("I", bytes(4 * size))
        mask = size - 1
        for key, value in zip(old_keys, old_values, strict=True):
            if key:
                place = key >> 1 & mask
                while keys[place]:
                    place = place + 1 & mask
                keys[place], values[place] = key, value
        self._keys[shard], self._values[shard] = keys, values
        return keys

    def __len__(self) -> int:
        self._put_away()
        return sum(self._used)

    def merge(self, other: Requests, moved: Callable[[int], int] | None = None) -> None:
        """Take in what another one has seen, in this process or in one that it forked; each stamp moved, if asked."""
        values = other._values_by_key()
        if moved is None:
            self._see_keys(values)
        else:
            self._see_keys((key, moved(value >> 1) << 1 | value & 1) for key, value in values)

    def _values_by_key(self) -> Iterator[tuple[int, int]]:
        self._put_away()
        for keys, values in zip(self._keys, self._values, strict=True):
            for key, value in zip(keys, values, strict=True):
                if key:
                    yield key, value

    def __iter__(self) -> Iterator[tuple[int, int, bool]]:
        """(stamp, verb, failed) of each request, in no order."""
        return ((value >> 1, key & 1, bool(value & 1)) for key, value in self._values_by_key())


def _both(one: int, other: int) -> int:
    """The value of a request of which two are known: the earlier time, and failed if one of them is."""
    return min(one >> 1, other >> 1) << 1 | (one | other) & 1
