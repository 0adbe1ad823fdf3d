# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder `job`: a Job on a cluster runs the Dockerfile and pushes the image."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cluster.client import Cluster
from ..cluster.errors import ClusterError, Forbidden, Invalid, NotFound, TransientError
from ..cluster.labels import LABEL_ROLE
from ..text import text_of
from .context import WORKDIR, write_layer
from .crane import Crane
from .errors import BuildFailed, Refused
from .job_manifest import BUILD, BUILDKIT_IMAGE, CARRIER_IMAGE, job
from .log import Interrupted, Log
from .request import Built, Request

_POLL_SECONDS = 2.0
#: Beyond activeDeadlineSeconds, after which the controller itself ends the Job.
_SLACK_SECONDS = 120.0
#: How long the Job's removal is tried, while somebody may be waiting for the play to end.
_REMOVAL_SECONDS = 10.0
#: A kubelet that does not answer by then is not asked again: the build does not need its log.
_LOG_SECONDS = 5.0
_LAST_LINES = 3
_LAYER = "layer.tar"


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Where and of what the Job is. `secret` has the logins at the registry, empty for none."""

    namespace: str
    buildkit: str = BUILDKIT_IMAGE
    carrier: str = CARRIER_IMAGE
    secret: str = ""
    timeout_seconds: int = 3600


class JobBuilder:
    """`connection` are options of Cluster.open."""

    def __init__(self, crane: Crane, options: JobOptions, connection: Mapping[str, Any]) -> None:
        self._crane = crane
        self._options = options
        self._connection = dict(connection)

    def build(self, request: Request, log: Log) -> Built:
        """Build and push. The Job is removed, however this ends. Raises ImageError, and Interrupted."""
        name = str(request.image)
        job_name = f"image-{uuid.uuid4().hex[:10]}"
        try:
            # Before anything is pushed: whether the cluster would take the Job.
            asyncio.run(self._try(request, job_name))
        except ClusterError as error:
            raise Refused(f"{name}: {error}") from error
        before = self._crane.digest_of(name)
        carrier = f"{request.image.repository}:context-{job_name}"
        pushed = self._carried(request, carrier, job_name, log)
        try:
            asyncio.run(self._run(request, pushed, job_name, log))
        except ClusterError as error:
            raise Refused(f"{name}: {error}") from error
        finally:
            self._forgotten(carrier, pushed, log)
        digest = self._crane.digest_of(name)
        if digest is None:
            raise BuildFailed(f"{name}: the Job has finished, but the registry has no such image")
        log.say(f"{'pushed' if digest != before else 'unchanged:'} {name}@{digest}")
        return Built(digest, digest != before)

    def _carried(self, request: Request, name: str, job_name: str, log: Log) -> str:
        """Push the context as an image that a pod can copy it from, and return the image's name with its digest."""
        with tempfile.TemporaryDirectory(prefix="kubestress-image-") as made:
            write_layer(request.context, Path(made) / _LAYER)
            log.say(f"the context, {request.context.text}, goes to the cluster as {name}")
            options = ["--platform", request.platform, "--append", _LAYER, "--workdir", WORKDIR, "--tag", name]
            # With the Job's name in it its digest is nobody else's, so that it can be removed.
            options += ["--label", f"{LABEL_ROLE}={job_name}"]
            return self._crane.run("mutate", self._options.carrier, *options, about=name, folder=Path(made)).strip()

    def _forgotten(self, carrier: str, pushed: str, log: Log) -> None:
        try:
            why = self._crane.removed(carrier, pushed, seconds=_REMOVAL_SECONDS)
        except Interrupted as error:
            why = str(error)
        log.say(f"{carrier} stays in the registry: {why}" if why else f"removed {carrier} from the registry")

    async def _try(self, request: Request, name: str) -> None:
        """Have the API server check the Job without storing it. Raises ClusterError."""
        body = self._body(request, str(request.image), name)
        async with await Cluster.open(self._connection) as cluster:
            await cluster.request("POST", self._jobs, query={"dryRun": "All"}, body=body)

    async def _run(self, request: Request, carrier: str, name: str, log: Log) -> None:
        async with await Cluster.open(self._connection) as cluster:
            await cluster.request("POST", self._jobs, body=self._body(request, carrier, name))
            log.say(f"Job {self._options.namespace}/{name} builds {request.dockerfile}")
            try:
                await self._finished(cluster, f"{self._jobs}/{name}", name, log)
            finally:
                await self._removed(cluster, f"{self._jobs}/{name}", name, log)

    @property
    def _jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self._options.namespace}/jobs"

    def _body(self, request: Request, carrier: str, name: str) -> bytes:
        options = self._options
        body = job(
            request,
            name=name,
            namespace=options.namespace,
            carrier=carrier,
            buildkit=options.buildkit,
            secret=options.secret,
            timeout_seconds=options.timeout_seconds,
        )
        return json.dumps(body).encode()

    async def _finished(self, cluster: Cluster, path: str, name: str, log: Log) -> None:
        """Until the Job has finished, its log shown. Raises BuildFailed and Interrupted."""
        until = time.monotonic() + self._options.timeout_seconds + _SLACK_SECONDS
        lines = _Lines(cluster, self._options.namespace, name, log)
        about = f"Job {self._options.namespace}/{name}"
        while True:
            found = await cluster.get(path)
            conditions = {one.get("type"): one for one in (found.get("status") or {}).get("conditions") or ()}
            ended = next((conditions[kind] for kind in ("Complete", "Failed") if _is_true(conditions.get(kind))), None)
            await lines.read()
            if ended is not None and ended["type"] == "Complete":
                return
            if ended is not None:
                why = f"{ended.get('reason')}: {ended.get('message')}"
                raise BuildFailed(f"{about} failed: {why}{lines.last}")
            if time.monotonic() > until:
                took = text_of(self._options.timeout_seconds, "seconds")
                raise BuildFailed(f"{about} has not finished after {took}{lines.last}")
            log.raise_if_abandoned()
            await asyncio.sleep(_POLL_SECONDS)

    async def _removed(self, cluster: Cluster, path: str, name: str, log: Log) -> None:
        try:
            await cluster.request(
                "DELETE", path, query={"propagationPolicy": "Background"}, deadline_seconds=_REMOVAL_SECONDS
            )
        except NotFound:
            return
        except ClusterError as error:
            log.say(f"Job {self._options.namespace}/{name} could not be removed: {error}")


