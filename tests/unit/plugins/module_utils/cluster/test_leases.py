"""Leases: what readings show, whatever the controllers' clocks say."""

from __future__ import annotations

import asyncio
import math

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.leases import (
    Lease,
    LeaseBook,
    LeaseReading,
    read_leases,
)
from helpers.memory_api import MemoryApi, MemoryCluster, failure
from helpers.virtual_time import in_virtual_time

MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
# A clock that is years behind changes nothing.
OLD, NEW = "2001-01-01T00:00:00.000000Z", "2001-01-01T00:00:02.000000Z"


def reading(at: float, *, manager: str = OLD, scheduler: str = OLD, holder: str = "a", error: str = "") -> LeaseReading:
    leases = {MANAGER: Lease(holder, manager, 15), SCHEDULER: Lease("a", scheduler, 15)}
    return LeaseReading(at, {} if error else leases, error)


def taken(*readings: LeaseReading, unseen_until: float = -math.inf) -> tuple[LeaseBook, list[str]]:
    """A book that has taken these readings, and the lines by which it told of something new."""
    book = LeaseBook()
    return book, [line for reading in readings for line in book.take(reading, unseen_until=unseen_until)]


SILENT_95_S = "has not renewed its lease for at least 95 s"


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (reading(0), reading(95, scheduler=NEW), f"likely cause: {MANAGER} {SILENT_95_S}"),
        (reading(0), reading(95), f"likely cause: {MANAGER} {SILENT_95_S}, {SCHEDULER} {SILENT_95_S}"),
        (reading(0), reading(95, manager=NEW, scheduler=NEW), f"{MANAGER} and {SCHEDULER} renew their leases"),
        # A lease holds for 15 s.
        (reading(0), reading(14), f"{MANAGER} and {SCHEDULER} renew their leases"),
        (
            reading(0, holder=""),
            reading(9, holder="", scheduler=NEW),
            f"likely cause: nobody holds the lease of {MANAGER}",
        ),
        (reading(0), reading(95, holder="b", scheduler=NEW), f"{MANAGER} and {SCHEDULER} renew their leases"),
        # Without leader election there are none.
        (LeaseReading(0, {}), LeaseReading(95, {}), ""),
        (reading(0), reading(95, error="no"), "the leases of the controllers could not be read: no"),
    ],
)
def test_readings_show_who_is_silent(before: LeaseReading, after: LeaseReading, text: str):
    book, _lines = taken(before, after)
    assert book.text(95) == text


def test_a_silence_is_told_of_once_and_so_is_its_end():
    book, lines = taken(*(reading(at, scheduler=f"{at}") for at in (0, 5, 10, 15, 20, 25)))
    assert lines == [f"{MANAGER} has not renewed its lease for at least 15 s: what it looks after stands still"]
    assert [(row["controller"], row["seconds"], row["over"]) for row in book.silences] == [(MANAGER, 25, False)]
    assert book.take(reading(30, manager=NEW, scheduler="30")) == [f"{MANAGER} renews its lease again, after 30 s"]
    assert [(row["seconds"], row["over"]) for row in book.figures()["silences"]] == [(30, True)]
    assert (book.silent(30), book.figures()["source"]) == ([], "leases")


def test_nobody_can_renew_a_lease_while_the_api_server_cannot_be_reached():
    book, lines = taken(reading(0), reading(70), unseen_until=65)
    assert lines == []
    assert book.silences == []


def test_what_may_not_be_read_is_said():
    book, _lines = taken(LeaseReading(0, {}, "leases is forbidden"))
    assert book.figures() == {"source": "none", "cause": "leases is forbidden", "silences": []}
    book, _lines = taken(LeaseReading(0, {}))
    assert "without leader election" in book.figures()["cause"]


@in_virtual_time
async def test_leases_are_read_as_they_are_and_what_does_not_exist_is_left_out():
    api = MemoryApi()
    spec = {"holderIdentity": "host_1", "renewTime": OLD, "leaseDurationSeconds": 137}
    api.put("leases", {"metadata": {"name": MANAGER, "namespace": "kube-system"}, "spec": spec})
    async with MemoryCluster(api) as cluster:
        await asyncio.sleep(7)
        found = await read_leases(cluster)
    assert found.leases == {MANAGER: Lease("host_1", OLD, 137.0)}
    assert (round(found.at), found.error) == (7, "")


@in_virtual_time
async def test_leases_that_may_not_be_read_are_an_error_in_the_reading():
    api = MemoryApi()
    api.refuse = lambda _method, _path: failure(403, "Forbidden", "leases is forbidden")
    async with MemoryCluster(api) as cluster:
        found = await read_leases(cluster)
    assert (found.leases, found.error, found.is_refused) == ({}, "leases is forbidden", True)
