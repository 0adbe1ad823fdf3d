# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to a batch, and from its measurements to a bounded result."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..cluster.arguments import auth_options, check_limits
from ..cluster.inventory import is_openshift
from ..errors import KubestressError, ModuleFailed
from ..guard.arguments import Thresholds
from ..machine.progress import write_table
from ..measure.recorder import DEPENDENCY_FAILED
from ..observe.arguments import Intervals
from ..plan.arguments import check_namespaces, context_of, fragments_of, namespaces_of
from ..plan.errors import PlanError
from ..plan.fragment import Fragment
from ..plan.names import check_names
from ..preflight.kinds import resources_of
from ..preflight.preflight import Planned, Question, kept_of, preflight, result_of, table_of
from ..results.folder import RunFolder
from ..results.table import MESSAGE, brief, shortened
from ..settings.roles.build_jobs import ROLE as BUILD_JOBS
from ..settings.roles.namespaces import ROLE as NAMESPACES
from ..settings.setting import Range
from .batch import Batch
from .foresight import MISSING, foreseen
from .measurements import measurements
from .opened import BatchSettings, OpenedCluster, opened_cluster

#: Rows of a list that go back to Ansible: AWX keeps results in memory, and everything is in the files.
RETURNED_ROWS = 20
_IN_FILES_ONLY = ("schema", "builds", "namespaces", "timeline", "guard", "warnings")
#: The first of the numbers that namespaces have behind their prefix.
_FIRST_NUMBERS = Range(0, 10_000_000)


