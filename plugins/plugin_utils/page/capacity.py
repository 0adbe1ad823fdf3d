# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""capacity.html: what a capacity search found, as curves over the varied value, of the same parts as a run's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .capacity_tables import sections_of, steps_table
from .formats import count, date, length, milliseconds, number, seconds, seconds_from, things
from .live import Live, live_data, live_of
from .model import BAD, FAINT, GOOD, NO_DATA, Figure
from .plots import Limit, Plot, Series, as_data, shows_values
from .render import frame, shown_plot, template

Document = Mapping[str, Any]
#: Beside the first and the last value, as a share of what lies between them.
_MARGIN = 0.06
#: Seconds after which the page of a search that goes on loads itself again; it is written after each run.
_RELOAD_SECONDS = 10.0


def render_capacity(document: Document, *, written: str = "") -> str:
    """The whole page, from the document of capacity.json. Nothing in it can become markup or script.

    `written` (RFC 3339) is when, for the page of a search that goes on: it says so, and loads itself again.
    """
    live = _live(document, written) if document["state"] == "running" and written else None
    plots = _plots(document)
    begin, end = _axis(document)
    context = {
        **frame(),
        "name": str(document["capacity_id"]),
        "subtitle": _subtitle(document),
        "verdict": _verdict(document),
        "answer": _headline(document),
        "live": live_of(live),
        "sentences": _sentences(document),
        "reasons": _reasons(document),
        "notes": [*([document["error"]] if document["error"] else []), *document["notes"]],
        "figures": _figures(document),
        "steps": steps_table(document),
        "axis": f"Across: {knob_of(document)}. Of several runs of a step, the worst counts.",
        "plots": [shown_plot(plot) for plot in plots],
        "sections": sections_of(document),
        "data": {
            "begin": begin,
            "end": end,
            "along": "number",
            "phases": [],
            "marks": _marks(document),
            "plots": [as_data(plot) for plot in plots],
            "live": live_data(live),
        },
    }
    return template("capacity.html.j2").render(context) + "\n"


def _live(document: Document, written: str) -> Live:
    return Live(
        written=written,
        every_seconds=_RELOAD_SECONDS,
        what="search",
        otherwise=f"The same playbook with capacity_id={document['capacity_id']} takes it up where it was.",
        paced=False,
    )


def knob_of(document: Document) -> str:
    """What grows from step to step, for people."""
    return "the number of the step" if _by_number(document) else " and ".join(document["knob"])


def _by_number(document: Document) -> bool:
    """Whether the steps are dictionaries, which are drawn by their number."""
    return any(isinstance(value, Mapping) for value in document["asked"]["steps"])


def _subtitle(document: Document) -> list[str]:
    lasted = seconds_from(document["started"], document["finished"]) if document["finished"] else None
    parts = [
        "capacity of " + (" and ".join(document["knob"])),
        f"profile {document['profile']}" if document["profile"] else "",
        date(document["started"]),
        f"took {length(lasted)}" if lasted is not None else "",
    ]
    return [part for part in parts if part]


def _verdict(document: Document) -> str:
    if document["state"] == "running":
        return "running"
    if document["state"] != "ended" or _step_with(document, "unknown"):
        return "aborted"
    return "failed" if document["highest_safe"] is None else "passed"


def _headline(document: Document) -> str:
    """The answer in a few words."""
    safe, broke = (_label(document, document[name]) for name in ("highest_safe", "broke_at"))
    if safe and broke:
        return f"{safe} is safe, {broke} broke"
    refused = _step_with(document, "refused")
    if safe and refused:
        return f"{safe} is safe, {refused['label']} was refused"
    if safe:
        return f"{safe} is safe so far" if document["state"] != "ended" else f"{safe} is safe, nothing broke"
    if broke:
        return f"{broke} broke, nothing below was safe"
    return "Running" if document["state"] == "running" else "No answer"


def _label(document: Document, value: Any) -> str:
    return next((str(step["label"]) for step in document["steps"] if value is not None and step["value"] == value), "")


def _step_with(document: Document, verdict: str | None) -> Mapping[str, Any] | None:
    return next((step for step in document["steps"] if step["verdict"] == verdict), None)


def _sentences(document: Document) -> list[str]:
    asked, steps = document["asked"], document["steps"]
    names = " and ".join(document["knob"])
    finished = [step for step in steps if step["verdict"]]
    runs = things(asked["runs"], "run")
    raised = f"{names} {'were' if len(document['knob']) > 1 else 'was'} raised"
    first = f"{raised} in {things(len(finished), 'step')}, {runs} each, until one was not healthy."
    if document["broke_at"] is None:
        first = f"{raised} in {things(len(finished), 'step')}, {runs} each."
    sentences = [first] if finished else []
    going = _step_with(document, None)
    if going and document["state"] == "running":
        sentences.append(f"Now: {going['label']}, of {', '.join(_value(value) for value in asked['steps'])}.")
    return sentences


