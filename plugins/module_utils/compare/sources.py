# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what is compared: results folders of runs, and what a must-gather told. Names are run ids or paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import KubestressError
from ..results.folder import ResultsError, read_json, runs_in
from ..results.times import seconds_between

RUN, GATHER = "run", "must-gather"
#: The file that each kind of source is known by, and the schema of it that is read.
_FILES = {RUN: ("summary.json", 1), GATHER: ("must-gather.json", 1)}
#: Parts that every file of that schema has; one that lacks them is not ours.
_PARTS = {RUN: ("run_id", "verdict", "jobs", "pods"), GATHER: ("path", "hours", "totals", "builds")}
#: Runs that an error message lists.
_NAMED_RUNS = 10


class CompareError(KubestressError):
    """What cannot be compared. One line: option, value, and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One run or gather.

    - `document` is summary.json with `run` (run.json) and `derived`, or must-gather.json with `derived`.
    - `timeline` is timeline.json, or a gather's `from` and `minutes`; empty if there is none.
    """

    name: str
    kind: str
    path: Path
    document: Mapping[str, Any]
    timeline: Mapping[str, Any]


def read_group(option: str, names: Sequence[str], results_dir: str) -> list[Source]:
    """The sources of one side. `option` is what messages call it. Raises CompareError."""
    if not names:
        raise CompareError(f"{option}: the list is empty; name at least one run id, results folder or must-gather")
    return [_read(option, name, results_dir) for name in names]


def refuse_repeats(groups: Mapping[str, Sequence[Source]]) -> None:
    """Raise CompareError if a run is named twice, on one side or on both: it is no second measurement."""
    seen: dict[Path, str] = {}
    for option, sources in groups.items():
        for source in sources:
            if source.path in seen:
                where = "twice" if seen[source.path] == option else f"in {seen[source.path]} too"
                raise CompareError(f"{option}: {source.name} is there {where}; compare different runs")
            seen[source.path] = option


def _read(option: str, name: str, results_dir: str) -> Source:
    found = _file_of(name, results_dir)
    if found is None:
        raise CompareError(f"{option}: {name!r} is no results folder; {_looked_for(name, results_dir)}")
    kind, path = found
    try:
        document = read_json(path)
    except ResultsError as error:
        raise CompareError(f"{option}: {error}") from error
    _check(option, kind, path, document)
    if kind == GATHER:
        derived = {"read": True, "gather_first_failure_s": _seconds_to_failure(document)}
        return Source(
            name=_name(path),
            kind=kind,
            path=path,
            document={**document, "derived": derived},
            timeline={"from": document.get("from"), "minutes": document.get("minutes") or []},
        )
    timeline, run = (_optional(option, path.with_name(name)) for name in ("timeline.json", "run.json"))
    derived = {
        "length_s": seconds_between(document.get("started"), document.get("finished")),
        "first_failure_s": _first_failure(timeline),
    }
    attempt = f" attempt {document.get('attempt')}" if path.parent.parent.name == "attempts" else ""
    return Source(
        name=f"{document['run_id']}{attempt}",
        kind=kind,
        path=path,
        document={**document, "run": run, "derived": derived},
        timeline=timeline,
    )


def _file_of(name: str, results_dir: str) -> tuple[str, Path] | None:
    """The kind and the file of a source; None if neither the path nor a run of that id has one."""
    if not name.strip():
        return None
    for place in (Path(name).expanduser(), Path(results_dir).expanduser() / name):
        for kind, (file_name, _schema) in _FILES.items():
            if place.is_file() and place.name == file_name:
                return kind, place.resolve()
            if (place / file_name).is_file():
                return kind, (place / file_name).resolve()
    return None


def _looked_for(name: str, results_dir: str) -> str:
    files = " or ".join(file_name for file_name, _schema in _FILES.values())
    folder = Path(results_dir).expanduser()
    try:
        runs = runs_in(folder) if folder.is_dir() else []
    except ResultsError as error:
        return str(error)
    listed = ", ".join(runs[:_NAMED_RUNS]) + (f" and {len(runs) - _NAMED_RUNS:,} more" if runs[_NAMED_RUNS:] else "")
    return f"neither {name or 'it'} nor {folder / name} has {files}; runs in {folder}: {listed or 'none'}"


def _check(option: str, kind: str, path: Path, document: Mapping[str, Any]) -> None:
    """Raises CompareError for a file of another schema, or one that is something else."""
    _file_name, schema = _FILES[kind]
    if document.get("schema") != schema:
        again = "kubestress.core.report -e run_id=…" if kind == RUN else "kubestress.core.must_gather"
        raise CompareError(
            f"{option}: {path} has schema {document.get('schema', 'none')}; only schema {schema} can be compared, "
            f"which {again} writes"
        )
    lacking = [part for part in _PARTS[kind] if part not in document]
    if lacking:
        raise CompareError(f"{option}: {path} has no {lacking[0]}; it is not the {path.name} of this collection")


def _optional(option: str, path: Path) -> Mapping[str, Any]:
    """A file that may be missing, as where only the summary was kept. Raises CompareError if it is broken."""
    if not path.is_file():
        return {}
    try:
        return read_json(path)
    except ResultsError as error:
        raise CompareError(f"{option}: {error}") from error


def _name(path: Path) -> str:
    return path.parent.name.removeprefix("must-gather-")


def _first_failure(timeline: Mapping[str, Any]) -> float | None:
    return min((mark["t"] for mark in timeline.get("marks") or () if mark["kind"] == "failure"), default=None)


def _seconds_to_failure(gather: Mapping[str, Any]) -> float | None:
    """From the first hour that the gather tells of."""
    first = gather.get("first_failure")
    return seconds_between(gather.get("from"), first["time"]) if first else None
