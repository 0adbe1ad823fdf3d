# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cleanup from the module's parameters to its answer: look, judge, delete, verify, name what blocks."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster, RetryPolicy
from ..cluster.errors import ClusterError
from ..cluster.limits import Limits
from ..errors import ModuleFailed
from ..machine.progress import Progress, shown
from .blockers import Blocker, blockers_of
from .removal import Removal
from .survey import Survey, Surveyor

#: Rows of a list that go back to Ansible; the totals stand beside.
RETURNED_ROWS = 20
#: Lines of a diff.
_DIFF_LINES = 200
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_RANGES = (
    ("max_concurrent", 1, 2000),
    ("qps", 0, 1_000_000),
    ("burst", 0, 1_000_000),
    ("request_timeout", 0.1, 3600),
    ("retry_deadline", 0, 86400),
    ("wait_timeout", 1, 10_000_000),
    ("grace_period", 0, 86400),
)


@dataclass
class Outcome:
    """What a cleanup did. `kept`: namespace -> the strangers' objects that keep it."""

    run_id: str
    found: Counter[str]
    namespaces: list[str]
    kept: dict[str, list[str]]
    unlisted: dict[str, str]
    deleted: Counter[str]
    errors: dict[str, str]
    blockers: list[Blocker]
    seconds: float
    changed: bool
    waited: bool = True

    def reasons(self) -> list[str]:
        """Why the run is not all gone; empty if it is."""
        reasons = [
            f"namespace {name} is kept, because it holds {_some(strangers)}, which is not of run {self.run_id} "
            "(delete_foreign: true deletes it too)"
            for name, strangers in list(self.kept.items())[:1]
        ]
        if len(self.kept) > 1:
            reasons.append(f"{len(self.kept) - 1} more namespaces are kept for such a reason")
        reasons += [f"{what}: {words}" for what, words in list(self.errors.items())[:1]]
        if len(self.errors) > 1:
            reasons.append(f"{len(self.errors) - 1} more requests were refused")
        reasons += [f"blocked by {blocker}" for blocker in self.blockers[:3]]
        if len(self.blockers) > 3:
            reasons.append(f"{len(self.blockers) - 3} more blockers")
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
            "kept": [{"namespace": name, "objects": rows[:RETURNED_ROWS]} for name, rows in list(self.kept.items())][
                :RETURNED_ROWS
            ],
            "kept_total": len(self.kept),
            "blockers": [blocker.row() for blocker in self.blockers[:RETURNED_ROWS]],
            "blockers_total": len(self.blockers),
            "errors": dict(list(self.errors.items())[:RETURNED_ROWS]),
            "unlisted": dict(sorted(self.unlisted.items())[:RETURNED_ROWS]),
            "seconds": round(self.seconds, 3),
            "msg": self._message(),
        }

    def _message(self) -> str:
        if not self.found:
            return f"nothing on this cluster carries the labels of run {self.run_id}"
        total = sum(self.deleted.values())
        what = ", ".join(f"{self.deleted[kind]} {kind}" for kind in sorted(self.found))
        verb = "deleted" if self.waited else "asked to go"
        return f"{total} of {sum(self.found.values())} objects of run {self.run_id} {verb}: {what}"


def run_module(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Clean up as the module was asked to. Raises ModuleFailed."""
    _validate(params)
    try:
        return asyncio.run(_run(params, check_mode=check_mode))
    except ClusterError as error:
        raise ModuleFailed(str(error)) from error


def _validate(params: Mapping[str, Any]) -> None:
    if not _LABEL_VALUE.fullmatch(params["run_id"]):
        raise ModuleFailed(
            f"run_id: {params['run_id']!r}; allowed are 1 to 63 letters, digits, '-', '_' and '.', with a letter or "
            "digit at both ends"
        )
    for name, least, most in _RANGES:
        value = params[name]
        if value is not None and not least <= value <= most:
            raise ModuleFailed(f"{name}: {value}; allowed are {least} to {most}")


async def _run(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    started = time.monotonic()
    limits = Limits(max_in_flight=params["max_concurrent"], per_second=params["qps"], burst=params["burst"])
    cluster = await Cluster.open(
        auth_options(dict(params)),
        admission=lambda: limits,
        request_timeout_seconds=params["request_timeout"],
        retry=RetryPolicy(deadline_seconds=params["retry_deadline"]),
    )
    async with cluster:
        await cluster.version()
        surveyor = Surveyor(cluster, run_id=params["run_id"], look_into=params["namespaces"])
        found = await surveyor.survey()
        strangers = {} if params["delete_foreign"] else await surveyor.strangers(found)
        # Counted before namespaces are spared: what is kept is not among them.
        await surveyor.spare(found, strangers)
        outcome = Outcome(
            run_id=params["run_id"],
            found=found.counts,
            namespaces=sorted(found.namespaces),
            kept=strangers,
            unlisted=found.unlisted,
            deleted=Counter(),
            errors={},
            blockers=[],
            seconds=0.0,
            changed=bool(found.namespaces.keys() - found.terminating or found.outside),
        )
        diff = _diff(found)
        if check_mode or found.is_empty:
            outcome.deleted = found.counts
        else:
            await _remove(cluster, surveyor, found, outcome, params)
        outcome.seconds = time.monotonic() - started
    result = {**outcome.result(), "diff": {"before": diff, "after": ""}}
    if check_mode and outcome.found:
        result["msg"] = result["msg"].replace(" deleted: ", " would be deleted: ")
    reasons = outcome.reasons()
    if reasons:
        message = "; ".join(reasons)
        if check_mode:
            return {**result, "msg": f"{result['msg']}; {message}"}
        raise ModuleFailed(f"run {params['run_id']} is not all gone: {message}", result)
    return result


async def _remove(
    cluster: Cluster, surveyor: Surveyor, found: Survey, outcome: Outcome, params: Mapping[str, Any]
) -> None:
    removal = Removal(
        cluster,
        found,
        run_id=params["run_id"],
        max_concurrent=params["max_concurrent"],
        grace_period_seconds=params["grace_period"],
    )
    await removal.send()
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
    # What was deleted one after the other is counted at the end, by looking again, where not all of it went.
    if not any(removal.left.values()) and not removal.errors:
        outcome.deleted = found.counts
        return
    outcome.blockers = await blockers_of(cluster, removal.left, surveyor.resources)
    outcome.deleted = found.counts - (await surveyor.survey()).counts


def _diff(found: Survey) -> str:
    """What is there now, and will not be after: namespaces with their counts, then single objects."""
    lines = []
    for name in sorted(found.namespaces):
        counts = ", ".join(
            f"{number} {kind}" for (where, kind), number in sorted(found.inside.items()) if where == name
        )
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
