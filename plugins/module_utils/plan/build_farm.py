# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build farm's names and phases: what differs from build to build, all of it out of the run's seed. No I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

SERVICES = ("api", "worker", "scheduler", "processor", "backend")
COMPONENTS = (
    "authentication",
    "authorization",
    "datastore",
    "cache",
    "messaging",
    "notification",
    "analytics",
    "reporting",
    "search",
    "indexer",
    "transformer",
    "validator",
    "orchestrator",
    "monitor",
    "logger",
    "metrics",
)
#: Versions are drawn from 1.0.0 to 9.19.49.
_MAJORS, _MINORS, _PATCHES = 9, 20, 50
_VERSIONS = _MAJORS * _MINORS * _PATCHES
#: Different names for one namespace: 80 pairs of service and component, each in 9,000 versions.
MOST_BUILDS = len(SERVICES) * len(COMPONENTS) * _VERSIONS


@dataclass(frozen=True)
class Phase:
    """One phase of a build, its length drawn evenly between two bounds in seconds (at time scale 1).

    `load`: "idle" waits, "cpu" burns CPU, "compile" burns CPU and holds the build's processes.
    """

    name: str
    load: str
    shortest_seconds: int
    longest_seconds: int


#: In order; the lengths are those of the builds that were measured on the failing cluster, 29-88 s together.
PHASES = (
    Phase("environment", "idle", 2, 5),
    Phase("dependencies", "cpu", 5, 15),
    Phase("compile", "compile", 10, 30),
    Phase("unit-tests", "cpu", 5, 15),
    Phase("integration-tests", "cpu", 3, 10),
    Phase("package", "idle", 2, 8),
    Phase("publish", "idle", 2, 5),
)


def build_names(*, seed: int | str, count: int) -> list[str]:
    """`count` different Job names, build-{service}-{component}-{major}-{minor}-{patch}-s-1.

    All 80 pairs of service and component come once before one comes again, in an order of the seed's. A smaller count
    gives the beginning of the same list. Raises ValueError where there are not so many names.
    """
    if not 0 <= count <= MOST_BUILDS:
        raise ValueError(f"build names: {count} asked for; there are 0 to {MOST_BUILDS}")
    pairs = sorted(
        ((service, component) for service in SERVICES for component in COMPONENTS),
        key=lambda pair: _draw(seed, *pair),
    )
    names = []
    for number in range(count):
        turn, place = divmod(number, len(pairs))
        service, component = pairs[place]
        # From a drawn start on, each turn takes the next version: no pair gets one twice.
        version = (_draw(seed, service, component, "version") + turn) % _VERSIONS
        rest, patch = divmod(version, _PATCHES)
        major, minor = divmod(rest, _MINORS)
        names.append(f"build-{service}-{component}-{major + 1}-{minor}-{patch}-s-1")
    return names


def _draw(*parts: int | str) -> int:
    """Return a number that depends on the parts alone, on every machine and in every release of Python."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8])


def phases_text(*, time_scale: float) -> str:
    """The phases as the build script reads them: name:load:shortest:longest in milliseconds, blanks in between."""
    return " ".join(
        f"{phase.name}:{phase.load}:{_scaled_ms(phase.shortest_seconds, time_scale)}"
        f":{_scaled_ms(phase.longest_seconds, time_scale)}"
        for phase in PHASES
    )


def phase_bounds(*, time_scale: float) -> list[list[float]]:
    """The shortest and the longest length of each phase in seconds."""
    return [[phase.shortest_seconds * time_scale, phase.longest_seconds * time_scale] for phase in PHASES]


def busy_phase() -> int:
    """The number of the phase, from 1, in which a build holds its processes."""
    return next(number for number, phase in enumerate(PHASES, start=1) if phase.load == "compile")


def shortest_build(*, time_scale: float) -> str:
    """The shortest length of a whole build as a Go duration, such as 2.9s."""
    return _go_duration(sum(_scaled_ms(phase.shortest_seconds, time_scale) for phase in PHASES))


def longest_build(*, time_scale: float) -> str:
    """The longest length of a whole build as a Go duration, such as 8.8s."""
    return _go_duration(sum(_scaled_ms(phase.longest_seconds, time_scale) for phase in PHASES))


def _scaled_ms(seconds: int, time_scale: float) -> int:
    """At least one millisecond: sleep 0 would be no phase."""
    return max(1, round(seconds * 1000 * time_scale))


def _go_duration(milliseconds: int) -> str:
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03}".rstrip("0").rstrip(".") + "s"
