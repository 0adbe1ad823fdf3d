# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `cleanup`: find what a run left, delete it, verify that it is gone, report what blocks it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..cluster.arguments import check_limits
from ..cluster.client import Cluster
from ..cluster.errors import ClusterError
from ..errors import ModuleFailed
from ..machine.progress import Progress, shown
from ..settings.roles.cleanup import ROLE as CLEANUP
from ..settings.setting import SettingError
from ..syntax import DNS_LABEL_RULE, LABEL_VALUE_RULE, is_dns_label, is_label_value
from .blockers import Blocker, blockers_of
from .foreign import Contents, Onlooker, Unseen
from .opening import open_cluster
from .removal import Removal
from .retained import Retained, count_reclaiming, retained_by
from .survey import Survey, Surveyor, plural_name

#: Rows per list in the module's result, which also has the totals.
RETURNED_ROWS = 20
#: Kinds and namespaces named in one reason.
_NAMED = 5
#: Lines of the diff.
_DIFF_LINES = 200


@dataclass
class Outcome:
    """What a cleanup did.

    `kept`: namespace -> the foreign objects because of which it is kept. `unseen`: namespace -> the kinds because of
    which it is kept, since it is not known what it has of them. `unread`: those of `unlisted` that are not a matter of
    rights. `only_in`: the only namespaces that were looked into, if the run's could not be listed. `retained`: what the
    run's claims and snapshots leave behind, because its policy says so.
    """

    run_id: str
    found: Counter[str] = field(default_factory=Counter)
    namespaces: list[str] = field(default_factory=list)
    kept: dict[str, list[str]] = field(default_factory=dict)
    unseen: dict[str, list[Unseen]] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    only_in: list[str] = field(default_factory=list)
    deleted: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)
    blockers: list[Blocker] = field(default_factory=list)
    retained: Retained = field(default_factory=Retained)
    seconds: float = 0.0
    changed: bool = False
    waited: bool = True

    def take(self, found: Survey) -> None:
        """What the survey found, and what of it is to be deleted."""
        self.found = found.counts
        self.namespaces = sorted(found.namespaces)
        self.unlisted = found.unlisted
        self.unread = sorted(found.unread)
        self.only_in = found.only_in
        self.changed = bool(found.namespaces.keys() - found.terminating or found.outside)

    def reasons(self) -> list[str]:
        """Why something of the run remains, or may remain; empty if nothing does."""
        reasons = [
            f"namespace {name} is kept, because it contains {_some(foreign)}, not part of run {self.run_id} "
            "(delete_foreign: true deletes it too)"
            for name, foreign in list(self.kept.items())[:1]
        ]
        if len(self.kept) > 1:
            reasons.append(f"{len(self.kept) - 1} more namespaces are kept for the same reason")
        reasons += self._unseen_reasons()
        reasons += [
            f"{kind} could not be listed ({self.unlisted[kind]}), so it is unknown whether the run has any left"
            for kind in self.unread[:1]
        ]
        if len(self.unread) > 1:
            reasons.append(f"nor could {_named(self.unread[1:])} be listed")
        reasons += [f"{what}: {error}" for what, error in list(self.errors.items())[:1]]
        if len(self.errors) > 1:
            reasons.append(f"{len(self.errors) - 1} more requests failed")
        reasons += [f"blocked by {blocker}" for blocker in self.blockers[:3]]
        if len(self.blockers) > 3:
            reasons.append(f"{len(self.blockers) - 3} more blockers")
        return reasons

    def _unseen_reasons(self) -> list[str]:
        """One per set of kinds: a missing right is missing in most namespaces alike."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for name, rows in self.unseen.items():
            alike.setdefault(tuple(row.kind for row in rows), []).append(name)
        reasons = []
        for names in alike.values():
            rows = self.unseen[names[0]]
            rights = [row.missing_right for row in rows if row.missing_right]
            others = [row for row in rows if not row.missing_right]
            causes = [f"missing rights: {_named(rights)}"] if rights else []
            causes += [f"{_named([row.kind for row in others])}: {others[0].cause}"] if others else []
            reasons.append(
                f"{'namespaces' if len(names) > 1 else 'namespace'} {_named(names)} "
                f"{'are' if len(names) > 1 else 'is'} kept, because it is unknown what else is in there "
                f"({'; '.join(causes)}; accept_unseen: true deletes it anyway)"
            )
        return reasons

    def result(self) -> dict[str, Any]:
        """As the module returns it."""
        kinds = sorted(self.found)
        return {
            "changed": self.changed,
            "run_id": self.run_id,
            "objects": {kind: {"found": self.found[kind], "deleted": self.deleted[kind]} for kind in kinds},
            "namespaces": self.namespaces[:RETURNED_ROWS],
            "namespaces_total": len(self.namespaces),
            "kept": self._kept_rows()[:RETURNED_ROWS],
            "kept_total": len(self.kept.keys() | self.unseen.keys()),
            "blockers": [blocker.row() for blocker in self.blockers[:RETURNED_ROWS]],
            "blockers_total": len(self.blockers),
            "retained": self.retained.rows[:RETURNED_ROWS],
            "retained_total": len(self.retained.rows),
            "reclaiming": self.retained.reclaiming,
            "errors": dict(list(self.errors.items())[:RETURNED_ROWS]),
            "unlisted": dict(sorted(self.unlisted.items())[:RETURNED_ROWS]),
            "seconds": round(self.seconds, 3),
            "msg": self._message(),
        }

    def _kept_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "namespace": name,
                "objects": self.kept.get(name, [])[:RETURNED_ROWS],
                "unseen": [asdict(row) for row in self.unseen.get(name, [])],
            }
            for name in sorted(self.kept.keys() | self.unseen.keys())
        ]

    def _message(self) -> str:
        if not self.found:
            where = f"in namespaces {_named(self.only_in)}" if self.only_in else "on this cluster"
            kinds = "1 kind" if len(self.unlisted) == 1 else f"{len(self.unlisted)} kinds"
            hidden = f"; {kinds} could not be listed" if self.unlisted else ""
            return f"nothing {where} has the labels of run {self.run_id}{hidden}"
        total = sum(self.deleted.values())
        counts = ", ".join(f"{self.deleted[kind]} {kind}" for kind in sorted(self.found))
        verb = "deleted" if self.waited else "being deleted"
        stays = self.retained.words(named=_NAMED)
        whole = f"{total} of {sum(self.found.values())} objects of run {self.run_id} {verb}: {counts}"
        return f"{whole}; {stays}" if stays else whole


def run_module(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed."""
    _validate(params)
    try:
        return asyncio.run(_run(params, check_mode=check_mode))
    except ClusterError as error:
        raise ModuleFailed(str(error)) from error


