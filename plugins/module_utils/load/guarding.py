# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of a batch: what feeds it with signs of ill health, beside the load and in its event loop.

Pods, Jobs, events and nodes tell it as things happen; requests are read once a second. It sends nothing but one request
and a watch for the nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Protocol

from ..cluster.client import Cluster
from ..cluster.errors import ClusterError, Forbidden
from ..cluster.labels import LABEL_ROLE
from ..cluster.meter import Meter
from ..guard.arguments import Thresholds
from ..guard.guard import Crossing, Guard
from ..guard.nodes import NodeHealth, node_events
from ..guard.requests import RequestTrend
from ..measure.events import FORK_FAILED, fork_failure
from ..measure.pod_status import IMAGE_PULLS
from ..measure.pods import FAILED, RESTARTED, PodBook
from ..measure.recorder import now_rfc3339
from ..plan.fragment import Fragment
from ..readiness.volumes import is_refused_for_good
from ..settings.roles.guard import EVENTS, NODES, PODS, SIGNS

#: Seconds between two readings of what does not tell by itself.
_READING_SECONDS = 1.0
#: Readings of the requests in one window, if these are not more often.
_READINGS = 60
#: Seconds after an outage in which nodes are not lost: a kubelet renews its lease every 10 s, and a controller manager
#: that was down too needs 15 s and more to lead again before it believes that.
_NODE_SECONDS = 60.0
_LEAST = {sign.name: sign.least for sign in SIGNS}
_CRASH_LOOP = "CrashLoopBackOff"
_SANDBOX, _NODE_NOT_READY = "FailedCreatePodSandBox", "NodeNotReady"


class WatchesPods(Protocol):
    """What the guard needs of a tracker."""

    pods: PodBook
    on_job_failed: Callable[[str, str, str], None]

    @property
    def sees_pods(self) -> bool:
        """Whether pods are watched."""


class HearsEvents(Protocol):
    """What the guard needs of what watches the events."""

    @property
    def missing(self) -> str | None:
        """Why there are no events now; None if there are."""

    @property
    def has_failed(self) -> bool:
        """Whether there will be none any more."""


