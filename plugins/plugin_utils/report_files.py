# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report: finds the attempt, and writes each file so that a failure of one does not lose the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.recorder import now_rfc3339
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import read_evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import (
    ResultsError,
    RunFolder,
    attempts_of,
    runs_in,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.junit import junit_xml
from ansible_collections.kubestress.core.plugins.module_utils.results.openmetrics import openmetrics_text
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from ansible_collections.kubestress.core.plugins.module_utils.results.timeline import build_timeline
from ansible_collections.kubestress.core.plugins.plugin_utils.page.render import render_page

#: Format -> file name, in the order in which they are written.
FILES = {"html": "report.html", "junit": "junit.xml", "metrics": "metrics.prom"}
#: Runs listed in an error message.
_NAMED_RUNS = 10


@dataclass(kw_only=True)
class Report:
    """The written files: `path` is summary.json, `files` are by format, `problems` has a line per failed format."""

    summary: dict[str, Any]
    path: Path
    files: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def find_attempt(run_results_dir: str, run_id: str, attempt: int | None) -> RunFolder:
    """The attempt of a run on disk, by default the newest. Raises ResultsError."""
    if not run_id:
        raise ResultsError("run_id is missing; name the run to report on, as in -e run_id=20260115-101500-k3f9")
    folder = Path(os.path.abspath(Path(run_results_dir).expanduser()))
    if not folder.is_dir():
        raise ResultsError(f"run_results_dir: folder {folder} does not exist")
    runs = runs_in(folder)
    if run_id not in runs:
        names = ", ".join(runs[:_NAMED_RUNS]) + (
            f" and {len(runs) - _NAMED_RUNS:,} more" if len(runs) > _NAMED_RUNS else ""
        )
        raise ResultsError(f"run_id: no run {run_id!r} in {folder}; runs there: {names or 'none'}")
    attempts = attempts_of(folder / run_id)
    if attempt is not None and attempt not in attempts:
        numbers = ", ".join(str(number) for number in attempts) or "none"
        raise ResultsError(f"report_attempt: run {run_id} has no attempt {attempt}; its attempts: {numbers}")
    if not attempts:
        raise ResultsError(f"run_id: run {run_id} in {folder} has no attempt")
    return RunFolder(root=folder / run_id, attempt=attempts[-1] if attempt is None else attempt)


def make_report(folder: RunFolder, *, error: str, slo_required: bool, formats: Sequence[str]) -> Report:
    """Write summary.json and timeline.json first, then the formats, so that a format that fails loses nothing else.

    `error` is what ended the play. It is kept in run.json for later reports. Raises ResultsError if a file cannot be
    read or written.
    """
    if error:
        folder.update_run(ended={"error": error, "at": now_rfc3339()})
    evidence = read_evidence(folder)
    summary = build_summary(evidence, error=error, slo_required=slo_required)
    report = Report(summary=summary, path=folder.write_summary(summary))
    timeline = build_timeline(evidence)
    # On one line: indented, each of thousands of numbers would have its own line.
    folder.write_report("timeline.json", json.dumps(timeline, ensure_ascii=False, separators=(",", ":")) + "\n")
    makers: Mapping[str, Callable[[], str]] = {
        "html": lambda: render_page(summary=summary, timeline=timeline, run=evidence.run),
        "junit": lambda: junit_xml(summary, slo_required=slo_required),
        "metrics": lambda: openmetrics_text(summary),
    }
    for name, file_name in FILES.items():
        text = _made(makers[name], file_name, report.problems) if name in formats else None
        if text is None:
            folder.drop_stale(file_name)
        else:
            report.files[name] = str(folder.write_report(file_name, text))
    return report


def _made(make: Callable[[], str], file_name: str, problems: list[str]) -> str | None:
    """The text; on any error None and a line in `problems`, because a rendering bug must not lose the figures."""
    try:
        return make()
    except Exception as error:
        problems.append(f"{file_name} could not be created: {' '.join(repr(error).split())}")
        return None
