# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line was written: the forms in which logs begin, as seconds. No I/O.

A stamp is a number of seconds since 2000 in UTC. klog and the short form of journals have no year; such a stamp lies in
the year 2000, and whoever knows the year moves it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

#: 2000-01-01T00:00:00Z in seconds since 1970.
EPOCH = 946_684_800
DAY = 86_400
#: Stamps are kept in 31 bits: up to the year 2068.
MAX_STAMP = 2**31 - 1
#: What a time is looked for in: the first bytes of a line.
_HEAD = 200
_LEAP = 2000
_ISO = rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?"
_LEADING = re.compile(_ISO)
_NAMED = re.compile(rb't(?:ime|s)="' + _ISO)
_JOURNAL = re.compile(rb"[A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d")
_KLOG = re.compile(rb"(?:^|\s)[IWEF](\d\d\d\d \d\d:\d\d:\d\d)\.\d")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


class Stamp(NamedTuple):
    """`seconds` since 2000, `dated` if the line has the year, and the zone that it names if that is not UTC."""

    seconds: int
    dated: bool
    zone: str = ""


#: Bytes of a time of which nothing follows: "2025-04-19T19:19:58Z".
WHOLE_TIME = 20
_WHOLE = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ")


def begins_with_whole_time(line: bytes) -> bool:
    """Whether the line's first bytes alone say when it was written."""
    return _WHOLE.match(line) is not None


def stamp_of(line: bytes) -> Stamp | None:
    """When the line was written; None if it does not say."""
    # A time with year and zone behind a journal's short one says the same, and more.
    found = _LEADING.match(line, 0, _HEAD) or _NAMED.search(line, 0, _HEAD)
    if found:
        return _with_year(*found.groups())
    found = _JOURNAL.match(line)
    if found and line[:3] in _MONTHS:
        return _of_journal(found[0])
    found = _KLOG.search(line, 0, _HEAD)
    return _of_klog(found[1]) if found else None


# Lines of one second have the same time: few are new.
@lru_cache(maxsize=4096)
def _with_year(text: bytes, zone: bytes | None) -> Stamp | None:
    start = _day(text[:10])
    offset = _offset(zone) if zone else 0
    if start is None or offset is None:
        return None
    stamp = start + _clock(text[11:]) - offset
    return Stamp(stamp, True, zone.decode() if zone and offset else "") if 0 <= stamp <= MAX_STAMP else None


@lru_cache(maxsize=4096)
def _of_journal(text: bytes) -> Stamp | None:
    """The stamp of "Apr 19 22:00:00"."""
    return _without_year(_MONTHS.index(text[:3]) + 1, int(text[4:6]), text[7:])


@lru_cache(maxsize=4096)
def _of_klog(text: bytes) -> Stamp | None:
    """The stamp of "0419 22:00:00"."""
    return _without_year(int(text[:2]), int(text[2:4]), text[5:])


def _without_year(month: int, day: int, clock: bytes) -> Stamp | None:
    start = _day(b"%d-%02d-%02d" % (_LEAP, month, day))
    return None if start is None else Stamp(start + _clock(clock), False)


def _clock(text: bytes) -> int:
    """Seconds of "22:00:00"."""
    return int(text[:2]) * 3600 + int(text[3:5]) * 60 + int(text[6:])


@lru_cache(maxsize=4096)
def _day(text: bytes) -> int | None:
    try:
        return (date.fromisoformat(text.decode()) - date(2000, 1, 1)).days * DAY
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _offset(zone: bytes) -> int | None:
    """Seconds east of Greenwich; None if there is no such zone."""
    if zone == b"Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return None if minutes > 14 * 60 else minutes * (60 if zone.startswith(b"+") else -60)


def stamp_of_text(text: object) -> int | None:
    """The stamp of a time as the API writes it (RFC 3339); None if it is none."""
    stamp = _LEADING.match(text.encode()) if isinstance(text, str) else None
    found = _with_year(*stamp.groups()) if stamp else None
    return found.seconds if found else None


def stamp_of_epoch(seconds: float) -> int | None:
    """The stamp of seconds since 1970; None if it is before 2000 or after 2068."""
    stamp = int(seconds) - EPOCH
    return stamp if 0 <= stamp <= MAX_STAMP else None


def rfc3339(stamp: int) -> str:
    """The stamp as text: "2025-04-19T19:19:58Z"."""
    return datetime.fromtimestamp(stamp + EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_year_of(newest: int) -> Callable[[int], int]:
    """A function that moves a stamp without a year to the last such date that is at most a day after `newest`."""
    year = datetime.fromtimestamp(newest + EPOCH, UTC).year
    moves: dict[int, int] = {}

    def moved(stamp: int) -> int:
        day = stamp // DAY
        if day not in moves:
            month, number = datetime.fromtimestamp(stamp + EPOCH, UTC).timetuple()[1:3]
            moves[day] = _move(month, number, year, newest) - day * DAY
        return stamp + moves[day]

    return moved


def _move(month: int, day: int, year: int, newest: int) -> int:
    """The stamp of the start of that day in the year, or in the newest before it that has such a day."""
    for candidate in range(year + 1, year - 9, -1):
        start = _day(b"%04d-%02d-%02d" % (candidate, month, day))
        if start is not None and start <= newest + DAY:
            return max(start, 0)
    return 0  # a 29 February in a gather of before 2000: there is none
