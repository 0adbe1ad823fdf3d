"""Warnings by reason, counted by how much each Event's count grew; and messages about a fork that failed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure import events as room
from ansible_collections.kubestress.core.plugins.module_utils.measure.events import EventBook, fork_failure


def event(
    name: str = "e", *, reason: str = "FailedMount", kind: str = "Pod", message: str = "no", **rest: Any
) -> dict[str, Any]:
    about = {"kind": kind, "namespace": "ns", "name": "p"}
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": name}, "involvedObject": about, "reason": reason,
        "message": message, "type": "Warning", **rest,
    }  # fmt: skip


def old(count: int | None, first: str = "2026-01-01T00:00:00Z", last: str = "2026-01-01T00:00:05Z") -> dict[str, Any]:
    """Return what core/v1's own recorders write."""
    return {"count": count, "firstTimestamp": first, "lastTimestamp": last}


def new(count: int | None = None, last: str = "2026-01-01T00:00:09.000001Z") -> dict[str, Any]:
    """Return what the recorders of events.k8s.io write."""
    series = {"series": {"count": count, "lastObservedTime": last}} if count else {}
    return {"eventTime": "2026-01-01T00:00:01.500000Z", "firstTimestamp": None, "lastTimestamp": None, **series}


COUNTS = {
    "one": ([("ADDED", old(1))], 1),
    "one that says no count": ([("ADDED", old(None))], 1),
    "one of the new form": ([("ADDED", new())], 1),
    "one that came with its repetitions": ([("ADDED", old(7))], 7),
    "repeated": ([("ADDED", old(1)), ("MODIFIED", old(2)), ("MODIFIED", old(5))], 5),
    "repeated as a series": ([("ADDED", new()), ("MODIFIED", new(2)), ("MODIFIED", new(9))], 9),
    "changed without a repetition": ([("ADDED", old(3)), ("MODIFIED", old(3))], 3),
    "from before the watch, repeated": ([("MODIFIED", old(40)), ("MODIFIED", old(43))], 4),
    "told twice": ([("ADDED", old(2)), ("ADDED", old(2))], 2),
    "made anew under its name": ([("ADDED", old(5)), ("MODIFIED", old(1))], 6),
    "gone": ([("ADDED", old(2)), ("DELETED", old(2))], 2),
    "one that nobody saw is gone": ([("DELETED", old(2))], 0),
}


@pytest.mark.parametrize(("changes", "count"), COUNTS.values(), ids=COUNTS)
def test_counts(changes, count):
    book = EventBook()
    assert sum(book.observe(change, event(**form)) for change, form in changes) == count
    assert book.total == count
    assert [row["count"] for row in book.rows()] == ([count] if count else [])


def test_a_row_has_the_first_and_the_last_time_and_the_first_example():
    book = EventBook()
    book.observe(
        "ADDED", event("a", message="first\n  of  all", **old(1, "2026-01-01T00:00:05Z", "2026-01-01T00:00:05Z"))
    )
    book.observe("ADDED", event("b", **old(1, "2026-01-01T00:00:02Z", "2026-01-01T00:00:04Z")))
    book.observe("MODIFIED", event("b", **old(3, "2026-01-01T00:00:02Z", "2026-01-01T00:00:08Z")))
    book.observe("ADDED", event("c", **new()))
    assert book.rows() == [
        {
            "reason": "FailedMount", "kind": "Pod", "count": 5, "first": "2026-01-01T00:00:01.500000Z",
            "last": "2026-01-01T00:00:08Z",
            "fork_failures": 0, "example": {"namespace": "ns", "name": "p", "message": "first of all"},
        }
    ]  # fmt: skip
    assert book.newest == "2026-01-01T00:00:08Z"


def test_an_event_from_before_is_first_seen_when_it_happened_again():
    book = EventBook()
    book.observe("MODIFIED", event(**old(40, "2025-12-31T23:00:00Z", "2026-01-01T00:00:05Z")))
    assert book.rows()[0]["first"] == "2026-01-01T00:00:05Z"


