"""Fake kubelets that a real API server can reach through its node proxy, each with a different behaviour.

They listen on an address of this machine other than loopback, because an API server does not proxy to loopback. Their
certificate is self-signed: without --kubelet-certificate-authority, an API server accepts any.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import certificates

FIGURES = {
    "rlimit": {"maxpid": 32768, "curproc": 1234},
    "cpu": {"usageNanoCores": 2_500_000_000},
    "memory": {"workingSetBytes": 3 * 1024**3},
}
THREADS = 'container_threads{id="/kubepods/pod0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11",namespace="ns",pod="p"} 640\n'
#: Response to stats/summary; other paths are answered as by a kubelet, or with the same fault.
BEHAVIOURS = ("counting", "forbidden", "missing", "garbage", "silent", "absent")


def own_address() -> str | None:
    """Return a non-loopback address of this machine, or None; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address


@dataclass
class FakeKubelets:
    """`ports` by behaviour; "absent" has a port without listener. `asked` counts (behaviour, last part of path).

    `pods` is what the one that is "counting" tells of pods.
    """

    address: str
    ports: dict[str, int] = field(default_factory=dict)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    pods: list[dict[str, Any]] = field(default_factory=list)

    def fill(self, namespace: str, **percent: int) -> None:
        """Claims of 1 GiB that pods have mounted, by name, are this full from now on."""
        self.pods = [_mounted(namespace, claim, used) for claim, used in percent.items()]

    def node(self, name: str, behaviour: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an unschedulable Node, and the status by which the API server finds its kubelet."""
        taint = {"key": "kubestress.core/test", "effect": "NoSchedule"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": [taint]}}
        status = {
            "addresses": [{"type": "InternalIP", "address": self.address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.ports[behaviour]}},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady"},
                {
                    "type": "PIDPressure", "status": "True" if behaviour == "counting" else "False",
                    "reason": "KubeletHasInsufficientPID", "lastTransitionTime": "2026-01-01T00:00:00Z",
                },
            ],
        }  # fmt: skip
        return node, {"status": status}

    async def answer(self, behaviour: str, request: web.Request) -> web.StreamResponse:
        """Respond with this kubelet's behaviour."""
        endpoint = request.path.rpartition("/")[2]
        self.asked[behaviour, endpoint] += 1
        if behaviour == "silent":
            await self.ended.wait()
        if behaviour == "forbidden":
            return web.Response(status=403, text="Forbidden (user=u, verb=get, resource=nodes, subresource=stats)")
        if behaviour == "missing":
            return web.Response(status=404, text="404 page not found\n")
        if behaviour == "garbage":
            return web.Response(text="<html><body>it works!</body></html>", content_type="text/html")
        if endpoint == "cadvisor":
            return web.Response(text=THREADS)
        if endpoint == "configz":
            return web.json_response({"kubeletconfig": {"podPidsLimit": 4096}})
        return web.json_response({"node": FIGURES, "pods": self.pods})

    async def serve(self, context: ssl.SSLContext, ready: threading.Event) -> None:
        """Serve until `ended` is set."""
        runners = []
        for behaviour in BEHAVIOURS:

            async def handle(request: web.Request, behaviour: str = behaviour) -> web.StreamResponse:
                return await self.answer(behaviour, request)

            application = web.Application()
            application.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(application, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, self.address, 0, ssl_context=context).start()
            self.ports[behaviour] = runner.addresses[0][1]
            runners.append(runner)
        await runners.pop().cleanup()  # absent
        ready.set()
        await self.ended.wait()
        for runner in runners:
            await runner.cleanup()


def _mounted(namespace: str, claim: str, percent: int) -> dict[str, Any]:
    """A pod with one claim, as stats/summary has it."""
    size = 2**30
    used = size * percent // 100
    volume = {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "name": "data",
        "pvcRef": {"name": claim, "namespace": namespace},
        "capacityBytes": size,
        "usedBytes": used,
        "availableBytes": size - used,
        "inodes": 65_536,
        "inodesUsed": 11,
        "inodesFree": 65_525,
    }
    return {"podRef": {"name": f"p-{claim}", "namespace": namespace, "uid": f"uid-{claim}"}, "volume": [volume]}


@contextlib.contextmanager
def fake_kubelets(address: str, folder: Path) -> Iterator[FakeKubelets]:
    """Yield running kubelets, in their own thread."""
    authority = certificates.authority("nobody")
    pair = certificates.issue("kubelet", authority=authority, addresses=[address])
    path = folder / "kubelet.pem"
    path.write_bytes(pair.key_pem + pair.certificate_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    ready = threading.Event()
    running: dict[str, Any] = {}

    async def main() -> None:
        running["kubelets"], running["loop"] = FakeKubelets(address), asyncio.get_running_loop()
        await running["kubelets"].serve(context, ready)

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="fake-kubelets")
    thread.start()
    try:
        assert ready.wait(60), "the kubelets did not start"
        yield running["kubelets"]
    finally:
        if "kubelets" in running:
            running["loop"].call_soon_threadsafe(running["kubelets"].ended.set)
        thread.join(60)
        assert not thread.is_alive(), "the kubelets did not stop"


def make_nodes(kubectl: Any, kubelets: FakeKubelets, prefix: str) -> dict[str, str]:
    """Create a Node for each kubelet; return their names by behaviour, in the order of BEHAVIOURS."""
    names = {behaviour: f"{prefix}-{number}-{behaviour}" for number, behaviour in enumerate(BEHAVIOURS)}
    for behaviour, name in names.items():
        node, status = kubelets.node(name, behaviour)
        kubectl("create", "-f", "-", stdin=json.dumps(node))
        kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", json.dumps(status))
    return names
