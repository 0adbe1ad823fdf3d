# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file that loads nothing from the network. Plain data is collected first and rendered once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .accelerator_tables import accelerator_sections
from .cluster_tables import events_section, nodes_section
from .expected_tables import expected_section
from .formats import clock, date, figure, length, seconds_from, things, words
from .head import head_of, key_figures
from .live import Live, live_data, live_of, live_title, running_head, share_done, so_far
from .load_tables import levels_section, load_section, server_section
from .model import BAD, NO_DATA, WARN, Section, Table, at, columns
from .network_tables import network_plots, network_section
from .plots import Plot, as_data, described, in_sight, plots_of, table_of
from .pod_tables import failures_section, pods_section, worst_section
from .rows import SYMBOLS, rows_markup
from .run_tables import run_section, validity_section

_FOLDER = Path(__file__).parent
#: Marks on the timeline; a run in which everything fails has thousands.
_MAX_MARKS = 100
#: Units shown beside the title; titles and axes already show the others.
_TITLE_UNITS = ("per second", "cores")
_MARK_TONES = {"failure": BAD, "pressure": WARN, "restart": WARN}


def render_page(
    *,
    summary: Mapping[str, Any],
    timeline: Mapping[str, Any] | None,
    run: Mapping[str, Any],
    live: Live | None = None,
    at_work: bool = False,
    note: str = "",
) -> str:
    """The whole page, from the documents of summary.json, timeline.json (None if it is missing) and run.json.

    `live` makes it the page of a run that goes on, whose summary has no verdict; `at_work` says that a batch sends or
    waits now. `note` is one more sentence below the verdict.

    Missing figures are shown as "no data". Nothing in the documents can become markup or script: the template escapes
    all text, data is JSON with escaped angle brackets, and the page's policy allows no other script.
    """
    plots = [*plots_of(timeline, summary), *network_plots(at(timeline, "network_operations") or ())]
    phases, marks = _phases(timeline), _marks(timeline)
    head = running_head(summary, run, live=live, at_work=at_work) if live else head_of(summary, run)
    share = share_done(summary) if live else None
    # Before the load, everything but the configuration would be "no data".
    begun = live is None or bool(summary.get("objects"))
    # All times on the page count from the start of the plots.
    start = at(timeline, "started") or summary.get("started")
    context = {
        **frame(),
        "summary": summary,
        "title": live_title(summary) if live else summary["verdict"],
        "subtitle": _subtitle(summary, run),
        "head": head,
        "live": live_of(live),
        "share": None if share is None else round(100 * share, 1),
        "note": note,
        "begun": begun,
        "figures": so_far(key_figures(summary)) if live else key_figures(summary),
        "levels": levels_section(summary),
        "plots": [shown_plot(plot) for plot in plots],
        "phases": phases,
        "marks": _marks_table(marks),
        "no_plots": _no_plots(timeline),
        "sections": _sections(summary, run, start) if begun else [_known(run_section(summary, run))],
        "data": {
            "live": live_data(live),
            "end": _end_seconds(summary, phases, plots),
            "phases": phases,
            "marks": [{"t": one["t"], "kind": one.get("kind")} for one in marks],
            "plots": [as_data(plot) for plot in plots] if begun else [],
        },
    }
    return template("page.html.j2").render(context) + "\n"


def _sections(summary: Mapping[str, Any], run: Mapping[str, Any], start: Any) -> list[Section]:
    """The sections below the timeline, in the order in which readers need them."""
    return [
        failures_section(summary),
        load_section(summary),
        pods_section(summary),
        *accelerator_sections(summary),
        worst_section(summary),
        expected_section(summary),
        server_section(summary),
        events_section(summary, start=start),
        nodes_section(summary, start=start),
        network_section(summary),
        run_section(summary, run),
        validity_section(summary),
    ]


def _known(section: Section) -> Section:
    """The section without tables that are empty yet."""
    return replace(section, tables=[table for table in section.tables if table.rows])


def frame() -> dict[str, Any]:
    """What the template of every page needs: style, script, and the policy that allows them and nothing else."""
    style, script = _style(), _script()
    return {
        "policy": _policy(style=style, script=script),
        "style": Markup(style),
        "script": Markup(script),
        "empty_word": NO_DATA,
    }


