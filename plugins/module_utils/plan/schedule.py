# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a fragment takes whose pods have declared lengths: its lanes, run in thought. Pure.

A Job keeps `at_once` pods running until all have run, so it rounds up by itself; a namespace keeps `active` Jobs
unfinished; namespaces run side by side, and the slowest one ends the run. Pods start at once here: what start-up adds
is one start-up for each round.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass

#: (pods in all, pods at once) of one member.
Member = tuple[int, int]
Phases = tuple[tuple[float, float], ...]

#: Pods whose lengths are drawn at most; more namespaces than that allows are not run in thought.
_MOST_PODS = 20_000
#: Any fixed number: the same plan has the same expected length each time.
_SEED = 1


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The expected length of a fragment.

    `rounds` is how often a namespace starts pods anew, one after another: each second of pod start-up adds so many
    seconds. `seconds` is the length without start-up, image pulls and queueing, the mean over the pods' drawn lengths.
    `first_rounds` and `first_seconds` are those of the member that ends first.
    """

    rounds: int
    seconds: float
    first_rounds: int = 0
    first_seconds: float = 0.0


def expected(
    members: Sequence[Member],
    *,
    phases: Phases,
    namespaces: int,
    active: int,
    wave_size: int,
    wave_pause_seconds: float,
) -> Expected:
    """The length of a fragment with these members in each of its namespaces; `active` 0 means all at once."""
    members = [(in_all, at_once) for in_all, at_once in members if in_all and at_once]
    if not members or not namespaces:
        return Expected(rounds=0, seconds=0.0)
    lanes = min(active or len(members), len(members))
    rounds = round(_longest_lane([_rounds_of(member) for member in members], lanes=lanes))
    first_rounds = min(_rounds_of(member) for member in members[:lanes])
    pods = sum(in_all for in_all, _at_once in members)
    if pods > _MOST_PODS:
        mean = sum(shortest + longest for shortest, longest in phases) / 2
        return Expected(
            rounds=rounds, seconds=rounds * mean, first_rounds=first_rounds, first_seconds=first_rounds * mean
        )
    draw = random.Random(_SEED)
    lengths, firsts = [], []
    for _namespace in range(min(namespaces, max(1, _MOST_PODS // pods))):
        jobs = [_job_seconds(member, phases=phases, draw=draw) for member in members]
        lengths.append(_longest_lane(jobs, lanes=lanes))
        firsts.append(min(jobs[:lanes]))
    pauses = wave_pause_seconds * ((len(members) - 1) // wave_size) if wave_size else 0.0
    # With a gate, a wave's pause passes while the gate is shut.
    return Expected(
        rounds=rounds,
        seconds=max(lengths) + (pauses if lanes == len(members) else 0.0),
        first_rounds=first_rounds,
        first_seconds=min(firsts),
    )


def _rounds_of(member: Member) -> int:
    in_all, at_once = member
    return -(-in_all // min(at_once, in_all))


def _job_seconds(member: Member, *, phases: Phases, draw: random.Random) -> float:
    in_all, at_once = member
    pods = [sum(draw.uniform(shortest, longest) for shortest, longest in phases) for _pod in range(in_all)]
    return _longest_lane(pods, lanes=min(at_once, in_all))


def _longest_lane(lengths: Sequence[float], *, lanes: int) -> float:
    """When the last of these ends, if each begins as soon as one of `lanes` places is free, in their order."""
    ends = [0.0] * lanes
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)
