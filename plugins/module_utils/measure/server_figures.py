# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server did during an observation, out of the answers of its /metrics, round by round. Pure.

Behind one address there may be several servers, and one may be started anew: counters are subtracted only within a
process that answered both in the first and in the last round. Differences of several such processes are added, which
their buckets allow; their counters as they stand never meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .kubelet import Unreadable
from .node_load import Series
from .server_metrics import (
    SLI,
    Growth,
    Scrape,
    added,
    cpu_growth,
    etcd_rows,
    flow_control_rows,
    growth,
    object_rows,
    only,
)
from .sli import sli_rows

_COLUMNS = ("cpu_share", "resident_bytes", "inflight_mutating", "inflight_read_only", "rejected")


@dataclass(slots=True)
class _Process:
    """One process, its first and its last answer with the rounds they came in, and how many there were."""

    first: Scrape
    last: Scrape
    first_round: int
    last_round: int
    scrapes: int = 1


class ServerFigures:
    """`api_server` of an observation but for what concerns requests that failed.

    `began` is the servers' clock at the first answer, in seconds since 1970: a process that started later is a
    restart. `origin` is where the series' times begin, by the monotonic clock.
    """

    def __init__(self, *, origin: float) -> None:
        self._origin = origin
        self._processes: dict[float, _Process] = {}
        self._round = 0
        self._first: Scrape | None = None
        self._last: Scrape | None = None
        self._followed: Scrape | None = None
        self._rejected = 0.0
        self._series = Series(columns=_COLUMNS)
        self._inflight: dict[str, float] = {}
        self._queued: dict[str, float] = {}
        self._executing: dict[str, float] = {}
        self._resident: float | None = None
        self.scrapes = 0
        self.began: float | None = None
        self.servers: int | None = None

    # -- reading -----------------------------------------------------------------------------------------------------

    def add_round(self, answers: Sequence[Scrape]) -> None:
        """The answers of one round, at least one, each over a connection of its own."""
        self._round += 1
        self._first = self._first or answers[0]
        self._last = answers[-1]
        self.began = answers[0].taken if self.began is None else self.began
        for scrape in answers:
            self.scrapes += 1
            self._take(scrape)
            _raise_to(self._inflight, scrape.inflight)
            _raise_to(self._queued, scrape.queued)
            _raise_to(self._executing, scrape.executing)
            if scrape.resident_bytes is not None:
                self._resident = max(self._resident or 0, scrape.resident_bytes)
        self._add_point(self._same_process(answers))

    def _take(self, scrape: Scrape) -> None:
        known = self._processes.get(scrape.started)
        if known is None:
            self._processes[scrape.started] = _Process(scrape, scrape, self._round, self._round)
        else:
            known.last, known.last_round = scrape, self._round
            known.scrapes += 1

    def _same_process(self, answers: Sequence[Scrape]) -> Scrape:
        """The answer of the process that the series followed so far, else the first one."""
        followed = self._followed
        return next((one for one in answers if followed is not None and one.started == followed.started), answers[0])

    def _add_point(self, scrape: Scrape) -> None:
        before = self._followed if self._followed is not None and self._followed.started == scrape.started else None
        share = None
        if before is not None:
            self._rejected += max(0.0, scrape.rejected - before.rejected)
            seconds = scrape.at_seconds - before.at_seconds
            if seconds > 0 and scrape.cpu_seconds is not None and before.cpu_seconds is not None:
                share = max(0.0, scrape.cpu_seconds - before.cpu_seconds) / seconds
        self._followed = scrape
        figures = {
            "cpu_share": share,
            "resident_bytes": scrape.resident_bytes,
            "inflight_mutating": scrape.inflight.get("mutating"),
            "inflight_read_only": scrape.inflight.get("readOnly"),
            "rejected": self._rejected,
        }
        self._series.add(scrape.at_seconds - self._origin, figures)

    # -- telling -----------------------------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """The keys as they are in the observation; `cause` is None until a round was read."""
        counted, cause = self._counted()
        grown = added(growth for _process, growth in counted) if counted else None
        first, last = self._first, self._last
        stored = None
        if first and last and (first.storage_bytes is not None or last.storage_bytes is not None):
            stored = {"before": _whole(first.storage_bytes), "after": _whole(last.storage_bytes)}
        return {
            "source": "metrics" if counted else "none",
            "cause": cause,
            "servers": self.servers,
            "instances": self._instances({process.first.started for process, _growth in counted}),
            "restarted": self._restarted() is not None,
            "scrapes": self.scrapes,
            "window": _window(process for process, _growth in counted) if counted else None,
            "sli": sli_rows(only(grown, SLI)) if grown is not None else [],
            "flow_control": flow_control_rows(grown, self._queued, self._executing),
            "inflight": {
                "mutating_max": _whole(self._inflight.get("mutating")),
                "read_only_max": _whole(self._inflight.get("readOnly")),
            },
            "etcd": etcd_rows(grown) if grown is not None else [],
            "objects": object_rows(first, last) if first and last and first is not last else {},
            "storage_bytes": stored,
            "cpu_seconds": cpu_growth(grown) if grown is not None else None,
            "resident_bytes_max": _whole(self._resident),
            "series": self._series.to_dict(),
        }

    def _counted(self) -> tuple[list[tuple[_Process, Growth]], str | None]:
        """The processes whose counters say something of the whole time, with their growth; else why there is none."""
        counted: list[tuple[_Process, Growth]] = []
        for process in self._processes.values():
            if process.first_round == 1 and 1 < process.last_round == self._round:
                try:
                    counted.append((process, growth(process.first, process.last)))
                except Unreadable as error:
                    return [], f"two API servers cannot be told apart: {error}"
        return counted, None if counted or not self._round else self._why_none()

    def _why_none(self) -> str:
        if self._round == 1:
            return "the metrics were read only once, so nothing can be subtracted"
        restarted = self._restarted()
        if restarted is not None:
            return f"an API server was started anew at {_rfc3339(restarted)}; none answered both first and last"
        servers = max(self.servers or 0, len(self._processes))
        return f"{servers} API servers behind one address answered by turns, none of them both first and last"

    def _restarted(self) -> float | None:
        """When the newest process started, if that was after the first answer."""
        newest = max(self._processes, default=None)
        return newest if newest is not None and self.began is not None and newest > self.began else None

    def _instances(self, counted: set[float]) -> list[dict[str, Any]]:
        return [
            {"started": _rfc3339(started), "scrapes": process.scrapes, "counted": started in counted}
            for started, process in sorted(self._processes.items())
        ]


def _raise_to(highest: dict[str, float], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        highest[name] = max(value, highest.get(name, value))


def _window(processes: Iterable[_Process]) -> dict[str, str]:
    both = [(process.first.taken, process.last.taken) for process in processes]
    return {"from": _rfc3339(min(first for first, _last in both)), "to": _rfc3339(max(last for _first, last in both))}


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
