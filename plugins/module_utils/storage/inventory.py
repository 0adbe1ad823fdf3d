# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of a cluster's storage: small records, made page by page, and who uses which claim. No I/O.

A claim's key is "namespace/name", and so is a snapshot's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from typing import Any, TypeVar

from ..readiness.nodes import is_simulated
from ..syntax import quantity
from . import structs
from .document import Part

_Text = TypeVar("_Text", str, "str | None")
#: Who uses a claim; several may.
USED_BY_POD, USED_BY_TEMPLATE, USED_AT_REST, USED_BY_ENDED = 1, 2, 4, 8
#: What makes pods: name of the list -> (apiVersion, kind).
MAKERS = {
    "deployments": ("apps/v1", "Deployment"),
    "replica_sets": ("apps/v1", "ReplicaSet"),
    "daemon_sets": ("apps/v1", "DaemonSet"),
    "stateful_sets": ("apps/v1", "StatefulSet"),
    "jobs": ("batch/v1", "Job"),
    "cron_jobs": ("batch/v1", "CronJob"),
    "replication_controllers": ("v1", "ReplicationController"),
    "deployment_configs": ("apps.openshift.io/v1", "DeploymentConfig"),
    "virtual_machines": ("kubevirt.io/v1", "VirtualMachine"),
}
#: Those that are only there on OpenShift, or with KubeVirt.
OPTIONAL_MAKERS = ("deployment_configs", "virtual_machines")
_ENDED_PHASES = ("Succeeded", "Failed")
#: The longest text of the cluster that is repeated in evidence.
_MAX_TEXT = 300
#: Texts that many objects have, and how many of them at most: times differ from object to object.
_SAME: dict[Any, Any] = {}
_MAX_SAME = 4096
#: Signs of the longest quantity; the API server writes none that is half as long.
_MAX_QUANTITY = 48
#: No storage has more bytes; what says so is no size.
_MAX_BYTES = 2**63


class Claim(structs.Record, gc=False):
    """A PersistentVolumeClaim. `owners` are "Kind/name", `owner_uids` theirs in the same order.

    `unused` is the condition of that name: its status and since when.
    """

    namespace: str
    name: str
    uid: str
    phase: str
    storage_class: str | None
    volume: str
    is_block: bool
    bytes: int | None
    created: str | None
    deleted: str | None
    finalizers: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    owner_uids: tuple[str, ...] = ()
    unused: tuple[str, str | None] | None = None


class Volume(structs.Record, gc=False):
    """A PersistentVolume. `claim` is the key of the claim that it names, `changed` the last change of its phase."""

    name: str
    uid: str
    phase: str
    policy: str
    storage_class: str | None
    driver: str | None
    bytes: int | None
    claim: str
    claim_uid: str
    created: str | None
    changed: str | None
    deleted: str | None
    finalizers: tuple[str, ...] = ()
    message: str = ""
    handle: str = ""
    attributes: dict[str, str] | None = None


class StorageClass(structs.Record, gc=False):
    """`waits`: volumes are provisioned for the first pod only (WaitForFirstConsumer)."""

    provisioner: str
    waits: bool


class Snapshot(structs.Record, gc=False):
    """A VolumeSnapshot. `source` is the name of the claim that it was made of, "" if it was made of a content."""

    namespace: str
    name: str
    uid: str
    source: str
    snapshot_class: str | None
    content: str
    ready: bool | None
    bytes: int | None
    created: str | None
    taken: str | None
    deleted: str | None
    finalizers: tuple[str, ...] = ()
    error: str | None = None


class Content(structs.Record, gc=False):
    """A VolumeSnapshotContent. `snapshot` is the key of the VolumeSnapshot that it names."""

    name: str
    uid: str
    driver: str
    policy: str
    snapshot: str
    snapshot_uid: str
    ready: bool | None
    bytes: int | None
    created: str | None
    deleted: str | None
    handle: str = ""
    finalizers: tuple[str, ...] = ()
    error: str | None = None


class SetTemplate(structs.Record, gc=False):
    """A volumeClaimTemplate: its StatefulSet's name, and how many replicas are wanted."""

    set_name: str
    replicas: int


