# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what has changed, by the rules of a scan, and tell which findings appeared, changed and vanished. No I/O.

Only objects that an event may have changed are judged, and those whose verdict changes with time, when it does. What
seems to be an orphan is held back until a second look has confirmed it.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from math import ceil

from ..storage.findings import ORPHAN, Finding
from ..storage.inventory import Inventory
from ..storage.rules import Judged, Limits, Record, Rules, records_of
from ..storage.second_look import key_of
from ..storage.selection import Selection
from ..storage.totals import with_many_snapshots
from .live import JUDGED, Live

APPEARED, CHANGED, VANISHED = "appeared", "changed", "vanished"
#: Seconds after which an orphan that a second look has not confirmed is judged again.
_AGAIN_SECONDS = 30.0
#: Dates of objects that are gone are dropped once there are so many more of them than of others.
_SPARE_DATES = 1_000


@dataclass(frozen=True, slots=True)
class Change:
    """A finding that `how` (APPEARED, CHANGED, VANISHED); of one that has vanished, its last form."""

    how: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Candidate:
    """What seems to be an orphan. `record` is the one that was judged."""

    kind: str
    key: str
    record: Record
    finding: Finding


@dataclass(frozen=True, slots=True)
class _Standing:
    """A finding that stands. `since`: from when its age counts, in seconds since 1970; None if it has none."""

    finding: Finding
    uid: str
    since: float | None

    def at(self, now: float) -> Finding:
        """The finding with its age of now."""
        if self.since is None:
            return self.finding
        return replace(self.finding, age_seconds=max(0.0, now - self.since))


