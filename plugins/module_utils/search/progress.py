# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capacity search does next, and what it has found, from the verdicts of its steps. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

from ..settings.setting import Setting, SettingError
from .steps import Number, Step, is_whole, knobs_of, middle, number_step, steps_of

#: Verdicts of a step. A step without one is not finished.
SAFE, BROKE, REFUSED, UNKNOWN = "safe", "broke", "refused", "unknown"
#: Steps between two values with decimals.
MAX_DECIMAL_STEPS = 6
#: Position of a step -> its verdict; None for one that is not finished.
Verdicts: TypeAlias = "Mapping[Number, str | None]"


@dataclass(frozen=True, kw_only=True)
class Search:
    """What was asked for. `knob` is empty where the steps are dictionaries; `limits` are the settings of health.

    `settings_hash` is that of the run's settings without the knob: two searches with the same one can be compared.
    """

    id: str
    steps: Sequence[Step]
    knob: Sequence[Setting]
    runs: int
    bisect: bool
    keep_going: bool
    settle_seconds: int
    gather: bool
    limits: Mapping[str, Any]
    profile: str = ""
    settings_hash: str = ""
    variables: Sequence[str] = field(default_factory=tuple)

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, search_id: str) -> Search:
        """From the checked settings of the role. Raises SettingError with the first problem."""
        steps = steps_of(settings["capacity_steps"], settings["capacity_knob"])
        numbers = not isinstance(steps[0].value, Mapping)
        if settings["capacity_bisect"] and not numbers:
            raise SettingError("capacity_bisect: true needs steps that are numbers; between dictionaries lies nothing")
        return cls(
            id=search_id,
            steps=steps,
            knob=knobs_of(settings["capacity_knob"]) if numbers else (),
            runs=settings["capacity_runs"],
            bisect=settings["capacity_bisect"],
            keep_going=settings["capacity_keep_going"],
            settle_seconds=settings["capacity_settle"],
            gather=settings["capacity_gather"],
            limits=_limits(settings),
            variables=tuple(dict.fromkeys(name for step in steps for name in step.variables)),
        )

    @property
    def name(self) -> str:
        """What grows from step to step, for people."""
        return " and ".join(setting.name for setting in self.knob) or "step"

    def step_of(self, value: Any) -> Step:
        """The step of a value that an earlier part of the search has run. Raises SettingError."""
        for step in self.steps:
            if step.value == value:
                return step
        if isinstance(value, Mapping) or not self.knob:
            raise SettingError(
                "capacity_steps: this search has run a step that is not among them any more; name it, or begin another"
            )
        return number_step(value, self.knob, bisected=True)

    def run_id(self, step: Step, number: int) -> str:
        """The id of a step's run; the first has no number, so that asking for more later changes none."""
        return f"{self.id}-{self.run_name(step, number)}"

    @staticmethod
    def run_name(step: Step, number: int) -> str:
        """What tells a run from the search's others, in ids and namespaces' names."""
        return step.name if number == 1 else f"{step.name}-r{number}"


def _limits(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The thresholds of health; the numbers of causes may have come as text."""
    prefixes = ("capacity_require_", "capacity_max_", "capacity_allow_")
    limits = {name: value for name, value in settings.items() if name.startswith(prefixes)}
    by_cause = limits["capacity_max_failed_pods_by_cause"] or {}
    return {**limits, "capacity_max_failed_pods_by_cause": {cause: int(number) for cause, number in by_cause.items()}}


def next_step(search: Search, verdicts: Verdicts) -> Step | None:
    """The step to go on with; None if the search has ended. One that was begun and is not finished comes first."""
    for step in _known_steps(search, verdicts):
        if step.position in verdicts and verdicts[step.position] is None:
            return step
    if any(verdict in (REFUSED, UNKNOWN) for verdict in verdicts.values()):
        return None
    broke = lowest_broken(verdicts)
    for step in search.steps:
        if step.position not in verdicts and (search.keep_going or broke is None or step.position < broke):
            return step
    return _between(search, verdicts)


def _known_steps(search: Search, verdicts: Verdicts) -> Iterable[Step]:
    """Those that were given, and those of `verdicts` that lie between them."""
    yield from search.steps
    given = {step.position for step in search.steps}
    if search.knob:
        yield from (number_step(one, search.knob, bisected=True) for one in sorted(verdicts) if one not in given)


def _between(search: Search, verdicts: Verdicts) -> Step | None:
    """The next step of the bisection."""
    safe, broke = highest_safe(verdicts), lowest_broken(verdicts)
    if not search.bisect or safe is None or broke is None:
        return None
    whole = is_whole(search.knob)
    given = {step.position for step in search.steps}
    if not whole and sum(position not in given for position in verdicts) >= MAX_DECIMAL_STEPS:
        return None
    value = middle(safe, broke, whole=whole)
    return None if value is None else number_step(value, search.knob, bisected=True)


def lowest_broken(verdicts: Verdicts) -> Number | None:
    """The position of the lowest step that broke."""
    return min((position for position, verdict in verdicts.items() if verdict == BROKE), default=None)


def highest_safe(verdicts: Verdicts) -> Number | None:
    """The position of the highest safe step below all that broke: above one, nothing is safe."""
    broke = lowest_broken(verdicts)
    safe = (position for position, verdict in verdicts.items() if verdict == SAFE)
    return max((position for position in safe if broke is None or position < broke), default=None)


def most_runs(search: Search, verdicts: Verdicts) -> int:
    """How many runs may still be needed, at most."""
    given = {step.position for step in search.steps}
    steps = len({position for position in given | {*verdicts} if verdicts.get(position) is None})
    if search.bisect:
        if is_whole(search.knob):
            places = sorted({*verdicts, *(step.position for step in search.steps)})
            widest = max((high - low for low, high in pairwise(places)), default=1)
            steps += math.ceil(math.log2(widest)) if widest > 1 else 0
        else:
            steps += MAX_DECIMAL_STEPS
    return steps * search.runs
