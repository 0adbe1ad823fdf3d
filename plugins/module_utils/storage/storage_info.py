# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `storage_info`: check its options, scan, judge, look again, and say what was found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster, RetryPolicy
from ..cluster.errors import Forbidden
from ..cluster.proof import document_of
from ..errors import ModuleFailed
from ..machine.interpreter import rare_garbage_collection
from ..measure.recorder import now_rfc3339
from ..text import text_of
from ..truenas.matching import Comparison
from . import files
from .backend import Backend, backend_of, cluster_error
from .box_findings import add_findings, usage_of_box
from .document import OK, Report, Usage, document, plain
from .findings import CLAIM, CONTENT, SNAPSHOT, VOLUME, Finding
from .inventory import Inventory
from .kubelets import read_fill
from .options import CLAIMS, SNAPSHOTS, USAGE, VOLUMES, Options, checked
from .reading import Reader, Wanted, uncompressed
from .rules import Judged, Limits, Rules, judge
from .second_look import look_again
from .selection import Selection, labelled, lists_of
from .totals import MANY_SNAPSHOTS, totals, with_many_snapshots
from .usage import Levels, usage_of

#: Seconds for which one page is retried.
_PAGE_SECONDS = 30.0
#: Requests at once. A few keep the way full, and each connection takes memory and a handshake.
_AT_ONCE = 8
KINDS_OF_PART = {CLAIMS: (CLAIM,), VOLUMES: (VOLUME,), SNAPSHOTS: (SNAPSHOT, CONTENT)}


def run_module(params: Mapping[str, Any], *, check_mode: bool = False) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed: bad input, no connection, or with `strict` a part that is not complete."""
    options = checked(params)
    try:
        with rare_garbage_collection():
            report = asyncio.run(scan_cluster(auth_options(dict(params)), options))
    except Exception as error:
        raise ModuleFailed(str(cluster_error(error))) from error
    whole = document(report)
    written = files.write(whole, options.dest, options.formats, only_say=check_mode) if options.dest else []
    result = returned(whole, options.top) | {"files": written}
    if options.strict and not report.complete:
        raise ModuleFailed(f"strict: {result['msg']}", result)
    return result


async def scan_cluster(connection: dict[str, Any], options: Options) -> Report:
    """Connect and scan. Raises ClusterError and ModuleFailed."""
    slots = asyncio.Semaphore(_AT_ONCE)
    cluster = await Cluster.open(connection, retry=RetryPolicy(deadline_seconds=_PAGE_SECONDS), admission=lambda: slots)
    uncompressed(cluster)
    async with cluster:
        return await scan(cluster, options)


async def scan(cluster: Cluster, options: Options) -> Report:
    """The whole scan of one cluster. Raises ClusterError if it does not answer or accept us, and ModuleFailed."""
    async with backend_of(options) as backend:
        return await _scan(cluster, options, backend)


async def _scan(cluster: Cluster, options: Options, backend: Backend | None) -> Report:
    report, began = Report(started=now_rfc3339(), options=options.told()), time.monotonic()
    report.version = str((await cluster.version()).get("gitVersion", ""))[:100] or None
    groups, now = await groups_and_time(cluster)
    inventory = Inventory(keeps_handles=backend is not None)
    wanted = Wanted(lists=lists_of(options), namespaces=options.namespaces, groups=groups)
    if backend is not None:
        await backend.read_box()
    async with asyncio.TaskGroup() as group:
        group.create_task(Reader(cluster, wanted, inventory).read())
        if backend is not None:
            group.create_task(backend.read_others(cluster))
    keys = await labelled(cluster, options, inventory)
    selection = Selection(options, inventory, keys)
    limits = Limits(now=now, min_age_seconds=options.min_age_seconds, snapshot_age_seconds=options.snapshot_age_seconds)
    rules = Rules(inventory, limits)
    kinds = [kind for part in (CLAIMS, VOLUMES, SNAPSHOTS) if part in options.parts for kind in KINDS_OF_PART[part]]
    judged = judge(rules, {kind: selection.records(kind) for kind in kinds})
    if options.confirm:
        await look_again(cluster, inventory, judged, limits, groups=groups, namespaces=options.namespaces)
    compared = None
    if backend is not None:
        compared = backend.compared(inventory, limits)
        rows = await backend.confirmed(compared, cluster, limits, groups=groups) if options.confirm else compared.rows
        report.warnings += add_findings(
            judged, rows, compared.matched, rules=rules, inventory=inventory, selection=selection
        )
        report.box = compared.document
    if SNAPSHOTS in options.parts:
        most = options.thresholds["snapshots_per_volume"]
        judged.findings += with_many_snapshots(rules, inventory, selection, most)
    await _measure(cluster, options, inventory, selection, report)
    if backend is not None and compared is not None:
        inventory.parts |= backend.parts()
        report.usage += _usage_of_box(options, inventory, selection, compared, backend.read_at)
    conclude(report, judged, inventory, selection)
    report.finished, report.seconds = now_rfc3339(), time.monotonic() - began
    return report


async def groups_and_time(cluster: Cluster) -> tuple[Collection[str] | None, float]:
    """The API groups that are served, None if that may not be asked; and the server's clock, by which ages count."""
    try:
        reply = await cluster.request("GET", "/apis", decode=document_of)
    except Forbidden:
        return None, time.time()
    groups = reply.document.get("groups")
    names = (
        {str(group.get("name")) for group in groups if isinstance(group, dict)} if isinstance(groups, list) else None
    )
    try:
        now = parsedate_to_datetime(reply.date or "").timestamp()
    except ValueError:
        now = time.time()
    return names, now


