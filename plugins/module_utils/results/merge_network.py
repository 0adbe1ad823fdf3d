# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the network plug-in's operations of several observers, for the summary and the timeline. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..measure.network import HOUR, MINUTE, Minutes, added, counts_of, minutes_of, rows_of
from .merge import largest, total
from .merge_observations import Observation, apart, causes_of

_KEY = "network_operations"
#: Minutes in a summary, the newest.
MAX_MINUTES = 1440
_NODES = ("seen", "simulated", "silent", "not_asked")


def _counted(observations: Sequence[Observation]) -> list[Mapping[str, Any]]:
    """Of observers at the same time only one; those with figures first."""
    asked = [one for one in observations if one.get(_KEY)]
    with_figures = [one for one in asked if one[_KEY].get("sources")]
    return [one[_KEY] for one in apart(with_figures or asked)]


def _minutes(parts: Sequence[Mapping[str, Any]]) -> dict[str, Minutes]:
    every = [minutes_of(part.get("minutes") or ()) for part in parts]
    # A source in whose time nothing happened has no rows.
    names = sorted({name for part in parts for name in part.get("sources") or {}})
    return {name: added(one.get(name, {}) for one in every) for name in names}


def merged_network(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """Counts by who counts, by hour and by minute; None if nobody observed."""
    parts = _counted(observations)
    if not parts:
        return None
    minutes = _minutes(parts)
    known = {name: source for part in parts for name, source in (part.get("sources") or {}).items()}
    return {
        "sources": {
            name: {
                "rule": known[name]["rule"],
                "nodes": largest((part.get("sources") or {}).get(name, {}).get("nodes") for part in parts),
                **counts_of(minutes[name]),
            }
            for name in minutes
        },
        "cause": None if minutes else causes_of(parts),
        "nodes": {name: largest((part.get("nodes") or {}).get(name) for part in parts) for name in _NODES},
        "requests": total(part.get("requests") for part in parts),
        "failed_readings": total(part.get("failed_readings") for part in parts),
        "hours": rows_of(minutes, HOUR),
        "minutes": rows_of(minutes, MINUTE)[-MAX_MINUTES:],
    }


def network_series(observations: Sequence[Observation], *, origin: float) -> list[dict[str, Any]]:
    """For each who counts: `source`, `t` in seconds (the middle of a minute), and `add`, `del`, `failed` a minute."""
    found = []
    for source, minutes in _minutes(_counted(observations)).items():
        if minutes:
            every = range(min(minutes), max(minutes) + 1)
            counts = [minutes.get(minute, [0, 0, 0]) for minute in every]
            found.append(
                {
                    "source": source,
                    "t": [round(max(0.0, (minute + 0.5) * MINUTE - origin), 1) for minute in every],
                    **{name: [one[place] for one in counts] for place, name in enumerate(("add", "del", "failed"))},
                }
            )
    return found
