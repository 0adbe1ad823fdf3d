"""Leases: what two readings show, whatever the controllers' clocks say."""

from __future__ import annotations

import asyncio

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.leases import (
    Lease,
    LeaseReading,
    lease_text,
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


SILENT_95_S = "has not renewed its lease for at least 95 s"


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (reading(0), reading(95, scheduler=NEW), f"likely cause: {MANAGER} {SILENT_95_S}"),
        (reading(0), reading(95), f"likely cause: {MANAGER} {SILENT_95_S}, {SCHEDULER} {SILENT_95_S}"),
        (reading(0), reading(95, manager=NEW, scheduler=NEW), f"{MANAGER} and {SCHEDULER} renew their leases"),
        # Too soon to expect a renewal.
        (reading(0), reading(3), ""),
        (reading(0), reading(3, manager=NEW), f"{MANAGER} renews its lease"),
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
def test_two_readings_show_who_is_silent(before: LeaseReading, after: LeaseReading, text: str):
    assert lease_text(before, after) == text


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
    assert (found.leases, found.error) == ({}, "leases is forbidden")
