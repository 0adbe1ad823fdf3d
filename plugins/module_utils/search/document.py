# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""capacity.json: what a capacity search has run and found, and how it goes on after an interruption. Pure.

Everything but the runs' own measurements is worked out anew from them at each change, so that other thresholds judge
earlier runs too.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..results.table import brief
from ..settings.setting import SettingError
from .criteria import judged, verdict_row
from .figures import worst_of
from .progress import (
    BROKE,
    REFUSED,
    SAFE,
    UNKNOWN,
    Search,
    highest_safe,
    lowest_broken,
    most_runs,
    next_step,
)
from .steps import Number, Step, number_text

SCHEMA = 1
#: States of a search.
RUNNING, ENDED, BROKEN_OFF = "running", "ended", "broken off"
#: Stages of a run: begun, its results judged, and everything that it made removed.
STARTED, JUDGED, CLEANED = "started", "judged", "cleaned"

Document = dict[str, Any]
Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Upcoming:
    """The next run.

    `clean_first`: an interrupted one may have left objects. `clean_only`: it was judged, and only has to be removed.
    """

    step: Step
    number: int
    run_id: str
    clean_first: bool = False
    clean_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a run.

    `outcome` is "measured", REFUSED or UNKNOWN; `causes` says why it was not measured. `over` are the limits above
    which preflight let it go with the user's consent.
    """

    outcome: str
    causes: Sequence[str]
    over: Sequence[str]
    verdict: str
    reasons: Sequence[str]
    figures: Mapping[str, Any]
    attempt: int
    started: str | None
    finished: str | None


MEASURED = "measured"


def new_document(search: Search, *, now: str, named: bool = False) -> Document:
    """The document of a search that has run nothing.

    `named`: users chose its id, so an earlier one of that name, whose files are lost, may have left objects.
    """
    document: Document = {
        "schema": SCHEMA, "capacity_id": search.id, "state": RUNNING, "started": now, "finished": None, "runs": [],
        "named": named,
    }  # fmt: skip
    refresh(document, search)
    return document


def resumed(document: Document, search: Search) -> None:
    """Go on with a search. What could not be measured, and what was refused, is tried again. Raises SettingError."""
    if document.get("schema") != SCHEMA:
        raise SettingError(
            f"capacity_id: the search {search.id} is of schema {document.get('schema')}, and this version writes "
            f"{SCHEMA}; begin another"
        )
    if sorted(document["knob"]) != sorted(search.variables):
        raise SettingError(
            f"capacity_id: the search {search.id} varies {', '.join(document['knob'])}, and now "
            f"{', '.join(search.variables)} is asked for; begin another"
        )
    if document["settings_hash"] != search.settings_hash:
        raise SettingError(
            f"capacity_id: the search {search.id} began with other settings of the load or another profile, so its "
            "runs cannot be compared with new ones; begin another"
        )
    for record in document["runs"]:
        step = search.step_of(record["value"])
        if search.run_id(step, record["number"]) != record["run_id"]:
            raise SettingError(
                f"capacity_steps: the run {record['run_id']} of this search was of {record['label']}, which is now "
                "another entry; keep the order, or begin another search"
            )
        if record["outcome"] in (REFUSED, UNKNOWN):
            record.update(_empty())
    document.update(state=RUNNING, finished=None, error=None)
    refresh(document, search)


def reopens(document: Document, search: Search) -> bool:
    """Whether a search that has ended has something to do, by what is asked for now."""
    trial = copy.deepcopy(document)
    resumed(trial, search)
    return upcoming(trial, search) is not None


def _empty() -> Record:
    return {
        "attempt": None, "stage": STARTED, "outcome": None, "causes": [], "over": [], "run_verdict": None,
        "run_reasons": [], "figures": None, "started": None, "finished": None,
    }  # fmt: skip


def upcoming(document: Document, search: Search, *, done: str = "") -> Upcoming | None:
    """The next run; None if there is none. The run `done` counts as removed already."""
    for record in document["runs"]:
        if record["stage"] == CLEANED or record["run_id"] == done:
            continue
        return Upcoming(
            step=search.step_of(record["value"]),
            number=record["number"],
            run_id=record["run_id"],
            clean_first=record["stage"] == STARTED,
            clean_only=record["stage"] == JUDGED,
        )
    step = next_step(search, verdicts_of(document))
    if step is None:
        return None
    number = 1 + sum(record["value"] == step.value for record in document["runs"])
    return Upcoming(step=step, number=number, run_id=search.run_id(step, number), clean_first=document["named"])


def rounds(document: Document, search: Search) -> int:
    """How many runs there may still be, at most; with those that only have to be removed."""
    if upcoming(document, search) is None:
        return 0
    return most_runs(search, verdicts_of(document)) + sum(one["stage"] == JUDGED for one in document["runs"])


def begin(document: Document, search: Search, run: Upcoming) -> None:
    """Note that the run begins, before it does."""
    if not any(record["run_id"] == run.run_id for record in document["runs"]):
        step = run.step
        document["runs"].append(
            {
                "run_id": run.run_id,
                "number": run.number,
                "value": step.value,
                "label": step.label,
                "position": step.position,
                "bisected": step.bisected,
                "gather": None,
                **_empty(),
            }
        )
    refresh(document, search)


def judge(document: Document, search: Search, run_id: str, result: Result) -> None:
    """Note what became of the run."""
    record_of(document, run_id).update(
        stage=JUDGED,
        outcome=result.outcome,
        causes=list(result.causes),
        over=list(result.over),
        run_verdict=result.verdict,
        run_reasons=list(result.reasons),
        figures=dict(result.figures),
        attempt=result.attempt,
        started=result.started,
        finished=result.finished,
    )
    refresh(document, search)


def close(document: Document, search: Search, run_id: str, *, now: str) -> None:
    """Note that everything of the run is gone; the search ends if nothing comes after it."""
    record_of(document, run_id)["stage"] = CLEANED
    refresh(document, search)
    if upcoming(document, search) is None:
        end(document, search, now=now)


def end(document: Document, search: Search, *, now: str) -> None:
    """Note that nothing is left to be run."""
    document.update(state=ENDED, finished=now)
    refresh(document, search)


def break_off(document: Document, search: Search, *, error: str, now: str) -> None:
    """Note what ended the play."""
    document.update(state=BROKEN_OFF, finished=now, error=" ".join(error.split()))
    refresh(document, search)


def record_of(document: Document, run_id: str) -> Record:
    """The run's record. Raises KeyError."""
    for record in document["runs"]:
        if record["run_id"] == run_id:
            found: Record = record
            return found
    raise KeyError(run_id)


