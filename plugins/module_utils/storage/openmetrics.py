# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scan's figures as OpenMetrics, in a form that node exporter's textfile collector reads. No I/O.

Names are our own, labels are those of kube-state-metrics and the kubelet, so that figures can be joined. Claims and
snapshots have samples of their own only where that is asked for: a large cluster has ten thousands of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..results.openmetrics import MAX_ROWS, Family, Sample, families_text
from ..results.times import epoch_seconds
from .answer import Document, orphans_of, plain, pools_of

_PREFIX = "kubestress_storage_"
_LEVELS = ("warning", "critical")
#: Whether a snapshot in that state can be used.
_READY = {"old": 1, "source_gone": 1, "error": 0, "not_ready": 0, "orphan": 0}


def storage_metrics(document: Document, *, per_object: bool = False) -> str:
    """The whole file; what is not known has no sample. `per_object`: with samples of each claim and snapshot."""
    return families_text(storage_families(document, per_object=per_object), {})


def storage_families(document: Document, *, per_object: bool) -> Iterator[Family]:
    """The metrics of a scan's document; those without a figure have no sample."""
    yield from _scan(document)
    yield from _objects(document)
    yield from _sizes(document)
    yield from _pools(document)
    if per_object:
        yield from _claims(document)
        yield from _snapshots(document)


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Family:
    """A family in which no two samples have the same labels, which its readers would refuse; the first is kept."""
    once: dict[tuple[tuple[str, str], ...], Sample] = {}
    for sample in samples:
        if sample.value is not None:
            # The format allows control characters; whoever reads the file as text takes some for ends of lines.
            labels = {key: plain(str(value)) for key, value in sample.labels.items()}
            once.setdefault(tuple(labels.items()), Sample(labels, sample.value))
    return Family(_PREFIX + name, text, list(once.values()))


def _one(name: str, text: str, value: float | None) -> Family:
    return _gauge(name, text, [Sample({}, value)])


def _scan(document: Document) -> Iterator[Family]:
    yield _one("scan_seconds", "How long the scan took.", document["seconds"])
    ended = epoch_seconds(document["finished"])
    yield _one("last_success_timestamp_seconds", "When the newest scan that came to its end ended.", ended)
    parts = {name: part["complete"] for name, part in document["parts"].items()}
    if document["box"] and "backend" not in parts:
        parts["box"] = document["box"]["complete"]
    complete = (Sample({"part": name}, int(read)) for name, read in parts.items())
    yield _gauge("scan_complete", "1 if the part was read to its end, 0 if not.", complete)


def _objects(document: Document) -> Iterator[Family]:
    states = (
        Sample({"kind": kind, "state": state}, number)
        for kind, counts in document["summary"]["states"].items()
        for state, number in _most(counts)
    )
    yield _gauge("objects", "Objects by kind and state.", states)
    reasons = Counter((one["kind"], one["reason"]) for one in orphans_of(document))
    orphans = [Sample({"kind": kind, "reason": reason}, number) for (kind, reason), number in reasons.most_common()]
    # A kind without orphans is told too: a rule can tell 0 from a scan that did not run.
    found = {kind for kind, _reason in reasons}
    orphans = orphans[:MAX_ROWS]
    orphans += [Sample({"kind": kind, "reason": ""}, 0) for kind in document["summary"]["states"] if kind not in found]
    yield _gauge("orphans", "Objects that nobody needs any more, by kind and reason.", orphans)
    yield _one("orphan_bytes", "What orphans hold, as far as it is known.", document["summary"]["orphan_bytes"])


def _sizes(document: Document) -> Iterator[Family]:
    summary = document["summary"]
    yield _one("capacity_bytes", "Capacity of all claims.", summary["capacity_bytes"])
    yield _one("used_bytes", "What the claims hold whose use is known.", summary["used_bytes"])
    levels = dict.fromkeys(_LEVELS, 0)
    for level in _worst(document).values():
        levels[level] += 1
    text = "Claims at or above a threshold, each at its highest level."
    yield _gauge("claims_over_threshold", text, (Sample({"level": name}, number) for name, number in levels.items()))


def _worst(document: Document) -> dict[tuple[str, str], str]:
    """The highest level of each claim that is at a threshold; a claim may have figures of two sources."""
    found: dict[tuple[str, str], str] = {}
    for row in document["usage"]:
        if row["level"] in _LEVELS:
            claim = (row["namespace"], row["name"])
            found[claim] = max(row["level"], found.get(claim, _LEVELS[0]), key=_LEVELS.index)
    return found


def _pools(document: Document) -> Iterator[Family]:
    rows = [({"pool": pool["name"]}, pool) for pool in pools_of(document)[:MAX_ROWS]]
    for name, text, key in (
        ("pool_size_bytes", "Size of a pool of the storage box.", "size_bytes"),
        ("pool_free_bytes", "What is free in a pool of the storage box.", "free_bytes"),
        ("pool_healthy", "1 if the storage box calls the pool healthy, 0 if not.", "healthy"),
        ("pool_overcommit_ratio", "What volumes were promised of a pool, by its size.", "overcommit_ratio"),
    ):
        yield _gauge(name, text, (Sample(labels, _number(pool[key])) for labels, pool in rows))


def _number(value: Any) -> float | None:
    return int(value) if isinstance(value, bool) else value


def _claims(document: Document) -> Iterator[Family]:
    rows = [(_claim_labels(row), row) for row in document["usage"]]
    for name, text, key in (
        ("claim_capacity_bytes", "Capacity of a claim.", "capacity_bytes"),
        ("claim_used_bytes", "Used bytes of a claim, as measured by the kubelet or the storage box.", "used_bytes"),
        ("claim_available_bytes", "What is left in a claim.", "available_bytes"),
    ):
        yield _gauge(name, text, (Sample(labels, row[key]) for labels, row in rows))


def _claim_labels(row: Document) -> dict[str, str]:
    return {
        "namespace": row["namespace"],
        "persistentvolumeclaim": row["name"],
        "storageclass": row["storage_class"] or "",
        "source": row["source"],
    }


def _snapshots(document: Document) -> Iterator[Family]:
    """Those that the scan has something to say about."""
    rows = [one for one in document["findings"] if one["kind"] == "VolumeSnapshot"]
    labels: list[Mapping[str, str]] = [
        {"namespace": one["namespace"] or "", "volumesnapshot": one["name"]} for one in rows
    ]
    ready = (Sample(own, _READY.get(one["state"])) for own, one in zip(labels, rows, strict=True))
    yield _gauge("snapshot_ready", "1 if a VolumeSnapshot with a finding can be used, 0 if not.", ready)
    ages = (Sample(own, one["age_seconds"]) for own, one in zip(labels, rows, strict=True))
    yield _gauge("snapshot_age_seconds", "Age of a VolumeSnapshot with a finding.", ages)


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_ROWS]
