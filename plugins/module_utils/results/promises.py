# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run promised, one by one, and whether it was kept. Pure. Verdict and junit.xml are made from this list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OBJECTS, JOBS, SERVICE_LEVELS = "objects", "jobs", "service levels"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """`kept` is None where nobody can tell, or where it is only told and not required; `told` says what was seen.

    `reasons` are lines for the verdict, one for each way in which it was broken; `kind` the Kubernetes kind, if any.
    """

    suite: str
    name: str
    kept: bool | None
    told: str
    reasons: tuple[str, ...] = ()
    kind: str = ""


def promises_of(summary: Mapping[str, Any], *, slo_required: bool = False) -> list[Promise]:
    """All promises of a run, in the order in which their reasons are told."""
    return [*_objects(summary), *_jobs(summary), *_service_levels(summary, required=slo_required)]


def _objects(summary: Mapping[str, Any]) -> Iterator[Promise]:
    for kind, counts in summary["objects"].items():
        requested, failed = counts["requested"] or 0, counts["failed"] or 0
        stored = (counts["created"] or 0) + (counts["unchanged"] or 0)
        reasons = []
        if failed:
            reasons.append(f"{kind}: {failed:,} of {requested:,} could not be made")
        if requested - stored - failed > 0:
            reasons.append(f"{kind}: {requested - stored - failed:,} of {requested:,} were never sent")
        yield Promise(
            suite=OBJECTS,
            name=f"every {kind} is stored",
            kept=not reasons,
            told=f"{stored:,} of {requested:,} stored",
            reasons=tuple(reasons),
            kind=kind,
        )
        # A Job is ready when it is complete, which is a promise of its own.
        if kind != "Job" and counts["ready"] is not None:
            unready = stored - counts["ready"]
            yield Promise(
                suite=OBJECTS,
                name=f"every {kind} is ready",
                kept=unready <= 0,
                told=f"{counts['ready']:,} of {stored:,} ready",
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
            told=f"{complete:,} of {stored:,} complete, {failed:,} failed",
            reasons=tuple(reasons),
            kind="Job",
        )
    peak, ceiling = jobs["peak_active_pods"], jobs["ceiling_active_pods"]
    if ceiling:
        above = peak is not None and peak > ceiling
        reason = f"Job pods: {peak:,} were active at once, above the ceiling of {ceiling:,}" if above else ""
        seen = "nobody counted how many were" if peak is None else f"at most {peak:,} were"
        yield Promise(
            suite=JOBS,
            name="Job pods stay under their ceiling",
            kept=None if peak is None else not above,
            told=f"{seen} active at once; the ceiling is {ceiling:,}",
            reasons=(reason,) if above else (),
            kind="Pod",
        )


def _service_levels(summary: Mapping[str, Any], *, required: bool) -> Iterator[Promise]:
    """Told only, unless they are required; then one that is missed is a broken promise, and so is none judged."""
    levels = summary["slo"]
    for level in levels:
        missed = required and level["met"] is False
        yield Promise(
            suite=SERVICE_LEVELS,
            name=level_name(level),
            kept=level["met"] if required else None,
            told=level["statement"],
            reasons=(f"service level missed: {level['statement']}",) if missed else (),
        )
    if required and all(level["met"] is None for level in levels):
        cause = (summary.get("api_server") or {}).get("cause") or "nothing was measured that they are about"
        yield Promise(
            suite=SERVICE_LEVELS,
            name="service levels are judged",
            kept=False,
            told="no service level could be judged",
            reasons=(f"report_slo_required: no service level could be judged: {cause}",),
        )


def level_name(level: Mapping[str, Any]) -> str:
    """A service level's name, with the call that it is about where there is one."""
    call = " ".join(str(level[key]) for key in ("verb", "resource") if level.get(key))
    scope = f" ({level['scope']})" if level.get("scope") else ""
    return f"{level['name']}: {call}{scope}" if call else str(level["name"])
