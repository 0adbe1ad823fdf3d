# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms in which versions of TrueNAS write pools, datasets, snapshots and shares, and our form of them. No I/O.

Up to 25.10 a property is {"rawvalue": "57344", "parsed": …, "value": "56 KiB", …}, from 26 on {"raw": "57344", …}, and
user properties are plain strings there. Only the raw values are used: the parsed ones differ between versions. Names
decide what can be deleted, so that one that ZFS cannot have is refused. A figure that is none is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from .errors import Broken, plain
from .model import CSI, VOLUME, Dataset, Pool, Share, Snapshot
from .options import is_dataset, is_snapshot

#: The user properties of democratic-csi 1.9 that the rules need.
PROPERTIES = (
    "managed_resource",
    "provision_success",
    "csi_volume_name",
    "csi_snapshot_name",
    "csi_snapshot_source_volume_id",
    "volume_context_provisioner_driver",
    "volume_context_provisioner_instance_id",
)
#: Native properties that are asked for.
DATASET_PROPERTIES = ("used", "usedbydataset", "available", "refquota", "volsize", "creation", "origin", "mountpoint")
SNAPSHOT_PROPERTIES = ("creation", "used")
#: ZFS' own limit of a user property's value.
_MAX_VALUE = 8192
_UNSET = ("", "-", "none")


class PoolRow(TypedDict):
    """An entry of pool.query, the same in all versions."""

    name: str
    status: NotRequired[Any]
    healthy: NotRequired[Any]
    warning: NotRequired[Any]
    size: NotRequired[Any]
    allocated: NotRequired[Any]
    free: NotRequired[Any]
    freeing: NotRequired[Any]
    fragmentation: NotRequired[Any]
    scan: NotRequired[Any]


class OldDataset(TypedDict):
    """An entry of pool.dataset.query; children only where nothing was selected, as with REST."""

    id: str
    type: str
    used: NotRequired[Any]
    usedbydataset: NotRequired[Any]
    available: NotRequired[Any]
    refquota: NotRequired[Any]
    volsize: NotRequired[Any]
    creation: NotRequired[Any]
    origin: NotRequired[Any]
    mountpoint: NotRequired[Any]
    user_properties: NotRequired[dict[str, Any] | None]
    children: NotRequired[list[OldDataset] | None]


class NewDataset(TypedDict):
    """An entry of zfs.resource.query."""

    name: str
    type: str
    properties: NotRequired[dict[str, Any] | None]
    user_properties: NotRequired[dict[str, Any] | None]


class SnapshotRow(TypedDict):
    """An entry of zfs.snapshot.query, pool.snapshot.query or zfs.resource.snapshot.query.

    In the first two the user properties are among the properties.
    """

    name: str
    properties: NotRequired[dict[str, Any] | None]
    user_properties: NotRequired[dict[str, Any] | None]
    holds: NotRequired[Any]


class ShareRow(TypedDict):
    """An entry of sharing.nfs.query, sharing.smb.query, iscsi.target.query or iscsi.extent.query."""

    id: int
    name: NotRequired[Any]
    path: NotRequired[Any]
    disk: NotRequired[Any]


def pools(rows: Iterable[PoolRow]) -> Iterator[Pool]:
    """Our form of them. Raises Broken."""
    for row in rows:
        scan = row.get("scan")
        yield Pool(
            name=_dataset_name(row["name"]),
            status=plain(row.get("status") or "UNKNOWN"),
            healthy=row.get("healthy") is True,
            warning=row.get("warning") is True,
            size_bytes=whole(row.get("size")),
            allocated_bytes=whole(row.get("allocated")),
            free_bytes=whole(row.get("free")),
            freeing_bytes=whole(row.get("freeing")),
            fragmentation_percent=_percent(row.get("fragmentation")),
            scan=_scan(scan) if isinstance(scan, dict) else None,
        )


def old_datasets(rows: Iterable[OldDataset]) -> Iterator[Dataset]:
    """Our form of them, and of their children at any depth. Raises Broken."""
    waiting = list(rows)
    while waiting:
        row = waiting.pop()
        waiting += row.get("children") or ()
        yield _dataset(row["id"], row["type"], row, row.get("user_properties"))


