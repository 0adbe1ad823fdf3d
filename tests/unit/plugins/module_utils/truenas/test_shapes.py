"""What is made of the values that a box sends: figures, dates, names, properties, whatever their type."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.truenas import shapes
from ansible_collections.kubestress.core.plugins.module_utils.truenas.errors import Broken


@pytest.mark.parametrize(
    ("value", "expected"),
    [("57344", 57344), (57344, 57344), ("0", 0), (None, None), ("", None), ("56 KiB", None), ("-1", None), (-1, None),
     (True, None), (1.5, None), ("1e9", None), ("９", None), ("9" * 40, None), (2**70, None), ({}, None), ([], None)],
)  # fmt: skip
def test_a_figure_of_bytes(value: Any, expected: int | None) -> None:
    assert shapes.whole(value) == expected


@pytest.mark.parametrize(
    ("creation", "expected"),
    [
        ({"parsed": {"$date": 1767225600000}, "rawvalue": "1767225600", "value": "Thu Jan 1"}, 1767225600),
        ({"parsed": {"$date": 1767225600500}}, 1767225600.5),
        ({"raw": "1767225600", "value": 1767225600}, 1767225600),
        ({"$date": 1767225600000}, 1767225600),
        ({"rawvalue": "yesterday"}, None),
        ({"parsed": {"$date": "x"}}, None),
        (None, None),
        ([], None),
    ],
)
def test_a_date(creation: Any, expected: float | None) -> None:
    (found,) = shapes.old_datasets([{"id": "tank/a", "type": "FILESYSTEM", "creation": creation}])
    assert found.created == expected


def test_nested_children_are_found_at_any_depth() -> None:
    row: Any = {"id": "tank/x", "type": "FILESYSTEM"}
    for _depth in range(5000):
        row = {"id": "tank", "type": "FILESYSTEM", "children": [row]}
    assert sum(1 for _one in shapes.old_datasets([row])) == 5001


@pytest.mark.parametrize("name", ["tank/<script>", "tank/a\nb", "../../etc", "", "tank/" + "x" * 300, "tank/a@b"])
def test_names_that_zfs_cannot_have_are_refused(name: str) -> None:
    cases: list[tuple[Any, dict[str, Any]]] = [
        (shapes.old_datasets, {"id": name, "type": "VOLUME"}),
        (shapes.new_datasets, {"name": name, "type": "VOLUME"}),
        (shapes.pools, {"name": name}),
        (shapes.snapshots, {"name": f"{name}@s"}),
    ]
    for read, row in cases:
        with pytest.raises(Broken, match="which ZFS cannot have") as refused:
            list(read([row]))
        assert str(refused.value).isprintable()


def test_only_the_drivers_properties_are_kept_and_only_as_texts() -> None:
    user = {
        "democratic-csi:managed_resource": {"rawvalue": "true"},
        "democratic-csi:csi_volume_name": "pvc-1",
        "democratic-csi:csi_snapshot_name": {"rawvalue": 5},
        "democratic-csi:provision_success": {"rawvalue": "-"},
        "democratic-csi:volume_context_provisioner_instance_id": {"rawvalue": "x" * 9000},
        "org.other:thing": {"rawvalue": "true"},
    }
    (found,) = shapes.old_datasets([{"id": "tank/a", "type": "FILESYSTEM", "user_properties": user}])
    assert found.properties == {"managed_resource": "true", "csi_volume_name": "pvc-1"}


@pytest.mark.parametrize(
    ("holds", "expected"),
    [({"truenas": 1}, ("truenas",)), (["b", "a"], ("a", "b")), (None, ()), ("x", ()), ([{}], ("{}",)), (7, ())],
)
def test_holds(holds: Any, expected: tuple[str, ...]) -> None:
    (found,) = shapes.snapshots([{"name": "tank/a@s", "holds": holds}])
    assert found.holds == expected


def test_a_pool_with_odd_values_has_no_figures() -> None:
    (found,) = shapes.pools(
        [
            {
                "name": "tank",
                "status": "<b>\n",
                "healthy": "yes",
                "size": "12",
                "free": -5,
                "fragmentation": "7%",
                "scan": 3,
            }
        ]
    )
    assert (found.status, found.healthy, found.size_bytes, found.free_bytes) == ("<b>", False, 12, None)
    assert (found.fragmentation_percent, found.scan) == (7, None)


def test_an_origin_that_is_none() -> None:
    for origin in ("", "-", "none", {"rawvalue": ""}, "no snapshot", 7):
        (found,) = shapes.old_datasets([{"id": "tank/a", "type": "FILESYSTEM", "origin": origin}])
        assert found.origin is None
