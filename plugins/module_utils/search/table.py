# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A capacity search as lines of text: what it would run, what it runs now, and what it found. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..results.table import BAD, FAINT, GOOD, PLAIN, WARN, Line, columns, heading, shortened, wrapped
from ..text import duration_text
from .document import Document, Upcoming, is_answered, verdicts_of
from .progress import BROKE, REFUSED, SAFE, UNKNOWN, Search, most_runs

TONES = {SAFE: GOOD, BROKE: BAD, REFUSED: WARN, UNKNOWN: BAD}
NO_DATA = "-"
#: A step that is a dictionary has a long name.
_LABEL = 40


def step_line(document: Document, search: Search, run: Upcoming) -> Line:
    """The heading of a run, before it begins."""
    more = f", run {run.number} of {search.runs}" if search.runs > 1 else ""
    again = ", again after an interruption" if run.clean_first and not document["named"] else ""
    only = ", which only has to be cleaned up" if run.clean_only else ""
    bisected = ", between two steps" if run.step.bisected else ""
    return heading(f"capacity {search.id}: {search.name} {run.step.label}{bisected}{more}{again}{only}")


def search_lines(document: Document, search: Search, *, files: Mapping[str, str]) -> list[Line]:
    """The table of the steps, the answer, and where the files are."""
    lines = [heading(f"capacity {document['capacity_id']}: {search.name}")]
    lines += _steps(document["steps"])
    lines += _fact("answer", document["answer"], GOOD if is_answered(document) else BAD)
    if document["cause"]:
        lines += _fact("cause", document["cause"], BAD if document["broke_at"] is not None else WARN)
    if document["error"]:
        lines += _fact("broken off", document["error"], BAD)
    for note in document["notes"]:
        lines += _fact("note", note, WARN)
    left = most_runs(search, verdicts_of(document))
    if document["state"] != "ended" and left:
        lines += _fact(
            "left", f"{left:,} runs at most; capacity_id={document['capacity_id']} resumes the search", FAINT
        )
    return lines + [Line(f"  {what:<10} {where}", FAINT) for what, where in files.items()]


def _steps(steps: Sequence[Mapping[str, Any]]) -> list[Line]:
    if not steps:
        return [Line("  no step was begun", FAINT)]
    rows: list[tuple[str, ...]] = [
        ("step", "verdict", "runs", "pods", "failed", "forks", "start-up p99", "API p99", "threads", "length")
    ]
    rows += [_row(step) for step in steps]
    first, *texts = columns(rows, align="rlrrrrrrrr")
    tones = [TONES.get(step["verdict"], PLAIN) for step in steps]
    return [Line(first, FAINT), *(Line(text, tone) for text, tone in zip(texts, tones, strict=True))]


def _row(step: Mapping[str, Any]) -> tuple[str, ...]:
    figures = step["figures"]
    share = figures.get("threads_percent")
    return (
        shortened(step["label"], _LABEL),
        step["verdict"] or "unfinished",
        str(len(step["runs"])),
        _count(figures.get("pods_at_once")),
        _count(figures.get("pods_failed")),
        _count(figures.get("fork_failures")),
        _duration(figures.get("startup_p99_s")),
        NO_DATA if figures.get("api_p99_ms") is None else f"{figures['api_p99_ms']:,.0f} ms",
        NO_DATA if share is None else f"{share:g} %",
        _duration(figures.get("length_s")),
    )


def _count(value: float | None) -> str:
    return NO_DATA if value is None else f"{value:,}"


def _duration(seconds: float | None) -> str:
    return NO_DATA if seconds is None else duration_text(seconds)


def _fact(name: str, text: str, tone: str = PLAIN) -> list[Line]:
    first, *rest = wrapped(text, indent=13)
    return [Line(f"  {name:<10} {first.strip()}", tone), *(Line(part, tone) for part in rest)]


def plan_lines(search: Search, checks: Sequence[Mapping[str, Any]], *, folder: str) -> list[Line]:
    """What check mode shows: the runs, their lengths, and what preflight says of each.

    `checks` has for each run `run_id`, `label`, `error`, and `preflight`, which is empty where it could not be asked.
    """
    lines = [heading(f"capacity {search.id}: {search.name}, check mode: nothing is created")]
    if not checks:
        return [*lines, Line("  nothing is left to be run", FAINT)]
    rows = [("step", "run id", "pods", "expected length", "preflight")]
    lengths = [_expected(check) for check in checks]
    for check, seconds in zip(checks, lengths, strict=True):
        pods = (check["preflight"].get("demand") or {}).get("pods_at_peak")
        verdict = "refuses it" if check["error"] else "accepts it"
        rows.append((shortened(check["label"], _LABEL), check["run_id"], _count(pods), _duration(seconds), verdict))
    first, *texts = columns(rows, align="rlrrl")
    tones = [WARN if check["error"] else PLAIN for check in checks]
    lines += [Line(first, FAINT), *(Line(text, tone) for text, tone in zip(texts, tones, strict=True))]
    known = [seconds for seconds in lengths if seconds is not None]
    waits = search.settle_seconds * (len(checks) - (0 if search.gather else 1))
    if len(known) == len(checks):
        lines += _fact("length", f"{duration_text(sum(known) + waits)} if nothing breaks, and the cleanup of each run")
    if search.bisect:
        more = most_runs(search, {}) - len(search.steps) * search.runs
        lines += _fact("bisection", f"{more:,} more runs at most, between the last safe value and the one that broke")
    for check in checks:
        if check["error"]:
            lines += _fact("stop", f"{check['label']}: {check['error']}", WARN)
            break
    return [*lines, Line(f"  {'results':<10} {folder}", FAINT)]


def _expected(check: Mapping[str, Any]) -> float | None:
    """Seconds that the run's parts take one after the other; None where none of them has an expected length."""
    fragments = (check["preflight"].get("demand") or {}).get("fragments") or ()
    known = [one["expected_seconds"] for one in fragments if one["expected_seconds"] is not None]
    return sum(known) if known else None
