# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read kubelet endpoints through the API server's node proxy, and Node objects.

A read that fails is an answer too, with its cause.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from .bodies import Read
from .client import Cluster
from .errors import ClusterError, Forbidden, NotFound, TransientError
from .retries import RetryPolicy

SUMMARY = "stats/summary"
CADVISOR = "metrics/cadvisor"
CONFIGURATION = "configz"
METRICS = "metrics"
#: What the embedded node's network plug-in writes, among the node's logs.
NETWORK_LOG = "logs/operations.log"
#: What a kubelet answers for an endpoint that its configuration switches off.
_SWITCHED_OFF = 405
#: A cause is cut here: some answers are a page of HTML.
_MAX_CAUSE = 160
#: What the client appends to its message; pointless here, where there is only one try.
_TRIES = re.compile(r" \(gave up after .*\)$")


class Answer(NamedTuple):
    """The answer of one endpoint of one kubelet: either `body` or `cause`."""

    body: bytes | None
    cause: str | None


class Nodes(NamedTuple):
    """The first Node objects, how many there are beside them, and why they could not be read."""

    nodes: list[dict[str, Any]]
    remaining: int
    cause: str | None


class OneTry(RetryPolicy):
    """No retries: by then the figure would be old, and another request adds load."""

    def pause_seconds(self, attempt: int, retry_after_seconds: float | None) -> float:
        """Longer than any deadline."""
        return math.inf


class NodeProxy:
    """The kubelets of a cluster; an async context manager.

    It has its own session, so that its requests are not counted as load in `cluster.traffic`; they pass the same
    admission. `requests` counts them, failed ones included.
    """

    def __init__(self, cluster: Cluster, *, timeout_seconds: float) -> None:
        self._cluster = cluster
        self._observer = Cluster(
            cluster.connection,
            retry=OneTry(deadline_seconds=timeout_seconds),
            request_timeout_seconds=timeout_seconds,
            admission=cluster.admission,
        )
        self._timeout_seconds = timeout_seconds

    async def __aenter__(self) -> NodeProxy:
        await self._observer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._observer.__aexit__(kind, error, trace)

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._observer.traffic.requests

    async def read(self, node: str, endpoint: str, *, read: Read | None = None) -> Answer:
        """One GET. Never raises ClusterError: a failure becomes the cause in the answer. `read` as of request()."""
        try:
            return Answer(await self._get(f"/api/v1/nodes/{node}/proxy/{endpoint}", read=read), None)
        except ClusterError as error:
            return Answer(None, cause_of_kubelet(error, endpoint, self._timeout_seconds))

    async def node(self, name: str) -> tuple[dict[str, Any] | None, str | None]:
        """The Node object, or why it cannot be read. It needs another permission than the kubelet's endpoints."""
        try:
            body = await self._get(f"/api/v1/nodes/{name}")
        except ClusterError as error:
            return None, _cause_of_node(error, self._timeout_seconds)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
            return None, "the answer is not a Node"
        return document, None

    async def nodes(self, *, limit: int) -> Nodes:
        """The first `limit` Node objects; none, with the cause, if they cannot be read."""
        try:
            body = await self._get("/api/v1/nodes", query={"limit": str(limit)})
        except ClusterError as error:
            return Nodes([], 0, _cause_of_node(error, self._timeout_seconds))
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("items"), list):
            return Nodes([], 0, "the answer is not a list of Nodes")
        return Nodes(document["items"], (document.get("metadata") or {}).get("remainingItemCount") or 0, None)

    async def _get(self, path: str, query: Mapping[str, str] | None = None, read: Read | None = None) -> bytes:
        # The load's client renews its credentials; use the current ones.
        self._observer.connection = self._cluster.connection
        return (await self._observer.request("GET", path, query=query, read=read)).body


def _plain(error: ClusterError) -> str:
    return _TRIES.sub("", " ".join(str(error).split()))


def _cause_of_node(error: ClusterError, timeout_seconds: float) -> str:
    if isinstance(error, Forbidden):
        return "the user may not get nodes"
    if isinstance(error, NotFound):
        return "no such node"
    if isinstance(error, TransientError) and error.cause == "timeout":
        return f"no answer within {timeout_seconds:g} s"
    return _plain(error)[:_MAX_CAUSE]


def cause_of_kubelet(error: ClusterError, endpoint: str, timeout_seconds: float) -> str:
    """Why an endpoint could not be read, in a few words: a refusal by the API server differs from one by a kubelet."""
    text = _plain(error)
    if isinstance(error, Forbidden):
        refused = "nodes/proxy" in text
        cause = "the user may not get nodes/proxy" if refused else f"the kubelet refuses {endpoint}: {text}"
    elif isinstance(error, NotFound):
        cause = "no such node" if text.startswith('nodes "') else f"the kubelet has no {endpoint}"
    elif isinstance(error, TransientError) and error.cause == "timeout":
        cause = f"no answer within {timeout_seconds:g} s"
    elif error.status == _SWITCHED_OFF:
        cause = f"the kubelet refuses {endpoint}: {text}"
    else:
        cause = f"the kubelet cannot be reached: {text}"
    return cause[:_MAX_CAUSE]
