# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One scan: read, judge, look again, compare with the box, and sum up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ..cluster.client import Cluster
from ..cluster.errors import Forbidden
from ..cluster.proof import document_of
from ..measure.recorder import now_rfc3339
from .document import OK, Report
from .findings import CLAIM, CONTENT, SNAPSHOT, VOLUME, Finding
from .inventory import Claim, Inventory
from .kubelets import read_fill
from .options import CLAIMS, SNAPSHOTS, USAGE, VOLUMES, Options
from .reading import Reader, Wanted
from .rules import Judged, Limits, Rules, judge
from .second_look import look_again
from .selection import Selection, labelled, lists_of
from .totals import MANY_SNAPSHOTS, totals, with_many_snapshots
from .usage import Levels, usage_of

if TYPE_CHECKING:
    from .backend import Backend

KINDS_OF_PART = {CLAIMS: (CLAIM,), VOLUMES: (VOLUME,), SNAPSHOTS: (SNAPSHOT, CONTENT)}


async def scan(cluster: Cluster, options: Options, backend: Backend | None) -> Report:
    """The whole scan of one cluster, with its box if there is one.

    Raises ClusterError if the cluster does not answer or accept us, and ModuleFailed.
    """
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
        report.warnings += backend.add_findings(
            judged, rows, compared, rules=rules, inventory=inventory, selection=selection
        )
        report.box = compared.document
    if SNAPSHOTS in options.parts:
        most = options.thresholds["snapshots_per_volume"]
        judged.findings += with_many_snapshots(rules, inventory, selection, most)
    await _measure(cluster, options, inventory, selection, report)
    if backend is not None and compared is not None:
        inventory.parts |= backend.parts()
        if USAGE in options.parts:
            report.usage += backend.usage(compared, inventory, _claims(inventory, selection), _levels(options))
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
    claims = _claims(inventory, selection)
    fill = await read_fill(cluster, inventory, claims)
    report.usage = usage_of(inventory, claims, fill, _levels(options))


def _claims(inventory: Inventory, selection: Selection) -> Mapping[str, Claim]:
    """The claims that the scan tells of."""
    return inventory.claims if selection.takes_all else {key: inventory.claims[key] for key in selection.records(CLAIM)}


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
