# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts and stops observing for the module `observe`: from its parameters to a bounded answer."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster
from ..cluster.connection import open_connection
from ..cluster.errors import ClusterError
from ..errors import ModuleFailed
from ..machine.sync import exclusive
from ..results.folder import ResultsError, read_json
from .arguments import Intervals, ObserveError
from .detached import Started, Tell, start, stop
from .observer import FOLDER, ObservationFile, bounded
from .standalone import observe

#: Seconds from the task's beginning to the first readings; a cluster that cannot be reached is told long before.
_START_SECONDS = 90.0
#: Seconds in which the process reads for the last time, and writes.
_STOP_SECONDS = 60.0
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the module is asked for, checked."""

    auth: dict[str, Any]
    run_id: str
    name: str
    results_dir: Path
    namespaces: tuple[str, ...]
    intervals: Intervals
    max_seconds: float

    @property
    def state_file(self) -> Path:
        """Where the process is written down; its name ends otherwise than an observation's."""
        return self.results_dir / FOLDER / f".{self.name}.process"

    def told(self, server: str) -> dict[str, Any]:
        """What makes this observation another one than the next; no secret is in it."""
        return {
            "run_id": self.run_id,
            "namespaces": sorted(self.namespaces),
            "api_interval": self.intervals.api_seconds,
            "node_interval": self.intervals.node_seconds,
            "events": self.intervals.events,
            "max_seconds": self.max_seconds,
            "server": server,
        }


def run_module(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Start or stop. Raises ModuleFailed: bad input, a cluster that cannot be read, a process that does not end."""
    try:
        wanted = _wanted(params)
        if params["state"] == "stopped" and not wanted.state_file.exists():
            return _none(changed=False)
        if not check_mode:
            with exclusive(wanted.state_file.with_suffix(".lock")):
                return _started(wanted) if params["state"] == "started" else _stopped(wanted)
        return _checked(wanted, params["state"])
    except (ObserveError, ClusterError, ResultsError) as error:
        raise ModuleFailed(str(error)) from error
    except OSError as error:
        raise ModuleFailed(f"results_dir: {error.filename or params['results_dir']}: {error.strerror}") from error


def _wanted(params: Mapping[str, Any]) -> Wanted:
    if not _LABEL_VALUE.fullmatch(params["run_id"]):
        raise ObserveError(f"run_id: {params['run_id']!r}; allowed are 1 to 63 letters, digits, '-', '_' and '.'")
    for option, names in (("name", [params["name"]]), ("namespaces", params["namespaces"])):
        for name in names:
            if not _NAME.fullmatch(name):
                raise ObserveError(
                    f"{option}: {name!r}; allowed are 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
                )
    if not 1 <= params["max_seconds"] <= 30 * 86400:
        raise ObserveError(f"max_seconds: {params['max_seconds']:g}; allowed are 1 to 2592000")
    return Wanted(
        auth=auth_options(dict(params)),
        run_id=params["run_id"],
        name=params["name"],
        results_dir=Path(params["results_dir"]).absolute(),
        namespaces=tuple(dict.fromkeys(params["namespaces"])),
        intervals=Intervals.of(params),
        max_seconds=params["max_seconds"],
    )


def _started(wanted: Wanted) -> dict[str, Any]:
    running = _running(wanted)
    if running is not None:
        _refuse_other(wanted, running)
        return _answer(running, changed=False, running=True)
    file = ObservationFile(wanted.results_dir, wanted.name)
    process, first = start(partial(_work, wanted, file), timeout_seconds=_START_SECONDS)
    started = Started(process=process, path=str(file.path), settings=wanted.told(first["server"]))
    try:
        started.save(wanted.state_file)
    except ResultsError:
        process.send(signal.SIGTERM)  # nobody could stop it later
        raise
    return _answer(started, changed=True, running=True)


async def _work(wanted: Wanted, file: ObservationFile, tell: Tell) -> None:
    """In the process that was started."""
    await observe(
        auth=wanted.auth,
        run_id=wanted.run_id,
        name=wanted.name,
        namespaces=wanted.namespaces,
        intervals=wanted.intervals,
        max_seconds=wanted.max_seconds,
        file=file,
        tell=tell,
    )


def _stopped(wanted: Wanted) -> dict[str, Any]:
    known = Started.load(wanted.state_file)
    if known is None:
        return _none(changed=False)
    alive = known.process.alive
    if alive:
        stop(known.process, timeout_seconds=_STOP_SECONDS)
    answer = _answer(known, changed=alive, running=False)
    try:
        document = read_json(Path(known.path))
    except ResultsError as error:
        answer["warnings"].append(str(error))
        return answer
    answer["observation"] = bounded(document)
    if document["finished"] is None:
        answer["warnings"].append(
            f"the process that observed was ended before it was asked to; {known.path} has what it had written"
        )
    return answer


def _checked(wanted: Wanted, state: str) -> dict[str, Any]:
    """What would be done, and whether the cluster answers; nothing is written."""
    running = _running(wanted)
    if state == "started" and running is None:
        asyncio.run(_reached(wanted.auth))
    elif state == "started" and running is not None:
        _refuse_other(wanted, running)
    changed = (running is None) is (state == "started")
    known = Started.load(wanted.state_file)
    if known is None or (state == "started" and running is None):
        return _none(changed=changed)
    return _answer(known, changed=changed, running=running is not None)


async def _reached(auth: dict[str, Any]) -> None:
    async with await Cluster.open(auth) as cluster:
        await cluster.version()


def _running(wanted: Wanted) -> Started | None:
    known = Started.load(wanted.state_file)
    return known if known is not None and known.process.alive else None


def _refuse_other(wanted: Wanted, running: Started) -> None:
    """Two observations of one name would be one. Raises ObserveError naming what differs."""
    told = wanted.told(asyncio.run(open_connection(wanted.auth)).host)
    for option, value in told.items():
        before = running.settings.get(option)
        if value != before:
            raise ObserveError(
                f"name: {wanted.name} is being observed already, with {option} {before!r} instead of {value!r}; "
                "stop it first, or use another name"
            )


def _none(*, changed: bool) -> dict[str, Any]:
    return {
        "changed": changed,
        "running": False,
        "pid": None,
        "observation_path": None,
        "observation": None,
        "warnings": [],
    }


def _answer(started: Started, *, changed: bool, running: bool) -> dict[str, Any]:
    pid = started.process.pid if running else None
    return {**_none(changed=changed), "running": running, "pid": pid, "observation_path": started.path}
