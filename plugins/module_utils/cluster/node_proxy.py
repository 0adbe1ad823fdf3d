# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks kubelets through the API server's node proxy, and Nodes beside them.

What is not told is an answer too, with its cause.
"""

from __future__ import annotations

import json
import math
import re
from types import TracebackType
from typing import Any, NamedTuple

from .client import Cluster, RetryPolicy
from .errors import ClusterError, Forbidden, NotFound, TransientError

SUMMARY = "stats/summary"
CADVISOR = "metrics/cadvisor"
CONFIGURATION = "configz"
#: Of a cause no more is kept: some come with a page of HTML.
_MAX_CAUSE = 160
#: How the client ends the text of what it gave up; one try is all there was.
_TRIES = re.compile(r" \(gave up after .*\)$")


class Answer(NamedTuple):
    """What one endpoint of one kubelet gave: `body`, or `cause`, never both."""

    body: bytes | None
    cause: str | None


class OneTry(RetryPolicy):
    """Who measures asks once: a second request for a figure that is old by then only adds to the load."""

    def pause_seconds(self, attempt: int, retry_after_seconds: float | None) -> float:
        """Longer than any deadline."""
        return math.inf


class NodeProxy:
    """The kubelets of a cluster; an async context manager.

    It has a session of its own, so that its requests are not taken for the load's in `cluster.traffic`; they pass the
    same admission. `requests` counts them: each read is one, whatever becomes of it.
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

    async def read(self, node: str, endpoint: str) -> Answer:
        """One GET. Never raises ClusterError: whatever keeps a kubelet from telling is the answer's cause."""
        try:
            return Answer(await self._get(f"/api/v1/nodes/{node}/proxy/{endpoint}"), None)
        except ClusterError as error:
            return Answer(None, _cause(error, endpoint, self._timeout_seconds))

    async def node(self, name: str) -> tuple[dict[str, Any] | None, str | None]:
        """The Node itself, or why it cannot be read. Reading it and asking its kubelet are two permissions."""
        try:
            body = await self._get(f"/api/v1/nodes/{name}")
        except ClusterError as error:
            return None, _cause_of_node(error, self._timeout_seconds)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
            return None, "the answer is no Node"
        return document, None

    async def _get(self, path: str) -> bytes:
        # The load's own cluster renews credentials; these requests follow.
        self._observer.connection = self._cluster.connection
        return (await self._observer.request("GET", path)).body


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


def _cause(error: ClusterError, endpoint: str, timeout_seconds: float) -> str:
    """Why an endpoint gave nothing, in a few words. An API server that refuses is another matter than a kubelet."""
    text = _plain(error)
    if isinstance(error, Forbidden):
        refused = "nodes/proxy" in text
        cause = "the user may not get nodes/proxy" if refused else f"the kubelet refuses {endpoint}: {text}"
    elif isinstance(error, NotFound):
        cause = "no such node" if text.startswith('nodes "') else f"the kubelet has no {endpoint}"
    elif isinstance(error, TransientError) and error.cause == "timeout":
        cause = f"no answer within {timeout_seconds:g} s"
    else:
        cause = f"the kubelet cannot be asked: {text}"
    return cause[:_MAX_CAUSE]
