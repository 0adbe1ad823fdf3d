# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that send the scheduler's operations to the API server and report one Outcome for each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from ..cluster.client import Cluster, Reply
from ..cluster.discovery import Discovery, Resource
from ..cluster.errors import AlreadyExists, ClusterError, Conflict, Invalid, NotFound, Unreachable
from ..cluster.labels import LABEL_MANAGED_BY, LABEL_RUN_ID, MANAGED_BY
from ..cluster.proof import object_of, prove_deletion, prove_stored
from ..measure.recorder import DEPENDENCY_FAILED
from .scheduler import Operation, Outcome, Result, Scheduler

#: Accept header of a creation. Nobody reads the created object, and writing all of it costs the API server 5–10 % of a
#: creation, and us the reading. A server that does not know this form answers in full; errors stay as they are.
METADATA_ANSWER = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
#: Content types of the three kinds of patch that the API server takes.
PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class Runner:
    """Sends the scheduler's operations, with as many workers as requests may be in flight.

    `is_finished(operation)`: the object has finished already, so the gate of unfinished members need not wait for an
    event that has passed. `finished_earlier(operation)`: it finished in an earlier attempt of the run and is not to be
    made again. `unserved` are kinds that objects of the plan define, and that the server may not have yet.
    """

    def __init__(
        self,
        cluster: Cluster,
        scheduler: Scheduler,
        *,
        run_id: str,
        resources: Mapping[tuple[str, str], Resource],
        discovery: Discovery,
        unserved: Iterable[tuple[str, str]] = (),
        on_outcome: Callable[[Outcome], None],
        is_finished: Callable[[Operation], bool],
        finished_earlier: Callable[[Operation], bool],
        state: str = "present",
        patch_type: str = "merge",
        workers: int = 50,
    ) -> None:
        self._cluster = cluster
        self._scheduler = scheduler
        self._run_id = run_id
        self._resources = resources
        self._discovery = discovery
        self._unserved = set(unserved)
        self._on_outcome = on_outcome
        self._is_finished = is_finished
        self._finished_earlier = finished_earlier
        sends: dict[str, Callable[[Operation], Awaitable[Outcome]]] = {
            "present": self._create,
            "patched": partial(self._patch, patch_type=patch_type),
            "absent": self._delete,
        }
        self._send = sends[state]
        self._workers = workers

    async def run(self) -> None:
        """Return when the scheduler has no more. Raises an ExceptionGroup for what is not a ClusterError."""
        async with asyncio.TaskGroup() as group:
            for _number in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while (operation := await self._scheduler.next()) is not None:
            outcome = await self._outcome(operation)
            self._on_outcome(outcome)
            failure = None
            if outcome.result == "failed":
                failure = f"{operation.kind} {operation.name}: {outcome.message}"
                if operation.skipped_because:
                    failure = operation.skipped_because
            self._scheduler.finished_operation(operation, failure=failure, finished=self._is_finished(operation))

    async def _outcome(self, operation: Operation) -> Outcome:
        if operation.skipped_because:
            message = f"not sent, because something it needs has failed: {operation.skipped_because}"
            return Outcome(operation, "failed", reason=DEPENDENCY_FAILED, message=message)
        if self._finished_earlier(operation):
            return Outcome(operation, "unchanged")
        try:
            patch = operation.unit.lane.fragment.patch
            return await (self._patch(operation, patch) if patch else self._send(operation))
        except ClusterError as error:
            if isinstance(error, Unreachable):
                # Whoever supervises stops the batch too, but later than a worker takes its next operation.
                self._scheduler.stop()
            return Outcome(operation, "failed", attempts=error.attempts, reason=error.reason, message=str(error))

    async def _create(self, operation: Operation) -> Outcome:
        resource = self._resource(operation)
        if (operation.api_version, operation.kind) in self._unserved:
            await self._served(operation)
        try:
            path = resource.path(operation.namespace)
            reply = await self._cluster.request(
                "POST",
                path,
                body=operation.body,
                accept=METADATA_ANSWER,
                expected_status=201,
                decode=partial(prove_stored, operation.name, operation.namespace if resource.namespaced else ""),
                measured_as=("create", operation.kind),
            )
            return self._done(operation, "created", reply, *reply.document)
        except AlreadyExists as error:
            found = await self._found(operation)
            self._refuse_foreign(operation, found)
            result: Result = "created" if error.maybe_done_before else "unchanged"
            uid, version = _identity(found)
            return Outcome(operation, result, attempts=error.attempts, uid=uid, version=version)

    async def _served(self, operation: Operation) -> None:
        """Wait until the kind is served that another object of the plan defines. Raises Invalid after the deadline."""
        kind = (operation.api_version, operation.kind)
        await self._discovery.until_served(*kind, timeout_seconds=self._cluster.retry.deadline_seconds)
        self._unserved.discard(kind)

    async def _patch(self, operation: Operation, patch_type: str) -> Outcome:
        found = await self._found(operation)
        self._refuse_foreign(operation, found)
        body = operation.body
        if patch_type != "apply":
            # With the uid, the server refuses the patch if the object was replaced since we read its labels.
            patch = json.loads(operation.body)
            patch["metadata"]["uid"] = found["metadata"]["uid"]
            body = json.dumps(patch).encode()
        reply = await self._cluster.request(
            "PATCH",
            self._path(operation),
            query={"fieldManager": MANAGED_BY, **({"force": "true"} if patch_type == "apply" else {})},
            body=body,
            content_type=PATCH_TYPES[patch_type],
            decode=object_of,
            measured_as=("patch", operation.kind),
        )
        same = reply.document["metadata"].get("resourceVersion") == found["metadata"].get("resourceVersion")
        return self._done(operation, "unchanged" if same else "patched", reply, *_identity(reply.document))

    async def _delete(self, operation: Operation) -> Outcome:
        try:
            found = await self._found(operation)
            self._refuse_foreign(operation, found)
            options = {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {"uid": found["metadata"]["uid"]},
            }
            body = json.dumps(options).encode()
            reply = await self._cluster.request(
                "DELETE",
                self._path(operation),
                body=body,
                decode=prove_deletion,
                measured_as=("delete", operation.kind),
            )
        except NotFound:
            return Outcome(operation, "unchanged", attempts=1)
        return self._done(operation, "deleted", reply)

    async def _found(self, operation: Operation) -> Any:
        """The object as it is stored."""
        return await self._cluster.get(self._path(operation), decode=object_of, measured_as=("get", operation.kind))

    def _done(self, operation: Operation, result: Result, reply: Reply, uid: str = "", version: str = "") -> Outcome:
        return Outcome(operation, result, attempts=reply.attempts, seconds=reply.seconds, uid=uid, version=version)

    def _path(self, operation: Operation) -> str:
        resource = self._resource(operation)
        return resource.path(operation.namespace, quote(operation.name, safe=""))

    def _resource(self, operation: Operation) -> Resource:
        resource = self._resources.get((operation.api_version, operation.kind))
        if resource is None:
            raise Invalid(
                f"a {operation.kind} of {operation.api_version} is not among what the first member makes; kinds must "
                "not vary from member to member",
                reason="UnknownKind",
            )
        return resource

    def _refuse_foreign(self, operation: Operation, found: Mapping[str, Any]) -> None:
        """Raise Conflict for an object without this run's labels: it is never adopted nor changed."""
        labels = found["metadata"].get("labels") or {}
        owner = labels.get(LABEL_RUN_ID)
        if owner == self._run_id and labels.get(LABEL_MANAGED_BY) == MANAGED_BY:
            return
        whose = f"belongs to run {owner}" if owner else "was not made by kubestress"
        cure = "clean that run up, or use another prefix"
        if not operation.namespace:
            cure = "leave it out of this run, or use another name"
        raise Conflict(
            f"{operation.kind} {operation.name} exists already and {whose}; it is left as it is ({cure})",
            reason="NotOurs",
            status=409,
        )


def _identity(found: Mapping[str, Any]) -> tuple[str, str]:
    """Uid and version of a stored object, as an Outcome has them."""
    metadata = found["metadata"]
    return metadata["uid"], metadata.get("resourceVersion") or ""
