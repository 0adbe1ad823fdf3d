# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the namespaces are that a run wants to make. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.labels import LABEL_MANAGED_BY, LABEL_RUN_ID, MANAGED_BY

#: Names that one line lists before it only counts.
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class Names:
    """What messages call the options that a user may change."""

    prefix: str
    existing: str
    accept_over_limit: str
    accept_risk: str


OF_ROLES = Names(
    prefix="namespaces_prefix",
    existing="namespaces_existing",
    accept_over_limit="preflight_accept_over_limit",
    accept_risk="preflight_accept_risk=true",
)
OF_MODULES = Names(
    prefix="namespace_prefix",
    existing="existing_namespaces",
    accept_over_limit="accept_over_limit",
    accept_risk="accept_risk=true",
)


@dataclass(frozen=True, kw_only=True)
class Existing:
    """Those of the run's namespaces that exist: `own` by label, `allowed` because the user listed them.

    `refusals` are lines for the user: one for each other run, one for what no run made, one for what is going away.
    """

    own: frozenset[str]
    allowed: frozenset[str]
    refusals: tuple[str, ...]


def sort_out(
    found: Iterable[Mapping[str, Any]], *, run_id: str, wanted: Collection[str], listed: Collection[str], names: Names
) -> Existing:
    """Judge those of the cluster's namespaces (API objects) whose names the run wants; `listed` ones it may use."""
    wanted, listed = set(wanted), set(listed)
    own, allowed, leaving = set(), set(), []
    foreign: dict[str, list[str]] = {}
    for obj in found:
        metadata = obj["metadata"]
        name, labels = metadata["name"], metadata.get("labels") or {}
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
            foreign.setdefault(owner, []).append(name)
    lines = [_refusal(owner, spaces, names) for owner, spaces in sorted(foreign.items())]
    if leaving:
        lines.append(
            f"{_listing(leaving)} being deleted: wait until the cluster has removed "
            f"{'it' if len(leaving) == 1 else 'them'}, or choose another {names.prefix}"
        )
    return Existing(own=frozenset(own), allowed=frozenset(allowed), refusals=tuple(lines))


def _refusal(owner: str, spaces: list[str], names: Names) -> str:
    plural = len(spaces) > 1
    them = "them" if plural else "it"
    if owner:
        return (
            f"{_listing(spaces, 'belong' if plural else 'belongs')} to run {owner}: remove that run with "
            f"`ansible-playbook kubestress.core.cleanup -e run_id={owner}`, or choose another {names.prefix}"
        )
    return (
        f"{_listing(spaces, 'exist and carry' if plural else 'exists and carries')} no run id, so this run does not "
        f"own {them}: choose another {names.prefix}, or list {them} in {names.existing}"
    )


def absent_line(spaces: list[str], names: Names) -> str:
    """For those that the user says exist, and that do not."""
    they = "does" if len(spaces) == 1 else "do"
    return f"{_listing(spaces, f'{they} not exist')}, but {names.existing} names {'it' if they == 'does' else 'them'}"


def _listing(spaces: list[str], verb: str | None = None) -> str:
    plural = len(spaces) > 1
    more = f" and {len(spaces) - _LISTED} more" if len(spaces) > _LISTED else ""
    listed = ", ".join(spaces[:_LISTED]) + more
    return f"namespace{'s' if plural else ''} {listed} {verb or ('are' if plural else 'is')}"
