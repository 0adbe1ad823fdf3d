# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was expected of the build jobs beside what was seen: when they came forward, and the processes of nodes. Pure.

What is expected follows from the settings (plan.expectation, as the batch wrote it down) and from the pods' start-up as
this run measured it. What was not seen has a cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .evidence import Document, Evidence
from .times import epoch_seconds

#: The timeline of the documents of the scripts that this collection replaces, in seconds. It contradicts the lengths
#: of the phases in the same documents: compilation cannot begin before 7 s of the other phases.
DOCUMENTED = {"first_pod": 5, "first_busy": 10, "first_finished": 60, "first_removed": 300}
_STOPPED = "the run ended before it"


def expected_and_seen(evidence: Evidence, summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """`roles`, each with `milestones`, and `nodes`; None if no batch had pods whose phases are known.

    `summary` has the merged figures of pods, processes and nodes.
    """
    builds = [(batch, row) for batch in evidence.batches for row in batch.get("builds") or ()]
    if not builds:
        return None
    startup, stage = _startup(summary)
    settings = evidence.run.get("settings") or {}
    roles = [_role(batch, row, startup=startup, settings=settings, summary=summary) for batch, row in builds]
    return {
        "startup_p50_s": startup,
        "startup_stage": stage,
        "roles": roles,
        "nodes": _nodes([row["expected"] for _batch, row in builds], summary),
        "nodes_cause": _nodes_cause(summary),
    }


def _startup(summary: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """The median start-up of Jobs' pods, by this machine's clock if it was watched, and which stage that is."""
    stages = (summary["pods"].get("startup") or {}).get("job") or {}
    for stage in ("watched", "total"):
        if (stages.get(stage) or {}).get("p50_s") is not None:
            return stages[stage]["p50_s"], stage
    return None, None


def _role(
    batch: Document,
    row: Mapping[str, Any],
    *,
    startup: float | None,
    settings: Mapping[str, Any],
    summary: Mapping[str, Any],
) -> dict[str, Any]:
    expected, seen = row["expected"], row["seen"]
    rounds = expected["rounds"]
    unseen = row.get("cause") or (_STOPPED if _was_cut_short(batch) else None)
    busy_at, busy_cause = _first_busy(row, summary)
    ttl = settings.get("build_jobs_ttl") if row["role"] == "build_jobs" else None
    milestones = [
        _milestone("first_pod", _AT_ONCE, startup, 1, seen["first_pod_s"], unseen or "no pod was seen running"),
        _milestone("first_busy", expected["first_busy_s"], startup, 1, busy_at, busy_cause),
        _milestone(
            "first_finished", expected["first_finished_s"], startup, 1, seen["first_finished_s"],
            unseen or "no pod was seen to succeed",
        ),
        _milestone(
            "all_finished", expected["all_finished_s"], startup, rounds,
            None if _was_cut_short(batch) or batch.get("aborted") else seen["all_finished_s"],
            unseen or "not all Jobs ended",
        ),
        *_removal(expected, seen, startup=startup, ttl=ttl),
    ]  # fmt: skip
    known = ("pods", "pods_at_once", "rounds", "processes_busy", "processes_mean")
    return {"role": row["role"], **{name: expected.get(name) for name in known}, "milestones": milestones}


#: What begins with the first pod needs nothing but its start-up.
_AT_ONCE = {"earliest": 0.0, "likely": 0.0, "latest": 0.0}


def _milestone(
    name: str,
    span: Mapping[str, float] | None,
    startup: float | None,
    rounds: int,
    seen: float | None,
    cause: str | None,
) -> dict[str, Any]:
    """One row: what is expected with the start-up of each round, and when it was seen, in seconds."""
    added = (startup or 0.0) * rounds
    expected = {
        f"{word}_s": None if span is None or startup is None else round(span[word] + added, 1)
        for word in ("earliest", "likely", "latest")
    }
    return {
        "name": name,
        **expected,
        "seen_s": None if seen is None else round(seen, 1),
        "documented_s": DOCUMENTED.get(name),
        "cause": cause if seen is None else None,
    }


def _removal(
    expected: Mapping[str, Any], seen: Mapping[str, Any], *, startup: float | None, ttl: Any
) -> list[dict[str, Any]]:
    """The first Job that its TTL removes: the TTL after its end."""
    if not isinstance(ttl, int | float):
        return []
    span = {word: seconds + ttl for word, seconds in expected["first_job_s"].items()}
    rounds, cause = expected["first_job_rounds"], "the run ended before any TTL"
    return [_milestone("first_removed", span, startup, rounds, seen.get("first_removed_s"), cause)]


def _was_cut_short(batch: Document) -> bool:
    return not batch.get("finished")


def _first_busy(row: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """When a kubelet first counted the processes of a compiling pod, in seconds from the first Job; or why none did."""
    found = summary["processes"]["per_build_pod"]
    if row.get("cause"):
        return None, row["cause"]
    first, began = epoch_seconds(found.get("first")), epoch_seconds(row.get("began"))
    if first is None or began is None:
        return None, found.get("cause") or "no kubelet counted the processes of a build pod"
    return max(0.0, first - began), None


def _nodes(expected: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each node whose kubelet counted: build pods at once, the processes that they mean, and the rise of threads."""
    busy = max((one["processes_busy"] or 0 for one in expected), default=0)
    mean = max((one["processes_mean"] or 0.0 for one in expected), default=0.0)
    # A kubelet counts pods of other Jobs too, such as those that check the Services.
    at_once = sum(one["pods_at_once"] for one in expected)
    rows = []
    for node in (summary.get("nodes") or {}).get("nodes") or ():
        pods, peak, low = node.get("build_pods_peak"), node.get("threads_peak"), node.get("threads_low")
        if not pods or not busy:
            continue
        pods = min(pods, at_once)
        rows.append(
            {
                "name": node["name"],
                "build_pods_peak": pods,
                "likely": round(pods * mean),
                "most": round(pods * busy),
                "threads_low": low,
                "threads_peak": peak,
                "rise": None if peak is None or low is None else peak - low,
                "max_threads": node.get("max_threads"),
            }
        )
    return rows


def _nodes_cause(summary: Mapping[str, Any]) -> str | None:
    nodes = summary.get("nodes")
    if nodes is None:
        return "nodes were not observed"
    return nodes.get("cause") or summary["processes"]["per_build_pod"].get("cause")