def test_reasons_and_kinds_are_apart_and_the_most_frequent_first():
    book = EventBook()
    for name, more in {"a": {}, "b": {"kind": "Job"}, "c": {"reason": "Failed"}, "d": {"reason": "Failed"}}.items():
        book.observe("ADDED", event(name, **more))
    assert [(row["reason"], row["kind"], row["count"]) for row in book.rows()] == [
        ("Failed", "Pod", 2), ("FailedMount", "Job", 1), ("FailedMount", "Pod", 1),
    ]  # fmt: skip


def test_after_a_list_what_is_old_is_remembered_and_not_counted():
    book = EventBook()
    since = "2026-01-01T00:00:05Z"
    before = event("a", **old(9, last="2026-01-01T00:00:04Z"))
    assert book.observe("ADDED", before, since=since) == 0
    assert book.observe("ADDED", event("b", **old(2, last="2026-01-01T00:00:05Z")), since=since) == 2
    assert book.observe("MODIFIED", event("a", **old(11, last="2026-01-01T00:00:06Z"))) == 2


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(room, "MAX_KNOWN", 10)
    monkeypatch.setattr(room, "MAX_GROUPS", 5)
    monkeypatch.setattr(room, "MAX_ROWS", 3)
    book = EventBook()
    for number in range(100):
        book.observe("ADDED", event(f"e{number}", reason=f"R{number}", message="x" * 10_000))
    assert (book.total, len(book._known) + len(book._older), book.groups) == (100, 10, 6)
    rows = book.rows()
    assert [(row["reason"], row["count"]) for row in rows] == [("(others)", 95), ("R0", 1), ("R1", 1)]
    assert max(len(row["example"]["message"]) for row in rows) == 300


@pytest.mark.parametrize("rest", [{}, {"involvedObject": None}, {"message": None, "reason": None}, {"series": {}}])
def test_an_event_that_says_little_counts_all_the_same(rest):
    book = EventBook()
    assert book.observe("ADDED", event() | rest) == 1
    (row,) = book.rows()
    assert (row["first"], row["last"]) == (None, None)


def test_events_that_tell_of_failed_forks_are_counted_and_the_first_of_them_is_the_example():
    book = EventBook()
    book.observe("ADDED", event("a", message="no such volume", **new()))
    forks = "mount failed: fork/exec /usr/bin/mount: resource temporarily unavailable"
    book.observe("ADDED", event("b", message=forks, **old(2, "2026-01-01T00:00:02Z", "2026-01-01T00:00:04Z")))
    book.observe("MODIFIED", event("b", message=forks, **old(5, "2026-01-01T00:00:02Z", "2026-01-01T00:00:08Z")))
    (row,) = book.rows()
    assert (row["count"], row["fork_failures"], row["example"]["message"]) == (6, 5, forks)


BUILD = """\
2026-01-15T07:39:47Z phase 3/7 compile (compile): 7846 ms
/bin/sh: can't fork: Resource temporarily unavailable
fork failed: resource temporarily unavailable: phase compile, starting a sleeper, with 33 of 72 processes started
"""


@pytest.mark.parametrize(
    "text",
    [
        "/bin/sh: can't fork: Resource temporarily unavailable",
        "/bin/sh: 1: Cannot fork",
        "bash: fork: retry: Resource temporarily unavailable",
        "-bash: fork: Resource temporarily unavailable",
        "netplugin failed with no error message: fork/exec /opt/cni/bin/bridge: resource temporarily unavailable",
        "mount failed: fork/exec /usr/bin/mount: resource temporarily unavailable",
        "runtime: failed to create new OS thread (have 12 already; errno=11)",
        "runtime/cgo: pthread_create failed: Resource temporarily unavailable",
        "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory",
        "RuntimeError: can't start new thread",
        "bash: fork: Cannot allocate memory",
        "fork/exec /usr/bin/runc: cannot allocate memory",
    ],
)
def test_told(text: str) -> None:
    assert fork_failure(f"before\n  {text} \nafter") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fork/exec /opt/cni/bin/bridge: no such file or directory",
        "read tcp 10.0.0.1:80: resource temporarily unavailable",
        "forked 72 processes",
        "OOMKilled",
    ],
)
def test_not_told(text: str) -> None:
    assert fork_failure(text) == ""


def test_of_several_lines_the_last_is_told() -> None:
    assert fork_failure(BUILD) == BUILD.splitlines()[-1]