def run_module(params: dict[str, Any], *, check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Run the module; `warn` is called with each warning for the user. Raises ModuleFailed."""
    try:
        # Check mode writes nothing, and a play in check mode has made no folder either.
        settings, fragments = batch_settings({**params, "results_dir": None} if check_mode else params)
        question = Question.of(params["preflight_options"], check_mode=check_mode)
        document, found = asyncio.run(_run(params, settings, fragments, question))
    except ModuleFailed:
        raise
    except (KubestressError, OSError) as error:
        raise ModuleFailed(str(error)) from error
    for text in document["warnings"]:
        warn(text)
    result = {**_bounded(document), **found}
    reasons = failure_reasons(document)
    if reasons:
        short = [
            shortened(reason, MESSAGE // 2) if len(reasons) > 1 else shortened(reason, MESSAGE) for reason in reasons
        ]
        raise ModuleFailed(brief(short, rest="all in the results"), result)
    return result


async def _run(
    params: dict[str, Any], settings: BatchSettings, fragments: list[Fragment], question: Question
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The measurements, in check mode as foreseen, and what preflight found. Raises ModuleFailed if that stops it."""
    async with opened_cluster(settings) as opened:
        if openshift := await is_openshift(opened.cluster):
            context = replace(context_of(params), openshift=True)
            fragments = fragments_of(params, context)
        await resources_of(opened.discovery, fragments)
        found = await _judged(params, settings, fragments, question, opened=opened, openshift=openshift)
        if question.check_mode:
            return await _foreseen(opened, settings, fragments), found
        return await Batch(settings, fragments, **await opened.parts_for(fragments)).run(), found


async def _foreseen(opened: OpenedCluster, settings: BatchSettings, fragments: list[Fragment]) -> dict[str, Any]:
    """The measurements of a batch that sends nothing: what it would do. Nothing of it is waited for."""
    parts = await opened.parts_for(fragments)
    batch = Batch(replace(settings, wait=False), fragments, **parts)
    results = await foreseen(
        opened.cluster,
        parts["resources"],
        fragments,
        unserved=parts["unserved"],
        run_id=settings.run_id,
        namespaces=settings.numbered_namespaces,
        existing=settings.existing,
        state=settings.state,
        ledger=batch.records.ledger,
    )
    missing = []
    for kind, namespace, name, result in results:
        batch.recorder.outcome(kind=kind, result="patched" if result == MISSING else result)
        if result == MISSING:
            missing.append(f"{kind} {namespace}/{name}")
    batch.records.close()
    document = measurements(batch, partial=False)
    document["rate"]["objects_per_second"] = None
    if missing:
        known = f"{len(missing):,} objects to patch do not exist, first {missing[0]}"
        document["warnings"].append(f"{known}: the run fails unless they are made first")
    return document


async def _judged(
    params: dict[str, Any],
    settings: BatchSettings,
    fragments: list[Fragment],
    question: Question,
    *,
    opened: OpenedCluster,
    openshift: bool,
) -> dict[str, Any]:
    """Hold the plan against the cluster, show the table, and keep it with the run's files; as the module returns it.

    Raises ModuleFailed where the run must not start.
    """
    if params["preflight"] == "skip" or settings.state != "present":
        return {}
    planned = Planned(
        run_id=settings.run_id,
        fragments=fragments,
        namespaces=settings.numbered_namespaces,
        existing=settings.existing,
        openshift=openshift,
    )
    answer = await preflight(opened.cluster, opened.discovery, planned, question)
    found = {"preflight": result_of(answer, planned, question)}
    write_table(settings.progress, [(line.text, line.tone) for line in table_of(answer, planned, question)])
    folder = settings.results_dir
    if folder is not None and settings.progress is not None and (folder / "run.json").exists():
        # Before the load, so that a run that is killed has it; without progress the action plug-in writes it.
        RunFolder.of_attempt(str(folder)).update_run(**kept_of(answer))
    if answer.problems and params["preflight"] == "refuse":
        raise ModuleFailed(answer.message(), found)
    return found


def batch_settings(params: dict[str, Any]) -> tuple[BatchSettings, list[Fragment]]:
    """Check what the argument spec cannot, and compile. Raises KubestressError."""
    _check_ranges(params)
    intervals = Intervals.of(params["observe"], prefix="observe.")
    guard = Thresholds.of(params["guard"])
    numbered = namespaces_of(params)
    fragments = fragments_of(params, context_of(params))
    if params["state"] == "absent":
        fragments = [fragment for fragment in fragments if not fragment.patch]  # it made nothing
    check_namespaces(fragments, numbered)
    if params["state"] == "present":
        check_names(fragments, numbered)
    gated = [fragment.role for fragment in fragments if fragment.active]
    if gated and not params["wait"] and params["state"] == "present":
        raise PlanError(f"wait: false, but role {gated[0]} has active, and its gate opens only while the batch waits")
    results_dir = _made_folder(params["results_dir"])
    settings = BatchSettings(
        auth=auth_options(params),
        run_id=params["run_id"],
        namespaces=[sys.intern(name) for _index, name in numbered],  # events bring them again and again
        first_index=params["namespace_first"],
        existing=frozenset(params["existing_namespaces"]),
        parallel=params["namespaces_parallel"],
        state=params["state"],
        patch_type=params["patch_type"],
        max_concurrent=params["max_concurrent"],
        qps=params["qps"],
        burst=params["burst"],
        request_timeout_seconds=params["request_timeout"],
        retry_deadline_seconds=params["retry_deadline"],
        outage_limit_seconds=params["outage_limit"],
        wait=params["wait"],
        wait_timeout_seconds=params["wait_timeout"],
        observe=intervals if params["observe"]["enabled"] else None,
        # What is deleted is no load; to stop halfway would only leave more behind.
        guard=None if params["state"] == "absent" else guard,
        results_dir=results_dir,
        ledger=Path(params["ledger"]) if params["ledger"] else None,
        progress=Path(params["progress_file"]) if params["progress_file"] else None,
    )
    return settings, fragments


def _made_folder(results_dir: str | None) -> Path | None:
    """The folder of the results, made if it is not there. Raises PlanError."""
    if not results_dir:
        return None
    try:
        Path(results_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError(f"results_dir: the folder {results_dir} cannot be made: {error.strerror or error}") from error
    return Path(results_dir)


def _check_ranges(params: dict[str, Any]) -> None:
    check_limits(params)
    NAMESPACES["namespaces_parallel"].check("namespaces_parallel", params["namespaces_parallel"])
    NAMESPACES["namespaces_total"].check("namespace_total", params["namespace_total"])
    BUILD_JOBS["build_jobs_wait_timeout"].check("wait_timeout", params["wait_timeout"])
    _FIRST_NUMBERS.check("namespace_first", params["namespace_first"])


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """The measurements without histograms and with at most RETURNED_ROWS of each list."""
    result = {key: _without_histograms(value) for key, value in document.items() if key not in _IN_FILES_ONLY}
    result["not_ready_total"] = len(document["not_ready"])
    result["not_ready"] = document["not_ready"][:RETURNED_ROWS]
    rows = document["objects"].values()
    result["changed"] = any(row.get(word) for row in rows for word in ("created", "patched", "deleted"))
    return result


def _without_histograms(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_histograms(entry) for key, entry in value.items() if not key.endswith("histogram")}
    return value


def failure_reasons(document: dict[str, Any]) -> list[str]:
    """Why a batch did not do what was asked for; empty if it did. One clause for each cause, first object named.

    Objects that were not sent, because something that they need has failed, are only counted.
    """
    reasons = []
    if document["aborted"]:
        reasons.append(f"aborted: {document['aborted']}")
    failed = sum(row["failed"] for row in document["objects"].values())
    if failed:
        requested = sum(row["requested"] for row in document["objects"].values())
        text = f"{failed} of {requested} objects failed, {_first_of(document['first_failures'])}"
        effects = document["failures"]["by_reason"].get(DEPENDENCY_FAILED)
        reasons.append(
            text + (f" ({effects} of them not sent, because something they need has failed)" if effects else "")
        )
    if document["not_ready"]:
        first = document["not_ready"][0]
        where = f" in {first['namespace']}" if first["namespace"] else ""
        reasons.append(
            f"{len(document['not_ready'])} not ready, first {first['kind']} {first['name']}{where}: {first['cause']}"
        )
    return reasons


def _first_of(failures: list[dict[str, Any]]) -> str:
    for row in failures:
        if row["operation"] in ("create", "patch", "delete"):
            where = f" in {row['namespace']}" if row["namespace"] and row["kind"] != "Namespace" else ""
            return f"first {row['kind']} {row['name']}{where}: {row['message']}"
    # The failures that are kept are the first of all sorts; pods may have failed before any object did.
    return "see failures.jsonl"
