# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a capacity search, and what the files of one of its runs tell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.capacity.rows import OVER
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.machine.sync import exclusive
from ansible_collections.kubestress.core.plugins.module_utils.measure.recorder import now_rfc3339
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence, read_evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import (
    ResultsError,
    read_json,
    write_json,
    write_text,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.verdict import ABORTED
from ansible_collections.kubestress.core.plugins.module_utils.search.document import MEASURED, Document, Result
from ansible_collections.kubestress.core.plugins.module_utils.search.figures import figures_of
from ansible_collections.kubestress.core.plugins.module_utils.search.progress import REFUSED, UNKNOWN
from ansible_collections.kubestress.core.plugins.plugin_utils.page.capacity import render_capacity
from ansible_collections.kubestress.core.plugins.plugin_utils.playbook import playbook_process
from ansible_collections.kubestress.core.plugins.plugin_utils.report_files import find_attempt

#: The process of the playbook that runs the search.
OWNER_FILE = ".playbook.process"
#: The guard stops a run because of what it measured; who else stops one leaves nothing to judge.
_GUARD = "guard"


@dataclass(frozen=True, kw_only=True)
class SearchFolder:
    """RUN_RESULTS_DIR/capacity-ID, absolute; `runs_dir` is the folder of all runs."""

    runs_dir: Path
    path: Path

    @classmethod
    def of(cls, run_results_dir: str, search_id: str) -> SearchFolder:
        """The folder of a search; `~` is expanded."""
        runs_dir = Path(os.path.abspath(Path(run_results_dir).expanduser()))
        return cls(runs_dir=runs_dir, path=runs_dir / f"capacity-{search_id}")

    @property
    def files(self) -> dict[str, str]:
        """The files' paths by what they are."""
        return {"figures": str(self.path / "capacity.json"), "page": str(self.path / "capacity.html")}

    def claim(self) -> None:
        """Note that this playbook runs the search.

        Raises ResultsError while another one does, since both would make and remove the same runs, and if it cannot be
        noted.
        """
        mine = playbook_process() or Process.of(os.getpid())
        owner = self.path / OWNER_FILE
        self._make()
        try:
            with exclusive(self.path / f"{OWNER_FILE}.lock"):
                other = Process.load(owner)
                if other is None or other == mine or not other.alive:
                    if mine is not None:
                        mine.save(owner)
                    return
        except OSError as error:
            raise ResultsError(f"cannot write to the results folder {self.path}: {error.strerror or error}") from error
        raise ResultsError(
            f"capacity_id: the search {self.path.name.removeprefix('capacity-')} is still run by another playbook, "
            f"process {other.pid}; let it end, or give this one another capacity_id"
        )

    def read(self) -> Document | None:
        """capacity.json; None if there is none. Raises ResultsError if it cannot be read."""
        path = self.path / "capacity.json"
        return read_json(path) if path.exists() else None

    def write(self, document: Document) -> None:
        """Write capacity.json, then the page: one that cannot be made must not lose the figures.

        Raises ResultsError.
        """
        self._make()
        write_json(self.path / "capacity.json", document)
        write_text(self.path / "capacity.html", render_capacity(document, written=now_rfc3339()))

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"cannot create the results folder {self.path}: {error.strerror or error}") from error


def result_of(runs_dir: Path, run_id: str) -> Result:
    """What the files of a run's newest attempt tell. Raises ResultsError if they cannot be read."""
    folder = find_attempt(str(runs_dir), run_id, None)
    summary = read_json(folder.attempt_dir / "summary.json")
    evidence = read_evidence(folder)
    outcome, causes = _outcome(summary, evidence)
    rows = (evidence.run.get("preflight") or {}).get("rows") or ()
    return Result(
        outcome=outcome,
        causes=causes,
        over=[
            f"{row['name']}: {row['needed_text']} needed, {row['offered_text']} offered"
            for row in rows
            if row["verdict"] == OVER
        ],
        verdict=summary["verdict"],
        reasons=summary["reasons"],
        figures=figures_of(summary),
        attempt=summary["attempt"],
        started=summary["started"],
        finished=summary["finished"],
    )


def _outcome(summary: Mapping[str, Any], evidence: Evidence) -> tuple[str, list[str]]:
    """Whether the run can be judged, and if not, why."""
    if summary["verdict"] != ABORTED:
        return MEASURED, []
    refusals = list((evidence.run.get("preflight") or {}).get("problems") or ())
    if not evidence.batches and refusals:
        return REFUSED, refusals
    stopped_by = summary.get("stopped_by")
    if not evidence.batches or evidence.stopped or stopped_by not in (None, _GUARD):
        return UNKNOWN, list(summary["reasons"])
    return MEASURED, []
