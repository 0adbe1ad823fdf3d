# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of a run: passed, failed or aborted, and why. Pure.

A run promises that every requested object is stored and ready, that every Job completes, and that the pods of Jobs stay
under their ceiling; with `slo_required`, also that the service levels are met. A failed pod of a Job that completed
breaks no promise, because that is what a Job's backoff limit is for; it is reported with the pods and namespaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..measure.recorder import DEPENDENCY_FAILED
from .evidence import roles_of
from .merge import Batch, done_of

PASSED, FAILED, ABORTED = "passed", "failed", "aborted"
#: Of a batch that left no end: its process was killed, or the whole machine is gone.
KILLED = "killed"
#: Who or what can end a run before its work is done. The batch itself notes all but the last.
STOPPED_BY = ("guard", "signal", "deletion", "outage", "time", "playbook", "error", KILLED)
#: Of a run that goes on; never in summary.json.
RUNNING = "running"
#: Suites of promises.
OBJECTS, JOBS, SERVICE_LEVELS = "objects", "jobs", "service levels"
#: Reasons that name objects, and the objects that each names. All of them are in failures.jsonl.
MAX_REASONS_NAMED = 20
_NAMES = 3

#: Kind, namespace and name of an object.
_Key = tuple[str, str, str]


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
        done = done_of(counts)
        only_made = not (counts["patched"] or counts["deleted"])
        reasons = []
        if failed:
            reasons.append(f"{kind}: {failed:,} of {requested:,} could not be {_asked_for(summary, kind)}")
        if requested - done - failed > 0:
            reasons.append(f"{kind}: {requested - done - failed:,} of {requested:,} were never sent")
        yield Promise(
            suite=OBJECTS,
            name=f"every {kind} is stored" if only_made else f"every {kind} is changed as asked for",
            kept=not reasons,
            observed=f"{done:,} of {requested:,} {'stored' if only_made else 'done'}",
            reasons=tuple(reasons),
            kind=kind,
        )
        # A Job is ready when it is complete; that has its own promise.
        if kind != "Job" and counts["ready"] is not None:
            unready = counts["not_ready"] or 0
            awaited = counts["ready"] + unready
            yield Promise(
                suite=OBJECTS,
                name=f"every {kind} is ready",
                kept=not unready,
                observed=f"{counts['ready']:,} of {awaited:,} ready",
                reasons=(f"{kind}: {unready:,} of {awaited:,} not ready",) if unready else (),
                kind=kind,
            )


def _asked_for(summary: Mapping[str, Any], kind: str) -> str:
    """What was to become of the objects of a kind, by the requests for them; what was not ours was only read."""
    words = {"create": "created", "patch": "patched", "delete": "deleted"}
    found = [word for verb, word in words.items() if kind in summary["requests"].get(verb, {})]
    if not found and kind in summary["requests"].get("get", {}):
        found = ["patched", "deleted"]
    return " or ".join(found) or "created"


def _jobs(summary: Mapping[str, Any]) -> Iterator[Promise]:
    jobs, counts = summary["jobs"], summary["objects"].get("Job", {})
    complete, failed = jobs["complete"] or 0, jobs["failed"] or 0
    # Those of batches that waited; of the others nobody knows.
    stored = (counts.get("ready") or 0) + (counts.get("not_ready") or 0)
    unknown = jobs["complete"] is None and not failed
    reasons = []
    if failed:
        reasons.append(f"Job: {failed:,} of {stored or failed:,} failed")
    if stored - complete - failed > 0 and jobs["complete"] is not None:
        reasons.append(f"Job: {stored - complete - failed:,} of {stored:,} neither complete nor failed")
    if counts.get("requested") or failed:
        yield Promise(
            suite=JOBS,
            name="every Job completes",
            kept=None if unknown else not reasons,
            observed="not waited for" if unknown else f"{complete:,} of {stored:,} complete, {failed:,} failed",
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
    errors: Sequence[str],
    slo_required: bool = False,
) -> tuple[str, list[str]]:
    """(verdict, reasons), one line per reason.

    `stopped` says which measurements are missing or incomplete. `errors` are what ended the play; they only count if
    the measurements give no reason of their own, because those say more.
    """
    aborted = list(stopped)
    # A file written during a batch also says `aborted`; without an end, it is in `stopped` already.
    cut_short = [batch for batch in batches if batch.get("aborted") and batch.get("finished")]
    aborted += [f"{roles_of(batch)}: {_one_line(batch['aborted'])}" for batch in cut_short]
    promises = promises_of(summary, slo_required=slo_required)
    broken = [*(reason for one in promises for reason in one.reasons), *_named_objects(summary, batches)]
    if not broken and not cut_short:
        aborted[:0] = [_one_line(error) for error in errors if error]
    if aborted:
        return ABORTED, [*aborted, *broken]
    return (FAILED, broken) if broken else (PASSED, [])