# -- worked out from the runs ----------------------------------------------------------------------------------------


def refresh(document: Document, search: Search) -> None:
    """Work out everything from the runs and from what is asked for now."""
    for record in document["runs"]:
        rows = _criteria(record, search)
        record["criteria"] = rows
        record["verdict"] = _run_verdict(record, rows)
        reasons = [row["reason"] for row in rows if row["met"] is False]
        if reasons and record["over"]:
            reasons.append(f"preflight had said: {'; '.join(record['over'])}")
        record["reasons"] = reasons or list(record["causes"])
    document.update(
        knob=list(search.variables),
        asked={
            "steps": [step.value for step in search.steps],
            "runs": search.runs,
            "bisect": search.bisect,
            "keep_going": search.keep_going,
            "settle_seconds": search.settle_seconds,
            "gather": search.gather,
        },
        profile=search.profile,
        settings_hash=search.settings_hash,
        limits=dict(search.limits),
        steps=_steps(document["runs"], search),
    )
    document.setdefault("error", None)
    verdicts = verdicts_of(document)
    document.update(
        highest_safe=_value_at(document, highest_safe(verdicts)),
        broke_at=_value_at(document, lowest_broken(verdicts)),
        cause=_cause(document, verdicts),
        notes=_notes(document, verdicts),
    )
    document["answer"] = _answer(document, search, verdicts)


def verdicts_of(document: Document) -> dict[Number, str | None]:
    """The verdicts of the steps that were begun, by their positions."""
    return {step["position"]: step["verdict"] for step in document["steps"]}


def is_answered(document: Document) -> bool:
    """Whether the search has ended with something to say: a value that is safe, or one that broke."""
    known = document["highest_safe"] is not None or document["broke_at"] is not None
    unknown = any(step["verdict"] == UNKNOWN for step in document["steps"])
    return bool(document["state"] == ENDED and known and not unknown)


