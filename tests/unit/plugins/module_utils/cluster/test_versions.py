"""What of the events that a cache repeats and reorders is news."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.versions import Versions, uid_number
from ansible_collections.kubestress.core.plugins.module_utils.cluster.watch import Event


def change(kind: str, version: str, *, uid: str = "u") -> Event:
    return Event(kind, {"metadata": {"name": "x", "uid": uid, "resourceVersion": version}})


@pytest.mark.parametrize(
    ("story", "news"),
    [
        ([("ADDED", "5"), ("MODIFIED", "7")], [True, True]),
        ([("ADDED", "5"), ("ADDED", "5")], [True, False]),
        ([("MODIFIED", "10"), ("MODIFIED", "9")], [True, False]),  # numbers, not texts
        ([("ADDED", "5"), ("DELETED", "6"), ("ADDED", "5"), ("MODIFIED", "8")], [True, True, False, False]),
        ([("DELETED", "6"), ("DELETED", "6")], [True, False]),
        ([("MODIFIED", "7"), ("DELETED", "6")], [True, True]),  # whatever its version, it is the end
        ([("ADDED", "9" * 30), ("MODIFIED", "8" * 5000), ("MODIFIED", "5")], [True, True, True]),
        ([("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "c"), ("ADDED", "a")], [True, True, True, False]),
    ],
)
def test_an_event_is_news_if_it_is_newer(story: list[tuple[str, str]], news: list[bool]) -> None:
    versions = Versions()
    assert [versions.is_news(change(*event)) for event in story] == news


def test_objects_do_not_mix() -> None:
    versions = Versions()
    assert versions.is_news(change("MODIFIED", "10"))
    assert versions.is_news(change("MODIFIED", "9", uid="other"))
    assert versions.is_gone("u") is False


def test_the_event_of_what_was_answered_is_news_and_what_is_older_is_not() -> None:
    versions = Versions()
    versions.stored("u", "8")
    assert not versions.is_news(change("MODIFIED", "7"))
    assert versions.is_news(change("ADDED", "8"))
    versions.stored("u", "3")
    assert not versions.is_news(change("MODIFIED", "7"))


@pytest.mark.parametrize(("version", "newer"), [("7", False), ("9", True), ("x", True)])
def test_an_object_written_later_has_taken_the_place_of_another(version: str, newer: bool) -> None:
    versions = Versions()
    versions.is_news(change("MODIFIED", "8"))
    assert versions.is_newer({"resourceVersion": version}, uid_number("u")) is newer
    versions.is_news(change("DELETED", "9"))
    assert versions.is_newer({"resourceVersion": "1"}, uid_number("u"))


def test_what_is_stored_nowhere_has_no_versions() -> None:
    metrics: dict[str, Any] = {"metadata": {"name": "x"}}
    versions = Versions()
    assert all(versions.is_news(Event(kind, metrics)) for kind in ("ADDED", "DELETED", "ADDED"))


def test_many_objects_are_told_apart_in_little_memory() -> None:
    versions, number = Versions(), 20_000
    for version in (5, 6):
        assert all(versions.is_news(change("MODIFIED", str(version), uid=f"u-{index}")) for index in range(number))
        assert not any(versions.is_news(change("MODIFIED", "5", uid=f"u-{index}")) for index in range(number))
    tracemalloc.start()
    again = Versions()
    for index in range(number):
        again.stored(f"u-{index}", str(10**9 + index))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used / number < 50