def _validate(params: Mapping[str, Any]) -> None:
    if not params["run_id"] or not is_label_value(params["run_id"]):
        raise ModuleFailed(f"run_id: {params['run_id']!r} is not allowed; {LABEL_VALUE_RULE}")
    for name in params["namespaces"]:
        if not is_dns_label(name):
            raise ModuleFailed(f"namespaces: {name!r} is no namespace's name; {DNS_LABEL_RULE}")
    try:
        check_limits(params)
        CLEANUP["cleanup_timeout"].check("wait_timeout", params["wait_timeout"])
        CLEANUP["cleanup_grace_period"].check("grace_period", params["grace_period"])
    except SettingError as error:
        raise ModuleFailed(str(error)) from error


async def _run(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    started = time.monotonic()
    async with await open_cluster(params) as cluster:
        await cluster.version()
        surveyor = Surveyor(cluster, run_id=params["run_id"], fallback_namespaces=params["namespaces"])
        found = await surveyor.survey()
        outcome = Outcome(params["run_id"])
        gate = _Gate(surveyor, Onlooker(cluster, surveyor, run_id=params["run_id"]), found, outcome, params)
        await gate.keep_back(sorted(found.namespaces))
        outcome.take(found)
        # Afterwards, nobody could tell whose they were.
        outcome.retained = await retained_by(cluster, found, surveyor.resources)
        diff = _diff(found)
        if check_mode or found.is_empty:
            outcome.deleted = found.counts
        else:
            await _remove(cluster, gate, params)
            if outcome.waited:
                await count_reclaiming(cluster, outcome.retained, surveyor.resources)
        if params["accept_unseen"]:
            outcome.unread = []
        outcome.seconds = time.monotonic() - started
    result = {**outcome.result(), "diff": {"before": diff, "after": ""}}
    if check_mode and outcome.found:
        result["msg"] = result["msg"].replace(" deleted: ", " would be deleted: ")
    reasons = outcome.reasons()
    if reasons:
        message = "; ".join(reasons)
        if check_mode:
            return {**result, "msg": f"{result['msg']}; {message}"}
        raise ModuleFailed(f"run {params['run_id']} is not completely deleted: {message}", result)
    return result


class _Gate:
    """Takes the namespaces that must stay out of what will be deleted."""

    def __init__(
        self, surveyor: Surveyor, onlooker: Onlooker, found: Survey, outcome: Outcome, params: Mapping[str, Any]
    ) -> None:
        self.surveyor = surveyor
        self.found = found
        self.outcome = outcome
        self._onlooker = onlooker
        self._params = params

    async def keep_back(self, names: list[str]) -> None:
        """Keep those of these namespaces in which something foreign is, or may be."""
        if self._params["delete_foreign"]:
            return
        contents: Contents = await self._onlooker.look(self.found, names)
        unseen = {} if self._params["accept_unseen"] else contents.unseen
        self.outcome.kept |= contents.foreign
        self.outcome.unseen |= unseen
        await self.surveyor.keep(self.found, [*contents.foreign, *unseen])


async def _remove(cluster: Cluster, gate: _Gate, params: Mapping[str, Any]) -> None:
    found, outcome = gate.found, gate.outcome
    removal = Removal(
        cluster,
        found,
        run_id=params["run_id"],
        max_concurrent=params["max_concurrent"],
        grace_period_seconds=params["grace_period"],
        look_again=gate.keep_back,
    )
    await removal.send()
    outcome.take(found)
    outcome.errors = removal.errors
    if not params["wait"]:
        outcome.deleted, outcome.waited = found.counts, False
        return
    total = sum(len(keys) for keys in removal.left.values())
    path = Path(params["progress_file"]) if params["progress_file"] else None
    progress = Progress(path, total=total, what="namespaces and other objects gone")

    def show() -> None:
        left = sum(len(keys) for keys in removal.left.values())
        progress.show(done=total - left, failed=0, retries=sum(cluster.traffic.retries.values()), unready=0)

    async with shown(progress, show):
        await removal.wait_until_gone(timeout_seconds=params["wait_timeout"])
    # If not everything went, another survey finds out how much did.
    if not any(removal.left.values()) and not removal.errors:
        outcome.deleted = found.counts
        return
    outcome.blockers = await blockers_of(cluster, removal.left, gate.surveyor.resources)
    await _count_deleted(gate.surveyor, found, outcome)


async def _count_deleted(surveyor: Surveyor, found: Survey, outcome: Outcome) -> None:
    """What of the found is not there any more, as far as that can be seen."""
    try:
        now = await surveyor.survey()
    except ClusterError as error:
        outcome.errors["what is left"] = f"could not be counted: {error}"
        return
    outcome.deleted = found.counts - now.counts
    for kind in {resource.kind for resource in surveyor.resources if plural_name(resource) in now.unlisted}:
        del outcome.deleted[kind]  # not in the list, because there is no list


def _diff(found: Survey) -> str:
    """What exists now and is deleted: namespaces with their counts, then single objects."""
    lines = []
    for name in sorted(found.namespaces):
        inside: Counter[str] = Counter()
        for (where, resource), number in found.inside.items():
            if where == name:
                inside[resource.kind] += number
        counts = ", ".join(f"{number} {kind}" for kind, number in sorted(inside.items()))
        lines.append(f"Namespace {name}" + (f" with {counts}" if counts else ""))
    for resource, objects in found.outside.items():
        lines += sorted(
            f"{resource.kind} {each.namespace}/{each.name}" if each.namespace else f"{resource.kind} {each.name}"
            for each in objects
        )
    if len(lines) > _DIFF_LINES:
        lines = [*lines[:_DIFF_LINES], f"and {len(lines) - _DIFF_LINES} more"]
    return "".join(f"{line}\n" for line in lines)


def _some(rows: list[str]) -> str:
    return rows[0] if len(rows) == 1 else f"{rows[0]} and {len(rows) - 1} more objects"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