class Guarding:
    """`stop` is called with a reason when the load must end, `say` with lines for people.

    `thresholds` None: nothing is looked for. `settle_seconds`: how long a request that was sent in an outage may go on
    after it.
    """

    def __init__(
        self,
        thresholds: Thresholds | None,
        *,
        cluster: Cluster,
        meter: Meter,
        tracker: WatchesPods,
        fragments: Iterable[Fragment],
        settle_seconds: float,
        stop: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._thresholds = thresholds
        self._cluster, self._meter, self._tracker = cluster, meter, tracker
        self._loop = asyncio.get_running_loop()
        self._settle_seconds = settle_seconds
        self._stop, self._say = stop, say
        #: Roles whose pods are meant to be killed again and again.
        self._crash = frozenset(fragment.role for fragment in fragments if fragment.expect == "restarts")
        self._guard = Guard(thresholds or Thresholds(), on_crossing=self._crossed, wall_clock=now_rfc3339)
        self._window_seconds = (thresholds or Thresholds()).window_seconds
        self._trend = RequestTrend(self._window_seconds)
        self._nodes = NodeHealth()
        #: Of the nodes that are not well those that pods of the run were on.
        self._ours: set[str] = set()
        self._outage_seconds = 0.0
        #: Who hears events and calls `heard`; None where nobody does.
        self.events: HearsEvents | None = None
        self._told_of_events = False
        if thresholds is not None:
            tracker.pods.on_trouble = self._pod
            tracker.on_job_failed = self._job_failed

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        if self._thresholds is None:
            yield
            return
        tasks = [asyncio.create_task(self._read_regularly())]
        if self._guard.watches("lost_nodes", "pressured_nodes"):
            tasks.append(asyncio.create_task(self._watch_nodes()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def document(self) -> dict[str, Any] | None:
        """`guard` of the measurements; None where it is off."""
        if self._thresholds is None:
            return None
        self._note_sources()
        return self._guard.document()

    def _note_sources(self) -> None:
        blind = self._guard.blind
        if not self._tracker.sees_pods:
            blind[PODS] = "pods are not watched"
        cause = "not watched: nothing is observed" if self.events is None else self.events.missing
        if cause is not None:
            blind[EVENTS] = cause
        else:
            blind.pop(EVENTS, None)

    def _tell_of_events(self) -> None:
        """Once, that events cannot be watched; who has switched them off knows it."""
        if self.events is not None and self.events.has_failed and not self._told_of_events:
            self._told_of_events = True
            text = f"guard: no events ({self.events.missing})"
            self._say(f"{text}, so it sees failed forks in pods only, no failed sandboxes and no refused volumes")

    def _crossed(self, crossing: Crossing) -> None:
        stops = self._thresholds is not None and self._thresholds.stops
        text = f"guard: {crossing.text}"
        self._say(f"{text}; {'nothing more is sent' if stops else 'the run goes on (guard_action=warn)'}")
        if stops:
            self._stop(text)

    # -- pods and Jobs -----------------------------------------------------------------------------------------------

    def _pod(self, trouble: str, pod: Mapping[str, Any], reason: str, message: str) -> None:
        now, metadata = self._loop.time(), pod["metadata"]
        name = f"Pod {metadata['namespace']}/{metadata['name']}"
        example = f"{name}: {message or reason}"
        if reason == FORK_FAILED or fork_failure(message):
            self._guard.count("fork_failures", now, cause=FORK_FAILED, example=f"{name}: {fork_failure(message)}")
        if trouble == FAILED:
            if reason == "Evicted":
                self._guard.count("evictions", now, cause=reason, example=example)
            self._guard.count("failed_pods", now, cause=reason, example=example)
        elif reason in IMAGE_PULLS:
            self._guard.count("image_pulls", now, cause=reason, example=example)
        elif reason != _CRASH_LOOP and (metadata.get("labels") or {}).get(LABEL_ROLE) not in self._crash:
            # A crash loop is counted by its restarts.
            cause = f"restarted after {reason or 'its end'}" if trouble == RESTARTED else reason
            self._guard.count("crashes", now, cause=cause, example=f"{name}: {message or cause}")

    def _job_failed(self, namespace: str, name: str, cause: str) -> None:
        self._guard.count("failed_jobs", self._loop.time(), example=f"Job {namespace}/{name}: {cause}")

    # -- events ------------------------------------------------------------------------------------------------------

    def heard(self, event: Mapping[str, Any], number: int) -> None:
        """A Warning of the run's namespaces or nodes has happened so many times more."""
        reason, message = event.get("reason") or "", event.get("message") or ""
        about = event.get("involvedObject") or {}
        place = "/".join(part for part in (about.get("namespace"), about.get("name")) if part)
        example = f"{about.get('kind')} {place}: {message}"
        now = self._loop.time()
        if fork_failure(message):
            self._guard.count("fork_failures", now, number=number, cause=f"event {reason}", example=example)
        if is_refused_for_good(event):
            self._guard.count("refused_volumes", now, number=number, example=example)
        if reason == _SANDBOX:
            self._guard.count("sandbox_failures", now, number=number, example=example)
        elif reason == _NODE_NOT_READY and about.get("kind") == "Pod" and NODES in self._guard.blind:
            # All that somebody without the right to watch nodes hears of them.
            self._guard.measure("lost_nodes", 1, cause=example)

    # -- nodes -------------------------------------------------------------------------------------------------------

    async def _watch_nodes(self) -> None:
        """Until cancelled, or until nodes may not be watched."""
        try:
            async for event in node_events(self._cluster):
                if self._nodes.take(event.type, event.object):
                    self._judge_nodes()
        except ClusterError as error:
            told = "the user may not watch nodes" if isinstance(error, Forbidden) else " ".join(str(error).split())
            self._guard.blind[NODES] = told
            self._say(f"guard: {told}, so it sees lost nodes by the pods' events only, and no pressure")

    def _judge_nodes(self) -> None:
        nodes = self._nodes
        self._ours &= nodes.lost.keys() | nodes.pressed.keys()
        if not nodes.is_well:
            self._ours |= self._tracker.pods.nodes_of_pods() & (nodes.lost.keys() | nodes.pressed.keys())
        for sign, found in (("lost_nodes", nodes.lost), ("pressured_nodes", nodes.pressed)):
            if sign == "lost_nodes" and self._were_kubelets_cut_off():
                continue
            names = sorted(self._ours & found.keys())
            self._guard.measure(sign, len(names), cause="; ".join(f"{name}: {found[name]}" for name in names))

    def _were_kubelets_cut_off(self) -> bool:
        """Whether there is, or just was, an outage in which no kubelet could say that it is well."""
        reach = self._cluster.reachability
        return reach.is_outage or self._loop.time() < reach.reached_since + _NODE_SECONDS

    # -- requests and outages ----------------------------------------------------------------------------------------

    async def _read_regularly(self) -> None:
        """Until cancelled."""
        # A long window is read less often: reading it costs by its length.
        next_requests = 0.0
        self._read_requests()
        while True:
            await asyncio.sleep(_READING_SECONDS)
            self._tell_of_events()
            if not self._nodes.is_well:
                self._judge_nodes()  # pods of the run may have come to it
            # Failures of which it is not known yet whether they are an outage's are judged when it is.
            if await self._cluster.reachability.decided():
                self._trend.pause(self._loop.time())
            elif self._loop.time() >= next_requests:
                self._read_requests()
                next_requests = self._loop.time() + self._window_seconds / _READINGS

    def _read_requests(self) -> None:
        now, reach, meter = self._loop.time(), self._cluster.reachability, self._meter
        if (seconds := reach.outage_seconds) > self._outage_seconds:
            # What was sent in it, and is answered only now, or never, says nothing of the server as it is now.
            self._trend.pause(reach.reached_since + self._settle_seconds)
            self._guard.count("outage", now, number=seconds - self._outage_seconds)
            self._outage_seconds = seconds
        self._trend.read(now, ended=meter.requests - meter.in_flight, errors=meter.errors)
        if (found := self._trend.unserved(least=_LEAST["api_errors"])) is not None:
            self._guard.measure("api_errors", found[0], cause=found[1])
        if now < self._trend.since:
            return
        count, p99 = meter.recent_p99(self._window_seconds, newer_than=now - self._trend.since)
        if p99 is not None and count >= _LEAST["api_p99"]:
            self._guard.measure("api_p99", p99, cause=f"of {count:,} requests")
