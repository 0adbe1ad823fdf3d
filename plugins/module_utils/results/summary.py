# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""summary.json: built from the measurements of an attempt, finished or not; and its shorter forms. Pure.

Ansible keeps results in memory and AWX keeps artifacts in its database, so neither gets the whole document:
`bounded` is what the task returns, `statistics` what goes out as custom statistics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..measure.recorder import now_rfc3339
from ..measure.sli import service_levels
from ..measure.validity import validity_of
from .evidence import SCHEMA, Evidence
from .expected import expected_and_seen
from .merge import (
    merged_client,
    merged_controllers,
    merged_guard,
    merged_jobs,
    merged_namespaces,
    merged_objects,
    merged_outages,
    merged_pods,
    merged_rate,
    merged_requests,
    merged_statefulsets,
)
from .merge_accelerator_jobs import merged_accelerator_jobs
from .merge_connectivity import merged_connectivity
from .merge_network import merged_network
from .merge_observations import merged_api_server, merged_events, merged_nodes, merged_processes, merged_skew
from .merge_volumes import merged_volumes
from .verdict import RUNNING, stopped_by, verdict_of

Summary = Mapping[str, Any]

#: Warnings of batches and observers that go into the statements on validity.
_MAX_WARNINGS = 10
#: Namespaces in the bounded summary.
MAX_NAMESPACES = 20
#: Size limit of the custom statistics, as JSON.
MAX_STATISTICS_BYTES = 200_000
_HISTOGRAMS = frozenset({"histogram", "buckets"})
_FAILED_PODS = 5
_ROWS = 20


def build_summary(
    evidence: Evidence, *, error: str = "", slo_required: bool = False, running: bool = False
) -> dict[str, Any]:
    """The document of summary.json.

    `error` is what ended the play early; if it is empty, the one that an earlier report kept in run.json counts.
    `slo_required`: a missed service level fails the run. `running`: the run goes on, so there is no verdict yet, and
    measurements without an end are as they should be; such a summary is for the page alone and is never written.
    """
    run, batches = evidence.run, evidence.batches
    error = error or str((run.get("ended") or {}).get("error") or "")
    refusals = (run.get("preflight") or {}).get("problems") or ()
    # If the play ended with an error, "nothing was measured" adds nothing to it.
    stopped = [] if running or (error and not batches and not evidence.observations) else evidence.stopped
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "run_id": run["run_id"],
        "attempt": run["attempt"],
        "profile": run.get("profile"),
        "verdict": "",
        "reasons": [],
        "stopped_by": None if running else stopped_by(batches),
        "started": run.get("started") or _first_start(evidence),
        "finished": None if running else _finished(evidence, cut_short=bool(stopped or error)),
        "settings_hash": run.get("settings_hash"),
        **_figures(evidence),
        "expected": None,
        "slo": [],
        "validity": {},
        "phases": [
            {"role": phase["role"], "seconds": phase["seconds"]}
            for batch in batches
            for phase in batch.get("phases", ())
        ],
    }
    summary["expected"] = expected_and_seen(evidence, summary)
    summary["slo"] = service_levels(summary["api_server"], summary["pods"]["startup"])
    if running:
        summary["verdict"] = RUNNING
    else:
        summary["verdict"], summary["reasons"] = verdict_of(
            summary,
            batches,
            stopped=stopped,
            # The message of a refusal is shortened for the screen.
            errors=[f"preflight: {text}" for text in refusals if error.startswith("preflight: ")] or [error],
            slo_required=slo_required,
        )
    broken = [] if running else [*stopped, *evidence.doubts]
    summary["validity"] = validity_of(summary, broken=broken, warnings=warnings_of(evidence), kinds=_node_kinds(run))
    return summary


