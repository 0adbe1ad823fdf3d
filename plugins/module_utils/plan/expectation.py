# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When things of a fragment are expected whose pods have declared phases, for the comparison with what was seen. Pure.

All times are seconds from the first pod's start, without the start-up of pods: that is measured by the run itself, and
added where the two are compared.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .demand import Demand, FragmentDemand
from .schedule import Phases

#: Pods whose lengths are drawn for one figure.
_DRAWN_PODS = 4_000
_SEED = 1
#: Processes of a build pod in any phase but the busy one: its shell and its timer.
_QUIET_PROCESSES = 2


@dataclass(frozen=True, kw_only=True)
class Span:
    """`earliest` and `latest` if all pods drew their shortest or longest lengths, and what is `likely`."""

    earliest: float
    likely: float
    latest: float


def first_of(pods: int, phases: Phases) -> Span:
    """When the first of so many pods that start together has gone through the phases."""
    draw = random.Random(_SEED)
    counted = max(1, min(pods, _DRAWN_PODS))
    firsts = [
        min(sum(draw.uniform(*phase) for phase in phases) for _pod in range(counted))
        for _time in range(max(1, _DRAWN_PODS // (10 * counted)))
    ]
    return Span(
        earliest=sum(shortest for shortest, _longest in phases),
        likely=math.fsum(firsts) / len(firsts),
        latest=sum(longest for _shortest, longest in phases),
    )


def expectation_of(demand: FragmentDemand) -> dict[str, Any] | None:
    """What is expected of a fragment, as JSON; None where its pods' phases are not known.

    `first_busy_s`, `first_finished_s`, `first_job_s` and `all_finished_s` have `earliest`, `likely` and `latest`; the
    first is None where nobody said which phase is busy. `rounds`: so many start-ups come one after another until all
    have finished, `first_job_rounds` until the first Job has.
    `processes_busy` and `processes_mean` are those of one pod in its busy phase, and over its life.
    """
    fragment, phases = demand.fragment, demand.fragment.pod_phases
    if not phases or not demand.pods_in_all:
        return None
    pods, busy = demand.pods_at_peak, fragment.busy_phase
    shortest, longest = (sum(bounds) for bounds in zip(*phases, strict=True))
    rounds, first_rounds = demand.expected.rounds, demand.expected.first_rounds
    whole = Span(earliest=rounds * shortest, likely=demand.expected.seconds, latest=rounds * longest)
    first_job = Span(
        earliest=first_rounds * shortest, likely=demand.expected.first_seconds, latest=first_rounds * longest
    )
    return {
        "pods": demand.pods_in_all,
        "pods_at_once": pods,
        "rounds": rounds,
        "first_job_rounds": first_rounds,
        "first_busy_s": _rounded(first_of(pods, phases[: busy - 1])) if busy else None,
        "first_finished_s": _rounded(first_of(pods, phases)),
        "first_job_s": _rounded(first_job),
        "all_finished_s": _rounded(whole),
        "processes_busy": fragment.processes or None,
        "processes_mean": _mean_processes(phases, busy, fragment.processes) if busy and fragment.processes else None,
    }


def expectations_of(demand: Demand) -> dict[str, dict[str, Any]]:
    """By role what is expected of the fragments whose pods' phases are known."""
    found = {fragment.role: expectation_of(fragment) for fragment in demand.fragments}
    return {role: one for role, one in found.items() if one is not None}


def _rounded(span: Span) -> dict[str, float]:
    return {name: round(seconds, 1) for name, seconds in asdict(span).items()}


def _mean_processes(phases: Sequence[tuple[float, float]], busy: int, processes: int) -> float:
    means = [(shortest + longest) / 2 for shortest, longest in phases]
    share = means[busy - 1] / sum(means)
    return round(share * processes + (1 - share) * _QUIET_PROCESSES, 1)
