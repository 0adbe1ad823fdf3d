"""metrics.prom of a scan, read by Prometheus' own two parsers; samples of objects only where they are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage.openmetrics import storage_metrics
from helpers import example_storage as example
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
PER_OBJECT = {
    "claim_capacity_bytes",
    "claim_used_bytes",
    "claim_available_bytes",
    "snapshot_ready",
    "snapshot_age_seconds",
}


def samples_of(document: dict[str, Any], *, per_object: bool = False) -> Samples:
    """Return the samples by name and labels, as both parsers read them alike; none comes twice."""
    text = storage_metrics(document, per_object=per_object).encode(errors="replace").decode()
    read = []
    for parse in (openmetrics_families, text_families):
        found = [sample for family in parse(text) for sample in family.samples]
        assert {sample.timestamp for sample in found} == {None}
        by_labels = {(one.name, frozenset(one.labels.items())): one.value for one in found}
        assert len(by_labels) == len(found)
        read.append(by_labels)
    assert read[0] == read[1]
    return read[0]


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"kubestress_storage_{name}", frozenset(labels.items())))


def names(samples: Samples) -> set[str]:
    return {name.removeprefix("kubestress_storage_") for name, _labels in samples}


def test_figures_of_a_scan() -> None:
    samples = samples_of(example.busy())
    assert value(samples, "scan_seconds") == 1.74
    assert value(samples, "last_success_timestamp_seconds") == 1795327202
    assert value(samples, "scan_complete", part="claims") == 1
    assert value(samples, "scan_complete", part="usage") == 0
    assert value(samples, "objects", kind="PersistentVolumeClaim", state="orphan") == 2
    assert value(samples, "orphans", kind="PersistentVolume", reason="stuck_reclaim") == 1
    assert value(samples, "orphans", kind="VolumeSnapshot", reason="") == 0
    assert value(samples, "orphan_bytes") == 301 * example.GIB
    assert value(samples, "claims_over_threshold", level="warning") == 1, "a claim with two sources is one claim"
    assert value(samples, "claims_over_threshold", level="critical") == 1
    assert value(samples, "pool_healthy", pool="tank") == 1
    assert value(samples, "pool_healthy", pool="backup") == 0
    assert value(samples, "pool_free_bytes", pool="tank") == 80 * example.GIB
    assert value(samples, "pool_overcommit_ratio", pool="backup") == 2.6
    assert not names(samples) & PER_OBJECT


def test_objects_have_samples_where_they_are_asked_for() -> None:
    samples = samples_of(example.busy(), per_object=True)
    assert names(samples) >= PER_OBJECT
    uploads = {"namespace": "shop", "persistentvolumeclaim": "uploads", "storageclass": "fast"}
    assert value(samples, "claim_used_bytes", **uploads, source="kubelet") == round(8.8 * example.GIB)
    assert value(samples, "claim_used_bytes", **uploads, source="zfs") == round(8.61 * example.GIB)
    cold = {**uploads, "persistentvolumeclaim": "cold", "source": "kubelet"}
    assert value(samples, "claim_used_bytes", **cold) is None, "nobody measured it"
    assert value(samples, "claim_capacity_bytes", **cold) == 10 * example.GIB
    assert value(samples, "snapshot_ready", namespace="shop", volumesnapshot="nightly-4") == 0


@pytest.mark.parametrize(("state", "ready"), [("old", 1), ("source_gone", 1), ("error", 0), ("terminating", None)])
def test_whether_a_snapshot_can_be_used(state: str, ready: int | None) -> None:
    document = example.document([example.finding("VolumeSnapshot", "s", state=state, age_seconds=None)])
    samples = samples_of(document, per_object=True)
    assert value(samples, "snapshot_ready", namespace="shop", volumesnapshot="s") == ready
    assert value(samples, "snapshot_age_seconds", namespace="shop", volumesnapshot="s") is None


def test_nothing_is_known_of_a_box_that_nobody_named() -> None:
    assert not [name for name in names(samples_of(example.tidy())) if name.startswith("pool")]


def test_names_that_try_to_be_lines_stay_labels() -> None:
    samples = samples_of(example.hostile(), per_object=True)
    labels = {text for _name, pairs in samples for _key, text in pairs}
    assert "line one?kubestress_storage_orphans 99" in labels
    assert 99 not in samples.values()


def test_same_claim_twice_is_one_sample() -> None:
    """No reader takes a file in which a sample comes twice, so one odd row would lose all others."""
    document = example.document(usages=[example.usage("a", percent=10.0), example.usage("a", percent=20.0)])
    samples = samples_of(document, per_object=True)
    labels = {"namespace": "shop", "persistentvolumeclaim": "a", "storageclass": "fast", "source": "kubelet"}
    assert value(samples, "claim_used_bytes", **labels) == example.GIB
