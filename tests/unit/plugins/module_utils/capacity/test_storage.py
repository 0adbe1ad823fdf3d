"""Claims and snapshots against classes, free volumes and quotas."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.rows import Levers, Row
from ansible_collections.kubestress.core.plugins.module_utils.capacity.storage import (
    NO_PROVISIONER,
    SnapshotClass,
    StorageSupply,
    VolumeClass,
    class_of_object,
    quota_need,
    storage_rows,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import Demand, demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments

GIB = 2**30
FAST = VolumeClass(name="fast", provisioner="csi.x", expandable=False, late=False, default=True, created="2026-01-01")
STATIC = replace(FAST, name="static", provisioner=NO_PROVISIONER, default=False)
SNAP = SnapshotClass(name="snap", driver="csi.x", default=True)
OTHERS = SnapshotClass(name="others", driver="csi.y", default=True)


def demand(storage_class: str | None = None, *, expand: bool = False, snapshot_class: str | None = None) -> Demand:
    """Return two claims of 1Gi, expanded by half a GiB or with a snapshot each if asked for."""

    def claim(size: str, **spec: Any) -> list[list[dict[str, Any]]]:
        body = {"resources": {"requests": {"storage": size}}, **spec}
        metadata = {"name": "c-{{ index }}"}
        kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": body}
        return [[{"definition": kind}]]

    named = {} if storage_class is None else {"storageClassName": storage_class}
    levers = {"storage": {"my_class": storage_class or ""}}
    raw = [{"role": "claims", "count": 2, "steps": claim("1Gi", **named), "levers": levers}]
    if expand:
        raw.append({"role": "grow", "count": 2, "steps": claim("1.5Gi"), "patch": "merge", "after": ["claims"]})
    if snapshot_class is not None:
        spec: dict[str, Any] = {"source": {"persistentVolumeClaimName": "c-{{ index }}"}}
        if snapshot_class:
            spec["volumeSnapshotClassName"] = snapshot_class
        kind = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "spec": spec}
        snapshot = {**kind, "metadata": {"name": "s-{{ index }}"}}
        raw.append({"role": "snapshots", "count": 2, "steps": [[{"definition": snapshot}]]})
    return demand_of(parse_fragments(raw, Context(run_id="r")), namespaces=[(1, "a-1")])


def rows(of: Demand, *, worked_before: bool = False, **supply: Any) -> dict[str, Row]:
    given = StorageSupply(**{"classes": {"fast": FAST, "static": STATIC}, **supply})
    found = storage_rows(of, given, Levers(of), worked_before=worked_before)
    return {row.name: row for row in found}


def test_a_plan_without_storage_has_no_rows():
    assert (
        storage_rows(demand_of([], namespaces=[]), None, Levers(demand_of([], namespaces=[])), worked_before=False)
        == []
    )


def test_the_default_class_is_the_newest_of_several():
    newer = replace(FAST, name="newer", created="2026-02-01")
    assert StorageSupply(classes={"fast": FAST, "newer": newer}).default_class == "newer"
    assert StorageSupply(classes={"static": STATIC}).default_class is None


@pytest.mark.parametrize("named", [None, "fast"])
def test_a_class_that_makes_volumes_is_enough(named: str | None):
    found = rows(demand(named))
    assert found["claims"].needed == 2
    assert found["storage that claims ask for"].needed == 2 * GIB
    row = found["claims of StorageClass fast"]
    assert (row.verdict, row.note) == ("ok", "made by csi.x")


@pytest.mark.parametrize(
    ("named", "free", "name", "verdict"),
    [
        ("nowhere", {}, "claims of StorageClass nowhere", "over"),
        ("nowhere", {"nowhere": 2}, "claims of StorageClass nowhere", "ok"),
        ("static", {"static": 1}, "claims of StorageClass static", "over"),
        ("static", {"static": 2}, "claims of StorageClass static", "ok"),
        ("", {"": 1}, "claims without a StorageClass", "over"),
    ],
)
def test_without_a_provisioner_free_volumes_have_to_suffice(named: str, free: dict[str, int], name: str, verdict: str):
    row = rows(demand(named), free=Counter(free))[name]
    assert (row.verdict, row.offered) == (verdict, free.get(named, 0))
    if verdict == "over":
        assert row.cure == (f"change my_class={named}" if named else "set my_class")
        again = rows(demand(named), free=Counter(free), worked_before=True)[name]
        assert again.verdict == "warning"


def test_what_may_not_be_read_is_no_data():
    assert rows(demand(), classes=None, unread={"classes": "no"})["StorageClasses"].note == "no"
    row = rows(demand("static"), unread={"volumes": "not you"})["claims of StorageClass static"]
    assert (row.verdict, "not you" in row.note) == ("no data", True)


def test_a_class_has_to_allow_expansion():
    assert rows(demand(expand=True))["expansion in StorageClass fast"].verdict == "over"
    allowed = rows(demand(expand=True), classes={"fast": replace(FAST, expandable=True)})
    assert "expansion in StorageClass fast" not in allowed
    assert allowed["storage that claims ask for"].needed == 3 * GIB


@pytest.mark.parametrize(
    ("named", "there", "verdict", "note"),
    [
        ("snap", [SNAP], "ok", "made by csi.x"),
        ("gone", [SNAP], "over", "the cluster has no such class; it has snap"),
        ("others", [OTHERS], "over", "its driver is csi.y, the claims' is csi.x"),
        ("", [SNAP, OTHERS], "ok", "of snap, made by csi.x"),
        ("", [OTHERS], "over", "driver csi.x has no default class"),
        ("", [SNAP, replace(SNAP, name="too")], "over", "driver csi.x has 2 default classes, one is needed"),
    ],
)
def test_the_class_of_snapshots(named: str, there: list[SnapshotClass], verdict: str, note: str):
    found = rows(demand(snapshot_class=named), snapshot_classes={one.name: one for one in there})
    (row,) = (row for name, row in found.items() if name.startswith("snapshots"))
    assert (row.verdict, row.note) == (verdict, note)


@pytest.mark.parametrize(
    ("resource", "needed"),
    [
        ("requests.storage", 3 * GIB),
        ("fast.storageclass.storage.k8s.io/requests.storage", 3 * GIB),
        ("fast.storageclass.storage.k8s.io/persistentvolumeclaims", 2),
        ("slow.storageclass.storage.k8s.io/requests.storage", 0),
        ("persistentvolumeclaims", None),
        ("pods", None),
    ],
)
def test_what_quotas_of_storage_are_asked_for(resource: str, needed: int | None):
    assert quota_need(resource, demand(expand=True), StorageSupply(classes={"fast": FAST})) == needed


def test_a_class_from_its_object():
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    obj = {
        "metadata": {"name": "fast", "annotations": annotations, "creationTimestamp": "2026-01-01"},
        "provisioner": "csi.x",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    assert class_of_object(obj) == replace(FAST, late=True)
