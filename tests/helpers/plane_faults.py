"""Faults of the embedded control plane itself: its own processes are stopped, or killed and started again.

Only processes that its data folder names, with pid and start time, get a signal.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.layout import MARKER, Layout
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process

from helpers.faults import Call, Period
from helpers.waiting import until


class Part:
    """One running part of the control plane, such as etcd."""

    def __init__(self, kubeconfig: Path, name: str) -> None:
        self._layout = Layout(kubeconfig.parent)
        self.name = name
        process = Process.load(self._layout.pid_file(name))
        assert process is not None, f"{name} is not running"
        assert process.alive, f"{name} is not running"
        self._process = process
        proc = Path(f"/proc/{process.pid}")
        self._command = proc.joinpath("cmdline").read_bytes().split(b"\0")[:-1]
        pairs = proc.joinpath("environ").read_bytes().split(b"\0")
        self._environment = dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)

    @staticmethod
    def are_at(kubeconfig: Path) -> bool:
        """Whether the kubeconfig is that of an embedded control plane."""
        return (kubeconfig.parent / MARKER).exists()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send(number)

    def kill(self) -> None:
        """Kill it."""
        self.send(signal.SIGKILL)
        until(lambda: not self._process.alive)

    def start_with(self, changes: Mapping[str, str]) -> None:
        """End it, and start it with arguments that are changed in this way: old -> new."""
        self.kill()
        self._command = [changes.get(word.decode(), word.decode()).encode() for word in self._command]
        self.start_again()

    def resume(self) -> None:
        """Make it run again, whether it was stopped or killed."""
        self.send(signal.SIGCONT)
        self.start_again()

    def start_again(self) -> None:
        """Start it as it was started before, unless it runs."""
        if self._process.alive:
            return
        with self._layout.log(self.name).open("ab") as log:
            child = subprocess.Popen(
                self._command, env=self._environment, cwd=self._layout.root, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        process = Process.of(child.pid)
        assert process is not None
        process.save(self._layout.pid_file(self.name))
        self._process = process


class PartFault(Period):
    """From the n-th change on, a part does not work for some seconds; without `seconds`, until `over`.

    `injected` counts the requests that began in that time.
    """

    def __init__(self, part: Part, *, after: int, seconds: float | None) -> None:
        super().__init__(after=after)
        self._part, self._lasts = part, seconds
        self._state = "before"

    def begin(self) -> None:
        """Take the part out of service."""
        raise NotImplementedError

    def end(self) -> None:
        """Put it back into service."""
        raise NotImplementedError

    async def answer(self, call: Call) -> web.Response:
        self.count(call)
        if self.is_now and self._state == "before":
            self._state = "now"
            await asyncio.to_thread(self.begin)
            if self._lasts is not None:
                asyncio.get_running_loop().call_later(self._lasts, self.over)
        self.injected += self._state == "now"
        return await call.forward()

    def over(self) -> None:
        super().over()
        if self._state == "now":
            self._state = "after"
            self.end()


class StoppedPart(PartFault):
    """The process is stopped with SIGSTOP: its connections stay open, and it answers nothing."""

    def begin(self) -> None:
        self._part.send(signal.SIGSTOP)

    def end(self) -> None:
        self._part.send(signal.SIGCONT)


class KilledPart(PartFault):
    """The process is killed with SIGKILL, and started again at the end."""

    def begin(self) -> None:
        self._part.kill()

    def end(self) -> None:
        self._part.start_again()


def wait_until_working(kubectl: Callable[..., Any]) -> None:
    """Return when controllers, scheduler and nodes bring a Job in a new namespace to its end.

    After an API server was away, they try to reach it ever less often.
    """
    name = f"probe-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    until(lambda: kubectl("get", f"-n={name}", "serviceaccounts")["items"], seconds=120)
    pod = {"containers": [{"name": "main", "image": "registry.invalid/none:1"}], "restartPolicy": "Never"}
    metadata = {"annotations": {"kubestress.core/simulate-duration": "100ms"}}
    spec = {"template": {"metadata": metadata, "spec": pod}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": name}, "spec": spec}
    kubectl("create", "-f", "-", stdin=json.dumps(body))
    kubectl("wait", f"-n={name}", "--for=condition=complete", "--timeout=240s", f"job/{name}")
    kubectl("delete", "namespace", name, "--wait=false")


def wait_until_serving(kubectl: Callable[..., Any]) -> None:
    """Return when the API server is ready, as kubectl sees it."""

    def is_ready() -> bool:
        try:
            return bool(kubectl("get", "--raw", "/readyz") == "ok")
        except AssertionError:
            return False

    until(is_ready)
