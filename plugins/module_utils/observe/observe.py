# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `observe`: start or stop an observation in a background process."""

from __future__ import annotations

import asyncio
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
from ..machine.detached import DetachedError, Report, Started, start, stop
from ..machine.sync import exclusive
from ..results.folder import ResultsError, read_json
from ..settings.roles.observe import ROLE as OBSERVE
from ..settings.setting import SettingError
from ..syntax import DNS_LABEL_RULE, LABEL_VALUE_RULE, is_dns_label, is_label_value
from .arguments import Intervals, ObserveError
from .observer import FOLDER, ObservationFile, bounded
from .standalone import observe

#: Seconds until the first readings; a cluster that cannot be reached is reported much earlier.
_START_SECONDS = 90.0
#: Seconds for the last readings and writing the file.
_STOP_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """The checked options of the module."""

    auth: dict[str, Any]
    run_id: str
    name: str
    results_dir: Path
    namespaces: tuple[str, ...]
    intervals: Intervals
    max_seconds: float

    @property
    def state_file(self) -> Path:
        """The file that identifies the process."""
        return self.results_dir / FOLDER / f".{self.name}.process"

    def identity(self, server: str) -> dict[str, Any]:
        """What distinguishes this observation from others; contains no secrets."""
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
    """Run the module. Raises ModuleFailed: bad input, an unreadable cluster, a process that does not end."""
    try:
        options = _options(params)
        if params["state"] == "stopped" and not options.state_file.exists():
            return _none(changed=False)
        if not check_mode:
            with exclusive(options.state_file.with_suffix(".lock")):
                return _start(options) if params["state"] == "started" else _stop(options)
        return _predict(options, params["state"])
    except (ObserveError, DetachedError, ClusterError, ResultsError, SettingError) as error:
        raise ModuleFailed(str(error)) from error
    except OSError as error:
        raise ModuleFailed(f"results_dir: {error.filename or params['results_dir']}: {error.strerror}") from error


def _options(params: Mapping[str, Any]) -> Options:
    if not params["run_id"] or not is_label_value(params["run_id"]):
        raise ObserveError(f"run_id: {params['run_id']!r}; allowed are {LABEL_VALUE_RULE}")
    for option, names in (("name", [params["name"]]), ("namespaces", params["namespaces"])):
        for name in names:
            if not is_dns_label(name):
                raise ObserveError(f"{option}: {name!r}; allowed are {DNS_LABEL_RULE}")
    OBSERVE["observe_max_seconds"].check("max_seconds", params["max_seconds"])
    return Options(
        auth=auth_options(dict(params)),
        run_id=params["run_id"],
        name=params["name"],
        results_dir=Path(params["results_dir"]).absolute(),
        namespaces=tuple(dict.fromkeys(params["namespaces"])),
        intervals=Intervals.of(params),
        max_seconds=params["max_seconds"],
    )


def _start(options: Options) -> dict[str, Any]:
    running = _running(options)
    if running is not None:
        _refuse_different(options, running)
        return _answer(running, changed=False, running=True)
    file = ObservationFile(options.results_dir, options.name)
    process, first = start(partial(_work, options, file), "observation", timeout_seconds=_START_SECONDS)
    started = Started(process=process, path=str(file.path), settings=options.identity(first["server"]))
    try:
        started.save(options.state_file)
    except DetachedError:
        process.send(signal.SIGTERM)  # without the file it could not be stopped later
        raise
    return _answer(started, changed=True, running=True)


async def _work(options: Options, file: ObservationFile, report: Report) -> None:
    """Run in the background process."""
    await observe(
        auth=options.auth,
        run_id=options.run_id,
        name=options.name,
        namespaces=options.namespaces,
        intervals=options.intervals,
        max_seconds=options.max_seconds,
        file=file,
        report=report,
    )


def _stop(options: Options) -> dict[str, Any]:
    known = Started.load(options.state_file)
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
        answer["warnings"].append(f"the observing process had ended before; {known.path} has what it wrote until then")
    return answer


def _predict(options: Options, state: str) -> dict[str, Any]:
    """Check mode: what would be done, and whether the cluster answers; nothing is written."""
    running = _running(options)
    if state == "started" and running is None:
        asyncio.run(_check_connection(options.auth))
    elif state == "started" and running is not None:
        _refuse_different(options, running)
    changed = (running is None) is (state == "started")
    known = Started.load(options.state_file)
    if known is None or (state == "started" and running is None):
        return _none(changed=changed)
    return _answer(known, changed=changed, running=running is not None)


async def _check_connection(auth: dict[str, Any]) -> None:
    async with await Cluster.open(auth) as cluster:
        await cluster.version()


def _running(options: Options) -> Started | None:
    known = Started.load(options.state_file)
    return known if known is not None and known.process.alive else None


def _refuse_different(options: Options, running: Started) -> None:
    """Raise ObserveError, naming the difference, if the running observation of this name has other options."""
    identity = options.identity(asyncio.run(open_connection(options.auth)).host)
    for option, value in identity.items():
        before = running.settings.get(option)
        if value != before:
            raise ObserveError(
                f"name: {options.name} is already being observed, with {option} {before!r} instead of {value!r}; "
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
