# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network plug-in's operations: the tables by hour and minute, and the plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .formats import count, figure, things, words
from .model import FAINT, PLAIN, WARN, Section, Table, columns
from .plots import Plot, Series, thinned

_COLUMNS = ("add", "del", "total", "failed")


def network_section(summary: Mapping[str, Any]) -> Section:
    """Operations by hour and minute of the clock, with the rule by which each source counts."""
    found = summary.get("network_operations") or {}
    sources: Mapping[str, Mapping[str, Any]] = found.get("sources") or {}
    title, name = "Network plug-in", "network-operations"
    if not sources:
        cause = found.get("cause") or "nodes were not observed"
        return Section(id=name, title=title, tables=[], lead=f"No data: {cause}.", tone=FAINT)
    leads = [
        f"{things(one.get('total') or 0, 'operation')} as the {source} counts ({count(one.get('add'))} ADD, "
        f"{count(one.get('del'))} DEL, {count(one.get('failed'))} failed) on {things(one.get('nodes') or 0, 'node')}."
        for source, one in sources.items()
    ]
    rules = " ".join(f"An operation as the {source} counts: {one.get('rule')}." for source, one in sources.items())
    nodes = found.get("nodes") or {}
    if nodes.get("silent"):
        leads.append(f"{things(nodes['silent'], 'node')} gave no data.")
    if found.get("failed_readings"):
        leads.append(
            f"{things(found['failed_readings'], 'reading')} failed: what they would have shown is in a later one."
        )
    if nodes.get("not_asked"):
        left = things(nodes["not_asked"], "more node was", "more nodes were")
        leads.append(f"{left} not read, to limit the number of requests.")
    hours = _table("hours", "Operations per hour", found.get("hours") or [], note=f"{rules} Hours are whole, in UTC.")
    minutes = _table(
        "minutes", "Operations per minute", found.get("minutes") or [], note="Minutes of the clock, in UTC."
    )
    failed = any(one.get("failed") for one in sources.values())
    shown = [table for table in (hours, minutes) if table.rows]
    lead = " ".join([*leads, *([] if shown else [rules])])
    return Section(id=name, title=title, tables=shown, lead=lead, tone=WARN if failed else PLAIN)


def _table(name: str, title: str, found: Sequence[Mapping[str, Any]], *, note: str) -> Table:
    rows = [
        [words(row["start"]), words(source), *(figure(counts.get(column)) for column in _COLUMNS)]
        for row in found
        for source, counts in row["sources"].items()
    ]
    return Table(
        id=f"network-{name}",
        title=title,
        columns=columns("From", "As counted by", "#ADD", "#DEL", "#Together", "#Failed"),
        rows=rows,
        note=note,
    )


def network_plots(found: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """A plot for each who counts."""
    plots = [
        Plot(
            id=f"plot-network-{number}",
            title=f"Network operations per minute, as the {one['source']} counts",
            unit="operations",
            times=one["t"],
            series=[
                Series(name=text, values=one[key])
                for key, text in (("add", "ADD"), ("del", "DEL"), ("failed", "failed"))
            ],
        )
        for number, one in enumerate(found, 1)
    ]
    return [thinned(plot) for plot in plots]