def _value(value: Any) -> str:
    return ", ".join(f"{name}={one}" for name, one in value.items()) if isinstance(value, Mapping) else number(value)


def _reasons(document: Document) -> list[str]:
    """Why it ended where it did: the reasons of the step that broke, or else of what could not be run."""
    for verdict in ("unknown", "broke", "refused"):
        step = _step_with(document, verdict)
        if step:
            return [f"At {step['label']}: {reason}" for reason in step["reasons"]]
    return []


def _figures(document: Document) -> list[Figure]:
    safe = _step_of(document, document["highest_safe"])
    broke = _step_of(document, document["broke_at"])
    figures = [
        _answer_figure("Highest safe value", safe, GOOD, "runs without a broken criterion"),
        _answer_figure("Broke at", broke, BAD, "the lowest value that was not healthy"),
    ]
    for name, key, text in (
        ("Pods at once", "pods_at_once", count),
        ("Failed pods", "pods_failed", count),
        ("Pod start-up p99", "startup_p99_s", seconds),
        ("API p99, changes", "api_p99_ms", milliseconds),
        ("Threads of a node", "threads_percent", _percent),
    ):
        here, there = (None if step is None else step["figures"].get(key) for step in (safe, broke))
        if here is None and there is None:
            continue
        value = text(here if safe is not None else there)
        detail = "at the highest safe value" if safe is not None else "where it broke"
        if safe is not None and broke is not None:
            detail += f"; {text(there)} where it broke"
        figures.append(Figure(name=name, value=value, detail=detail))
    return figures


def _answer_figure(name: str, step: Mapping[str, Any] | None, tone: str, detail: str) -> Figure:
    if step is None:
        return Figure(name=name, value="none", tone=FAINT)
    return Figure(name=name, value=str(step["label"]), detail=detail, tone=tone)


def _percent(value: float | None) -> str:
    return NO_DATA if value is None else f"{value:g} %"


def _step_of(document: Document, value: Any) -> Mapping[str, Any] | None:
    return next((step for step in document["steps"] if value is not None and step["value"] == value), None)


# -- curves ----------------------------------------------------------------------------------------------------------


def _axis(document: Document) -> tuple[float, float]:
    """Begin and end of the axis: all steps that were asked for or run, and a margin."""
    asked = document["asked"]["steps"]
    given = range(1, len(asked) + 1) if _by_number(document) else asked
    places = [*given, *(step["position"] for step in document["steps"])]
    margin = (max(places) - min(places)) * _MARGIN or 1
    return round(min(places) - margin, 6), round(max(places) + margin, 6)


def _plots(document: Document) -> list[Plot]:
    measured = [step for step in document["steps"] if step["figures"]]
    if not measured:
        return []

    def line(name: str, key: str) -> Series:
        return Series(name=name, values=[step["figures"].get(key) for step in measured])

    def limit(setting: str) -> list[Limit]:
        value = document["limits"][setting]
        return [Limit(name="allowed", value=value)] if value > 0 else []

    described: list[dict[str, Any]] = [
        {
            "id": "plot-startup", "title": "Pod start-up", "unit": "seconds",
            "series": [line("p50", "startup_p50_s"), line("p99", "startup_p99_s")],
            "limits": limit("capacity_max_startup_p99"),
        },
        {
            "id": "plot-failures", "title": "What failed", "unit": "pods",
            "series": [line("failed pods", "pods_failed"), line("failed forks", "fork_failures"),
                       line("failed sandboxes", "sandbox_failures")],
            "note": "Pods, and Warnings about forks and sandboxes.",
        },
        {
            "id": "plot-threads", "title": "Threads of the node that came closest to its limit", "unit": "percent",
            "series": [line("of its limit", "threads_percent")], "limits": limit("capacity_max_node_threads"),
        },
        {
            "id": "plot-api", "title": "API requests that create or change", "unit": "ms",
            "series": [line("p50", "api_p50_ms"), line("p99", "api_p99_ms")],
            "limits": limit("capacity_max_api_p99"),
        },
        {
            "id": "plot-pods", "title": "Pods of Jobs at once, most", "unit": "pods",
            "series": [line("pods", "pods_at_once")],
        },
        {
            "id": "plot-length", "title": "Length of a run", "unit": "seconds", "series": [line("length", "length_s")],
        },
    ]  # fmt: skip
    times = [step["position"] for step in measured]
    plots = [Plot(**one, times=times, along=number, axis=_axis_name(document)) for one in described]
    return [plot for plot in plots if shows_values(plot)]


def _axis_name(document: Document) -> str:
    return "step" if _by_number(document) else " and ".join(document["knob"])


def _marks(document: Document) -> list[dict[str, Any]]:
    """The answer, drawn into every plot."""
    marks = []
    for name, kind, word in (("highest_safe", "safe", "safe"), ("broke_at", "failure", "broke")):
        step = _step_of(document, document[name])
        if step is not None:
            marks.append({"t": step["position"], "kind": kind, "label": word})
    return marks
