# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a run promised happened: passed, failed or aborted, and why. Pure.

Promised is: every requested object is stored, is ready, every Job completes, and build pods stay under their ceiling;
and, only where that is asked for, that the service levels were met.
A pod that failed inside a Job that completed all the same is told (pods, namespaces) but breaks no promise: a Job's
backoff limit is there for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .evidence import roles_of
from .merge import Batch
from .promises import promises_of

PASSED, FAILED, ABORTED = "passed", "failed", "aborted"
#: Reasons that name one object each. All of them are in failures.jsonl.
MAX_OBJECTS_NAMED = 20


def verdict_of(
    summary: Mapping[str, Any],
    batches: Sequence[Batch],
    *,
    stopped: Sequence[str],
    error: str,
    slo_required: bool = False,
) -> tuple[str, list[str]]:
    """(verdict, reasons), one line a reason.

    `stopped` says which measurements are missing or half; `error` is what ended the play, if anything did: it only
    counts where the measurements tell no reason of their own, because they tell more.
    """
    aborted = list(stopped)
    # What is written while a batch works says so, too; `stopped` has told of it.
    cut_short = [batch for batch in batches if batch.get("aborted") and batch.get("finished")]
    aborted += [f"{roles_of(batch)}: {_one_line(batch['aborted'])}" for batch in cut_short]
    promises = promises_of(summary, slo_required=slo_required)
    broken = [*(reason for one in promises for reason in one.reasons), *_named_objects(summary, batches)]
    if error and not broken and not cut_short:
        aborted.insert(0, _one_line(error))
    if aborted:
        return ABORTED, [*aborted, *broken]
    return (FAILED, broken) if broken else (PASSED, [])


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())


def _named_objects(summary: Mapping[str, Any], batches: Sequence[Batch]) -> list[str]:
    """One line an object: what could not be made, then what is not ready; bounded, with the number of the others."""
    lines: dict[tuple[str, str, str], str] = {}
    # A failed pod is no reason of its own: its Job made another one, or is itself named here.
    failures = [one for batch in batches for one in batch.get("first_failures", ()) if one.get("operation") != "run"]
    not_ready = [one for batch in batches for one in batch.get("not_ready", ())]
    for failure in failures:
        if failure.get("operation") != "become ready":
            lines.setdefault(_key(failure), _failure_line(failure))
    for entry in not_ready:
        lines.setdefault(_key(entry), f"{_name(entry)}: not ready: {entry.get('cause') or 'no cause was seen'}")
    for failure in failures:
        # What is not in the list of what is not ready: namespaces, whose objects were then never sent.
        lines.setdefault(_key(failure), f"{_name(failure)}: {failure.get('message') or 'not ready'}")
    known = len(not_ready) + sum(counts["failed"] or 0 for counts in summary["objects"].values())
    named = [_one_line(line) for line in lines.values()]
    more = max(known, len(named)) - MAX_OBJECTS_NAMED
    if more > 0:
        return [*named[:MAX_OBJECTS_NAMED], f"and {more:,} more, all in failures.jsonl"]
    return named


def _failure_line(failure: Mapping[str, Any]) -> str:
    cause = ": ".join(str(failure[key]) for key in ("reason", "message") if failure.get(key))
    return f"{_name(failure)}: {failure.get('operation') or 'request'} failed: {cause}"


def _key(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(entry.get("kind")), str(entry.get("namespace") or ""), str(entry.get("name"))


def _name(entry: Mapping[str, Any]) -> str:
    kind, namespace, name = _key(entry)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
