"""The control plane of the bench: newly started, and idle before each measurement."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import Pki
from helpers import control_plane

from bench import stub

# All measurements of a run fit without removing earlier objects. A set is the headline's 300 pods: a pair takes two
# sets in each of `headline` and `playbook`, and four in `observe`. 8 pairs and everything else are 20,000 pods.
NODES = {
    "local_cluster_nodes": 10,
    "local_cluster_pods_per_node": 2000,
    "local_cluster_node_cpu": "1000",
    "local_cluster_node_memory": "1000Gi",
}
MAX_PAIRS = 8
# An idle control plane takes 2–5 % of a processor for leases and heartbeats.
QUIET_SHARE = 0.10
QUIET_SAMPLE_SECONDS = 0.4
QUIET_TIMEOUT_SECONDS = 60.0
_TESTS = Path(__file__).resolve().parents[1]
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class NotQuietError(Exception):
    """The control plane is still busy with an earlier measurement."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A running control plane. `ca_file` verifies its certificate; `folder` contains its files."""

    kubeconfig: Path
    folder: Path
    server: str
    token: str
    ca_file: Path

    @classmethod
    def from_kubeconfig(cls, kubeconfig: Path) -> Plane:
        """Read server, token and CA from the kubeconfig of the local_cluster playbook."""
        document = yaml.safe_load(kubeconfig.read_text())
        cluster = document["clusters"][0]["cluster"]
        ca_file = kubeconfig.parent / "bench-ca.crt"
        ca_file.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        return cls(
            kubeconfig=kubeconfig,
            folder=kubeconfig.parent,
            server=cluster["server"],
            token=document["users"][0]["user"]["token"],
            ca_file=ca_file,
        )

    def _processes(self, name: str = "") -> Iterator[Path]:
        """Folders under /proc of its processes, or of those with this in their command line."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_text()
            except OSError:  # it ended meanwhile
                continue
            if str(self.folder) in command and name in command:
                yield process

    def cpu_seconds(self) -> float:
        """User and system time of all its processes since their start."""
        total = 0.0
        for process in self._processes():
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended between two reads
                continue
            total += (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
        return total

    @contextmanager
    def without_controllers(self) -> Iterator[None]:
        """Inside, its controllers stand still: every 15 s they go through all claims and volumes, and so never rest."""
        stopped = [int(process.name) for process in self._processes("/kube-controller-manager")]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def wait_until_quiet(self) -> None:
        """Wait until it uses less than QUIET_SHARE of a processor. Raises NotQuietError after a minute."""
        deadline = time.monotonic() + QUIET_TIMEOUT_SECONDS
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(QUIET_SAMPLE_SECONDS)
            now = self.cpu_seconds()
            if now - before < QUIET_SHARE * QUIET_SAMPLE_SECONDS:
                return
            before = now
        raise NotQuietError(f"the control plane in {self.folder} is still busy after {QUIET_TIMEOUT_SECONDS:g} s")


@contextmanager
def fresh_plane(nodes: Mapping[str, object] = NODES) -> Iterator[Plane]:
    """Start a control plane on free ports in a temporary folder; always stop it and remove the folder."""
    with TemporaryDirectory(prefix="kubestress-bench-") as scratch:
        variables = {**nodes, "local_cluster_kubectl": False}
        with control_plane.running(Path(scratch), variables) as kubeconfig:
            yield Plane.from_kubeconfig(kubeconfig)


@contextmanager
def stub_server(module: str = "bench.stub", *arguments: str) -> Iterator[Plane]:
    """Start the server that stores nothing, or another module, in its own process, and always stop it."""
    with TemporaryDirectory(prefix="kubestress-bench-") as scratch:
        folder = Path(scratch)
        command = [sys.executable, "-m", module, scratch, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=client_environment()) as process:
            try:
                assert process.stdout is not None
                server = f"https://{stub.LOOPBACK}:{int(process.stdout.readline())}"
                ca_file = Pki(folder).ca_certificate
                kubeconfig = folder / "kubeconfig"
                kubeconfig.write_text(yaml.safe_dump(_kubeconfig(server, ca_file)))
                yield Plane(kubeconfig=kubeconfig, folder=folder, server=server, token=stub.TOKEN, ca_file=ca_file)
            finally:
                process.terminate()


def _kubeconfig(server: str, ca_file: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "stub", "cluster": {"server": server, "certificate-authority": str(ca_file)}}],
        "users": [{"name": "stub", "user": {"token": stub.TOKEN}}],
        "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "stub"}}],
        "current-context": "stub",
    }


def client_environment() -> dict[str, str]:
    """The environment in which `python -m bench.NAME` finds the bench and the collection."""
    path = os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}
