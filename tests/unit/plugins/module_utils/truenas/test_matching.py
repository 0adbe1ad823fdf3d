"""The cross-check: a truth table of each state and trap, in the forms of three releases."""

from __future__ import annotations

import dataclasses
import time
import uuid
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.truenas.matching import confirmed, cross_check
from ansible_collections.kubestress.core.plugins.module_utils.truenas.model import Box, Dataset, Part, Snapshot, unread
from ansible_collections.kubestress.core.plugins.module_utils.truenas.rows import CheckOptions, Content, Row, Volume
from helpers.democratic_csi import CSI, Driver
from helpers.truenas import RELEASES, box_of
from helpers.zfs_model import Zfs

PARENT, DETACHED = "tank/k8s/v", "tank/k8s/s"
DAY = 86400


class World:
    """A box, a cluster with volumes on it, and what the cross-check says of both."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.zfs = Zfs("tank", "old")
        self.shares: list[dict[str, Any]] = []
        self.driver = Driver(self.zfs, self.shares)
        self.others: list[Driver] = []
        self.settings: dict[str, Any] = {}
        self.box_changes: dict[str, Any] = {}
        # Something that is as it should be: without it, the cross-check would doubt that both belong together.
        self.volume = self.driver.provision()
        self.content = self.driver.snapshot(self.volume)

    def box(self) -> Box:
        box = box_of(self.zfs, self.shares, self.release, parents=(PARENT, DETACHED))
        return dataclasses.replace(box, **self.box_changes)

    def check(self) -> tuple[list[Row], dict[str, Any]]:
        drivers = [self.driver, *self.others]
        options = {"volume_parents": (PARENT,), "detached_parents": (DETACHED,), "now": time.time()}
        return cross_check(
            self.box(),
            [volume for driver in drivers for volume in driver.volumes.values()],
            [content for driver in drivers for content in driver.contents.values()],
            CheckOptions(**(options | self.settings)),
        )

    def found(self) -> dict[str, tuple[str, str, str]]:
        """Name -> kind, state, reason."""
        return {row.name: (row.kind, row.state, row.reason) for row in self.check()[0]}


@pytest.fixture(params=RELEASES)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_what_has_its_counterpart_is_no_finding(world: World) -> None:
    for kind in ("nfs", "smb", "iscsi"):
        driver = Driver(world.zfs, world.shares, kind=kind, name=f"csi.{kind}")
        world.others.append(driver)
        volume = driver.provision()
        driver.snapshot(volume)
        driver.snapshot(volume, detached=True)
    rows, document = world.check()
    assert rows == []
    assert (document["volumes"], document["snapshots"], document["matched"]) == (4, 7, 11)
    assert (document["complete"], document["cause"]) == (True, None)


def test_a_dataset_and_a_snapshot_that_nobody_names_are_orphans(world: World) -> None:
    gone = world.driver.provision(size=3 * 2**30)
    snapshot, detached = world.driver.snapshot(world.volume), world.driver.snapshot(world.volume, detached=True)
    for one in (gone, snapshot, detached):
        world.driver.forget(one)
    assert world.found() == {
        f"{PARENT}/{gone.volume_handle}": ("Dataset", "orphan", "no_volume"),
        f"{PARENT}/{snapshot.handle}": ("ZFSSnapshot", "orphan", "no_content"),
        f"{DETACHED}/{detached.handle}": ("Dataset", "orphan", "no_content"),
    }
    (row,) = (row for row in world.check()[0] if row.name.endswith(gone.volume_handle))
    assert row.age_seconds == pytest.approx(30 * DAY, abs=60)
    assert row.bytes == 57344
    assert gone.volume_handle in row.evidence[0]


@pytest.mark.parametrize("hashed", [False, True], ids=["template", "template and hash"])
def test_ids_from_a_template_or_a_hash(world: World, hashed: bool) -> None:
    world.driver.template, world.driver.hashed = "prod-{}", hashed
    kept, gone = world.driver.provision(), world.driver.provision()
    assert kept.volume_handle != kept.name
    world.driver.snapshot(kept)
    world.driver.forget(gone)
    assert world.found() == {f"{PARENT}/{gone.volume_handle}": ("Dataset", "orphan", "no_volume")}


# --- what is not the driver's ----------------------------------------------------------------------------------------


def test_snapshots_of_others_inherit_the_drivers_properties(world: World) -> None:
    path = world.driver.path_of(world.volume)
    world.zfs.snapshot(f"{path}@auto-2026-11-01")
    world.zfs.snapshot(f"{DETACHED}@hourly")
    world.driver.snapshot(world.volume, detached=True)
    world.zfs.create(f"{path}/child")
    world.zfs.snapshot(f"{path}/child@snapshot-{uuid.uuid4()}")
    assert world.found() == {f"{path}@auto-2026-11-01": ("ZFSSnapshot", "foreign", "not_csi")}


def test_a_snapshot_of_a_detached_snapshot_is_not_one_itself(world: World) -> None:
    detached = world.driver.snapshot(world.volume, detached=True)
    world.zfs.snapshot(f"{DETACHED}/{detached.handle}@daily")
    assert world.found() == {}


def test_a_csi_name_without_the_properties_is_unknown(world: World) -> None:
    name = f"{world.driver.path_of(world.volume)}@snapshot-{uuid.uuid4()}"
    world.zfs.snapshot(name)
    assert world.found() == {name: ("ZFSSnapshot", "unknown", "no_properties")}


def test_a_dataset_that_inherits_or_lacks_the_properties_is_foreign(world: World) -> None:
    world.zfs.create(f"{PARENT}/by-hand")
    assert world.found() == {f"{PARENT}/by-hand": ("Dataset", "foreign", "not_managed")}
    world.zfs.nodes[PARENT].own = {
        f"{CSI}managed_resource": "true",
        f"{CSI}csi_volume_name": "pvc-1",
        f"{CSI}provision_success": "true",
    }
    assert world.found() == {f"{PARENT}/by-hand": ("Dataset", "foreign", "inherited")}


def test_a_copy_with_its_properties_is_foreign(world: World) -> None:
    own = world.zfs.nodes[world.driver.path_of(world.volume)].own
    world.zfs.create(f"{PARENT}/copy-by-send", **own)
    assert world.found() == {f"{PARENT}/copy-by-send": ("Dataset", "foreign", "copy")}
    world.driver.forget(world.volume)
    world.driver.forget(world.content)
    keeps = world.driver.provision()
    found = world.found()
    assert found[f"{PARENT}/copy-by-send"] == ("Dataset", "foreign", "copy")
    assert found[f"{PARENT}/{world.volume.volume_handle}"] == ("Dataset", "orphan", "no_volume")
    assert f"{PARENT}/{keeps.volume_handle}" not in found


def test_a_parent_below_a_parent_is_nobodys_volume(world: World) -> None:
    inner = Driver(world.zfs, world.shares, parent=f"{PARENT}/inner/v", name="csi.inner")
    inner.provision()
    gone = inner.provision()
    inner.forget(gone)
    world.others.append(inner)
    world.settings["volume_parents"] = (PARENT, inner.parent)
    assert world.found() == {f"{inner.parent}/{gone.volume_handle}": ("Dataset", "orphan", "no_volume")}


# --- two clusters, two instances -------------------------------------------------------------------------------------


def test_two_clusters_on_one_parent(world: World) -> None:
    second = Driver(world.zfs, world.shares, cluster="staging")
    kept = second.provision()
    snapshot = second.snapshot(kept)
    world.others.append(second)
    assert world.found() == {}
    second.forget(snapshot)
    assert world.found() == {f"{PARENT}/{snapshot.handle}": ("ZFSSnapshot", "orphan", "no_content")}
    (row,) = world.check()[0]
    assert "no VolumeSnapshotContent of the cluster or of staging has" in row.evidence[0]
    world.others.clear()
    assert world.found()[f"{PARENT}/{kept.volume_handle}"] == ("Dataset", "orphan", "no_volume")


def test_what_is_missing_in_another_cluster_is_no_finding_here(world: World) -> None:
    second = Driver(world.zfs, world.shares, cluster="staging")
    lost = second.provision()
    world.zfs.destroy(second.path_of(lost))
    world.others.append(second)
    assert world.found() == {}


def test_another_instance_of_the_driver_is_foreign(world: World) -> None:
    other = Driver(world.zfs, world.shares, instance="blue")
    volume = other.provision()
    snapshot = other.snapshot(volume)
    expected = {
        f"{PARENT}/{volume.volume_handle}": ("Dataset", "foreign", "other_instance"),
        f"{PARENT}/{snapshot.handle}": ("ZFSSnapshot", "foreign", "other_instance"),
    }
    assert world.found() == expected
    # Ours has no id, so that naming one makes the other's datasets ours.
    world.settings["instance_id"] = "blue"
    assert world.found()[f"{PARENT}/{volume.volume_handle}"] == ("Dataset", "orphan", "no_volume")


def test_without_volumes_nobody_knows_whose_instance_it_is(world: World) -> None:
    """Only contents are left of ours, or readable, and a snapshot of another instance is not ours to judge."""
    blue = Driver(world.zfs, world.shares, instance="blue")
    snapshot, mine = blue.snapshot(blue.provision()), world.driver.snapshot(world.volume)
    world.driver.forget(mine)
    names = {f"{PARENT}/{snapshot.handle}", f"{PARENT}/{mine.handle}"}
    world.driver.volumes.clear()
    states = {name: row[1] for name, row in world.found().items() if name in names}
    assert states == {f"{PARENT}/{snapshot.handle}": "unknown", f"{PARENT}/{mine.handle}": "orphan"}
    world.settings["volumes_cause"] = "volumes: forbidden"
    states = {name: row[1] for name, row in world.found().items() if name in names}
    assert states == dict.fromkeys(names, "unknown")
    world.settings["instance_id"] = "blue"
    states = {name: row[1] for name, row in world.found().items() if name in names}
    assert states == {f"{PARENT}/{snapshot.handle}": "orphan", f"{PARENT}/{mine.handle}": "foreign"}


def test_a_detached_snapshot_is_of_the_instance_of_its_volume(world: World) -> None:
    blue = Driver(world.zfs, world.shares, instance="blue", name="csi.blue")
    world.others.append(blue)
    detached = blue.snapshot(blue.provision(), detached=True)
    world.settings["instance_id"] = "blue"
    assert world.found() == {}
    blue.forget(detached)
    assert world.found() == {f"{DETACHED}/{detached.handle}": ("Dataset", "orphan", "no_content")}


# --- what is held, young or unfinished -------------------------------------------------------------------------------


def test_clones_hold_their_source_wherever_they_are(world: World) -> None:
    source = world.driver.provision()
    snapshot = world.driver.snapshot(source)
    world.zfs.clone(f"{PARENT}/{snapshot.handle}", "old/somewhere/else")
    world.driver.forget(source)
    world.driver.forget(snapshot)
    assert world.found() == {
        world.driver.path_of(source): ("Dataset", "held_by_clones", "clones"),
        f"{PARENT}/{snapshot.handle}": ("ZFSSnapshot", "held_by_clones", "clones"),
    }
    # Kubernetes has deleted the snapshot: it goes with its last clone.
    world.zfs.destroy_snapshot(f"{PARENT}/{snapshot.handle}", defer=True)
    assert f"{PARENT}/{snapshot.handle}" in world.found()
    world.zfs.destroy("old/somewhere/else")
    assert world.found() == {world.driver.path_of(source): ("Dataset", "orphan", "no_volume")}


def test_origins_in_a_circle_end(world: World) -> None:
    ids = []
    for _number in range(2):
        gone = world.driver.provision()
        ids.append(world.driver.path_of(gone))
        world.zfs.snapshot(f"{ids[-1]}@x")
        world.driver.forget(gone)
    world.zfs.nodes[ids[0]].origin, world.zfs.nodes[ids[1]].origin = f"{ids[1]}@x", f"{ids[0]}@x"
    found = world.found()
    assert {found[one] for one in ids} == {("Dataset", "held_by_clones", "clones")}


def test_a_hold_keeps_a_snapshot(world: World) -> None:
    world.zfs.snaps[f"{PARENT}/{world.content.handle}"].holds.add("replication")
    world.driver.forget(world.content)
    assert world.found() == {f"{PARENT}/{world.content.handle}": ("ZFSSnapshot", "held", "holds")}


def test_a_volume_lives_on_in_its_backup(world: World) -> None:
    """The PersistentVolume is gone, and a VolumeSnapshotContent still needs a snapshot of the dataset."""
    volume = world.driver.provision()
    backup = world.driver.snapshot(volume)
    world.driver.forget(volume)
    path = world.driver.path_of(volume)
    assert world.found() == {path: ("Dataset", "held", "contents")}
    world.driver.forget(backup)
    assert world.found() == {
        path: ("Dataset", "orphan", "no_volume"),
        f"{PARENT}/{backup.handle}": ("ZFSSnapshot", "orphan", "no_content"),
    }
    (row,) = (row for row in world.check()[0] if row.name == path)
    assert row.evidence[-1] == "1 snapshots and datasets below it would go with it"
    world.zfs.snapshot(f"{path}@kept").holds.add("keep")
    assert world.found()[path] == ("Dataset", "held", "holds")


def test_temporary_snapshots_live_as_long_as_their_clone(world: World) -> None:
    clone = world.driver.provision(source=world.volume.volume_handle)
    temporary = f"{world.driver.path_of(world.volume)}@volume-source-for-volume-{clone.volume_handle}"
    assert world.found() == {temporary: ("ZFSSnapshot", "temporary", "clone_lives")}
    world.zfs.destroy(world.driver.path_of(clone))
    world.driver.forget(clone)
    assert world.found() == {temporary: ("ZFSSnapshot", "orphan", "leftover_temporary")}


def test_a_copy_under_way_needs_its_temporary_snapshot(world: World) -> None:
    path = world.driver.path_of(world.volume)
    world.zfs.snapshot(f"{path}@volume-source-for-volume-pvc-2")
    world.zfs.create(f"{PARENT}/pvc-2")
    world.zfs.snapshot(f"{path}@volume-source-for-snapshot-snapshot-3")
    world.zfs.create(f"{DETACHED}/{world.volume.volume_handle}/snapshot-3")
    found = world.found()
    assert found[f"{path}@volume-source-for-volume-pvc-2"] == ("ZFSSnapshot", "temporary", "in_progress")
    assert found[f"{path}@volume-source-for-snapshot-snapshot-3"] == ("ZFSSnapshot", "temporary", "in_progress")


def test_a_volume_from_a_detached_snapshot(world: World) -> None:
    detached = world.driver.snapshot(world.volume, detached=True)
    clone = world.driver.provision(source=detached.handle)
    temporary = f"{DETACHED}/{detached.handle}@volume-source-for-volume-{clone.volume_handle}"
    assert world.found() == {temporary: ("ZFSSnapshot", "temporary", "clone_lives")}
    world.driver.forget(detached)
    assert world.found()[f"{DETACHED}/{detached.handle}"] == ("Dataset", "held_by_clones", "clones")


def test_an_unfinished_volume_is_incomplete(world: World) -> None:
    volume = world.driver.provision(finished=False)
    assert world.found() == {world.driver.path_of(volume): ("Dataset", "incomplete", "no_provision_success")}


def test_an_inline_volume_has_no_persistent_volume(world: World) -> None:
    own = {f"{CSI}managed_resource": "true", f"{CSI}csi_volume_name": "x", f"{CSI}provision_success": "true"}
    world.zfs.create(f"{PARENT}/csi-{'0f' * 32}", **own)
    assert world.found() == {f"{PARENT}/csi-{'0f' * 32}": ("Dataset", "ephemeral", "inline")}


def test_young_is_no_orphan_and_no_age_is_unknown(world: World) -> None:
    world.zfs.clock = int(time.time()) - 3600
    gone = world.driver.provision()
    world.driver.forget(gone)
    name = world.driver.path_of(gone)
    assert world.found() == {name: ("Dataset", "young", "no_volume")}
    world.settings["min_age_seconds"] = 60.0
    assert world.found() == {name: ("Dataset", "orphan", "no_volume")}
    box = world.box()
    world.box_changes["datasets"] = dict(box.datasets) | {name: box.datasets[name]._replace(created=None)}
    assert world.found() == {name: ("Dataset", "unknown", "no_age")}


# --- from the cluster to the box -------------------------------------------------------------------------------------


def test_what_the_box_has_lost_is_missing(world: World) -> None:
    lost, detached = world.driver.provision(), world.driver.snapshot(world.volume, detached=True)
    world.zfs.destroy(world.driver.path_of(lost))
    world.zfs.destroy(f"{DETACHED}/{detached.handle}")
    world.zfs.destroy_snapshot(f"{PARENT}/{world.content.handle}")
    assert world.found() == {
        lost.name: ("PersistentVolume", "orphan", "backend_missing"),
        detached.name: ("VolumeSnapshotContent", "orphan", "backend_missing"),
        world.content.name: ("VolumeSnapshotContent", "orphan", "backend_missing"),
    }


@pytest.mark.parametrize("kind", ["smb", "iscsi"])
def test_a_volume_without_a_derivable_dataset_is_missing_too(world: World, kind: str) -> None:
    driver = Driver(world.zfs, world.shares, kind=kind, name=f"csi.{kind}")
    driver.provision()
    lost = driver.provision()
    world.zfs.destroy(driver.path_of(lost))
    world.others.append(driver)
    assert world.found() == {lost.name: ("PersistentVolume", "orphan", "backend_missing")}


def test_a_volume_on_another_box_or_below_another_parent_is_no_finding(world: World) -> None:
    second_box = Driver(Zfs("tank"), [], server="192.0.2.99", name="csi.second")
    second_box.snapshot(second_box.provision())
    elsewhere = Driver(world.zfs, world.shares, parent="old/volumes", name="csi.elsewhere")
    elsewhere.snapshot(elsewhere.provision())
    world.others += [second_box, elsewhere]
    world.driver.volumes["hostpath"] = Volume("", "hostpath", "u", "hostpath.csi.k8s.io", "h", {})
    world.driver.contents["other"] = Content("", "other", "hostpath.csi.k8s.io", "h@s")
    assert world.found() == {}


def test_a_replica_says_nothing_of_what_it_has_not_yet(world: World) -> None:
    """The same datasets, but no shares: it is a copy of the box, and newer volumes are not on it."""
    newer = world.driver.provision()
    world.zfs.destroy(world.driver.path_of(newer))
    world.zfs.destroy_snapshot(f"{PARENT}/{world.content.handle}")
    world.shares.clear()
    assert world.found() == {
        newer.name: ("PersistentVolume", "unknown", "incomplete_list"),
        world.content.name: ("VolumeSnapshotContent", "unknown", "incomplete_list"),
    }


def test_what_is_being_deleted_is_no_finding_and_keeps_its_dataset(world: World) -> None:
    world.driver.volumes[world.volume.name] = world.volume._replace(deleting=True)
    world.driver.contents[world.content.name] = world.content._replace(deleting=True)
    assert world.found() == {}


def test_a_new_volume_is_young(world: World) -> None:
    world.zfs.clock = int(time.time())
    lost = world.driver.provision()
    world.zfs.destroy(world.driver.path_of(lost))
    assert world.found() == {lost.name: ("PersistentVolume", "young", "backend_missing")}


# --- lists that are not complete -------------------------------------------------------------------------------------


def test_everything_is_unknown_if_nothing_belongs_together(world: World) -> None:
    world.driver.volumes.clear()
    world.driver.contents.clear()
    assert {state for _kind, state, _reason in world.found().values()} == {"unknown"}
    assert "is this their box?" in world.check()[0][0].evidence[-1]


@pytest.mark.parametrize(
    ("setting", "unknown"),
    # A dataset may be needed for its snapshots, too.
    [("volumes_cause", {"no_volume"}), ("contents_cause", {"no_volume", "no_content"})],
)
def test_a_list_of_a_cluster_that_is_not_complete(world: World, setting: str, unknown: set[str]) -> None:
    gone = world.driver.provision()
    world.driver.forget(world.driver.snapshot(gone))
    world.driver.forget(gone)
    world.driver.forget(world.content)
    complete = {row.name: row for row in world.check()[0]}
    assert {row.state for row in complete.values()} == {"orphan"}
    world.settings[setting] = "staging: forbidden"
    for row in world.check()[0]:
        expected = "unknown" if complete[row.name].reason in unknown else "orphan"
        assert row.state == expected
        assert ("staging: forbidden" in row.evidence[-1]) is (expected == "unknown")


def test_contents_do_not_matter_to_a_dataset_without_snapshots(world: World) -> None:
    """As in a cluster without the kinds of snapshots."""
    gone = world.driver.provision()
    world.driver.forget(gone)
    world.settings["contents_cause"] = "contents: not served"
    assert world.found() == {world.driver.path_of(gone): ("Dataset", "orphan", "no_volume")}


@pytest.mark.parametrize(
    ("part", "known"),
    [("datasets", set()), ("pools", set()), ("snapshots", {"PersistentVolume"}),
     ("shares", {"Dataset", "ZFSSnapshot"})],
)  # fmt: skip
def test_a_part_of_the_box_that_is_not_complete(world: World, part: str, known: set[str]) -> None:
    gone, lost, snapshot = world.driver.provision(), world.driver.provision(), world.driver.snapshot(world.volume)
    world.driver.forget(gone)
    world.driver.forget(snapshot)
    world.zfs.destroy(world.driver.path_of(lost))
    world.zfs.destroy_snapshot(f"{PARENT}/{world.content.handle}")
    assert {row.state for row in world.check()[0]} == {"orphan"}
    world.box_changes["parts"] = dict(world.box().parts) | {part: Part(complete=False, cause="no answer within 5 s")}
    rows, document = world.check()
    assert {row.kind for row in rows if row.state == "orphan"} == known
    assert {row.state for row in rows} <= {"orphan", "unknown"}
    assert document["complete"] is False
    assert document["cause"] == f"{part}: no answer within 5 s"


def test_a_box_of_which_nothing_is_known(world: World) -> None:
    rows, document = cross_check(
        unread("https://box.example", "no route to host"),
        world.driver.volumes.values(),
        world.driver.contents.values(),
        CheckOptions(volume_parents=(PARENT,), now=time.time()),
    )
    assert {row.state for row in rows} == {"unknown"}
    assert document["cause"] == "pools, datasets, snapshots, shares: no route to host"


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_a_second_look_confirms_what_it_finds_too(world: World) -> None:
    gone, new, copied = (world.driver.provision() for _number in range(3))
    for volume in (gone, new, copied):
        world.driver.forget(volume)
    world.zfs.create(f"{PARENT}/by-hand")
    first = world.check()[0]
    world.driver.volumes[new.name] = new
    # A clone is made of it, somewhere on the box.
    world.zfs.snapshot(f"{world.driver.path_of(copied)}@now")
    world.zfs.clone(f"{world.driver.path_of(copied)}@now", "old/copy")
    second = world.check()[0]
    told = {row.name: (row.state, row.confirmed) for row in confirmed(first, second)}
    assert told == {
        world.driver.path_of(gone): ("orphan", True),
        world.driver.path_of(copied): ("held_by_clones", None),
        f"{PARENT}/by-hand": ("foreign", None),
    }
    rows = {row.name: row for row in confirmed(first, second, incomplete="datasets: no answer")}
    new_row = rows[world.driver.path_of(new)]
    assert (new_row.state, new_row.reason, new_row.confirmed) == ("unknown", "not_seen_again", False)
    assert new_row.evidence[-1] == "not seen again: datasets: no answer"


@pytest.mark.parametrize(
    ("used", "promised", "level", "ratio"),
    [(0.5, 0, "ok", 0.0), (0.8, 0, "warning", 0.0), (0.9, 0, "critical", 0.0), (0.5, 2, "warning", 2.0)],
)
def test_pools_have_levels(used: float, promised: int, level: str, ratio: float) -> None:
    world = World("26.0")
    world.zfs.allocated["tank"] = int(world.zfs.size * used)
    world.zfs.nodes[world.driver.path_of(world.volume)].quota = promised * world.zfs.size
    (pool,) = (pool for pool in world.check()[1]["pools"] if pool["name"] == "tank")
    assert (pool["level"], pool["overcommit_ratio"], pool["used_percent"]) == (level, ratio, 100 * used)


def test_evidence_is_one_line_whatever_the_box_says() -> None:
    world = World("26.0")
    world.driver.forget(world.content)
    evil = "pvc-\x1b[31m<script>\n=cmd()" + "x" * 5000
    name = f"{PARENT}/evil"
    own = {"managed_resource": "true", "csi_volume_name": evil, "provision_success": "true"}
    dataset = Dataset(name, "FILESYSTEM", 1, 1, 1, None, 1.0, None, None, own)
    snapshot = Snapshot(
        f"{name}@s", name, "s", 1.0, 1, ("a\nb",), {"managed_resource": "true", "csi_snapshot_name": "s"}
    )
    box = world.box()
    world.box_changes = {
        "datasets": dict(box.datasets) | {name: dataset},
        "snapshots": dict(box.snapshots) | {f"{name}@s": snapshot},
    }
    for row in world.check()[0]:
        for line in row.evidence:
            assert line.isprintable()
            assert len(line) < 1000
