# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""summary.json: made from what batches and observers of an attempt left behind, whether or not they came to an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..measure.recorder import now_rfc3339
from ..measure.sli import service_levels
from ..measure.validity import validity_of
from .evidence import SCHEMA, Evidence
from .merge import (
    merged_client,
    merged_jobs,
    merged_namespaces,
    merged_objects,
    merged_pods,
    merged_processes,
    merged_rate,
    merged_requests,
    merged_statefulsets,
)
from .merge_observations import merged_api_server, merged_events, merged_nodes, merged_skew
from .verdict import verdict_of

#: Warnings of batches and observers that are shown.
_MAX_WARNINGS = 10


def build_summary(evidence: Evidence, *, error: str = "", slo_required: bool = False) -> dict[str, Any]:
    """The document of summary.json.

    `error` is what ended the play early; where it is empty, what an earlier report of this attempt was told counts.
    `slo_required`: a service level that was missed is a reason to fail.
    """
    run, batches = evidence.run, evidence.batches
    error = error or str((run.get("ended") or {}).get("error") or "")
    # With an error at hand, "nothing was measured" is no news.
    stopped = [] if error and not batches and not evidence.observations else evidence.stopped
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "run_id": run["run_id"],
        "attempt": run["attempt"],
        "profile": run.get("profile"),
        "verdict": "",
        "reasons": [],
        "started": run.get("started") or _first_start(evidence),
        "finished": _finished(evidence, cut_short=bool(stopped or error)),
        "settings_hash": run.get("settings_hash"),
        **_figures(evidence),
        "slo": [],
        "validity": {},
        "phases": [
            {"role": phase["role"], "seconds": phase["seconds"]}
            for batch in batches
            for phase in batch.get("phases", ())
        ],
    }
    summary["slo"] = service_levels(summary["api_server"], summary["pods"]["startup"])
    summary["verdict"], summary["reasons"] = verdict_of(
        summary, batches, stopped=stopped, error=error, slo_required=slo_required
    )
    summary["validity"] = validity_of(
        summary, broken=[*stopped, *evidence.doubts], warnings=warnings_of(evidence), kinds=_node_kinds(run)
    )
    return summary


def _figures(evidence: Evidence) -> dict[str, Any]:
    """What was measured, each part by whoever measured it."""
    batches, loads, observations = evidence.batches, evidence.loads, evidence.observations
    return {
        "objects": merged_objects(batches),
        "requests": merged_requests(batches),
        "rate": merged_rate(loads),
        "client": merged_client(batches),
        "jobs": merged_jobs(loads),
        "statefulsets": merged_statefulsets(loads),
        "pods": merged_pods(loads),
        # Older batches counted processes themselves.
        "processes": merged_processes([*batches, *observations]),
        "api_server": merged_api_server(observations),
        "nodes": merged_nodes(observations),
        "events": merged_events(observations),
        "skew": merged_skew(observations),
        "namespaces": merged_namespaces(batches),
    }


def _first_start(evidence: Evidence) -> str | None:
    return min((one["started"] for one in (*evidence.batches, *evidence.observations)), default=None)


def _finished(evidence: Evidence, *, cut_short: bool) -> str:
    """The end of the last batch, or of the last observation; of what was cut short, the last that is known of it."""
    documents = evidence.batches or evidence.observations
    ends = [one["finished"] for one in documents if one.get("finished")]
    if ends and not cut_short:
        return str(max(ends))
    ended = (evidence.run.get("ended") or {}).get("at")
    return str(ended or evidence.last_written or now_rfc3339())


def _node_kinds(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(((run.get("cluster") or {}).get("nodes") or {}).get("kinds", ()))


def warnings_of(evidence: Evidence) -> list[str]:
    """What batches and observers warned of, each once, the first ten."""
    every = (text for one in (*evidence.batches, *evidence.observations) for text in one.get("warnings") or ())
    return list(dict.fromkeys(every))[:_MAX_WARNINGS]
