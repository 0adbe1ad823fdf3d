# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `wait`: check its parameters, wait, and report what is not ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..cluster.arguments import OUTAGE_LIMIT, auth_options
from ..cluster.client import Cluster
from ..cluster.errors import ClusterError
from ..cluster.labels import run_selector
from ..errors import ModuleFailed
from ..machine.progress import Progress, shown
from ..readiness.registry import finishes
from ..readiness.state import State
from ..settings.setting import WEEK_SECONDS, Range, SettingError
from ..syntax import DNS_LABEL_RULE, is_dns_label
from .waiter import Goal, Waiter, Wanted

#: Rows per list in the module's result, which also has the totals.
RETURNED_ROWS = 20
_TIMEOUTS = Range(1, 4 * WEEK_SECONDS)


def run_module(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed."""
    wanted = _wanted(params)
    try:
        return asyncio.run(_run(params, wanted, once=check_mode))
    except ClusterError as error:
        if error.status == 400 and params["label_selector"]:
            raise ModuleFailed(f"label_selector: {params['label_selector']!r}: {error}") from error
        raise ModuleFailed(str(error)) from error


def _wanted(params: Mapping[str, Any]) -> list[Wanted]:
    """Check what the argument spec cannot. Raises ModuleFailed naming the option, its value and what is allowed."""
    if problem := _TIMEOUTS.problem("wait_timeout", params["wait_timeout"]):
        raise ModuleFailed(problem)
    try:
        OUTAGE_LIMIT.check("outage_limit", params["outage_limit"])
    except SettingError as error:
        raise ModuleFailed(str(error)) from error
    if not params["run_id"] and not params["label_selector"]:
        raise ModuleFailed("run_id, label_selector: both are empty; give one of them")
    for name in params["namespaces"]:
        if not is_dns_label(name):
            raise ModuleFailed(f"namespaces: {name!r} is no namespace's name; {DNS_LABEL_RULE}")
    if not params["kinds"]:
        raise ModuleFailed("kinds: the list is empty; name at least one kind")
    wanted = [Wanted(api_version=row["api_version"], kind=row["kind"], count=row["count"]) for row in params["kinds"]]
    for each in wanted:
        if each.count < 0:
            raise ModuleFailed(f"kinds: count {each.count} of {each.kind}; allowed are 0 and more")
        if params["state"] == "finished" and not finishes(each.api_version, each.kind):
            raise ModuleFailed(
                f"state: finished, with {each.kind} of {each.api_version} in kinds; allowed are only Job and Pod"
            )
    if len({(each.api_version, each.kind) for each in wanted}) < len(wanted):
        raise ModuleFailed("kinds: a kind is listed twice")
    return wanted


def _selector(params: Mapping[str, Any]) -> str:
    own = run_selector(params["run_id"]) if params["run_id"] else ""
    return ",".join(part for part in (own, params["label_selector"]) if part)


async def _run(params: Mapping[str, Any], wanted: list[Wanted], *, once: bool) -> dict[str, Any]:
    started = time.monotonic()
    progress = Progress(
        Path(params["progress_file"]) if params["progress_file"] else None, total=0, what=f"objects {params['state']}"
    )

    cluster = await Cluster.open(auth_options(dict(params)), outage_limit_seconds=params["outage_limit"])
    async with cluster:
        await cluster.version()
        waiter = Waiter(
            cluster,
            wanted,
            label_selector=_selector(params),
            namespaces=params["namespaces"],
            goal=Goal(params["state"]),
        )

        def show() -> None:
            done, progress.total = waiter.counts()
            progress.show(done=done, failed=0, retries=sum(cluster.traffic.retries.values()), unready=0)

        async with shown(progress, show):
            await waiter.run(timeout_seconds=params["wait_timeout"], once=once)
        rows = [] if waiter.outcome == "done" else await waiter.unsettled_rows(RETURNED_ROWS)
    result = _result(waiter, rows, seconds=time.monotonic() - started)
    if waiter.outcome in ("timeout", "hopeless"):
        raise ModuleFailed(_message(params, waiter, rows), result)
    return result


def _result(waiter: Waiter, rows: list[dict[str, str]], *, seconds: float) -> dict[str, Any]:
    failed = waiter.failed_rows(RETURNED_ROWS)
    return {
        "changed": False,
        "reached": waiter.outcome == "done",
        "objects": {
            watched.wanted.kind: {
                "total": len(watched.states),
                "ready": watched.tally[State.READY] + watched.tally[State.FINISHED],
                "finished": watched.tally[State.FINISHED],
                "failed": watched.tally[State.FAILED],
                "waiting": watched.tally[State.WAITING],
            }
            for watched in waiter.kinds
        },
        "not_ready": rows,
        "not_ready_total": sum(watched.unsettled for watched in waiter.kinds),
        "failed_objects": failed,
        "warnings": waiter.warnings,
        "seconds": round(seconds, 3),
    }


def _message(params: Mapping[str, Any], waiter: Waiter, rows: list[dict[str, str]]) -> str:
    done, total = waiter.counts()
    goal = {"ready": "ready", "finished": "finished", "absent": "gone"}[params["state"]]
    first = rows[0] if rows else None
    named = f"; first {_place(first)}: {first['cause']}" if first else ""
    if waiter.outcome == "hopeless":
        return f"gave up waiting: {total - done} of {total} objects are not {goal} and cannot be{named}"
    if not rows and not total:
        return f"no answer from the API server within {params['wait_timeout']} s"
    return f"{total - done} of {total} objects are not {goal} after {params['wait_timeout']} s{named}"


def _place(row: Mapping[str, str]) -> str:
    path = "/".join(part for part in (row["namespace"], row["name"]) if part)
    return f"{row['kind']} {path}" if path else row["kind"]
