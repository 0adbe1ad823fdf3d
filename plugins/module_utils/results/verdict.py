# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of a run: passed, failed or aborted, and why. Pure.

A run promises that every requested object is stored and ready, that every Job completes, and that the pods of Jobs stay
under their ceiling; with `slo_required`, also that the service levels are met. A failed pod of a Job that completed
breaks no promise, because that is what a Job's backoff limit is for; it is reported with the pods and namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .evidence import roles_of
from .merge import Batch

PASSED, FAILED, ABORTED = "passed", "failed", "aborted"
#: Suites of promises.
OBJECTS, JOBS, SERVICE_LEVELS = "objects", "jobs", "service levels"
#: Reasons that name one object each. All of them are in failures.jsonl.
MAX_OBJECTS_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Promise:
    """`kept` is None if that is unknown or if the promise is not required; `observed` says what was seen.

    `reasons` are lines for the verdict, one per way in which the promise was broken; `kind` is the Kubernetes kind.
    """

    suite: str
    name: str
    kept: bool | None
    observed: str
    reasons: tuple[str, ...] = ()
    kind: str = ""


def promises_of(summary: Mapping[str, Any], *, slo_required: bool = False) -> list[Promise]:
    """All promises of a run, in the order in which their reasons are listed."""
    return [*_objects(summary), *_jobs(summary), *_service_levels(summary, required=slo_required)]


def _objects(summary: Mapping[str, Any]) -> Iterator[Promise]:
    for kind, counts in summary["objects"].items():
        requested, failed = counts["requested"] or 0, counts["failed"] or 0
        stored = (counts["created"] or 0) + (counts["unchanged"] or 0)
        reasons = []
        if failed:
            reasons.append(f"{kind}: {failed:,} of {requested:,} could not be created")
        if requested - stored - failed > 0:
            reasons.append(f"{kind}: {requested - stored - failed:,} of {requested:,} were never sent")
        yield Promise(
            suite=OBJECTS,
            name=f"every {kind} is stored",
            kept=not reasons,
            observed=f"{stored:,} of {requested:,} stored",
            reasons=tuple(reasons),
            kind=kind,
        )
        # A Job is ready when it is complete; that has its own promise.
        if kind != "Job" and counts["ready"] is not None:
            unready = stored - counts["ready"]
            yield Promise(
                suite=OBJECTS,
                name=f"every {kind} is ready",
                kept=unready <= 0,
                observed=f"{counts['ready']:,} of {stored:,} ready",
                reasons=(f"{kind}: {unready:,} of {stored:,} not ready",) if unready > 0 else (),
                kind=kind,
            )


def _jobs(summary: Mapping[str, Any]) -> Iterator[Promise]:
    jobs, counts = summary["jobs"], summary["objects"].get("Job", {})
    complete, failed = jobs["complete"] or 0, jobs["failed"] or 0
    stored = (counts.get("created") or 0) + (counts.get("unchanged") or 0)
    reasons = []
    if failed:
        reasons.append(f"Job: {failed:,} of {stored or failed:,} failed")
    if stored - complete - failed > 0 and jobs["complete"] is not None:
        reasons.append(f"Job: {stored - complete - failed:,} of {stored:,} neither complete nor failed")
    if counts.get("requested") or failed:
        yield Promise(
            suite=JOBS,
            name="every Job completes",
            kept=None if jobs["complete"] is None and not failed else not reasons,
            observed=f"{complete:,} of {stored:,} complete, {failed:,} failed",
            reasons=tuple(reasons),
            kind="Job",
        )
    peak, ceiling = jobs["peak_active_pods"], jobs["ceiling_active_pods"]
    if ceiling:
        above = peak is not None and peak > ceiling
        reason = f"Job pods: {peak:,} active at once, above the ceiling of {ceiling:,}" if above else ""
        peak_text = "unknown" if peak is None else f"{peak:,}"
        yield Promise(
            suite=JOBS,
            name="Job pods stay under their ceiling",
            kept=None if peak is None else not above,
            observed=f"peak of active pods: {peak_text}; ceiling: {ceiling:,}",
            reasons=(reason,) if above else (),
            kind="Pod",
        )


def _service_levels(summary: Mapping[str, Any], *, required: bool) -> Iterator[Promise]:
    """Reported only, unless required. Then a missed one breaks a promise, and so does having none to judge."""
    levels = summary["slo"]
    for level in levels:
        missed = required and level["met"] is False
        yield Promise(
            suite=SERVICE_LEVELS,
            name=level_name(level),
            kept=level["met"] if required else None,
            observed=level["statement"],
            reasons=(f"service level missed: {level['statement']}",) if missed else (),
        )
    if required and all(level["met"] is None for level in levels):
        cause = (summary.get("api_server") or {}).get("cause") or "nothing they cover was measured"
        yield Promise(
            suite=SERVICE_LEVELS,
            name="service levels are judged",
            kept=False,
            observed="no service level could be judged",
            reasons=(f"report_slo_required: no service level could be judged: {cause}",),
        )


def level_name(level: Mapping[str, Any]) -> str:
    """The name of a service level, with its verb and resource if it has them."""
    call = " ".join(str(level[key]) for key in ("verb", "resource") if level.get(key))
    scope = f" ({level['scope']})" if level.get("scope") else ""
    return f"{level['name']}: {call}{scope}" if call else str(level["name"])


def verdict_of(
    summary: Mapping[str, Any],
    batches: Sequence[Batch],
    *,
    stopped: Sequence[str],
    error: str,
    slo_required: bool = False,
) -> tuple[str, list[str]]:
    """(verdict, reasons), one line per reason.

    `stopped` says which measurements are missing or incomplete. `error` is what ended the play; it only counts if the
    measurements give no reason of their own, because those say more.
    """
    aborted = list(stopped)
    # A file written during a batch also says `aborted`; without an end, it is in `stopped` already.
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
    """One line per object: those that could not be created, then those not ready; bounded, with a count of the rest."""
    lines: dict[tuple[str, str, str], str] = {}
    # A failed pod is not a reason: its Job replaced it, or is listed itself.
    failures = [one for batch in batches for one in batch.get("first_failures", ()) if one.get("operation") != "run"]
    not_ready = [one for batch in batches for one in batch.get("not_ready", ())]
    for failure in failures:
        if failure.get("operation") != "become ready":
            lines.setdefault(_key(failure), _failure_line(failure))
    for entry in not_ready:
        lines.setdefault(_key(entry), f"{_name(entry)}: not ready: {entry.get('cause') or 'cause unknown'}")
    for failure in failures:
        # Not among the objects that are not ready: namespaces whose objects were therefore never sent.
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
