# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two groups of runs differ by more than runs of one group differ among themselves. Pure.

Where there are enough runs, this is the exact Mann-Whitney test: the rank sum of one group among all ways in which the
same values could have fallen into two groups of these sizes, ties included, two-sided (H. B. Mann and D. R. Whitney,
"On a test of whether one of two random variables is stochastically larger than the other", 1947). Nothing is assumed of
how the values are distributed, and no approximation is made.

A rank test of few runs can never be significant: of 4 runs against 4, the smallest p is 0.03. There the groups count as
apart if their ranges do not overlap and the gap between them is wider than either range. That is a rule of thumb, no
test. Of one run against one, nothing is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import comb

#: Chance of calling groups different that are not. Dozens of metrics are compared at once: at 5 %, one in twenty of
#: those that do not differ would.
ALPHA = 0.01


def beyond_spread(before: Sequence[float], after: Sequence[float]) -> bool | None:
    """Whether the groups lie apart; None if neither has two runs, so that no spread is known."""
    if max(len(before), len(after)) < 2:
        return None
    if smallest_p(len(before), len(after)) <= ALPHA:
        return p_value(before, after) <= ALPHA
    gap = max(min(after) - max(before), min(before) - max(after))
    return gap > max(max(before) - min(before), max(after) - min(after))


def p_value(before: Sequence[float], after: Sequence[float]) -> float:
    """The exact two-sided p of the rank sum: the chance of one at least as far from its mean, if nothing differs."""
    every = sorted([*before, *after])
    ranks = _doubled_ranks(tuple(every))
    rank_of = dict(zip(every, ranks, strict=True))
    found = sum(rank_of[value] for value in before)
    return _tail(ranks, len(before), found)


def smallest_p(before: int, after: int) -> float:
    """The smallest p that groups of these sizes can reach; 1 if one of them is empty."""
    return min(1.0, 2 / comb(before + after, before))


def can_be_significant(before: int, after: int) -> bool:
    """Whether the rank test can tell anything of groups of these sizes."""
    return smallest_p(before, after) <= ALPHA


def _doubled_ranks(ordered: tuple[float, ...]) -> tuple[int, ...]:
    """Twice the rank of each value, so that the middle ranks of ties are whole numbers."""
    counts, ranks, below = Counter(ordered), list[int](), 0
    for value in dict.fromkeys(ordered):
        ranks += [2 * below + counts[value] + 1] * counts[value]
        below += counts[value]
    return tuple(ranks)


@lru_cache(maxsize=4096)
def _tail(ranks: tuple[int, ...], size: int, found: int) -> float:
    """The share of all choices of `size` ranks whose sum is at least as far from the mean as `found`."""
    # The mean of the sum is size / len(ranks) of the whole; both sides times len(ranks) stay whole numbers.
    middle = size * sum(ranks)
    off = abs(found * len(ranks) - middle)
    far = sum(times for total, times in enumerate(_ways(ranks, size)) if abs(total * len(ranks) - middle) >= off)
    return far / comb(len(ranks), size)


@lru_cache(maxsize=256)
def _ways(ranks: tuple[int, ...], size: int) -> list[int]:
    """How many choices of `size` ranks have each sum, from 0 on.

    The counts of all sums are the digits of one large number, so that adding a rank to every choice is a shift: fifty
    runs a side take milliseconds.
    """
    digit = (comb(len(ranks), size).bit_length() + 7) // 8
    chosen = [1, *([0] * size)]
    for rank in ranks:
        for taken in range(size, 0, -1):
            chosen[taken] += chosen[taken - 1] << (8 * digit * rank)
    digits = chosen[size].to_bytes(digit * (sum(ranks) + 1), "little")
    return [int.from_bytes(digits[start : start + digit], "little") for start in range(0, len(digits), digit)]
