# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""summary.json: made from what the batches of an attempt left behind, whether or not they came to their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..measure.recorder import now_rfc3339
from .folder import ResultsError, RunFolder, read_json
from .merge import (
    Batch,
    merged_jobs,
    merged_namespaces,
    merged_objects,
    merged_pods,
    merged_processes,
    merged_rate,
    merged_requests,
)
from .verdict import roles_of, verdict_of

SCHEMA = 1
#: Namespaces that the bounded summary lists.
MAX_NAMESPACES = 20
#: What a measurements file must have; the rest may be missing where a batch was cut short.
_MUST_HAVE = ("schema", "started")


def read_batches(folder: RunFolder) -> tuple[list[Batch], list[str]]:
    """(measurements in the order they were begun, one line for each that is missing or half)."""
    batches, stopped = [], []
    for path in sorted(folder.batches_dir.glob("*.json")):
        try:
            batch = read_json(path)
        except ResultsError as error:
            stopped.append(f"measurements are lost: {error}")
            continue
        missing = [key for key in _MUST_HAVE if key not in batch]
        if missing or batch["schema"] != SCHEMA:
            stopped.append(f"measurements are lost: {path} is not of schema {SCHEMA}")
            continue
        batches.append(batch)
        if not batch.get("finished"):
            stopped.append(f"{roles_of(batch)}: the batch did not come to its end; what it measured until then is here")
    if not batches and not stopped:
        stopped.append(f"no batch has left measurements in {folder.batches_dir}: the run ended before its first one")
    return sorted(batches, key=lambda batch: str(batch["started"])), stopped


def summarize(folder: RunFolder, *, error: str = "") -> dict[str, Any]:
    """The summary of an attempt from its files; `error` is what ended the play early. Raises ResultsError."""
    run = folder.read_run()
    batches, stopped = read_batches(folder)
    if not error and not batches:
        return build_summary(run, batches, stopped=stopped, error="")
    # With an error at hand, "nothing was measured" is no news.
    return build_summary(run, batches, stopped=stopped if batches else [], error=error)


def build_summary(
    run: Mapping[str, Any], batches: Sequence[Batch], *, stopped: Sequence[str], error: str
) -> dict[str, Any]:
    """The document of summary.json. `run` is run.json, which has settings_hash, started, profile and the like."""
    finished = [batch["finished"] for batch in batches if batch.get("finished")]
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "run_id": run["run_id"],
        "attempt": run["attempt"],
        "profile": run.get("profile"),
        "verdict": "",
        "reasons": [],
        "started": run.get("started") or min((batch["started"] for batch in batches), default=None),
        "finished": max(finished) if finished and not stopped and not error else now_rfc3339(),
        "settings_hash": run.get("settings_hash"),
        "objects": merged_objects(batches),
        "requests": merged_requests(batches),
        "rate": merged_rate(batches),
        "jobs": merged_jobs(batches),
        "pods": merged_pods(batches),
        "processes": merged_processes(batches),
        "namespaces": merged_namespaces(batches),
        "slo": [],
        "phases": [
            {"role": phase["role"], "seconds": phase["seconds"]}
            for batch in batches
            for phase in batch.get("phases", ())
        ],
    }
    summary["verdict"], summary["reasons"] = verdict_of(summary, batches, stopped=stopped, error=error)
    return summary


def bounded(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary without what grows with the run: no histograms, and only the first namespaces with failures."""
    failing = [row for row in summary["namespaces"] if row["jobs_failed"] or row["pods_failed"]]
    return {
        **summary,
        "requests": {
            verb: {
                kind: {name: value for name, value in row.items() if name != "histogram"} for kind, row in kinds.items()
            }
            for verb, kinds in summary["requests"].items()
        },
        "namespaces": [{**row, "failed_pods": row["failed_pods"][:5]} for row in failing[:MAX_NAMESPACES]],
    }


def notes_on(folder: RunFolder) -> list[str]:
    """What one must know to read the figures: simulated nodes, and what the batches warned of. Raises ResultsError."""
    batches, _stopped = read_batches(folder)
    if not batches:
        return []
    nodes = ((folder.read_run().get("cluster") or {}).get("nodes") or {}).get("kinds", ())
    notes = []
    if any(kind.get("simulated") for kind in nodes):
        notes.append(
            "nodes are simulated: their pods ran nothing, nothing was really killed, and what they show of processes "
            "and memory is no evidence"
        )
    return notes + [warning for batch in batches for warning in batch.get("warnings", ())][:10]
