# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `storage_watch`: watch here until a limit, or start or stop a process that does."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster
from ..cluster.connection import open_connection
from ..cluster.errors import ClusterError
from ..errors import ModuleFailed
from ..machine.detached import DetachedError, Report, Started, start, stop
from ..machine.interpreter import rare_garbage_collection
from ..machine.sync import exclusive
from ..results.folder import ResultsError, read_json
from ..settings.setting import SettingError
from ..storage.storage_info import sentence
from .endpoint import check_prometheus_client
from .options import FOREGROUND, STARTED, WatchOptions, checked_watch, is_loopback
from .watching import watch

#: Seconds until the first judgement, and for the last one.
_START_SECONDS, _STOP_SECONDS = 180.0, 60.0
_LISTS = ("findings", "usage")


def run_module(params: Mapping[str, Any], *, check_mode: bool = False) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed: bad input, no connection, a file that cannot be written."""
    auth = auth_options(dict(params))
    try:
        options = checked_watch(params)
        if options.http_port:
            check_prometheus_client()
        if params["state"] == FOREGROUND:
            return _predict(auth, options) if check_mode else _watch_here(auth, options)
        if params["state"] == STARTED:
            return _start(auth, options, check_mode=check_mode)
        return _stop(options, check_mode=check_mode)
    except (ClusterError, ResultsError, SettingError, DetachedError) as error:
        raise ModuleFailed(str(error)) from error
    except OSError as error:
        raise ModuleFailed(f"dest: {error.filename or params['dest']}: {error.strerror}") from error


def _watch_here(auth: dict[str, Any], options: WatchOptions) -> dict[str, Any]:
    _refuse_second(options)
    with rare_garbage_collection():
        found = asyncio.run(watch(auth, options))
    return _answer(options, found, changed=False)


async def _work(auth: dict[str, Any], options: WatchOptions, report: Report) -> None:
    """Run in the background process."""
    with rare_garbage_collection():
        await watch(auth, options, report)


def _start(auth: dict[str, Any], options: WatchOptions, *, check_mode: bool) -> dict[str, Any]:
    running = _running(options)
    if running is not None:
        _refuse_different(auth, options, running)
        return _none(options, changed=False, running=running)
    if check_mode:
        return {**_predict(auth, options), "changed": True}
    options.dest.mkdir(parents=True, exist_ok=True)
    with exclusive(options.state_file.with_suffix(".lock")):
        process, first = start(partial(_work, auth, options), "watch", timeout_seconds=_START_SECONDS)
        settings = {**options.told(), "server": first["server"]}
        started = Started(process=process, path=str(options.events_file), settings=settings)
        try:
            started.save(options.state_file)
        except DetachedError:
            process.send(signal.SIGTERM)  # without the file it could not be stopped later
            raise
    return _none(options, changed=True, running=started)


def _stop(options: WatchOptions, *, check_mode: bool) -> dict[str, Any]:
    known = Started.load(options.state_file)
    if known is None:
        return _none(options, changed=False)
    alive = known.process.alive
    if check_mode:
        return _none(options, changed=alive, running=known if alive else None)
    with exclusive(options.state_file.with_suffix(".lock")):
        if alive:
            stop(known.process, timeout_seconds=_STOP_SECONDS)
    ended = _last_line(options)
    warnings = []
    if ended is None:
        warnings.append(f"the watching process had ended before; {options.dest} has what it wrote until then")
    try:
        found = read_json(options.document_file)
    except ResultsError as error:
        return {**_none(options, changed=alive), "warnings": [*warnings, str(error)]}
    top = options.scan.top
    short = {**found, **{name: found[name][:top] for name in _LISTS}}
    short["warnings"] = [*found["warnings"], *warnings]
    return _answer(options, {**short, "watch": ended}, changed=alive)


def _predict(auth: dict[str, Any], options: WatchOptions) -> dict[str, Any]:
    """Check mode: whether the cluster answers; nothing is written."""

    async def ask() -> None:
        async with await Cluster.open(auth) as cluster:
            await cluster.version()

    asyncio.run(ask())
    return {**_none(options, changed=False), "msg": f"check mode: would watch, and write {', '.join(options.files)}"}


def _running(options: WatchOptions) -> Started | None:
    known = Started.load(options.state_file)
    return known if known is not None and known.process.alive else None


def _refuse_second(options: WatchOptions) -> None:
    running = _running(options)
    if running is not None:
        raise ModuleFailed(
            f"dest: process {running.process.pid} is watching into {options.dest}; stop it first, or use another folder"
        )


def _refuse_different(auth: dict[str, Any], options: WatchOptions, running: Started) -> None:
    """Raise ModuleFailed, naming the difference, if the running watch has other options."""
    wanted = {**options.told(), "server": asyncio.run(open_connection(auth)).host}
    for option, value in wanted.items():
        before = running.settings.get(option)
        if value != before:
            raise ModuleFailed(
                f"dest: process {running.process.pid} is watching into {options.dest}, with {option} {before!r} "
                f"instead of {value!r}; stop it first, or use another folder"
            )


def _last_line(options: WatchOptions) -> dict[str, Any] | None:
    """The line by which the newest watch ended; None if it did not end in order."""
    try:
        with options.events_file.open(encoding="utf-8") as file:
            last = deque(file, maxlen=1)
        found = json.loads(last[0]) if last else {}
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("type") != "ended":
        return None
    return {name: value for name, value in found.items() if name not in ("time", "type", "standing", "orphans")}


def _none(options: WatchOptions, *, changed: bool, running: Started | None = None) -> dict[str, Any]:
    """The answer without a document."""
    pid = running.process.pid if running is not None else None
    said = f"process {pid} is watching into {options.dest}" if pid else f"nothing is watching into {options.dest}"
    return {
        "changed": changed,
        "running": running is not None,
        "pid": pid,
        "files": options.files,
        "watch": None,
        "warnings": _warnings(options),
        "msg": said,
    }


def _answer(options: WatchOptions, found: Mapping[str, Any], *, changed: bool) -> dict[str, Any]:
    seen = found["watch"]
    what = f"watched for {seen['seconds']:,.0f} s until {seen['reason']}, {seen['events']:,} events; " if seen else ""
    return {
        **_none(options, changed=changed),
        **found,
        "warnings": [*_warnings(options), *found["warnings"]],
        "msg": what + sentence(found),
    }


def _warnings(options: WatchOptions) -> list[str]:
    if not options.http_port or is_loopback(options.http_address):
        return []
    text = "is not a loopback address, so that others can read the metrics, which have names of your cluster in them"
    return [f"http_address: {options.http_address} {text}"]
