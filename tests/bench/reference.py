"""The minimal client: one loop over aiohttp that posts prepared bodies and watches Deployments or Jobs.

It has no retries, no limits except the requests in flight, no outcomes and no causes. The difference to the engine is
what those features cost. It keeps the order that the cluster needs: a namespace before its objects, ConfigMaps and
Secrets before their Deployment, and the ServiceAccount before what makes pods, which would be refused otherwise.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import aiohttp

from bench.task import Clock, Task
from bench.workload import compiled

_PATHS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "LocalQueue": "/apis/kueue.x-k8s.io/v1beta2/namespaces/{}/localqueues",
    "Namespace": "/api/v1/namespaces",
    "Secret": "/api/v1/namespaces/{}/secrets",
}


def _is_available(deployment: dict[str, Any]) -> bool:
    return bool(deployment.get("status", {}).get("availableReplicas") == deployment["spec"]["replicas"])


def _is_complete(job: dict[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions") or []
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)


#: What is waited for, and when it is done.
_DONE = {"Deployment": _is_available, "Job": _is_complete}
#: The bodies of a namespace: members of all fragments, their steps, and (kind, body) of each step.
Bodies = list[list[list[tuple[str, bytes]]]]


class RefusedError(Exception):
    """The server did not store an object."""


def bodies_of(task: Task) -> dict[str, Bodies]:
    """All bodies, created before the clock starts."""
    fragments = compiled(task.fragments, run_id=task.run_id)
    made: dict[str, Bodies] = {}
    for number, name in enumerate(task.namespaces, 1):
        made[name] = []
        for fragment in fragments:
            for index in range(1, fragment.count + 1):
                values = fragment.values(namespace=name, namespace_index=number, index=index)
                steps = range(len(fragment.steps))
                made[name].append([[(r.kind, r.body) for r in fragment.render_step(s, dict(values))] for s in steps])
    return made


class Loop:
    """Does the work of one task."""

    def __init__(self, task: Task, session: aiohttp.ClientSession) -> None:
        self._task = task
        self._session = session
        self._in_flight = asyncio.Semaphore(task.in_flight)
        self._namespaces = asyncio.Semaphore(task.namespaces_parallel)
        self._accounts: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._done: set[tuple[str, str, str]] = set()
        self._all_done = asyncio.Event()
        self._waited_for = 0
        self.objects = 0
        self.clock = Clock()
        self.sending_seconds = 0.0

    async def run(self) -> None:
        """Run until everything is stored, and available or complete if the task says so."""
        bodies = bodies_of(self._task)
        kinds = Counter(kind for whole in bodies.values() for steps in whole for step in steps for kind, _ in step)
        self._waited_for = sum(kinds[kind] for kind in _DONE)
        self.clock.start()
        watches = []
        if self._task.wait:
            labels = {"labelSelector": f"kubestress.core/run-id={self._task.run_id}"}
            accounts = {"fieldSelector": "metadata.name=default"}
            watches = [
                asyncio.create_task(self._watch("/api/v1/serviceaccounts", accounts, self._account)),
                *(
                    asyncio.create_task(
                        self._watch(_PATHS[kind].replace("/namespaces/{}", ""), labels, self._judge(kind))
                    )
                    for kind in _DONE
                    if kinds[kind]
                ),
            ]
        sending = asyncio.create_task(self._send(bodies))
        # A watch that is done has failed, and waiting is pointless.
        await asyncio.wait([sending, *watches], return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in (sending, *watches) if task.done()]:
            task.result()
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def _send(self, bodies: dict[str, Bodies]) -> None:
        began = self.clock.seconds()
        async with asyncio.TaskGroup() as group:
            for name, whole in bodies.items():
                await self._namespaces.acquire()
                group.create_task(self._namespace(name, whole))
        self.sending_seconds = self.clock.seconds() - began
        if self._task.wait and self._waited_for:
            await self._all_done.wait()

    async def _namespace(self, name: str, whole: Bodies) -> None:
        try:
            rest = whole
            if whole[0][0][0][0] == "Namespace":
                await self._post(name, *whole[0][0][0])
                rest = whole[1:]
            async with asyncio.TaskGroup() as group:
                for steps in rest:
                    group.create_task(self._member(name, steps))
        finally:
            self._namespaces.release()

    async def _member(self, name: str, steps: list[list[tuple[str, bytes]]]) -> None:
        for step in steps:
            if step[0][0] in _DONE and self._task.wait:
                await self._accounts[name].wait()
            if len(step) == 1:
                await self._post(name, *step[0])
                continue
            async with asyncio.TaskGroup() as group:
                for kind, body in step:
                    group.create_task(self._post(name, kind, body))

    async def _post(self, namespace: str, kind: str, body: bytes) -> None:
        async with self._in_flight, self._session.post(_PATHS[kind].format(namespace), data=body) as answer:
            text = await answer.read()
            if answer.status != 201:
                raise RefusedError(f"{kind} in {namespace}: {answer.status}: {text[:500]!r}")
            self.objects += 1

    async def _watch(self, path: str, selector: dict[str, str], heard: Any) -> None:
        """List and watch, again and again: an API server ends the watch of a client that reads too slowly."""
        while True:
            async with self._session.get(path, params=selector) as answer:
                listed = await answer.json()
            for item in listed["items"]:
                heard(item)
            version = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]}
            async with self._session.get(path, params={**selector, **version}) as answer:
                async for line in answer.content:
                    heard(json.loads(line)["object"])

    def _account(self, obj: dict[str, Any]) -> None:
        self._accounts[obj["metadata"]["namespace"]].set()

    def _judge(self, kind: str) -> Callable[[dict[str, Any]], None]:
        def heard(obj: dict[str, Any]) -> None:
            if _DONE[kind](obj):
                self._done.add((kind, obj["metadata"]["namespace"], obj["metadata"]["name"]))
                if len(self._done) == self._waited_for:
                    self._all_done.set()

        return heard


async def work(task: Task) -> dict[str, Any]:
    """Run the loop; returns the fields of Measured except the memory."""
    context = ssl.create_default_context(cafile=task.ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    headers = {"Authorization": f"Bearer {task.token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(
        task.server,
        headers=headers,
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=1024 * 1024,
    ) as session:
        loop = Loop(task, session)
        await loop.run()
        return {
            "objects": loop.objects,
            "seconds": loop.clock.seconds(),
            "sending_seconds": loop.sending_seconds,
            "cpu_seconds": loop.clock.cpu_seconds(),
        }
