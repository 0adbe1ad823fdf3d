"""Capacity searches without a cluster: settings, what runs have shown, and a cluster that breaks at a known value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.search import document as books
from ansible_collections.kubestress.core.plugins.module_utils.search.document import MEASURED, Document, Result
from ansible_collections.kubestress.core.plugins.module_utils.search.progress import Search
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES

NOW = "2026-11-22T02:00:00Z"
LATER = "2026-11-22T03:00:00Z"


def settings(**changed: Any) -> dict[str, Any]:
    """The role's settings at their defaults, but for what is given without the prefix capacity_."""
    defaults = {setting.name: setting.default for setting in ROLES["capacity"].settings}
    return defaults | {f"capacity_{name}": value for name, value in changed.items()}


def search(**changed: Any) -> Search:
    """A search with these settings."""
    return Search.of(settings(**changed), search_id=changed.get("id") or "s1")


def figures(**changed: Any) -> dict[str, Any]:
    """Those of a healthy run."""
    return {
        "length_s": 30.0,
        "pods_at_once": 6,
        "pods_succeeded": 12,
        "pods_failed": 0,
        "failed_by_cause": {},
        "jobs_complete": 4,
        "jobs_failed": 0,
        "fork_failures": 0,
        "sandbox_failures": 0,
        "startup_p50_s": 1.0,
        "startup_p99_s": 2.0,
        "startup_slowest": "2 of 2 s from initialized to started",
        "api_p50_ms": 8.0,
        "api_p99_ms": 40.0,
        "threads_peak": 4000,
        "threads_limit": 32768,
        "threads_percent": 12.2,
        "node": "node-1",
        "pressure": [],
        "objects_per_second": 50.0,
    } | changed


def result(verdict: str = "passed", *, outcome: str = MEASURED, **changed: Any) -> Result:
    """What became of a run; `changed` are figures."""
    return Result(
        outcome=outcome,
        causes=() if outcome == MEASURED else (f"it was {outcome}",),
        over=(),
        verdict=verdict,
        reasons=() if verdict == "passed" else ("Job: 1 of 4 failed",),
        figures=figures(**changed),
        attempt=1,
        started=NOW,
        finished=LATER,
    )


def cluster_that_bears(most: float) -> Callable[[Any], Result]:
    """Runs on a cluster where forks fail above the value `most`."""

    def run(value: Any) -> Result:
        if value <= most:
            return result()
        return result("failed", pods_failed=3, failed_by_cause={"fork failed": 3}, fork_failures=3)

    return run


def searched(
    wanted: Search, run: Callable[[Any], Result], *, document: Document | None = None, most: int = 1000
) -> Document:
    """The document of a search after at most `most` runs, as the role's tasks make it."""
    document = document or books.new_document(wanted, now=NOW)
    for _round in range(most):
        following = books.upcoming(document, wanted)
        if following is None:
            books.end(document, wanted, now=LATER)
            break
        books.begin(document, wanted, following)
        if not following.clean_only:
            books.judge(document, wanted, following.run_id, run(following.step.value))
        books.close(document, wanted, following.run_id, now=LATER)
    return document
