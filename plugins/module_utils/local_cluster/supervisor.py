# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, watch and end the parts. They outlive the process that starts them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from ..machine.process import Process, child_of, command_of, terminate
from ..machine.sync import wait_until
from .api import Api
from .errors import LocalClusterError, NotReadyError, PartCrashedError
from .layout import Layout
from .node_namespaces import NODE, entering
from .parts import Part
from .pki import ADMIN, Pki
from .ports import MARKER_VARIABLE, marked
from .storage import CONTROLLER_COMMANDS

# Passed to the parts. No proxies, because nothing leaves this machine.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "GOTRACEBACK")

GRACE_SECONDS = 10.0
# A line that looks like an error.
ERRORS = re.compile(r"^[EF]\d{4} |^panic|^Error|^error|\"level\":\"(error|fatal|panic)\"|fatal error")
# The root cause may be earlier in the log than the line with which the program ends.
CAUSES = re.compile(
    r"no space left on device|address already in use|permission denied|too many open files", re.IGNORECASE
)
MAX_LINE = 400


class Supervisor:
    """The processes of one data folder."""

    def __init__(self, layout: Layout, pki: Pki) -> None:
        self.layout = layout
        self.pki = pki
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def running(self, names: Iterable[str]) -> dict[str, Process]:
        """The running processes among `names`, by name."""
        loaded = {name: Process.load(self.layout.pid_file(name)) for name in names}
        return {name: process for name, process in loaded.items() if process and process.alive}

    def start(self, parts: Sequence[Part], *, timeout_seconds: float) -> None:
        """Start `parts` and wait until each is ready. Parts that do not depend on each other start together.

        :raises PartCrashedError: if one ends, with the most relevant line of its log.
        :raises NotReadyError: if one is not ready in time.
        """
        pending = list(parts)
        while pending:
            names = {part.name for part in pending}
            wave = [part for part in pending if not names & set(part.after)]
            if not wave:
                raise LocalClusterError(f"the parts {', '.join(sorted(names))} wait for each other")
            for part in wave:
                self._launch(part)
            self.wait_ready(wave, timeout_seconds=timeout_seconds)
            for part in wave:
                if part.afterwards:
                    part.afterwards(self._pid(part.name))
            pending = [part for part in pending if part not in wave]

    def wait_ready(self, parts: Sequence[Part], *, timeout_seconds: float) -> None:
        """Wait until every part is ready; errors as for `start`."""
        probes = {part.name: self._probe(part) for part in parts if part.ready_url}
        waiting = {part.name: part for part in parts}

        def all_ready() -> bool:
            for name, part in list(waiting.items()):
                if self._is_ready(part, probes.get(name)):
                    del waiting[name]
                else:
                    self.check_alive(part)
            return not waiting

        ready = wait_until(all_ready, timeout_seconds=timeout_seconds)
        for probe in probes.values():
            probe.close()
        if not ready:
            logs = ", ".join(f"{name} (log: {self.layout.log(name)})" for name in waiting)
            raise NotReadyError(f"not ready within {timeout_seconds:g} s: {logs}")

    @staticmethod
    def _is_ready(part: Part, probe: Api | None) -> bool:
        if probe is not None:
            return probe.healthy(urlsplit(part.ready_url).path)
        return part.ready_file is None or part.ready_file.exists()

    def check_alive(self, part: Part) -> None:
        """:raises PartCrashedError: if the part's process has ended."""
        child = self._children.get(part.name)
        if child is not None and child.poll() is not None:
            raise PartCrashedError(f"{part.name} ended with {_exit(child.returncode)}: {self.last_log_line(part.name)}")
        if child is None and not self.running([part.name]):
            raise PartCrashedError(f"{part.name} is no longer running: {self.last_log_line(part.name)}")

    def last_log_line(self, name: str) -> str:
        """The most relevant line at the end of a part's log, and the path of the log."""
        path = self.layout.log(name)
        try:
            lines = [line for line in path.read_text(errors="replace").splitlines()[-200:] if line.strip()]
        except OSError:
            lines = []
        causes = [line for line in lines if CAUSES.search(line)]
        relevant = causes or [line for line in lines if ERRORS.search(line)] or lines or ["its log is empty"]
        return f"{relevant[-1].strip()[:MAX_LINE]} (log: {path})"

    def stop(self, names: Sequence[str], *, grace_seconds: float = GRACE_SECONDS) -> list[str]:
        """End the named parts; returns the names of those that ran."""
        running = self.running(names)
        end(list(running.values()), grace_seconds=grace_seconds)
        for name in names:
            self.layout.pid_file(name).unlink(missing_ok=True)
            self._children.pop(name, None)
        return list(running)

    def everything(self) -> list[Process]:
        """Every process of this data folder, recorded or not."""
        folder = self.layout.root / "run"
        recorded = [Process.load(path) for path in folder.glob("*.json")] if folder.is_dir() else []
        found = {process for process in recorded if process and process.alive}
        return sorted(found | set(marked(self.marker)), key=lambda process: process.pid)

    @property
    def marker(self) -> str:
        """The mark of this cluster's processes."""
        return os.path.realpath(self.layout.root)

    def _probe(self, part: Part) -> Api:
        url = urlsplit(part.ready_url)
        token = self.pki.token(ADMIN) if part.ready_with_token else None
        return Api(f"{url.scheme}://{url.netloc}", ca=self.pki.ca_certificate, token=token)

    def _pid(self, name: str) -> int:
        """The pid of a running part."""
        running = self.running([name])
        if name not in running:
            raise PartCrashedError(f"{name} is no longer running: {self.last_log_line(name)}")
        return running[name].pid

    def _launch(self, part: Part) -> None:
        if part.before:
            part.before()
        log = self.layout.log(part.name)
        if log.exists():
            # The previous log is kept: it may have the cause of a crash.
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            try:
                child = subprocess.Popen(
                    self._command(part),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self.layout.root,
                    env=self._environment(part.environment),
                    start_new_session=True,
                )
            except OSError as error:
                raise PartCrashedError(f"{part.name} cannot be started: {part.command[0]}: {error.strerror}") from error
        self._children[part.name] = child
        process = child_of(child.pid) if part.forks else Process.of(child.pid)
        if process:
            process.save(self.layout.pid_file(part.name))

    def _command(self, part: Part) -> tuple[str, ...]:
        if part.inside is None:
            return part.command
        return entering(part, self._pid(NODE), self.layout)

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {**passed, "HOME": str(self.layout.root), MARKER_VARIABLE: self.marker, **extra}


def end(processes: Sequence[Process], *, grace_seconds: float) -> None:
    """End the processes in an order in which none misses another.

    Etcd last: without it the API server would wait for answers instead of ending. The controllers of volumes before
    their driver, because losing it is an error to them.
    """
    commands = {process: command_of(process.pid) for process in processes}
    first = [process for process in processes if commands[process] in CONTROLLER_COMMANDS]
    last = [process for process in processes if commands[process] == "etcd"]
    terminate(first, grace_seconds=grace_seconds)
    terminate([process for process in processes if process not in (*first, *last)], grace_seconds=grace_seconds)
    terminate(last, grace_seconds=grace_seconds)


def _exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
