# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a capacity search: which variables take which values, from what users give. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from ..settings.convert import converted, shown
from ..settings.names import nearest
from ..settings.run import is_of_load
from ..settings.setting import Setting, SettingError
from ..settings.table import RUN_SETTINGS

#: Each is a whole run.
MAX_STEPS = 100
#: They have values of their own in each run of a search.
_OF_SEARCH = ("namespaces_prefix", "namespaces_names", "namespaces_existing")
_NUMBERS = ("int", "float")

Number: TypeAlias = "int | float"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `value` is what users gave: a number, or a dictionary of variables.

    - `position` is its place among the steps: the number itself, or the dictionary's own number from 1.
    - `name` is part of run ids and of namespaces' names; `label` is for people.
    - `variables` are the settings that the step gives its runs.
    """

    value: Any
    position: Number
    name: str
    label: str
    variables: Mapping[str, Any]
    bisected: bool = False


def steps_of(given: Sequence[Any], knobs: Sequence[str]) -> list[Step]:
    """The steps, lightest first.

    `given` is capacity_steps as a list, its entries still as users wrote them; `knobs` is capacity_knob. Raises
    SettingError with the first problem.
    """
    if not given:
        raise SettingError("capacity_steps: there is none; give at least one value, as in capacity_steps=3,5,8")
    if len(given) > MAX_STEPS:
        raise SettingError(f"capacity_steps: {len(given):,} are given; at most {MAX_STEPS} are allowed")
    dictionaries = [isinstance(one, Mapping) for one in given]
    if all(dictionaries):
        steps = [_dictionary_step(number, one) for number, one in enumerate(given, start=1)]
        for number, step in enumerate(steps):
            if any(step.variables == other.variables for other in steps[:number]):
                raise SettingError(f"capacity_steps: entry {number + 1}, {step.label}, comes twice")
        return steps
    if any(dictionaries):
        raise SettingError("capacity_steps: some are dictionaries and others are not; give all in one form")
    knob = knobs_of(knobs)
    steps = [number_step(_number(one, place, knob), knob) for place, one in enumerate(given, start=1)]
    for before, step in pairwise(steps):
        if step.position <= before.position:
            raise SettingError(
                f"capacity_steps: {step.label} comes after {before.label}; values must ascend, each once"
            )
    return steps


def knobs_of(names: Sequence[str]) -> list[Setting]:
    """The settings that take the number of a step. Raises SettingError for what is none of the load's numbers."""
    if not names:
        raise SettingError("capacity_knob: there is none; name a variable, as in capacity_knob=build_jobs_parallelism")
    for name in names:
        if list(names).count(name) > 1:
            raise SettingError(f"capacity_knob: {shown(name)} comes twice")
    found = [_of_load("capacity_knob", name) for name in names]
    for setting in found:
        if setting.type not in _NUMBERS:
            raise SettingError(
                f"capacity_knob: {setting.name} is no number but of type {setting.type}; give steps that are "
                f"dictionaries, such as capacity_steps='[{{\"{setting.name}\": …}}, …]'"
            )
    return found


def is_whole(knob: Sequence[Setting]) -> bool:
    """Whether the values are whole numbers."""
    return any(setting.type == "int" for setting in knob)


def number_step(value: Number, knob: Sequence[Setting], *, bisected: bool = False) -> Step:
    """The step of one number. Raises SettingError if a variable does not allow it."""
    text = number_text(value)
    for setting in knob:
        if setting.allowed and not setting.allowed.allows(value):
            raise SettingError(
                f"capacity_steps: {text} is not allowed for {setting.name}; it must be {setting.allowed}"
            )
    return Step(
        value=value,
        position=value,
        # Part of names, in which there are no points.
        name=text.replace(".", "-"),
        label=text,
        variables={setting.name: value for setting in knob},
        bisected=bisected,
    )


def number_text(value: Number) -> str:
    """Such as "8" or "0.25"."""
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")


def middle(low: Number, high: Number, *, whole: bool) -> Number | None:
    """The number in the middle; None where `low` and `high` are neighbours: whole numbers, or 5 % apart."""
    if whole:
        between = (int(low) + int(high)) // 2
        return between if low < between < high else None
    between_decimals = round((low + high) / 2, 6)
    return None if high - low <= high / 20 or not low < between_decimals < high else between_decimals


def _number(given: Any, place: int, knob: Sequence[Setting]) -> Number:
    whole = is_whole(knob)
    like = next(setting for setting in knob if not whole or setting.type == "int")
    try:
        value: Number = converted(like, given)
    except SettingError as error:
        kind = f"a whole number, as {like.name} must be" if whole else "a number"
        raise SettingError(f"capacity_steps: entry {place}, {shown(given)}, is not {kind}") from error
    if value is None:
        raise SettingError(f"capacity_steps: entry {place} is empty")
    return value


def _dictionary_step(number: int, given: Mapping[Any, Any]) -> Step:
    if not given:
        raise SettingError(f"capacity_steps: entry {number} is empty; name at least one variable")
    variables = dict(_typed(number, given))
    label = ", ".join(f"{name}={_value_text(value)}" for name, value in variables.items())
    return Step(value=variables, position=number, name=f"s{number}", label=label, variables=variables)


def _typed(number: int, given: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        setting = _of_load(f"capacity_steps: entry {number}", str(name))
        try:
            typed = converted(setting, value)
        except SettingError as error:
            raise SettingError(f"capacity_steps: entry {number}: {error}") from error
        if typed is None:
            raise SettingError(f"capacity_steps: entry {number}: {name} has no value")
        if setting.allowed and (problem := setting.allowed.problem(setting.name, typed)):
            raise SettingError(f"capacity_steps: entry {number}: {problem}")
        yield setting.name, typed


def _value_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return json.dumps(value)
    return value if isinstance(value, str) else number_text(value)


def _of_load(where: str, name: str) -> Setting:
    """The setting of that name, if it says what a run does. Raises SettingError."""
    setting = RUN_SETTINGS.get(name)
    if setting is None:
        known = [one for one in RUN_SETTINGS if is_of_load(one)]
        guess = nearest(name, known, cutoff=0.7)
        hint = f"; did you mean {guess}?" if guess else ""
        raise SettingError(f"{where}: {shown(name)} is a variable of no role{hint}")
    if not is_of_load(name) or name in _OF_SEARCH:
        raise SettingError(f"{where}: {name} is no variable of the load, and its values could not be compared")
    return setting