@dataclass
class Inventory:
    """All records. `parts` has an entry for each list that was asked for.

    `uses`: claim key -> flags of USED_*; `users`: claim key -> who, for those that no pod uses. `ephemeral`: claim key
    -> uid of the pod whose volume the claim must be, and whether that has ended. `set_templates`: namespace -> the
    beginning of the claims' names. `attached`: volume -> node. `on_node`: claim key -> node of a pod that has it.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    classes: dict[str, StorageClass] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    snapshot_classes: dict[str, str] = field(default_factory=dict)
    attached: dict[str, str] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    ephemeral: dict[str, tuple[str, bool]] = field(default_factory=dict)
    set_templates: dict[str, dict[str, SetTemplate]] = field(default_factory=dict)
    on_node: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, bool] = field(default_factory=dict)
    #: Whether handles and attributes are kept, which only matching with a storage box needs.
    keeps_handles: bool = False

    # -- taking pages ------------------------------------------------------------------------------------------------

    def take_claims(self, items: Iterable[structs.ClaimObject]) -> None:
        """A page of PersistentVolumeClaims."""
        for item in items:
            meta, spec, status = item.metadata, item.spec, item.status
            key, volume, uid = f"{meta.namespace}/{meta.name}", spec.volume_name, meta.uid
            bound = self.volumes.get(volume)
            if bound is not None and bound.claim_uid == uid and bound.claim == key:
                # One text for both: a quarter of the memory of ten thousand pairs.
                key, volume, uid = bound.claim, bound.name, bound.claim_uid
            size = status.capacity if status is not None else None
            if (size is None or size.storage is None) and spec.resources is not None:
                size = spec.resources.requests
            unused = None
            for condition in (status.conditions or ()) if status is not None else ():
                if condition.type == "Unused":
                    unused = (condition.status, condition.last_transition_time)
            owners = meta.owner_references or ()
            self.claims[key] = Claim(
                _same(meta.namespace),
                meta.name,
                uid,
                _same(status.phase if status is not None else ""),
                _same(spec.storage_class_name),
                volume,
                spec.volume_mode == "Block",
                bytes_of(size),
                _same(meta.creation_timestamp),
                meta.deletion_timestamp,
                _several(meta.finalizers),
                tuple(f"{owner.kind}/{owner.name}" for owner in owners) if owners else (),
                tuple(owner.uid for owner in owners) if owners else (),
                unused,
            )

    def take_volumes(self, items: Iterable[structs.VolumeObject]) -> None:
        """A page of PersistentVolumes."""
        for item in items:
            meta, spec, status, ref = item.metadata, item.spec, item.status, item.spec.claim_ref
            driver = spec.csi.driver if spec.csi is not None else meta.annotations and meta.annotations.provisioned_by
            name, claim, claim_uid = meta.name, f"{ref.namespace}/{ref.name}" if ref else "", ref.uid if ref else ""
            bound = self.claims.get(claim)
            if bound is not None and bound.uid == claim_uid and bound.volume == name:
                name, claim_uid = bound.volume, bound.uid
            self.volumes[name] = Volume(
                name,
                meta.uid,
                _same(status.phase if status is not None else ""),
                _same(spec.persistent_volume_reclaim_policy),
                _same(spec.storage_class_name),
                _same(driver or None),
                bytes_of(spec.capacity),
                claim,
                claim_uid,
                _same(meta.creation_timestamp),
                _same(status.last_phase_transition_time if status is not None else None),
                meta.deletion_timestamp,
                _several(meta.finalizers),
                short(status.message or status.reason) if status is not None else "",
                _handle(spec) if self.keeps_handles else "",
                spec.csi.volume_attributes if spec.csi is not None and self.keeps_handles else None,
            )

    def take_classes(self, items: Iterable[structs.ClassObject]) -> None:
        """A page of StorageClasses."""
        for item in items:
            waits = item.volume_binding_mode == "WaitForFirstConsumer"
            self.classes[item.metadata.name] = StorageClass(item.provisioner, waits)

    def take_attachments(self, items: Iterable[structs.AttachmentObject]) -> None:
        """A page of VolumeAttachments."""
        for item in items:
            source = item.spec.source
            if source is not None and source.persistent_volume_name:
                self.attached[source.persistent_volume_name] = _same(item.spec.node_name)

    def take_snapshots(self, items: Iterable[structs.SnapshotObject]) -> None:
        """A page of VolumeSnapshots."""
        for item in items:
            meta, status = item.metadata, item.status or structs.SnapshotStatus()
            source = item.spec.source or structs.SnapshotSource()
            self.snapshots[f"{meta.namespace}/{meta.name}"] = Snapshot(
                _same(meta.namespace),
                meta.name,
                meta.uid,
                source.persistent_volume_claim_name,
                _same(item.spec.volume_snapshot_class_name),
                status.bound_volume_snapshot_content_name or "",
                status.ready_to_use,
                number_of(status.restore_size),
                _same(meta.creation_timestamp),
                status.creation_time,
                meta.deletion_timestamp,
                _several(meta.finalizers),
                _error(status.error),
            )

    def take_contents(self, items: Iterable[structs.ContentObject]) -> None:
        """A page of VolumeSnapshotContents."""
        for item in items:
            meta, spec, status = item.metadata, item.spec, item.status or structs.ContentStatus()
            ref, source = spec.volume_snapshot_ref or structs.Reference(), spec.source or structs.ContentSource()
            self.contents[meta.name] = Content(
                meta.name,
                meta.uid,
                _same(spec.driver),
                _same(spec.deletion_policy),
                f"{ref.namespace}/{ref.name}",
                ref.uid,
                status.ready_to_use,
                number_of(status.restore_size),
                _same(meta.creation_timestamp),
                meta.deletion_timestamp,
                (status.snapshot_handle or source.snapshot_handle or "") if self.keeps_handles else "",
                _several(meta.finalizers),
                _error(status.error),
            )

    def take_snapshot_classes(self, items: Iterable[structs.SnapshotClassObject]) -> None:
        """A page of VolumeSnapshotClasses."""
        for item in items:
            self.snapshot_classes[item.metadata.name] = item.driver

    def take_drivers(self, items: Iterable[structs.KeyObject]) -> None:
        """A page of CSIDrivers: that there are so many is all that is known of them."""

    def take_nodes(self, items: Iterable[structs.NodeObject]) -> None:
        """A page of nodes."""
        for item in items:
            self.nodes[item["metadata"]["name"]] = is_simulated(item)

    def take_pods(self, items: Iterable[structs.PodObject]) -> None:
        """A page of pods. A pending one counts as use, for it will want its claims; one that has ended does not."""
        for item in items:
            for volume in item.spec.volumes or ():
                claim, meta = volume.persistent_volume_claim, item.metadata
                if claim is None and volume.ephemeral is None:
                    continue
                ended = item.status is not None and item.status.phase in _ENDED_PHASES
                key = f"{meta.namespace}/{claim.claim_name if claim is not None else f'{meta.name}-{volume.name}'}"
                if claim is None:
                    self.ephemeral[key] = (meta.uid, ended)
                else:
                    self.use(key, USED_BY_ENDED if ended else USED_BY_POD, f"Pod/{meta.name}")
                if not ended and item.spec.node_name:
                    self.on_node[key] = _same(item.spec.node_name)

    def take_workloads(self, kind: str, items: Iterable[structs.WorkloadObject]) -> None:
        """A page of objects of one kind that make pods."""
        for item in items:
            spec, meta = item.spec, item.metadata
            job = spec.job_template.spec if spec.job_template is not None else None
            template = job.template if job is not None else spec.template
            if template is not None and template.spec is not None:
                how = _rest_of(kind, item)
                for volume in template.spec.volumes or ():
                    name = _claim_named(volume)
                    if name:
                        self.use(f"{meta.namespace}/{name}", how, f"{kind}/{meta.name}")
            wanted = 1 if spec.replicas is None else spec.replicas
            for claim in spec.volume_claim_templates or ():
                of_namespace = self.set_templates.setdefault(meta.namespace, {})
                of_namespace[f"{claim.metadata.name}-{meta.name}"] = SetTemplate(meta.name, wanted)

    def use(self, key: str, how: int, who: str) -> None:
        """Somebody names a claim. Of those who do not use it now one is kept, rather what may use it again."""
        self.uses[key] = self.uses.get(key, 0) | how
        if how == USED_AT_REST or (how == USED_BY_ENDED and key not in self.users):
            self.users[key] = who

    # -- asking ------------------------------------------------------------------------------------------------------

    def incomplete(self, *names: str) -> list[str]:
        """Why a verdict that needs these lists cannot be given: a sentence for each of them that is not whole."""
        parts = ((name, self.parts.get(name)) for name in names)
        return [f"{name}: {part.cause}" for name, part in parts if part is not None and not part.complete]

    def driver_of(self, claim: Claim) -> str | None:
        """The CSI driver or provisioner of a claim: its volume's, else its class's."""
        volume = self.volumes.get(claim.volume)
        if volume is not None and volume.driver:
            return volume.driver
        found = self.classes.get(claim.storage_class or "")
        return found.provisioner if found is not None else None

    def template_of(self, claim: Claim) -> SetTemplate | None:
        """The volumeClaimTemplate by whose rule a claim is named: <template>-<StatefulSet>-<ordinal>."""
        of_namespace = self.set_templates.get(claim.namespace)
        beginning, _dash, ordinal = claim.name.rpartition("-")
        return of_namespace.get(beginning) if of_namespace and ordinal.isdecimal() else None


def _handle(spec: structs.VolumeSpec) -> str:
    """What a box may know a volume by: its handle, or of one without a driver the end of its path or target."""
    if spec.csi is not None:
        return spec.csi.volume_handle
    if spec.nfs is not None:
        return spec.nfs.path.rstrip("/").rpartition("/")[2]
    return spec.iscsi.iqn.rpartition(":")[2] if spec.iscsi is not None else ""


def _rest_of(kind: str, item: structs.WorkloadObject) -> int:
    """How a template uses a claim: at rest if it makes no pods as long as nobody changes that."""
    spec, status = item.spec, item.status
    if kind == "Job" and status is not None:
        ends = (each.type in ("Complete", "Failed") and each.status == "True" for each in status.conditions or ())
        if any(ends):
            return USED_BY_ENDED
    return USED_AT_REST if spec.suspend or spec.replicas == 0 else USED_BY_TEMPLATE


def _claim_named(volume: structs.PodVolume) -> str:
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return volume.data_volume.name if volume.data_volume is not None else ""


def bytes_of(amount: structs.Amount | None) -> int | None:
    """A size in bytes; None for what is no quantity."""
    return None if amount is None else number_of(amount.storage)


@lru_cache(maxsize=1024)
def number_of(value: str | float | None) -> int | None:
    """A quantity as a whole number from 0 on; None for what is none. The same object for the same quantity."""
    if value is None or len(str(value)) > _MAX_QUANTITY:
        return None
    try:
        found = quantity(value)
    except (ArithmeticError, ValueError):  # an exponent that no number can have
        return None
    # Compared before it is rounded: 1e99999 has a hundred thousand digits.
    return ceil(found) if found is not None and 0 <= found < _MAX_BYTES else None


def short(text: str | None, length: int = _MAX_TEXT) -> str:
    """A text of the cluster on one line, cut, and without what a terminal or a page could take for anything else."""
    # No more than could be shown is looked at, however long it is.
    cut = "".join(sign if sign.isprintable() else " " for sign in (text or "")[: 4 * length])
    line = " ".join(cut.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _error(error: structs.SnapshotError | None) -> str | None:
    return None if error is None else short(error.message) or "without a message"


def _same(text: _Text) -> _Text:
    """The same object for equal texts, of which there are few: sys.intern takes four times as long under Ansible."""
    if len(_SAME) >= _MAX_SAME:
        _SAME.clear()
    same: _Text = _SAME.setdefault(text, text)
    return same


def _several(finalizers: list[str] | None) -> tuple[str, ...]:
    return _shared(tuple(finalizers)) if finalizers else ()


@lru_cache(maxsize=256)
def _shared(finalizers: tuple[str, ...]) -> tuple[str, ...]:
    """The same tuple for the same finalizers: thousands of objects have the same."""
    return finalizers