async def _measure(
    cluster: Cluster, options: Options, inventory: Inventory, selection: Selection, report: Report
) -> None:
    if USAGE not in options.parts:
        return
    claims = {key: inventory.claims[key] for key in selection.records(CLAIM)}
    fill = await read_fill(cluster, inventory, claims)
    report.usage = usage_of(inventory, claims, fill, _levels(options))


def _usage_of_box(
    options: Options, inventory: Inventory, selection: Selection, compared: Comparison, time_of_box: str
) -> list[Usage]:
    if USAGE not in options.parts:
        return []
    claims = {key: inventory.claims[key] for key in selection.records(CLAIM)}
    return usage_of_box(inventory, claims, compared.datasets, _levels(options), time=time_of_box)


def _levels(options: Options) -> Levels:
    return Levels(warning=options.thresholds["volume_warning"], critical=options.thresholds["volume_critical"])


def conclude(report: Report, judged: Judged, inventory: Inventory, selection: Selection) -> None:
    """Put into the report what was judged, with sums and counts."""
    claims = selection.records(CLAIM)
    report.parts = inventory.parts
    report.findings = judged.findings
    report.states = judged.states
    report.counts = {
        "claims": len(claims),
        "volumes": len(selection.records(VOLUME)),
        "snapshots": len(selection.records(SNAPSHOT)),
        "contents": len(selection.records(CONTENT)),
        "classes": len(inventory.classes),
        "attachments": len(inventory.attached),
    }
    report.totals = totals(inventory, selection, claims, judged.findings, report.usage)
    report.over_threshold = sum(row.level != OK for row in report.usage) + sum(map(_is_over, judged.findings))
    report.warnings += selection.warnings()


def _is_over(finding: Finding) -> bool:
    return finding.state in ("old", MANY_SNAPSHOTS)


def returned(whole: Mapping[str, Any], top: int) -> dict[str, Any]:
    """The task's result: the document, of its long lists the first `top` rows, and one line for people."""
    result = {
        **whole,
        "findings": whole["findings"][:top],
        "usage": whole["usage"][:top],
        "totals": {name: rows[:top] for name, rows in whole["totals"].items()},
    }
    return {**plain(result), "changed": False, "msg": sentence(whole)}


def sentence(whole: Mapping[str, Any]) -> str:
    """The scan in one line."""
    summary = whole["summary"]
    seen = ", ".join(f"{summary[name]:,} {name}" for name in ("claims", "volumes", "snapshots", "contents"))
    orphans = ", ".join(f"{number:,} {kind}" for kind, number in summary["orphans"].items())
    text = f"{seen}; orphans: {orphans or 'none'}"
    if orphans:
        text += f" ({text_of(summary['orphan_bytes'], 'bytes')})"
    unknown = sum(states.get("unknown", 0) for states in summary["states"].values())
    if unknown:
        text += f"; {unknown:,} cannot be judged"
    causes: dict[str, list[str]] = {}
    for name, part in whole["parts"].items():
        if not part["complete"]:
            causes.setdefault(part["cause"], []).append(name)
    missing = "; ".join(f"{', '.join(names)} ({cause})" for cause, names in causes.items())
    return text + (f"; not complete: {missing}" if missing else "")