def _figures(evidence: Evidence) -> dict[str, Any]:
    """The measured parts of the summary, each merged from its own source."""
    batches, loads, observations = evidence.batches, evidence.loads, evidence.observations
    return {
        "objects": merged_objects(batches),
        "requests": merged_requests(batches),
        "rate": merged_rate(loads),
        "outages": merged_outages(batches),
        "controllers": merged_controllers(batches),
        "guard": merged_guard(batches),
        "client": merged_client(batches),
        "jobs": merged_jobs(loads),
        "statefulsets": merged_statefulsets(loads),
        "pods": merged_pods(loads),
        "connectivity": merged_connectivity(batches),
        "volumes": merged_volumes(batches),
        "accelerator_jobs": merged_accelerator_jobs(batches),
        "processes": merged_processes(observations),
        "api_server": merged_api_server(observations),
        "nodes": merged_nodes(observations),
        "network_operations": merged_network(observations),
        "events": merged_events(observations),
        "skew": merged_skew(observations),
        "namespaces": merged_namespaces(batches),
    }


def _first_start(evidence: Evidence) -> str | None:
    return min((one["started"] for one in (*evidence.batches, *evidence.observations)), default=None)


def _finished(evidence: Evidence, *, cut_short: bool) -> str:
    """When the last batch ended, or the last observation if there was no batch.

    For a run that was cut short: when the play ended with an error, or when a file was last written.
    """
    documents = evidence.batches or evidence.observations
    ends = [one["finished"] for one in documents if one.get("finished")]
    if ends and not cut_short:
        return str(max(ends))
    ended = (evidence.run.get("ended") or {}).get("at")
    return str(ended or evidence.last_written or now_rfc3339())


def _node_kinds(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(((run.get("cluster") or {}).get("nodes") or {}).get("kinds", ()))


def warnings_of(evidence: Evidence) -> list[str]:
    """The first ten warnings of batches and observers, without repeats."""
    every = (text for one in (*evidence.batches, *evidence.observations) for text in one.get("warnings") or ())
    return list(dict.fromkeys(every))[:_MAX_WARNINGS]


def bounded(summary: Summary) -> dict[str, Any]:
    """The summary without the parts that grow with the run: histograms, long lists, namespaces that went well."""
    small = _shorter_lists(_without_histograms(summary))
    return {**small, "namespaces": _failing(summary)[:MAX_NAMESPACES]}


def statistics(summary: Summary) -> dict[str, Any]:
    """The whole summary if it fits into MAX_STATISTICS_BYTES, else without the parts that `left_out` names.

    The least useful parts go first. All of them are in summary.json.
    """
    document, left_out = dict(summary), list[str]()
    for what, shorten in _steps():
        if len(json.dumps(document, ensure_ascii=False).encode()) <= MAX_STATISTICS_BYTES:
            break
        document = shorten(document)
        left_out.append(what)
    return {**document, "left_out": left_out} if left_out else document


def _steps() -> Iterator[tuple[str, Callable[[Summary], dict[str, Any]]]]:
    yield "namespaces without failures", lambda document: {**document, "namespaces": _failing(document)}
    yield "histograms and buckets", _without_histograms
    yield f"rows of lists after the first {_ROWS}", _shorter_lists
    yield (
        f"namespaces after the first {MAX_NAMESPACES}",
        lambda document: {
            **document,
            "namespaces": document["namespaces"][:MAX_NAMESPACES],
        },
    )


def _failing(summary: Summary) -> list[dict[str, Any]]:
    failing = [row for row in summary["namespaces"] if row["jobs_failed"] or row["pods_failed"]]
    return [{**row, "failed_pods": row["failed_pods"][:_FAILED_PODS]} for row in failing]


def _without_histograms(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_histograms(entry) for key, entry in value.items() if key not in _HISTOGRAMS}
    if isinstance(value, list):
        return [_without_histograms(entry) for entry in value]
    return value


def _shorter_lists(summary: Summary) -> dict[str, Any]:
    """Cut the lists that grow with the cluster: nodes, API server resources, service levels, events."""
    document = dict(summary)
    document["slo"] = document["slo"][:_ROWS]
    for part, names in (
        ("api_server", ("sli", "etcd", "flow_control")),
        ("nodes", ("nodes",)),
        ("network_operations", ("hours", "minutes")),
        ("events", ("warnings",)),
        ("outages", ("list",)),
        ("controllers", ("silences",)),
        ("accelerator_jobs", ("waits", "pools", "unschedulable")),
    ):
        if document.get(part):
            shortened = {name: document[part][name][:_ROWS] for name in names}
            document[part] = {**document[part], **shortened}
    return document