def _criteria(record: Record, search: Search) -> list[dict[str, Any]]:
    if record["outcome"] != MEASURED:
        return []
    run = verdict_row(record["run_verdict"], record["run_reasons"], search.limits)
    return [*judged(record["figures"], search.limits), run]


def _run_verdict(record: Record, rows: Sequence[Mapping[str, Any]]) -> str | None:
    if record["stage"] == STARTED:
        return None
    if record["outcome"] != MEASURED:
        return str(record["outcome"])
    return BROKE if any(row["met"] is False for row in rows) else SAFE


def _steps(records: Sequence[Record], search: Search) -> list[dict[str, Any]]:
    """The steps that were begun, lightest first."""
    by_position: dict[Number, list[Record]] = {}
    for record in records:
        by_position.setdefault(record["position"], []).append(record)
    rows = []
    for position in sorted(by_position):
        of_step = by_position[position]
        verdict = _step_verdict([record["verdict"] for record in of_step], search.runs)
        told = [record for record in of_step if record["verdict"] == verdict and verdict != SAFE]
        rows.append(
            {
                "value": of_step[0]["value"],
                "position": position,
                "label": of_step[0]["label"],
                "bisected": of_step[0]["bisected"],
                "runs": [record["run_id"] for record in of_step],
                "verdict": verdict,
                "reasons": list(dict.fromkeys(reason for record in told for reason in record["reasons"])),
                "figures": worst_of([record["figures"] for record in of_step if record["outcome"] == MEASURED]),
            }
        )
    return rows


def _step_verdict(verdicts: Sequence[str | None], runs: int) -> str | None:
    for verdict in (BROKE, REFUSED, UNKNOWN):
        if verdict in verdicts:
            return verdict
    return SAFE if None not in verdicts and len(verdicts) >= runs else None


def _value_at(document: Document, position: Number | None) -> Any:
    return next((step["value"] for step in document["steps"] if step["position"] == position), None)


def _step_with(document: Document, verdict: str) -> dict[str, Any] | None:
    return next((step for step in document["steps"] if step["verdict"] == verdict), None)


def _cause(document: Document, verdicts: Mapping[Number, str | None]) -> str | None:
    """Why the search ended where it did: what broke, or else what was refused or could not be measured."""
    for verdict in (UNKNOWN, BROKE, REFUSED):
        step = _step_with(document, verdict)
        if step is not None and verdict in verdicts.values():
            return brief(step["reasons"] or ["no reason is known"], rest="all in capacity.json")
    return None


def _answer(document: Document, search: Search, verdicts: Mapping[Number, str | None]) -> str:
    """The result in one or two sentences."""
    safe, broke = highest_safe(verdicts), lowest_broken(verdicts)
    parts = [f"{search.name} {_text(document, safe)} is safe" if safe is not None else ""]
    if broke is not None:
        parts.append(
            f"{_text(document, broke)} broke"
            if safe is not None
            else f"{search.name} {_text(document, broke)} broke, and nothing below it was safe"
        )
    for verdict, words in ((REFUSED, "preflight refused {}"), (UNKNOWN, "{} could not be measured")):
        step = _step_with(document, verdict)
        if step:
            parts.append(words.format(step["label"]))
    if document["state"] != ENDED:
        parts.append("the search is not finished")
    elif safe is not None and len([part for part in parts if part]) == 1:
        parts.append("nothing that was tried broke")
    known = "; ".join(part for part in parts if part)
    return f"{known}." if known else "Nothing is known yet."


def _text(document: Document, position: Number | None) -> str:
    return next(
        (step["label"] for step in document["steps"] if step["position"] == position), number_text(position or 0)
    )


def _notes(document: Document, verdicts: Mapping[Number, str | None]) -> list[str]:
    """What limits the trust in the answer."""
    notes = []
    broke = lowest_broken(verdicts)
    above = [
        step["label"]
        for step in document["steps"]
        if step["verdict"] == SAFE and broke is not None and step["position"] > broke
    ]
    if above:
        notes.append(
            f"{', '.join(above)} passed above a value that broke: the results scatter; more runs of a step "
            "(capacity_runs) tell how much"
        )
    unmeasured = sorted(
        {
            row["name"]
            for record in document["runs"]
            for row in record["criteria"]
            if row["limit"] is not None and row["figure"] is None
        }
    )
    if unmeasured:
        notes.append(f"not judged, because no run measured it in full: {', '.join(unmeasured)}")
    return notes
