# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been read so far: requests, errors, processes, builds, and which lines no rule reads. Adds up.

Stamps are those of `times`. What has no year is kept apart until the year of the whole gather is known.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

from .requests import Requests

#: Objects that are remembered by their uid, and builds; those beyond are said to be left out.
MAX_REMEMBERED = 200_000
#: Characters of a text that is shown.
MAX_TEXT = 400


@dataclass(frozen=True, kw_only=True)
class First:
    """The first error of a kind."""

    stamp: int
    node: str
    text: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The errors that an object reports: an Event of the same uid in two files is one."""

    kinds: tuple[str, ...]
    source: str
    first: int | None
    last: int | None
    count: int
    node: str
    text: str
    file: str


@dataclass(slots=True)
class Build:
    """What is known of a build's pod; stamps, None where nothing tells."""

    created: int | None = None
    started: int | None = None
    finished: int | None = None
    failed: bool = False
    cause: str = ""

    def take(self, other: Build) -> None:
        """Complete it by what another source says: of two times of an event, the earlier."""
        for name in ("created", "started", "finished"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is None or (theirs is not None and theirs < mine):
                setattr(self, name, theirs)
        self.failed = self.failed or other.failed
        self.cause = self.cause or other.cause


@dataclass(slots=True)
class Tally:
    """Keys of `operations`: source, and whether the lines have a year. Of `errors` likewise, kind first."""

    operations: dict[tuple[str, bool], Requests] = field(default_factory=dict)
    errors: dict[tuple[str, str, bool], array[int]] = field(default_factory=dict)
    undated: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Kind, source and, for lines without a year, the month: what comes first is only known with the year.
    firsts: dict[tuple[str, str, int], First] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    #: Highest number of processes by whether dated, and minute.
    processes: dict[tuple[bool, int], int] = field(default_factory=dict)
    process_samples: int = 0
    capacity: int | None = None
    builds: dict[tuple[str, str], Build] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    #: Node of a pod, by "namespace/name".
    nodes: dict[str, str] = field(default_factory=dict)
    read: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    zones: Counter[str] = field(default_factory=Counter)
    #: The newest stamp of anything that has a year, -1 before there is one; the newest change of a file.
    newest: int = -1
    newest_file: int = -1
    undated_years: bool = False
    warnings: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    def warn(self, text: str, times: int = 1) -> None:
        """Say something once, however often it happened."""
        self.warnings[text] += times

    def requests(self, source: str, dated: bool) -> Requests:
        """The requests of a source."""
        found = self.operations.get((source, dated))
        if found is None:
            found = self.operations[source, dated] = Requests()
        return found

    def error(self, kind: str, source: str, stamp: int | None, *, dated: bool, node: str, text: str, file: str) -> None:
        """Count one error. `stamp` None: the line does not say when."""
        if stamp is None:
            self.undated[kind, source] += 1
            return
        stamps = self.errors.get((kind, source, dated))
        if stamps is None:
            stamps = self.errors[kind, source, dated] = array("I")
        stamps.append(stamp)
        # 31 days are no month, but what is compared within one never crosses the end of a year.
        key = (kind, source, 0 if dated else 1 + stamp // (31 * 86_400))
        known = self.firsts.get(key)
        if known is None or stamp < known.stamp:
            self.firsts[key] = First(stamp=stamp, node=node, text=text[:MAX_TEXT], file=file)

    def sample(self, processes: int, stamp: int, *, dated: bool, capacity: int | None = None) -> None:
        """Count one reading of a node's processes."""
        key = (dated, stamp // 60)
        self.processes[key] = max(processes, self.processes.get(key, 0))
        self.process_samples += 1
        if capacity is not None:
            self.capacity = capacity if self.capacity is None else min(capacity, self.capacity)

    def mark(self, uid: str, mark: Mark) -> None:
        """Remember the errors that an object reports."""
        if uid in self.marks or len(self.marks) < MAX_REMEMBERED:
            self.marks[uid] = mark
        else:
            self.warn(f"only the first {MAX_REMEMBERED:,} objects that tell of errors are counted")

    def build(self, namespace: str, name: str, known: Build) -> None:
        """Add what a source says of a build."""
        mine = self.builds.get((namespace, name))
        if mine is not None:
            mine.take(known)
        elif len(self.builds) < MAX_REMEMBERED:
            self.builds[namespace, name] = known
        else:
            self.warn(f"only the first {MAX_REMEMBERED:,} builds are counted")

    def merge(self, other: Tally) -> None:
        """Take in what another one has counted, of other files."""
        for key, requests in other.operations.items():
            if key in self.operations:
                self.operations[key].merge(requests)
            else:
                self.operations[key] = requests
        for place, stamps in other.errors.items():
            self.errors.setdefault(place, array("I")).extend(stamps)
        for first_key, first in other.firsts.items():
            known = self.firsts.get(first_key)
            if known is None or first.stamp < known.stamp:
                self.firsts[first_key] = first
        for minute, most in other.processes.items():
            self.processes[minute] = max(most, self.processes.get(minute, 0))
        for uid, mark in other.marks.items():
            self.mark(uid, mark)
        for (namespace, name), build in other.builds.items():
            self.build(namespace, name, build)
        for mine, theirs in (
            (self.undated, other.undated),
            (self.read, other.read),
            (self.unread, other.unread),
            (self.zones, other.zones),
            (self.warnings, other.warnings),
        ):
            mine.update(theirs)  # type: ignore[arg-type]
        self.jobs.update(other.jobs)
        self.nodes.update(other.nodes)
        capacities = [one for one in (self.capacity, other.capacity) if one is not None]
        self.capacity = min(capacities, default=None)
        self.process_samples += other.process_samples
        self.newest = max(self.newest, other.newest)
        self.newest_file = max(self.newest_file, other.newest_file)
        self.undated_years = self.undated_years or other.undated_years
        self.bytes += other.bytes
