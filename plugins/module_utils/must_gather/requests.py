# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distinct requests of one source: each is counted once, whatever was written about it, and in little memory.

A request is known by container id and verb. 12 bytes for each, in open addressing: 16 to 32 with the free places,
where Python's own dictionary takes over 100. All places of a table together would be doubled at once, so there are 64.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

ADD, DEL = 0, 1
_SHARDS = 64
_PRIME = 2**61 - 1
# Odd, so no two numbers of 61 bits fall together; numbers close to each other end far apart.
_SPREAD = 0x9E3779B97F4A7C15
_MASK = _PRIME
_FIRST = 16
#: Share of places in use, in eighths, from which a shard is doubled.
_FULL = 6


def key_of(container: bytes, verb: int) -> int:
    """The number by which a request is known: 62 bits, never 0. Two ids have the same one in 10^18 times."""
    try:
        number = int(container, 16)
    except ValueError:
        number = int.from_bytes(container, "big")
    return ((((number % _PRIME) * _SPREAD) & _MASK) << 1 | verb) + (1 << 62)


class Requests:
    """Requests with the time of the first line about each, in stamps, and whether it ended with an error."""

    def __init__(self) -> None:
        self._keys: list[array[int]] = [array("Q") for _shard in range(_SHARDS)]
        self._values: list[array[int]] = [array("I") for _shard in range(_SHARDS)]
        self._used = [0] * _SHARDS

    def see(self, key: int, stamp: int, failed: bool) -> None:
        """Take in one line about a request; lines may come in any order."""
        shard = key >> 56 & (_SHARDS - 1)
        keys = self._keys[shard]
        if self._used[shard] * 8 >= len(keys) * _FULL:
            keys = self._grow(shard)
        mask = len(keys) - 1
        # The bits that chose the shard are the same for all in it.
        place = key >> 1 & mask
        while (there := keys[place]) and there != key:
            place = place + 1 & mask
        values = self._values[shard]
        if there:
            known = values[place]
            values[place] = min(known >> 1, stamp) << 1 | (known & 1 or failed)
        else:
            keys[place] = key
            values[place] = stamp << 1 | failed
            self._used[shard] += 1

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
        return sum(self._used)

    def merge(self, other: Requests) -> None:
        """Take in what another one has seen."""
        for keys, values in zip(other._keys, other._values, strict=True):
            for key, value in zip(keys, values, strict=True):
                if key:
                    self.see(key, value >> 1, bool(value & 1))

    def __iter__(self) -> Iterator[tuple[int, int, bool, int]]:
        """(stamp, verb, failed, key) of each request, in no order."""
        for keys, values in zip(self._keys, self._values, strict=True):
            for key, value in zip(keys, values, strict=True):
                if key:
                    yield value >> 1, key & 1, bool(value & 1), key