class Judge:
    """Knows the state of each object of the given kinds, and the findings that stand."""

    def __init__(
        self,
        live: Live,
        selection: Selection,
        kinds: Collection[str],
        *,
        min_age_seconds: float,
        snapshot_age_seconds: float,
        confirm: bool,
    ) -> None:
        self._live = live
        self._selection = selection
        self._kinds = kinds
        self._ages = (min_age_seconds, snapshot_age_seconds)
        self._confirm = confirm
        self._states: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
        self._counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
        self._standing: dict[tuple[str, str], _Standing] = {}
        self._many: dict[str, Finding] = {}
        self._dates: list[tuple[float, str, str]] = []
        self._date_of: dict[tuple[str, str], float] = {}

    # -- judging -----------------------------------------------------------------------------------------------------

    def limits(self, now: float) -> Limits:
        """What the rules judge by at a time, in seconds since 1970."""
        return Limits(now=now, min_age_seconds=self._ages[0], snapshot_age_seconds=self._ages[1])

    def rules(self, now: float) -> Rules:
        """The rules at a time."""
        live = self._live
        return Rules(live.inventory, self.limits(now), claim_uids=live.claim_uids, snapshot_uids=live.snapshot_uids)

    def is_due(self, now: float) -> bool:
        """Whether something has to be judged: it has changed, or its time has come."""
        return self._live.is_changed or bool(self._dates and self._dates[0][0] <= now)

    def judge(self, now: float) -> tuple[list[Change], list[Candidate]]:
        """Judge what has to be. Returns what changed, and what needs a second look before it is called an orphan."""
        self._touch_due(now)
        rules, changes, candidates = self.rules(now), list[Change](), list[Candidate]()
        for kind, keys in self._live.drain().items():
            if kind not in self._kinds:
                continue
            records = records_of(self._live.inventory, kind)
            for key in keys:
                record = records.get(key)
                if record is None or not self._selection.takes(kind, key, record):
                    changes += self._drop(kind, key)
                    continue
                candidate = self._judge_one(rules, kind, key, record, changes, now)
                if candidate is not None:
                    candidates.append(candidate)
        return changes, candidates

    def _judge_one(
        self, rules: Rules, kind: str, key: str, record: Record, changes: list[Change], now: float
    ) -> Candidate | None:
        verdict = rules.verdict(kind, record)
        confirmed = None
        if verdict.state == ORPHAN and self._confirm:
            standing = self._standing.get((kind, key))
            if standing is None or not _is_the_same_orphan(standing, record.uid, verdict.reason):
                found = rules.finding(kind, record, verdict)
                return Candidate(kind, key, record, found) if found is not None else None
            confirmed = standing.finding.confirmed
        self._plan(kind, key, None if verdict.changes_in is None else now + verdict.changes_in)
        finding = rules.finding(kind, record, verdict, confirmed=confirmed)
        changes += self._settle(kind, key, record.uid, verdict.state, finding, now)
        return None

    def looked(self, candidates: Iterable[Candidate], judged: Judged, now: float) -> list[Change]:
        """Take the results of a second look. What has changed meanwhile is judged again first."""
        found = {(finding.kind, key_of(finding)): finding for finding in judged.findings}
        changes: list[Change] = []
        for one in candidates:
            kind, key = one.kind, one.key
            if self._live.changed(kind, key) or records_of(self._live.inventory, kind).get(key) is not one.record:
                self._live.touch(kind, key)
                continue
            finding = found.get((kind, key))
            if finding is None or finding.state != ORPHAN:
                # The server knows something that no event has told yet, or could not be asked.
                self._plan(kind, key, now + _AGAIN_SECONDS)
            else:
                self._plan(kind, key, None)
            if finding is None:
                changes += self._drop_finding(kind, key)
            else:
                changes += self._settle(kind, key, one.record.uid, finding.state, finding, now)
        return changes

    def put_off(self, candidates: Iterable[Candidate], now: float) -> None:
        """The second look could not be taken."""
        for one in candidates:
            self._plan(one.kind, one.key, now + _AGAIN_SECONDS)

    def count_snapshots(self, now: float, limit: float) -> list[Change]:
        """Find claims with too many snapshots; takes as long as there are snapshots."""
        found = with_many_snapshots(self.rules(now), self._live.inventory, self._selection, limit)
        many = {key_of(finding): finding for finding in found}
        changes = [Change(VANISHED, finding) for key, finding in self._many.items() if key not in many]
        for key, finding in many.items():
            changes += _change(self._many.get(key), finding)
        self._many = many
        return changes

    # -- what stands -------------------------------------------------------------------------------------------------

    def judged(self, now: float) -> Judged:
        """All that is known, as a scan's."""
        findings = [standing.at(now) for standing in self._standing.values()]
        states = {
            kind: Counter({state: number for state, number in counts.items() if number})
            for kind, counts in self._counts.items()
        }
        return Judged(states, findings + list(self._many.values()))

    @property
    def findings(self) -> int:
        """How many findings stand."""
        return len(self._standing) + len(self._many)

    @property
    def orphans(self) -> int:
        """How many of them are orphans."""
        return sum(counts[ORPHAN] for counts in self._counts.values())

    def _settle(self, kind: str, key: str, uid: str, state: str, finding: Finding | None, now: float) -> list[Change]:
        self._count(kind, key, state)
        if finding is None:
            return self._drop_finding(kind, key)
        before = self._standing.get((kind, key))
        since = None if finding.age_seconds is None else now - finding.age_seconds
        self._standing[kind, key] = _Standing(finding, uid, since)
        return _change(before.finding if before is not None else None, finding)

    def _drop(self, kind: str, key: str) -> list[Change]:
        self._plan(kind, key, None)
        self._count(kind, key, None)
        return self._drop_finding(kind, key)

    def _drop_finding(self, kind: str, key: str) -> list[Change]:
        before = self._standing.pop((kind, key), None)
        return [Change(VANISHED, before.finding)] if before is not None else []

    def _count(self, kind: str, key: str, state: str | None) -> None:
        states, counts = self._states[kind], self._counts[kind]
        before = states.get(key)
        if before is not None:
            counts[before] -= 1
        if state is None:
            states.pop(key, None)
        else:
            states[key] = state
            counts[state] += 1

    # -- time --------------------------------------------------------------------------------------------------------

    def _plan(self, kind: str, key: str, date: float | None) -> None:
        """Judge an object again at a date, whatever happens until then; None: not for the sake of time."""
        if date is None:
            self._date_of.pop((kind, key), None)
            return
        date = ceil(date * 1000) / 1000  # which is the same date for the same object, whenever it is reckoned
        if self._date_of.get((kind, key)) == date:
            return
        self._date_of[kind, key] = date
        heapq.heappush(self._dates, (date, kind, key))
        if len(self._dates) > 2 * len(self._date_of) + _SPARE_DATES:
            self._dates = [(each, *place) for place, each in self._date_of.items()]
            heapq.heapify(self._dates)

    def _touch_due(self, now: float) -> None:
        while self._dates and self._dates[0][0] <= now:
            date, kind, key = heapq.heappop(self._dates)
            if self._date_of.get((kind, key)) == date:
                del self._date_of[kind, key]
                self._live.touch(kind, key)


def _is_the_same_orphan(standing: _Standing, uid: str, reason: str) -> bool:
    finding = standing.finding
    return finding.state == ORPHAN and standing.uid == uid and finding.reason == reason


def _change(before: Finding | None, after: Finding) -> list[Change]:
    """What is new about a finding; that it has become older is not."""
    if before is None:
        return [Change(APPEARED, after)]
    return [] if replace(before, age_seconds=after.age_seconds) == after else [Change(CHANGED, after)]


def only(candidates: Iterable[Candidate], inventory: Inventory) -> Inventory:
    """The candidates' records alone, which stay as they are while the second look is going on."""
    tables: dict[str, dict[str, Record]] = defaultdict(dict)
    for one in candidates:
        tables[one.kind][one.key] = one.record
    found = Inventory(parts=inventory.parts)
    for name, kind in JUDGED.items():
        setattr(found, name, tables[kind])
    return found
