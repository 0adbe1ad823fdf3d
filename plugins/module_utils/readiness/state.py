# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of a predicate, and small functions that all predicates share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class State(Enum):
    """Where an object stands.

    READY: it serves. FINISHED: it has ended well (a Job that is Complete, a Pod that Succeeded), which counts as ready.
    WAITING: it may still get there. FAILED: it never will, so waiting on is in vain.
    """

    READY = "ready"
    FINISHED = "finished"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of one object and, unless it is READY or FINISHED, the cause in words fit for a user."""

    state: State
    cause: str = ""

    @property
    def is_ready(self) -> bool:
        """READY or FINISHED: nothing is left to wait for, and nothing went wrong."""
        return self.state is State.READY or self.state is State.FINISHED


READY = Readiness(State.READY)
FINISHED = Readiness(State.FINISHED)

Predicate = Callable[[Mapping[str, Any]], Readiness]


def waiting(cause: str) -> Readiness:
    """Not there yet."""
    return Readiness(State.WAITING, cause)


def failed(cause: str) -> Readiness:
    """Never going to be there."""
    return Readiness(State.FAILED, cause)


def spec_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec, or an empty one."""
    return obj.get("spec") or {}


def status_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status, or an empty one: a fresh object has none."""
    return obj.get("status") or {}


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The condition of that type, or None."""
    for entry in status_of(obj).get("conditions") or ():
        if entry.get("type") == kind:
            found: Mapping[str, Any] = entry
            return found
    return None


def is_true(obj: Mapping[str, Any], kind: str) -> bool:
    """Whether the condition of that type is there and True."""
    found = condition(obj, kind)
    return found is not None and found.get("status") == "True"


def why(entry: Mapping[str, Any] | None) -> str:
    """`Reason: message` of a condition, a container's state or a status; whichever of both there is."""
    if entry is None:
        return ""
    parts = [part for part in (entry.get("reason"), one_line(entry.get("message") or "")) if part]
    return ": ".join(parts)


def one_line(text: str) -> str:
    """The text without line breaks: a cause stands in one line of a log."""
    return " ".join(text.split())


def unseen_generation(obj: Mapping[str, Any]) -> Readiness | None:
    """WAITING while the controller has not looked at the newest spec: until then the status speaks of an older one."""
    generation = obj["metadata"].get("generation") or 0
    observed = status_of(obj).get("observedGeneration") or 0
    if observed < generation:
        return waiting(f"its controller has seen generation {observed} of {generation}")
    return None
