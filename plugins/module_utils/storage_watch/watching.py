# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One watch from its first lists to its end: events in, lines and figures out, at most one judgement a second."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from ..cluster.client import Cluster, RetryPolicy
from ..cluster.errors import ClusterError
from ..machine.interruptions import stop_on_signals, unless
from ..measure.recorder import now_rfc3339
from ..storage.document import Report, document, plain
from ..storage.findings import CLAIM, ORPHAN
from ..storage.options import CLAIMS, SNAPSHOTS, USAGE, VOLUMES
from ..storage.reading import LISTS, Listed, uncompressed
from ..storage.rules import Judged
from ..storage.second_look import look_again
from ..storage.selection import Selection, lists_of
from ..storage.storage_info import KINDS_OF_PART, conclude, groups_and_time
from .endpoint import Endpoint
from .filling import Filling
from .judging import Candidate, Change, Judge, only
from .lines import SCHEMA, Lines
from .lists import BLIND_SECONDS, Lists, followed_lists
from .live import JUDGED, Live
from .options import WatchOptions
from .publishing import Publisher, Seen

#: Seconds between two judgements at least, however many events there are.
_ROUND_SECONDS = 1.0
#: Seconds between two second looks at least: a pod that makes way for another leaves its claim alone for a moment only.
_LOOK_SECONDS = 5.0
#: Seconds between two counts of snapshots per claim, and after which figures are written anew although nothing has
#: changed.
_COUNT_SECONDS, _SAME_SECONDS = 5.0, 60.0
#: Seconds that kubelets have before the first figures are written, and the last second look.
_FIRST_USAGE_SECONDS, _LAST_SECONDS = 15.0, 30.0
#: Seconds for which one page is retried, and requests at once; as in a scan.
_PAGE_SECONDS, _AT_ONCE = 30.0, 32
#: Fields of records that lines tell of, beside their kind and place.
_TOLD = ("phase", "storage_class", "volume", "claim", "source", "content", "snapshot", "ready", "bytes")

Tell = Callable[[Mapping[str, Any]], None]


async def watch(auth: dict[str, Any], options: WatchOptions, tell: Tell | None = None) -> dict[str, Any]:
    """Watch until a limit or a signal; returns the last document in plain types, and what was seen as `watch`.

    `tell` is called once, after the first judgement. Raises ClusterError if the cluster does not answer at first,
    ResultsError and ModuleFailed.
    """
    endpoint = Endpoint(options.http_address, options.http_port) if options.http_port else None
    try:
        with contextlib.closing(Lines(options.events_file)) as lines:
            slots = asyncio.Semaphore(_AT_ONCE)
            retry = RetryPolicy(deadline_seconds=_PAGE_SECONDS)
            cluster = await Cluster.open(auth, retry=retry, admission=lambda: slots)
            uncompressed(cluster)
            async with cluster:
                return await Watching(cluster, options, lines, Publisher(options, endpoint)).run(tell)
    finally:
        if endpoint is not None:
            endpoint.close()