class _Lines:
    """Shows the lines that the container's log has gained, and why it has none."""

    def __init__(self, cluster: Cluster, namespace: str, job_name: str, log: Log) -> None:
        self._cluster = cluster
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._selector = f"batch.kubernetes.io/job-name={job_name}"
        self._log = log
        self._seen = 0
        self._waits = ""
        self._is_unreadable = False
        self._lines: list[str] = []

    @property
    def last(self) -> str:
        """The end of the log, for a message."""
        said = " / ".join(self._lines[-_LAST_LINES:]) or self._waits
        return f"; {said}" if said else ""

    async def read(self) -> None:
        """Show what is new. A log that cannot be read is told once; it hinders no build. Raises ClusterError."""
        pods = (await self._cluster.get(self._pods, query={"labelSelector": self._selector})).get("items") or ()
        for pod in pods:
            self._wait_of(pod)
            path = f"{self._pods}/{pod['metadata']['name']}/log"
            if self._is_unreadable:
                continue
            try:
                reply = await self._cluster.request(
                    "GET", path, query={"container": BUILD}, deadline_seconds=_LOG_SECONDS
                )
            except Invalid:
                # The container has not started; what the pod waits for is shown.
                continue
            except (TransientError, Forbidden, NotFound) as error:
                self._is_unreadable = True
                self._log.say(f"the log cannot be shown: {error}")
                continue
            text = reply.body.decode(errors="replace")
            # Only whole lines; the rest comes with its end.
            whole = text[: text.rfind("\n") + 1].splitlines()
            self._log.add(whole[self._seen :])
            self._seen, self._lines = max(self._seen, len(whole)), [line for line in whole if line.strip()]

    def _wait_of(self, pod: Mapping[str, Any]) -> None:
        status = pod.get("status") or {}
        states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        waiting = [one["state"]["waiting"] for one in states if "waiting" in (one.get("state") or {})]
        unscheduled = [one for one in status.get("conditions") or () if one.get("reason") == "Unschedulable"]
        text = "; ".join(
            f"{one.get('reason')}: {one.get('message', '')}".rstrip(": ") for one in [*unscheduled, *waiting]
        )
        if text and text != self._waits:
            self._log.say(f"the pod waits: {text}")
        self._waits = text


def _is_true(condition: Mapping[str, Any] | None) -> bool:
    return condition is not None and condition.get("status") == "True"
