"""How releases of TrueNAS write what they have: 24.10, 25.10 and 26, out of ZFS in memory."""

from __future__ import annotations

import time
from typing import Any

from helpers.zfs_model import Node, Snap, Zfs

#: What one may ask for beside user properties; a filesystem has no volsize, a zvol no refquota.
_NATIVE = ("used", "usedbydataset", "available", "refquota", "volsize", "creation", "origin", "mountpoint", "type")
POOL_GUID = "4711"


def _native(zfs: Zfs, one: Node | Snap) -> dict[str, Any]:
    """Native property -> value."""
    found: dict[str, Any] = {"used": one.used, "creation": one.created}
    if isinstance(one, Snap):
        return {**found, "referenced": 57344, "createtxg": 12}
    below = sum(child.used for child in zfs.below(one.id)) if "/" not in one.id else one.used
    found["used"] = zfs.allocated[one.id] if "/" not in one.id else below
    found["usedbydataset"] = one.used
    found["available"] = zfs.size - zfs.allocated[one.id.partition("/")[0]]
    found["volsize" if one.type == "VOLUME" else "refquota"] = one.quota
    if one.type != "VOLUME":
        found["mountpoint"] = one.mountpoint or f"/mnt/{one.id}"
    return {**found, "origin": one.origin or "", "type": one.type.lower()}


def pool(zfs: Zfs, name: str) -> dict[str, Any]:
    """An entry of pool.query; the same in all releases."""
    free = zfs.size - zfs.allocated[name]
    return {
        "id": 1, "name": name, "guid": POOL_GUID, "path": f"/mnt/{name}", "status": zfs.status[name],
        "healthy": zfs.status[name] == "ONLINE", "warning": False, "status_code": "OK", "status_detail": None,
        "scan": {"function": "SCRUB", "state": "FINISHED", "errors": 0}, "expand": None, "is_upgraded": True,
        "size": zfs.size, "allocated": zfs.allocated[name], "free": free, "freeing": 0, "fragmentation": "7",
        "size_str": str(zfs.size), "allocated_str": str(zfs.allocated[name]), "free_str": str(free),
        "freeing_str": "0", "dedup_table_size": 0, "dedup_table_quota": "auto", "autotrim": _old("off", "DEFAULT"),
        "topology": {"data": [], "log": [], "cache": [], "spare": [], "special": [], "dedup": []},
    }  # fmt: skip


def _old(value: Any, source: str = "NONE") -> dict[str, Any]:
    """A property up to 25.10."""
    parsed: Any = value
    if isinstance(value, int):
        return {"parsed": parsed, "rawvalue": str(value), "value": f"{value / 1024:.0f} KiB", "source": source}
    return {
        "parsed": parsed,
        "rawvalue": str(value),
        "value": str(value).upper(),
        "source": source,
        "source_info": None,
    }


def _date(seconds: int) -> dict[str, Any]:
    text = time.strftime("%a %b %d %H:%M %Y", time.gmtime(seconds))
    return {"parsed": {"$date": seconds * 1000}, "rawvalue": str(seconds), "value": text, "source": "NONE"}


def _old_properties(zfs: Zfs, one: Node | Snap, release: str, names: list[str] | None) -> dict[str, Any]:
    native = {key: value for key, value in _native(zfs, one).items() if names is None or key in names}
    return {key: _date(value) if key == "creation" else _old(value) for key, value in native.items()}


def _user(zfs: Zfs, name: str, release: str) -> dict[str, dict[str, Any]]:
    """User properties. From 25.10 on, the source of an inherited one is LOCAL too."""
    return {
        key: _old(value, "INHERITED" if inherited and release < "25.10" else "LOCAL")
        for key, (value, inherited) in zfs.properties(name).items()
    }


def old_dataset(zfs: Zfs, node: Node, release: str, names: list[str] | None, *, children: bool) -> dict[str, Any]:
    """An entry of pool.dataset.query; with `children` the whole subtree is nested in it."""
    found: dict[str, Any] = {
        "id": node.id, "type": node.type, "name": node.id, "pool": node.id.partition("/")[0], "encrypted": False,
        "encryption_root": None, "key_loaded": False, "locked": False, "children": [],
        "user_properties": _user(zfs, node.id, release),
    }  # fmt: skip
    found |= _old_properties(zfs, node, release, names)
    found["type"] = node.type
    if "mountpoint" in found:
        found["mountpoint"] = found["mountpoint"]["rawvalue"]
    if children:
        own = (one for one in zfs.below(node.id) if one.id.rpartition("/")[0] == node.id)
        found["children"] = [old_dataset(zfs, one, release, names, children=True) for one in own]
    return found


def old_snapshot(zfs: Zfs, snap: Snap, release: str, names: list[str] | None, *, holds: bool) -> dict[str, Any]:
    """An entry of zfs.snapshot.query and pool.snapshot.query: user properties are among the properties."""
    user = {key: value for key, value in _user(zfs, snap.id, release).items() if names is None or key in names}
    found = {
        "id": snap.id, "name": snap.id, "pool": snap.id.partition("/")[0], "type": "SNAPSHOT",
        "snapshot_name": snap.id.partition("@")[2], "dataset": snap.dataset, "createtxg": "12",
        "properties": _old_properties(zfs, snap, release, names) | user,
    }  # fmt: skip
    if holds:
        found["holds"] = dict.fromkeys(snap.holds, 1)
    return found


def _new_properties(zfs: Zfs, one: Node | Snap, names: list[str] | None) -> dict[str, Any] | None:
    if names is None:
        return None
    native = _native(zfs, one)
    wanted = names or [key for key in _NATIVE if key in native]
    return {key: {"raw": str(native[key]), "source": None, "value": native[key]} for key in wanted if key in native}


def new_dataset(zfs: Zfs, node: Node, names: list[str] | None, *, user: bool) -> dict[str, Any]:
    """An entry of zfs.resource.query."""
    own = {key: value for key, (value, _inherited) in zfs.properties(node.id).items()}
    return {
        "createtxg": 12, "guid": 815, "name": node.id, "pool": node.id.partition("/")[0], "type": node.type,
        "properties": _new_properties(zfs, node, names), "user_properties": own if user else None, "children": None,
        "tier": None,
    }  # fmt: skip


def new_snapshot(zfs: Zfs, snap: Snap, names: list[str] | None, *, user: bool, holds: bool) -> dict[str, Any]:
    """An entry of zfs.resource.snapshot.query."""
    own = {key: value for key, (value, _inherited) in zfs.properties(snap.id).items()}
    return {
        "createtxg": 12, "guid": 816, "name": snap.id, "pool": snap.id.partition("/")[0], "dataset": snap.dataset,
        "snapshot_name": snap.id.partition("@")[2], "type": "SNAPSHOT",
        "holds": sorted(snap.holds) if holds and snap.holds else None,
        "properties": _new_properties(zfs, snap, names), "user_properties": own if user else None,
    }  # fmt: skip
