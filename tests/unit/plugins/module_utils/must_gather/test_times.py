"""When a line was written, in every form that logs begin with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.must_gather import times

WHEN = "2025-04-19T19:19:58Z"
DATED = {
    b"2025-04-19T19:19:58Z [verbose] ADD": "",
    b"2025-04-19T19:19:58.123456789Z I0101 00:00:00.1 later": "",
    b"2025-04-19 19:19:58,123 text": "",
    b"2025-04-19T21:19:58.1+02:00 stdout F x": "+02:00",
    b"2025-04-19T13:49:58-0530 host crio[1]: x": "-0530",
    b'time="2025-04-19T21:19:58+02:00" level=info': "+02:00",
    b'Apr 19 23:00:00.1 host crio[1]: time="2025-04-19T19:19:58.123456789Z" level=info': "",
}


@pytest.mark.parametrize("line", DATED)
def test_line_with_a_year(line: bytes) -> None:
    stamp = times.stamp_of(line)
    assert stamp is not None
    assert (times.rfc3339(stamp.seconds), stamp.dated, stamp.zone) == (WHEN, True, DATED[line])


@pytest.mark.parametrize(
    "line",
    [
        b"I0419 19:19:58.123456    3512 cni.go:227] x",
        b"E0419 19:19:58.1 1 a.go:1] x",
        b"Apr 19 19:19:58.123456 worker-1 kubenswrapper[2563]: x",
        b"Apr 19 19:19:58 worker-1 kubelet[1]: I0419 19:19:58.2 1 a.go:1] x",
    ],
)
def test_line_without_a_year_gets_the_newest_that_is_possible(line: bytes) -> None:
    stamp = times.stamp_of(line)
    assert stamp is not None
    assert not stamp.dated
    newest = times.stamp_of_text("2025-04-20T00:00:00Z")
    assert newest is not None
    assert times.rfc3339(times.with_year_of(newest)(stamp.seconds)) == WHEN


@pytest.mark.parametrize(
    ("line", "newest", "expected"),
    [
        (b"Dec 31 23:59:59 h x", "2026-01-01T00:00:05Z", "2025-12-31T23:59:59Z"),
        (b"Jan  1 00:00:01 h x", "2026-01-01T00:00:05Z", "2026-01-01T00:00:01Z"),
        # Written after the newest object, but not days after it.
        (b"Jan  1 12:00:01 h x", "2025-12-31T23:59:00Z", "2026-01-01T12:00:01Z"),
        (b"Feb 29 12:00:00 h x", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
    ],
)
def test_years_end(line: bytes, newest: str, expected: str) -> None:
    stamp, last = times.stamp_of(line), times.stamp_of_text(newest)
    assert stamp is not None
    assert last is not None
    assert times.rfc3339(times.with_year_of(last)(stamp.seconds)) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no time at all",
        b"2025-13-19T19:19:58Z x",
        b"1969-01-01T00:00:00Z x",
        b"2099-01-01T00:00:00Z x",
        b"2025-04-19T19:19:58+99:00 x",
        b"Foo 19 19:19:58 h x",
        b"Feb 31 19:19:58 h x",
        b"I1399 19:19:58.1 x",
    ],
)
def test_line_without_a_time(line: bytes) -> None:
    assert times.stamp_of(line) is None


def test_stamps_are_seconds_since_2000() -> None:
    assert datetime(2000, 1, 1, tzinfo=UTC).timestamp() == times.EPOCH
    assert times.stamp_of_epoch(times.EPOCH + 7) == 7
    assert times.stamp_of_epoch(5) is None