def stopped_by(batches: Sequence[Batch]) -> str | None:
    """Who or what ended the run before its work was done, one of STOPPED_BY; None if nobody, or before it began."""
    for batch in batches:
        if word := batch.get("stopped_by") or (None if batch.get("finished") else KILLED):
            return str(word)
    return None


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())


def _named_objects(summary: Mapping[str, Any], batches: Sequence[Batch]) -> list[str]:
    """Lines on objects: those that could not be created, then those not ready; each cause once, the rest counted.

    What was not sent, because something it needs has failed, is an effect: it is only counted.
    """
    causes: dict[_Key, str] = {}
    # A failed pod is not a reason: its Job replaced it, or is listed itself.
    failures = [one for batch in batches for one in batch.get("first_failures", ()) if one.get("operation") != "run"]
    failures = [one for one in failures if one.get("reason") != DEPENDENCY_FAILED]
    not_ready = [one for batch in batches for one in batch.get("not_ready", ())]
    for failure in failures:
        if failure.get("operation") != "become ready":
            causes.setdefault(_key(failure), _failure_cause(failure))
    for entry in not_ready:
        causes.setdefault(_key(entry), f"not ready: {entry.get('cause') or 'cause unknown'}")
    for failure in failures:
        # Not among the objects that are not ready: namespaces whose objects were therefore never sent.
        causes.setdefault(_key(failure), str(failure.get("message") or "not ready"))
    effects = sum((batch.get("failures") or {}).get("by_reason", {}).get(DEPENDENCY_FAILED, 0) for batch in batches)
    known = len(not_ready) + sum(counts["failed"] or 0 for counts in summary["objects"].values()) - effects
    alike = _alike(causes)[:MAX_REASONS_NAMED]
    lines = [_alike_line(keys, cause) for keys, cause in alike]
    more = max(known, len(causes)) - sum(len(keys) for keys, _cause in alike)
    if more > 0:
        lines.append(f"and {more:,} more, all in failures.jsonl")
    if effects:
        lines.append(f"{effects:,} objects were not sent, because something they need has failed")
    return lines


def _alike(causes: Mapping[_Key, str]) -> list[tuple[list[_Key], str]]:
    """Objects of one kind with the same cause, but for their own names, and the cause as the first one has it."""
    groups: dict[tuple[str, str], tuple[list[_Key], str]] = {}
    for key, text in causes.items():
        kind, namespace, name = key
        cause = _one_line(text)
        own = "|".join(re.escape(word) for word in (name, namespace) if word)
        same = re.sub(own, "\0", cause) if own else cause
        groups.setdefault((kind, same), ([], cause))[0].append(key)
    return list(groups.values())


def _alike_line(keys: Sequence[_Key], cause: str) -> str:
    names = ", ".join("/".join(filter(None, key[1:])) for key in keys[:_NAMES])
    more = f" and {len(keys) - _NAMES:,} more" if len(keys) > _NAMES else ""
    return f"{keys[0][0]} {names}{more}: {cause}"


def failure_line(failure: Mapping[str, Any]) -> str:
    """One line of failures.jsonl as a sentence."""
    return f"{_name(failure)}: {_failure_cause(failure)}"


def _failure_cause(failure: Mapping[str, Any]) -> str:
    cause = ": ".join(str(failure[key]) for key in ("reason", "message") if failure.get(key))
    return f"{failure.get('operation') or 'request'} failed: {cause}"


def _key(entry: Mapping[str, Any]) -> _Key:
    return str(entry.get("kind")), str(entry.get("namespace") or ""), str(entry.get("name"))


def _name(entry: Mapping[str, Any]) -> str:
    kind, namespace, name = _key(entry)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
