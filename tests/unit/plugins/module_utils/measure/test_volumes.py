"""How long volumes took, from events of their objects with a clock of the test's own."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.volumes import VolumeBook

SELECTED = {"volume.kubernetes.io/selected-node": "n-1"}


class Clock:
    """Seconds that pass when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> VolumeBook:
    return VolumeBook(clock)


def claim(phase: str, *, size: str = "1Gi", wanted: str = "1Gi", **annotations: str) -> dict[str, Any]:
    bound = {"capacity": {"storage": size}} if phase == "Bound" else {}
    return {
        "metadata": {"namespace": "a", "name": "c", "annotations": annotations},
        "spec": {
            "resources": {"requests": {"storage": wanted}},
            **({"volumeName": "pv-1"} if phase == "Bound" else {}),
        },
        "status": {"phase": phase, **bound},
    }


def pod(*conditions: tuple[str, int], containers: tuple[int, ...] = (), claims: bool = True) -> dict[str, Any]:
    """Return a pod whose conditions are true since these seconds, and whose init containers began at these."""
    volume = {"persistentVolumeClaim": {"claimName": "c"}} if claims else {"emptyDir": {}}
    return {
        "metadata": {"namespace": "a", "name": "p", "uid": "p-1"},
        "spec": {"volumes": [{"name": "v", **volume}]},
        "status": {
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": at(second)} for kind, second in conditions
            ],
            "initContainerStatuses": [{"state": {"running": {"startedAt": at(second)}}} for second in containers],
        },
    }


def snapshot(**status: Any) -> dict[str, Any]:
    metadata = {"namespace": "a", "name": "s", "creationTimestamp": at(10)}
    return {"metadata": metadata, "status": status}


def attachment(name: str, volume: str, *, attached: bool) -> dict[str, Any]:
    source = {"persistentVolumeName": volume}
    return {"metadata": {"name": name}, "spec": {"source": source}, "status": {"attached": attached}}


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}Z"


def seconds(book: VolumeBook, role: str, stage: str) -> tuple[int, float] | None:
    """Return how many were measured and the longest, if any."""
    row = book.figures()["stages"].get(role, {}).get(stage)
    return (row["count"], row["max_s"]) if row else None


def test_a_claim_is_bound(book: VolumeBook, clock: Clock):
    book.claim("ADDED", claim("Pending"), "volumes", from_list=False)
    clock.now += 2.5
    book.claim("MODIFIED", claim("Bound"), "volumes", from_list=False)
    book.claim("MODIFIED", claim("Bound"), "volumes", from_list=False)
    assert seconds(book, "volumes", "bound") == (1, 2.5)
    assert seconds(book, "volumes", "provisioned") is None


def test_a_claim_that_waits_for_a_pod_is_measured_from_its_scheduling_as_well(book: VolumeBook, clock: Clock):
    book.claim("ADDED", claim("Pending"), "volumes", from_list=False)
    clock.now += 4
    book.claim("MODIFIED", claim("Pending", **SELECTED), "volumes", from_list=False)
    clock.now += 1
    book.claim("MODIFIED", claim("Bound", **SELECTED), "volumes", from_list=False)
    assert (seconds(book, "volumes", "bound"), seconds(book, "volumes", "provisioned")) == ((1, 5.0), (1, 1.0))


def test_what_a_list_shows_has_no_beginning(book: VolumeBook):
    book.claim("ADDED", claim("Pending"), "volumes", from_list=True)
    book.claim("MODIFIED", claim("Bound"), "volumes", from_list=False)
    book.snapshot("ADDED", snapshot(), "snapshots", from_list=True)
    book.snapshot("MODIFIED", snapshot(readyToUse=True), "snapshots", from_list=False)
    book.pod("ADDED", pod(), "volumes", from_list=True)
    book.pod("MODIFIED", pod(("PodScheduled", 1), ("PodReadyToStartContainers", 3)), "volumes", from_list=False)
    assert book.figures()["stages"] == {}


def test_an_expansion_ends_when_the_claim_has_the_size(book: VolumeBook, clock: Clock):
    book.claim("ADDED", claim("Bound"), "volumes", from_list=False)
    book.patched(("a", "c"), "expansion", has_size=False)
    clock.now += 1
    book.claim("MODIFIED", claim("Bound", wanted="2Gi"), "volumes", from_list=False)
    assert seconds(book, "expansion", "expanded") is None
    clock.now += 1
    book.claim("MODIFIED", claim("Bound", wanted="2Gi", size="2Gi"), "volumes", from_list=False)
    assert seconds(book, "expansion", "expanded") == (1, 2.0)


@pytest.mark.parametrize(
    ("mounted", "told_by", "own"),
    [
        (pod(("PodScheduled", 1), ("PodReadyToStartContainers", 4), containers=(9,)), "condition", 3.0),
        (pod(("PodScheduled", 1), containers=(9,)), "container", 8.0),
    ],
)
def test_a_pods_volumes_are_mounted(book: VolumeBook, clock: Clock, mounted: dict[str, Any], told_by: str, own: float):
    book.pod("ADDED", pod(), "volumes", from_list=False)
    clock.now += 1
    book.pod("MODIFIED", pod(("PodScheduled", 1)), "volumes", from_list=False)
    clock.now += 3.25
    book.pod("MODIFIED", mounted, "volumes", from_list=False)
    book.pod("MODIFIED", mounted, "volumes", from_list=False)
    assert seconds(book, "volumes", "mounted") == (1, 3.25)
    assert seconds(book, "volumes", "mounted_own") == (1, own)
    assert book.figures()["mounted_by"] == {told_by: 1}


def test_pods_without_claims_are_left_out(book: VolumeBook):
    book.pod("ADDED", pod(claims=False), "volumes", from_list=False)
    book.pod("MODIFIED", pod(("PodScheduled", 1), ("PodReadyToStartContainers", 4), claims=False), "x", from_list=False)
    assert book.figures()["stages"] == {}


def test_a_snapshot_is_cut_and_ready(book: VolumeBook, clock: Clock):
    book.snapshot("ADDED", snapshot(), "snapshots", from_list=False)
    clock.now += 0.5
    book.snapshot("MODIFIED", snapshot(readyToUse=False, creationTime=at(12)), "snapshots", from_list=False)
    clock.now += 1
    book.snapshot("MODIFIED", snapshot(readyToUse=True, creationTime=at(12)), "snapshots", from_list=False)
    assert (seconds(book, "snapshots", "ready"), seconds(book, "snapshots", "cut")) == ((1, 1.5), (1, 2.0))


def test_clocks_that_differ_count_as_no_time_and_are_told(book: VolumeBook):
    book.snapshot("ADDED", snapshot(), "snapshots", from_list=False)
    book.snapshot("MODIFIED", snapshot(readyToUse=True, creationTime=at(3)), "snapshots", from_list=False)
    assert (seconds(book, "snapshots", "cut"), book.figures()["clock_backwards"]) == ((1, 0.0), 1)


def test_only_attachments_of_own_volumes_count(book: VolumeBook, clock: Clock):
    book.claim("ADDED", claim("Bound"), "volumes", from_list=False)
    for name, volume in (("a-1", "pv-1"), ("a-2", "pv-of-others")):
        book.attachment("ADDED", attachment(name, volume, attached=False))
    clock.now += 2
    for name, volume in (("a-1", "pv-1"), ("a-2", "pv-of-others"), ("a-3", "pv-1")):
        book.attachment("MODIFIED", attachment(name, volume, attached=True))
    assert seconds(book, "volumes", "attached") == (1, 2.0)