def new_datasets(rows: Iterable[NewDataset]) -> Iterator[Dataset]:
    """Our form of them. Raises Broken."""
    for row in rows:
        yield _dataset(row["name"], row["type"], row.get("properties") or {}, row.get("user_properties"))


def _dataset(name: str, kind: str, native: Mapping[str, Any], user: Mapping[str, Any] | None) -> Dataset:
    origin = raw(native.get("origin"))
    mountpoint = raw(native.get("mountpoint"))
    return Dataset(
        id=_dataset_name(name),
        type=plain(kind),
        used_bytes=whole(raw(native.get("used"))),
        used_by_dataset_bytes=whole(raw(native.get("usedbydataset"))),
        available_bytes=whole(raw(native.get("available"))),
        # ZFS writes 0 for a filesystem without one.
        quota_bytes=whole(raw(native.get("volsize" if kind == VOLUME else "refquota"))) or None,
        created=_seconds(native.get("creation")),
        origin=None if origin in _UNSET else origin if is_snapshot(str(origin)) else None,
        mountpoint=mountpoint if isinstance(mountpoint, str) and mountpoint.startswith("/") else None,
        properties=_csi(user or {}),
    )


def snapshots(rows: Iterable[SnapshotRow]) -> Iterator[Snapshot]:
    """Our form of them. Raises Broken."""
    for row in rows:
        name = row["name"]
        if not is_snapshot(name):
            raise Broken(f"an answer names a snapshot {plain(name)!r}, which ZFS cannot have")
        native = row.get("properties") or {}
        dataset, _at, tag = name.partition("@")
        yield Snapshot(
            id=name,
            dataset=dataset,
            name=tag,
            created=_seconds(native.get("creation")),
            used_bytes=whole(raw(native.get("used"))),
            holds=_holds(row.get("holds")),
            properties=_csi({**native, **(row.get("user_properties") or {})}),
        )


def shares(kind: str, rows: Iterable[ShareRow]) -> Iterator[Share]:
    """Our form of shares of one kind; an iSCSI extent's path is its zvol's device, or a file."""
    for row in rows:
        path = row.get("path") or row.get("disk")
        name = row.get("name") or path
        yield Share(kind=kind, id=row["id"], name=plain(name or ""), path=plain(path) if path else None)


def raw(value: Any) -> Any:
    """The raw value of a property of any version: of {"rawvalue": …}, {"raw": …}, or what stands there itself."""
    if isinstance(value, dict):
        return value.get("rawvalue", value.get("raw"))
    return value


def whole(value: Any) -> int | None:
    """A figure of bytes: a number or its digits; None for anything else, negative ones and such that no pool has."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**64 else None


def _seconds(prop: Any) -> float | None:
    """Seconds since 1970 of a date: raw digits, or {"$date": milliseconds} where there is no raw value."""
    if isinstance(prop, dict) and raw(prop) is None:
        prop = prop.get("parsed", prop)
    if isinstance(prop, dict) and "$date" in prop:
        milliseconds = whole(prop["$date"])
        return None if milliseconds is None else milliseconds / 1000
    return whole(raw(prop))


def _percent(value: Any) -> float | None:
    """Fragmentation comes as a text of digits, with or without a percent sign."""
    return whole(value.rstrip("%") if isinstance(value, str) else value)


def _scan(scan: Mapping[str, Any]) -> str | None:
    said = [str(scan[key]) for key in ("function", "state") if isinstance(scan.get(key), str)]
    return plain(" ".join(said)) or None


def _holds(value: Any) -> tuple[str, ...]:
    """Tags: the keys of an object up to 25.10, a list from 26 on."""
    return tuple(sorted(plain(tag) for tag in value)) if isinstance(value, dict | list) else ()


def _csi(user: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name in PROPERTIES:
        value = raw(user.get(CSI + name))
        if isinstance(value, str) and value not in _UNSET and len(value) <= _MAX_VALUE:
            found[name] = value
    return found


def _dataset_name(name: str) -> str:
    if not is_dataset(name):
        raise Broken(f"an answer names a dataset {plain(name)!r}, which ZFS cannot have")
    return name
