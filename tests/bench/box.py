"""How fast a storage box is compared with the volumes of a cluster, and whether that grows with the number only."""

from __future__ import annotations

import json
import statistics
import time
import uuid
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.decoding import decoder
from ansible_collections.kubestress.core.plugins.module_utils.truenas import shapes
from ansible_collections.kubestress.core.plugins.module_utils.truenas.matching import cross_check
from ansible_collections.kubestress.core.plugins.module_utils.truenas.model import Box, Part, clones_of
from ansible_collections.kubestress.core.plugins.module_utils.truenas.options import PARTS
from ansible_collections.kubestress.core.plugins.module_utils.truenas.rows import CheckOptions, Content, Volume

from bench.parts import Sizes
from bench.table import Row, median_row

#: Goals: those of the project, see docs/bench.md.
JOIN_SECONDS = 1.0
FLATNESS = 1.3
_PARENT = "tank/k8s/v"
#: Every so many datasets and snapshots are not in the cluster.
_ORPHAN_EVERY = 50
_DATASET = {"used": {"raw": "57344"}, "usedbydataset": {"raw": "49152"}, "refquota": {"raw": "1073741824"}}


class _Recorded:
    """Answers of a box of 26 with so many volumes and twice as many snapshots, and the cluster's side of it."""

    def __init__(self, count: int) -> None:
        self.volumes: list[Volume] = []
        self.contents: list[Content] = []
        self.orphans = 0
        datasets: list[dict[str, Any]] = [
            {"name": name, "type": "FILESYSTEM"} for name in ("tank", "tank/k8s", _PARENT)
        ]
        snapshots: list[dict[str, Any]] = []
        shares = []
        for number in range(count):
            name = f"pvc-{uuid.UUID(int=number)}"
            own = {
                "democratic-csi:managed_resource": "true",
                "democratic-csi:provision_success": "true",
                "democratic-csi:csi_volume_name": name,
            }
            path = f"{_PARENT}/{name}"
            native = _DATASET | {"creation": {"raw": "1767225600"}, "origin": {"raw": ""}}
            datasets.append({"name": path, "type": "FILESYSTEM", "properties": native, "user_properties": own})
            shares.append({"id": number, "path": f"/mnt/{path}"})
            # One of the driver's, and one of a periodic task, which inherits the dataset's properties.
            tag = f"snapshot-{uuid.UUID(int=number)}"
            created = {"creation": {"raw": "1767225600"}, "used": {"raw": "8192"}}
            csi = own | {"democratic-csi:csi_snapshot_name": tag}
            snapshots.append({"name": f"{path}@{tag}", "properties": created, "user_properties": csi})
            snapshots.append({"name": f"{path}@auto-2026-01-01", "properties": created, "user_properties": own})
            if number % _ORPHAN_EVERY == 7:
                self.orphans += 2
                continue
            attributes = {"node_attach_driver": "nfs", "provisioner_driver": "freenas-api-nfs", "server": "box"}
            attributes["share"] = f"/mnt/{path}"
            self.volumes.append(Volume("", name, str(number), "csi", name, attributes, 1767225600.0))
            self.contents.append(Content("", f"snapcontent-{number}", "csi", f"{name}@{tag}", name, 1767225600.0))
        self._texts = [json.dumps(rows).encode() for rows in (datasets, snapshots, shares)]

    def read(self) -> Box:
        """The box out of the recorded answers."""
        of_datasets, of_snapshots, of_shares = self._texts
        datasets = list(shapes.new_datasets(decoder(list[shapes.NewDataset])(of_datasets)))
        snapshots = list(shapes.snapshots(decoder(list[shapes.SnapshotRow])(of_snapshots)))
        shares = shapes.shares("nfs", decoder(list[shapes.ShareRow])(of_shares))
        return Box(
            url="https://box",
            datasets={one.id: one for one in datasets},
            snapshots={one.id: one for one in snapshots},
            shares=tuple(shares),
            clones=clones_of(datasets),
            parts={name: Part(complete=True) for name in PARTS},
        )

    def join(self, box: Box) -> float:
        """Seconds of one cross-check. Raises AssertionError unless it finds exactly what is not in the cluster."""
        options = CheckOptions(volume_parents=(_PARENT,), now=1767225600.0 + 90 * 86400)
        began = time.perf_counter()
        rows, _document = cross_check(box, self.volumes, self.contents, options)
        seconds = time.perf_counter() - began
        found = sum(row.state == "orphan" for row in rows)
        assert found == self.orphans, f"{self.orphans} are not in the cluster, and {found} were found"
        return seconds


def truenas(sizes: Sizes) -> list[Row]:
    """The join of the box's datasets and snapshots with a cluster's, at full size and at a tenth, in turn."""
    many, few = _Recorded(sizes.box_datasets), _Recorded(max(1, sizes.box_datasets // 10))
    began = time.perf_counter()
    whole = many.read()
    read_seconds = time.perf_counter() - began
    part = few.read()
    times: list[float] = []
    ratios: list[float] = []
    for _pair in range(sizes.pairs):
        # Ten small ones take as long as the large one, so that neither is a matter of a few milliseconds.
        small = statistics.fmean(few.join(part) for _number in range(10))
        times.append(many.join(whole))
        ratios.append(times[-1] / (10 * small))
    count = f"{len(whole.datasets):,} datasets, {len(whole.snapshots):,} snapshots"
    return [
        median_row("truenas: cross-check with the cluster", times, "s", goal=JOIN_SECONDS, note=count),
        median_row(
            "truenas: time per object / that of a tenth of them",
            ratios,
            "",
            goal=FLATNESS,
            note=f"median of {sizes.pairs} pairs; 1 is linear",
        ),
        Row(name="truenas: recorded answers to our form", value=read_seconds, unit="s", note="no network"),
    ]