class Watching:
    """The watch itself."""

    def __init__(self, cluster: Cluster, options: WatchOptions, lines: Lines, publisher: Publisher) -> None:
        scan = options.scan
        self._cluster, self._options, self._lines, self._publisher = cluster, options, lines, publisher
        self._live = Live()
        self._keys: dict[str, set[str]] | None = None
        self._lists = Lists(
            cluster,
            self._live.inventory.parts,
            namespaces=scan.namespaces,
            resync_seconds=options.resync_seconds,
        )
        kinds = [kind for part in (CLAIMS, VOLUMES, SNAPSHOTS) if part in scan.parts for kind in KINDS_OF_PART[part]]
        self._follow_all(kinds)
        self._selection = Selection(scan, self._live.inventory, self._keys)
        self._judge = Judge(
            self._live,
            self._selection,
            kinds,
            min_age_seconds=scan.min_age_seconds,
            snapshot_age_seconds=scan.snapshot_age_seconds,
            confirm=scan.confirm,
        )
        self._filling = Filling(self._live.inventory, self._selection, scan.thresholds, self._tell_level)
        self._seen = Seen()
        self._stopped = asyncio.Event()
        self._reason = ""
        self._report = Report(started=now_rfc3339(), options=scan.told())
        self._groups: Collection[str] | None = None
        self._ahead = 0.0
        self._is_read = False
        self._is_new = True
        self._looked = self._counted = self._shown = self._kept = float("-inf")

    def _follow_all(self, kinds: Collection[str]) -> None:
        scan, live = self._options.scan, self._live
        for listed in followed_lists(lists_of(scan)):
            self._lists.add(listed, self._take, partial(live.known, listed))
        if scan.label_selector:
            kinds = {*kinds, CLAIM} if USAGE in scan.parts else kinds
            self._keys = {kind: set() for kind in kinds}
            for name, kind in JUDGED.items():
                if kind in self._keys:
                    keys = self._keys[kind]
                    self._lists.add_selected(LISTS[name], scan.label_selector, self._select, keys.copy)

    # -- from beginning to end ---------------------------------------------------------------------------------------

    async def run(self, tell: Tell | None) -> dict[str, Any]:
        """Watch; returns what `watch` does."""
        began = time.monotonic()
        with stop_on_signals(self._stop):
            self._report.version = str((await self._cluster.version()).get("gitVersion", ""))[:100] or None
            await self._set_clock()
            self._lines.add("started", schema=SCHEMA, version=self._report.version, options=self._options.told())
            measuring: asyncio.Task[None] | None = None
            try:
                await unless(self._stopped, self._lists.begin())
                self._report.seconds = time.monotonic() - began
                self._lists.look()
                self._is_read = True
                parts = {name: dataclasses.asdict(part) for name, part in self._live.inventory.parts.items()}
                self._lines.add("synced", parts=parts)
                if USAGE in self._options.scan.parts:
                    measuring = asyncio.create_task(self._filling.follow(self._cluster))
                    await asyncio.wait({measuring}, timeout=0)
                await self._rounds(began, measuring, tell)
                return await self._end(began)
            finally:
                await self._lists.end()
                if measuring is not None:
                    measuring.cancel()
                    await asyncio.gather(measuring, return_exceptions=True)

    async def _rounds(self, began: float, measuring: asyncio.Task[None] | None, tell: Tell | None) -> None:
        limit = self._options.max_seconds
        until = began + limit if limit else float("inf")
        first_figures = time.monotonic() + (_FIRST_USAGE_SECONDS if measuring is not None else 0.0)
        while not self._stopped.is_set():
            await unless(self._stopped, self._round())
            if measuring is not None and measuring.done():
                measuring.result()
            if "usage" in self._live.inventory.parts or time.monotonic() >= first_figures:
                await self._show()
                if tell is not None:
                    tell({"server": self._cluster.connection.host})
                    tell = None
            left = until - time.monotonic()
            if left <= 0:
                self._stop("max_seconds")
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _ROUND_SECONDS)):
                    await self._stopped.wait()

    async def _end(self, began: float) -> dict[str, Any]:
        """Judge for the last time, and write everything."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._round(is_last=True)
        now = self._now()
        whole = self._document(now)
        self._publisher.figures(whole, self._seen)
        self._publisher.whole(whole)
        seconds = round(time.monotonic() - began, 3)
        seen = {"reason": self._reason, "seconds": seconds, "complete": whole["complete"], **self._seen.told()}
        self._lines.add("ended", standing=self._judge.findings, orphans=self._judge.orphans, **seen)
        self._lines.flush()
        top = self._options.scan.top
        short = {**whole, "findings": whole["findings"][:top], "usage": whole["usage"][:top]}
        return {**plain(short), "watch": seen}

    def _stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._stopped.set()

    async def _set_clock(self) -> None:
        """By how much the API server's clock is ahead of our own that nobody sets."""
        self._groups, server = await groups_and_time(self._cluster)
        self._ahead = server - time.monotonic()

    def _now(self) -> float:
        """Seconds since 1970, by the API server's clock."""
        return time.monotonic() + self._ahead

    # -- events ------------------------------------------------------------------------------------------------------

    def _take(self, listed: Listed, how: str, key: str, item: Any) -> None:
        self._seen.events += self._is_read
        if how == "DELETED":
            before, after = self._live.forget(listed, key), None
        else:
            before, after = self._live.take(listed, key, item)
        if before is not after and self._is_read:
            self._tell_of(JUDGED[listed.name], key, before, after)

    def _select(self, listed: Listed, how: str, key: str, _item: Any) -> None:
        """What a label selector selects, or does not any more."""
        kind = JUDGED[listed.name]
        keys = self._keys[kind] if self._keys is not None else set()
        if how == "DELETED":
            keys.discard(key)
        else:
            keys.add(key)
        self._live.touch(kind, key)

    def _tell_of(self, kind: str, key: str, before: Any, after: Any) -> None:
        record = after if after is not None else before
        if not self._selection.takes(kind, key, record):
            return
        most = self._options.max_events
        if most and sum(self._seen.objects.values()) >= most:
            return
        how = "deleted" if after is None else "added" if before is None else "modified"
        self._seen.objects[kind, how] = self._seen.objects.get((kind, how), 0) + 1
        told = {name: value for name in _TOLD if (value := getattr(record, name, None)) not in (None, "")}
        namespace = getattr(record, "namespace", None)
        self._lines.add("object", change=how, kind=kind, namespace=namespace, name=record.name, **told)
        self._is_new = True
        if most and sum(self._seen.objects.values()) >= most:
            self._stop("max_events")

    # -- judging -----------------------------------------------------------------------------------------------------

    async def _round(self, *, is_last: bool = False) -> None:
        """Judge what has changed, unless a watch is closed, and tell of it."""
        parts = self._lists.look(patience_seconds=0.0 if is_last else BLIND_SECONDS)
        for name in parts:
            part = self._live.inventory.parts.get(name)
            told = (
                dataclasses.asdict(part) if part is not None else {"complete": True, "cause": "the kind is not there"}
            )
            self._lines.add("part", part=name, complete=told["complete"], cause=told["cause"])
        if parts:
            self._live.touch_all()
            self._is_new = True
        now = self._now()
        if not self._lists.is_blind and self._judge.is_due(now):
            self._seen.rounds += 1
            changes, candidates = self._judge.judge(now)
            self._tell(changes)
            if candidates and (is_last or time.monotonic() - self._looked >= _LOOK_SECONDS):
                await self._look_again(candidates)
                self._looked = time.monotonic()
            else:
                for one in candidates:
                    self._live.touch(one.kind, one.key)
            self._count_snapshots(now, is_last=is_last)
        self._seen.resyncs, self._seen.breaks = self._lists.resyncs, self._lists.breaks
        self._lines.flush()

    async def _look_again(self, candidates: list[Candidate]) -> None:
        """Confirm orphans by lists that are newer than all that was told so far."""
        self._seen.second_looks += 1
        judged = Judged({kind: Counter() for kind in JUDGED.values()}, [one.finding for one in candidates])
        for one in candidates:
            judged.states[one.kind][ORPHAN] += 1
        try:
            await look_again(
                self._cluster,
                only(candidates, self._live.inventory),
                judged,
                self._judge.limits(self._now()),
                groups=self._groups,
                namespaces=self._options.scan.namespaces,
            )
        except ExceptionGroup as group:  # pylint: disable=using-exception-groups-in-unsupported-version
            if group.split(ClusterError)[1] is not None:
                raise
            self._judge.put_off(candidates, self._now())
        except asyncio.CancelledError:
            for one in candidates:
                self._live.touch(one.kind, one.key)
            raise
        else:
            self._tell(self._judge.looked(candidates, judged, self._now()))

    def _count_snapshots(self, now: float, *, is_last: bool) -> None:
        if SNAPSHOTS in self._options.scan.parts and (is_last or now - self._counted >= _COUNT_SECONDS):
            self._counted = now
            self._tell(self._judge.count_snapshots(now, self._options.scan.thresholds["snapshots_per_volume"]))

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            self._seen.findings[change.how] = self._seen.findings.get(change.how, 0) + 1
            self._lines.add("finding", change=change.how, **dataclasses.asdict(change.finding))
        self._is_new = self._is_new or bool(changes)

    def _tell_level(self, **told: Any) -> None:
        self._lines.add("usage", **told)
        self._is_new = True

    # -- figures -----------------------------------------------------------------------------------------------------

    async def _show(self) -> None:
        """Write the figures if they are due, and from time to time the whole."""
        moment = time.monotonic()
        is_due = moment - self._shown >= self._options.metrics_seconds
        if not is_due or not (self._is_new or moment - self._shown >= _SAME_SECONDS):
            return
        keep = moment - self._kept >= self._options.resync_seconds
        if keep:
            with contextlib.suppress(ClusterError):
                await unless(self._stopped, self._set_clock())
        self._shown, self._is_new = moment, False
        whole = self._document(self._now())
        self._publisher.figures(whole, self._seen)
        if keep:
            self._kept = moment
            self._publisher.whole(whole)

    def _document(self, now: float) -> dict[str, Any]:
        """The document of a scan, as if one had just ended."""
        report, judged = self._report, self._judge.judged(now)
        report.usage = self._filling.rows() if USAGE in self._options.scan.parts else []
        conclude(report, judged, self._live.inventory, self._selection)
        if not self._lists.is_blind or not report.finished:
            # What was seen before a watch was closed is no newer for being written again.
            report.finished = now_rfc3339()
        whole = document(report)
        report.usage, report.findings = [], []
        return whole
