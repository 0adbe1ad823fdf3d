# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the namespaces are that a run wants to use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.labels import LABEL_MANAGED_BY, LABEL_RUN_ID, MANAGED_BY

#: Names that one line lists before it only counts.
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Existing:
    """Those of the run's namespaces that exist: `own` by label, `allowed` by namespaces_existing, and the refusals.

    `refusals` are lines for the user: one for each other run, one for what no run made, one for what is going away.
    """

    own: frozenset[str]
    allowed: frozenset[str]
    refusals: tuple[str, ...]


def names_of(settings: Mapping[str, Any]) -> list[str]:
    """The names of the run's namespaces: {prefix}-{n}."""
    first = settings.get("namespaces_first") or 1
    prefix = settings["namespaces_prefix"]
    return [f"{prefix}-{number}" for number in range(first, first + settings["namespaces_total"])]


def sort_out(found: Iterable[Mapping[str, Any]], *, run_id: str, settings: Mapping[str, Any]) -> Existing:
    """Judge those of the cluster's namespaces (API objects) that bear one of the run's names."""
    wanted = set(names_of(settings))
    listed = set(settings.get("namespaces_existing") or ())
    own, allowed, leaving = set(), set(), []
    strangers: dict[str, list[str]] = {}
    for obj in found:
        metadata = obj["metadata"]
        name, labels = metadata["name"], metadata.get("labels", {})
        if name not in wanted:
            continue
        owner = labels.get(LABEL_RUN_ID, "") if labels.get(LABEL_MANAGED_BY) == MANAGED_BY else ""
        if metadata.get("deletionTimestamp"):
            leaving.append(name)
        elif owner == run_id:
            own.add(name)
        elif name in listed:
            allowed.add(name)
        else:
            strangers.setdefault(owner, []).append(name)
    lines = [_stranger_line(owner, names, settings) for owner, names in sorted(strangers.items())]
    if leaving:
        lines.append(
            f"{_named(leaving)} being deleted: wait until the cluster has removed "
            f"{'it' if len(leaving) == 1 else 'them'}, or choose another namespaces_prefix"
        )
    return Existing(own=frozenset(own), allowed=frozenset(allowed), refusals=tuple(lines))


def _stranger_line(owner: str, names: list[str], settings: Mapping[str, Any]) -> str:
    prefix = f"namespaces_prefix={settings['namespaces_prefix']}"
    plural = len(names) > 1
    if owner:
        return (
            f"{_named(names, 'belong' if plural else 'belongs')} to run {owner}: remove that run with "
            f"`ansible-playbook kubestress.core.cleanup -e run_id={owner}`, or choose a prefix other than {prefix}"
        )
    return (
        f"{_named(names, 'exist and carry' if plural else 'exists and carries')} no run id, so this run does not own "
        f"{'them' if plural else 'it'}: choose a prefix other than {prefix}, or list "
        f"{'them' if plural else 'it'} in namespaces_existing"
    )


def _named(names: list[str], verb: str | None = None) -> str:
    plural = len(names) > 1
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return f"namespace{'s' if plural else ''} {shown} {verb or ('are' if plural else 'is')}"
