"""Documents of storage.json, for tests of what is made from them: tables, pages, metrics and files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

GIB = 1024**3
DAY = 86_400
Row = dict[str, Any]

#: Names that a cluster or a box could really send, or somebody who wants to harm whoever reads the report.
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("http://203.0.113.7/","open")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "a;=1+1",
    'quote " and \\ backslash',
    "line one\nkubestress_storage_orphans 99",
    "{{ 7 * 7 }}",
    "null \x00 escape \x1b[31m bell \x07 c1 \x9b",
    "\u202egnp.exe \ud800 \ufeff",
)


def finding(kind: str = "PersistentVolumeClaim", name: str = "data-0", **changed: Any) -> Row:
    """Return an orphan of this kind; kinds of the cluster and of the box have no namespace."""
    namespaced = kind in ("PersistentVolumeClaim", "VolumeSnapshot")
    return {
        "kind": kind,
        "namespace": "shop" if namespaced else None,
        "name": name,
        "state": "orphan",
        "reason": "unused",
        "age_seconds": 40.0 * DAY,
        "bytes": 10 * GIB,
        "evidence": ["no pod names it", "no template names it"],
        "confirmed": True,
        **changed,
    }


def usage(name: str = "data-0", *, percent: float | None = 50.0, **changed: Any) -> Row:
    """Return a claim of 10 GiB that is full to `percent`; with None, nobody knows."""
    capacity = 10 * GIB
    used = None if percent is None else round(capacity * percent / 100)
    level = "ok" if percent is None or percent < 85 else "warning" if percent < 95 else "critical"
    return {
        "namespace": "shop",
        "name": name,
        "storage_class": "fast",
        "driver": "csi.example.com",
        "capacity_bytes": capacity,
        "used_bytes": used,
        "available_bytes": None if used is None else capacity - used,
        "used_percent": percent,
        "inodes": None if used is None else 655_360,
        "inodes_used": None if used is None else 1_200,
        "node": None if used is None else "node-1",
        "time": None if used is None else "2026-11-22T06:00:00Z",
        "shared": False,
        "source": "kubelet",
        "level": level,
        "cause": None if used is not None else "no pod has it mounted",
        **changed,
    }


def pool(name: str = "tank", **changed: Any) -> Row:
    """Return a healthy pool of the box, half full."""
    return {
        "name": name,
        "status": "ONLINE",
        "healthy": True,
        "size_bytes": 1000 * GIB,
        "allocated_bytes": 500 * GIB,
        "free_bytes": 500 * GIB,
        "used_percent": 50.0,
        "overcommit_ratio": 1.4,
        "level": "ok",
        **changed,
    }


def box(*pools: Row, **changed: Any) -> Row:
    """Return the storage box with these pools."""
    return {
        "url": "wss://nas.example.com/api/current",
        "version": "25.10.1",
        "transport": "jsonrpc",
        "pools": list(pools) or [pool()],
        "volumes": 40,
        "snapshots": 12,
        "matched": 38,
        "complete": True,
        "cause": None,
        **changed,
    }


def part(objects: int = 10, *, cause: str | None = None) -> Row:
    """Return a part that was read, or, with a cause, was not."""
    return {"complete": cause is None, "cause": cause, "objects": objects, "seconds": 0.12}


def document(
    findings: Sequence[Row] = (),
    usages: Sequence[Row] = (),
    *,
    parts: Mapping[str, Row] | None = None,
    **changed: Any,
) -> dict[str, Any]:
    """Return the document of a scan with these findings and rows; its sums agree with them."""
    all_parts = {name: part() for name in ("claims", "volumes", "snapshots", "attachments", "usage")} | dict(
        parts or {}
    )
    orphans = [one for one in findings if one["state"] == "orphan"]
    states: dict[str, Counter[str]] = {"PersistentVolumeClaim": Counter(in_use=len(usages))}
    for one in findings:
        states.setdefault(one["kind"], Counter())[one["state"]] += 1
    used = [one["used_bytes"] for one in usages if one["used_bytes"] is not None]
    summary = {
        "claims": sum(states["PersistentVolumeClaim"].values()),
        "volumes": len(usages),
        "snapshots": sum(states.get("VolumeSnapshot", {}).values()),
        "contents": sum(states.get("VolumeSnapshotContent", {}).values()),
        "classes": 2,
        "attachments": len(used),
        "orphans": dict(Counter(one["kind"] for one in orphans)),
        "orphan_bytes": sum(one["bytes"] or 0 for one in orphans),
        "states": {kind: dict(counts) for kind, counts in states.items()},
        "findings": len(findings),
        "capacity_bytes": sum(one["capacity_bytes"] or 0 for one in usages),
        "used_bytes": sum(used) if used else None,
        "over_threshold": sum(1 for one in usages if one["level"] != "ok"),
    }
    return {
        "schema": 1,
        "kind": "storage",
        "started": "2026-11-22T06:00:00Z",
        "finished": "2026-11-22T06:00:02Z",
        "seconds": 1.74,
        "cluster": {"version": "v1.36.3"},
        "options": {
            "namespaces": [],
            "min_age": 86_400,
            "confirm": True,
            "thresholds": {"volume_warning": 85, "volume_critical": 95},
        },
        "complete": all(one["complete"] for one in all_parts.values()),
        "summary": summary,
        "parts": all_parts,
        "findings": list(findings),
        "totals": {
            name: _total(key, findings if key == "namespace" else [], usages)
            for name, key in (("by_namespace", "namespace"), ("by_class", "storage_class"), ("by_driver", "driver"))
        },
        "usage": list(usages),
        "box": None,
        "warnings": [],
        **changed,
    }


def _total(key: str, findings: Sequence[Row], usages: Sequence[Row]) -> list[Row]:
    rows: dict[str | None, Row] = {}

    def row(value: str | None) -> Row:
        empty = {"claims": 0, "capacity_bytes": 0, "used_bytes": None, "orphans": 0, "orphan_bytes": 0}
        return rows.setdefault(value, {key: value, **empty})

    for one in usages:
        mine = row(one[key])
        mine["claims"] += 1
        mine["capacity_bytes"] += one["capacity_bytes"] or 0
        if one["used_bytes"] is not None:
            mine["used_bytes"] = (mine["used_bytes"] or 0) + one["used_bytes"]
    for one in findings:
        if one["state"] == "orphan":
            mine = row(one[key])
            mine["orphans"] += 1
            mine["orphan_bytes"] += one["bytes"] or 0
    return list(rows.values())


def tidy() -> dict[str, Any]:
    """Return a scan that found nothing to do."""
    return document(usages=[usage("data-0"), usage("data-1", percent=20.0)])


def findings_of_every_kind() -> list[Row]:
    """Return orphans of every kind, and some of the states that are none."""
    return [
        finding(
            "Dataset", "tank/k8s/v/pvc-7d1", reason="no_volume", bytes=200 * GIB, evidence=["no PV has this handle"]
        ),
        finding("PersistentVolume", "pvc-0b7", reason="stuck_reclaim", bytes=60 * GIB),
        finding(name="old-backup", namespace="shop", bytes=40 * GIB),
        finding(name="cache", namespace="web", bytes=None, age_seconds=None),
        finding("VolumeSnapshotContent", "snapcontent-91", reason="no_snapshot", bytes=None),
        finding("ZFSSnapshot", "tank/k8s/v/pvc-7d1@snapshot-1", reason="no_content", bytes=GIB),
        finding(name="moving", state="unknown", reason="incomplete", confirmed=None, evidence=["pods: forbidden"]),
        finding("PersistentVolume", "static-1", state="available", reason="static", confirmed=None),
        finding(name="www-web-3", namespace="web", state="retained", reason="statefulset", confirmed=None),
        finding("VolumeSnapshot", "nightly-4", state="not_ready", reason="error", confirmed=None, bytes=None),
    ]


def busy() -> dict[str, Any]:
    """Return a scan with orphans of every kind, full volumes, a box in trouble, and a kubelet that did not answer."""
    rows = [
        usage("ledger", percent=97.2, namespace="bank"),
        usage("uploads", percent=88.0),
        usage("uploads", percent=86.1, source="zfs", node=None),
        usage("home", percent=61.5, shared=True, storage_class="nfs", driver="org.democratic-csi.nfs"),
        usage("cold", percent=None, cause="no pod has it mounted"),
        usage("lost", percent=None, namespace="web", cause="the kubelet of node-7 did not answer within 5 s"),
    ]
    pools = [
        pool("tank", used_percent=92.0, level="critical", free_bytes=80 * GIB, allocated_bytes=920 * GIB),
        pool("backup", status="DEGRADED", healthy=False, overcommit_ratio=2.6, level="warning"),
    ]
    silent = "1 of 8 kubelets did not answer: node-7"
    return document(
        findings_of_every_kind(),
        rows,
        parts={"usage": part(7, cause=silent), "backend": part(52)},
        box=box(*pools),
        warnings=["the API server is older than 1.28: ages of snapshots are those of their objects"],
    )


def large(count: int = 10_000) -> dict[str, Any]:
    """Return a scan of as many claims, with as many findings."""
    kinds = ("PersistentVolumeClaim", "PersistentVolume", "VolumeSnapshot", "VolumeSnapshotContent", "Dataset")
    states = ("orphan", "retained", "waiting", "unknown", "completed_only")
    rows = []
    for index in range(count):
        kind, state = kinds[index % 5], states[index // 5 % 5]
        changed: Row = {"state": state, "bytes": index * 1024**2, "age_seconds": float(index * 60)}
        if kind in ("PersistentVolumeClaim", "VolumeSnapshot"):
            changed["namespace"] = f"team-{index % 211:03}"
        rows.append(finding(kind, f"pvc-{index:05}-6a0f6f0e-1f3b-4d0c", **changed))
    full = [
        usage(f"data-{index:05}", percent=index % 100, namespace=f"team-{index % 211:03}") for index in range(count)
    ]
    return document(rows, sorted(full, key=lambda one: -one["used_percent"]))


def hostile() -> dict[str, Any]:
    """Return a scan in which every text is one that must stay text."""
    rows = [
        finding(name=text, namespace=text, state=text, reason=text, evidence=[text, text], confirmed=None)
        for text in HOSTILE
    ]
    full = [
        usage(text, percent=90.0, namespace=text, storage_class=text, driver=text, node=text, cause=text)
        for text in HOSTILE
    ]
    texts = list(HOSTILE)
    return document(
        [*rows, finding(name=HOSTILE[0], reason=HOSTILE[1])],
        full,
        parts={text: part(cause=text) for text in HOSTILE},
        box=box(*(pool(text, status=text) for text in HOSTILE), url=HOSTILE[0], version=HOSTILE[1], cause=HOSTILE[0]),
        cluster={"version": HOSTILE[0]},
        options={"namespaces": texts, HOSTILE[0]: HOSTILE[1]},
        warnings=texts,
    )