@cache
def template(name: str) -> jinja2.Template:
    """A page's template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"rows_markup": rows_markup, "tone_symbols": SYMBOLS}
    # tojson escapes <, > and &, so no text can close the element that contains the data.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment.get_template(name)


@cache
def _style() -> str:
    return _text("vendor/uPlot.min.css") + _text("page.css")


@cache
def _script() -> str:
    return _text("vendor/uPlot.iife.min.js") + _text("page.js")


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _policy(*, style: str, script: str) -> str:
    """The page's Content-Security-Policy: its own style and script by hash, and nothing else."""

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    rules = ("default-src 'none'", f"script-src {source(script)}", f"style-src {source(style)}", "img-src data:")
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _subtitle(summary: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    """A few words on the run: profile, attempt, cluster, nodes, date, length."""
    cluster, nodes = run.get("cluster") or {}, at(run, "cluster", "nodes") or {}
    lasted = seconds_from(summary.get("started"), summary.get("finished"))
    parts = [
        f"profile {summary['profile']}" if summary.get("profile") else "no profile",
        f"attempt {summary.get('attempt')}",
        f"Kubernetes {cluster['version']}" if cluster.get("version") else "",
        things(nodes["total"], "node") if nodes.get("total") else "",
        date(summary.get("started")) if summary.get("started") else "",
        f"took {length(lasted)}" if lasted is not None else "",
    ]
    return [part for part in parts if part]


def shown_plot(plot: Plot) -> dict[str, Any]:
    """A plot as the template needs it: its description, a note on limits out of sight, its table."""
    far = [one for one in plot.limits if not in_sight(plot, one)]
    notes = [plot.note] if plot.note else []
    notes += [f"{one.name.capitalize()} is {one.value:,.0f}, far above the plotted values." for one in far]
    return {
        "id": plot.id,
        "title": plot.title,
        "unit": plot.unit if plot.unit in _TITLE_UNITS else "",
        "note": " ".join(notes),
        "text": described(plot),
        "table": table_of(plot),
    }


def _phases(timeline: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Phases with known times, in order of their start; one that did not finish has no end."""
    found = [one for one in at(timeline, "phases") or () if one.get("start_s") is not None]
    found.sort(key=lambda one: one["start_s"])
    phases = []
    for one in found:
        end = one.get("end_s")
        begin, finish = clock(one["start_s"]), NO_DATA if end is None else clock(end)
        lasted = "" if end is None else f" ({length(max(0.0, end - one['start_s']))})"
        text = f"{begin} to {finish}{lasted}"
        phases.append({"role": str(one.get("role")), "start": one["start_s"], "end": end, "text": text})
    return phases


def _end_seconds(summary: Mapping[str, Any], phases: Sequence[Mapping[str, Any]], plots: Sequence[Plot]) -> float:
    """The end of the time axis: the latest known time."""
    lasted = seconds_from(summary.get("started"), summary.get("finished")) or 0.0
    ends = [one["end"] or one["start"] for one in phases] + [plot.times[-1] for plot in plots if plot.times]
    return round(max([1.0, *ends] if ends else [1.0, lasted]), 3)


def _marks(timeline: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Marks other than phases, which have their own chart."""
    found = [one for one in at(timeline, "marks") or () if one.get("kind") != "phase" and one.get("t") is not None]
    return sorted(found, key=lambda one: one["t"])[:_MAX_MARKS]


def _marks_table(marks: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            figure(number),
            figure(one["t"], clock),
            words(one.get("kind"), tone=_MARK_TONES.get(str(one.get("kind")), "")),
            words(one.get("text")),
        ]
        for number, one in enumerate(marks, start=1)
    ]
    return Table(
        id="marks",
        title="Events on the timeline",
        columns=columns("#No.", "#Time", "Kind", "~What"),
        rows=rows,
        note="The numbers match those in the plots. Times count from the start of the run.",
    )


def _no_plots(timeline: Mapping[str, Any] | None) -> str:
    cause = "no batch left measurements over time" if timeline else "the run has no timeline.json"
    return f"No data: {cause}."
