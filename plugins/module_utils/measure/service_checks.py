# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods that check the Services tell at their end: codes, and how long requests took. No I/O.

A pod tells it in the last line of its termination message, as roles/connectivity/files/check.sh writes it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from .pod_status import containers_of

#: The role whose pods these are.
ROLE = "connectivity"
#: Phases of a request. Each is counted from the request's beginning, as curl does.
PHASES = ("name_lookup", "connect", "first_byte", "total")
#: Upper bounds of the buckets in seconds, those of check.sh.
BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, math.inf)

# Nine digits: a number that a shell can have counted. The text comes from a pod, so nothing else is taken from it.
_NUMBER = "[0-9]{1,9}"
_CODE = f"(?:[0-9]{{3}}|none|other):{_NUMBER}"
_HISTOGRAM = f"-|{_NUMBER}(?:,{_NUMBER}){{{len(BOUNDS_S) - 1}}}"
_LINE = re.compile(
    f"kubestress-timings-1 requests=(?P<requests>{_NUMBER}) failed=(?P<failed>{_NUMBER}) "
    f"codes=(?P<codes>(?:{_CODE}(?:,{_CODE})*)?) " + " ".join(f"{phase}=(?P<{phase}>{_HISTOGRAM})" for phase in PHASES)
)


@dataclass(frozen=True, slots=True)
class Told:
    """What one pod told. `phases` are the numbers in the buckets by phase, without phases that were not measured."""

    requests: int
    failed: int
    codes: dict[str, int]
    phases: dict[str, tuple[int, ...]]


def told_in(message: str) -> Told | None:
    """What the last line of a termination message tells; None where it is no such line, or contradicts itself."""
    lines = message.rstrip("\n").rsplit("\n", 1)
    found = _LINE.fullmatch(lines[-1])
    if found is None:
        return None
    requests, failed = int(found["requests"]), int(found["failed"])
    codes = Counter[str]()
    for part in filter(None, found["codes"].split(",")):
        code, _colon, number = part.partition(":")
        codes[code] += int(number)
    phases = {phase: tuple(map(int, found[phase].split(","))) for phase in PHASES if found[phase] != "-"}
    # SIGTERM may come between the counts of one request, which then has no code or no times.
    if failed > requests or codes.total() > requests or any(sum(numbers) > requests for numbers in phases.values()):
        return None
    return Told(requests, failed, dict(codes), phases)


def words_of(message: str) -> str:
    """A termination message without the line that is for `told_in`; any other message as it is."""
    words, _break, last = message.rstrip("\n").rpartition("\n")
    return words if words and _LINE.fullmatch(last) else message


class ServiceChecks:
    """The pods of the check that have ended. Feed it with every event of them; each counts once."""

    def __init__(self) -> None:
        self._pods: set[str] = set()
        self._told = 0
        self._requests = 0
        self._failed = 0
        self._codes: Counter[str] = Counter()
        self._phases: dict[str, list[int]] = {}

    def take(self, pod: Mapping[str, Any]) -> None:
        """Count a pod with the first event that shows its end."""
        uid: str = pod["metadata"]["uid"]
        if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed") or uid in self._pods:
            return
        self._pods.add(uid)
        for container in containers_of(pod):
            ended = (container.get("state") or {}).get("terminated") or {}
            if (told := told_in(ended.get("message") or "")) is not None:
                self._add(told)
                return

    def _add(self, told: Told) -> None:
        self._told += 1
        self._requests += told.requests
        self._failed += told.failed
        self._codes.update(told.codes)
        for phase, numbers in told.phases.items():
            known = self._phases.setdefault(phase, [0] * len(BOUNDS_S))
            self._phases[phase] = [one + other for one, other in zip(known, numbers, strict=True)]

    def figures(self) -> dict[str, Any]:
        """`pods` that ended, how many `told`, `requests`, `failed`, `codes`, and by phase cumulative `buckets`.

        The keys of `buckets` are upper bounds in seconds, as Prometheus writes them. Without a pod that told,
        `requests` and `failed` are None.
        """
        return {
            "pods": len(self._pods),
            "told": self._told,
            "requests": self._requests if self._told else None,
            "failed": self._failed if self._told else None,
            "codes": dict(sorted(self._codes.items())),
            "phases": {
                phase: {"buckets": dict(zip(map(_label, BOUNDS_S), accumulate(self._phases[phase]), strict=True))}
                for phase in PHASES
                if phase in self._phases
            },
        }


def _label(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else f"{bound:g}"
