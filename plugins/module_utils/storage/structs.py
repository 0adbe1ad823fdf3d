# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that a scan reads from lists, as types for decoding; everything else in an answer is skipped.

Names are the API's, with underscores for capitals. What an object does not have is None or empty. msgspec's structs
take a fifth of the time and memory of dictionaries, and they live only until their page is reduced to records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from msgspec import Struct, field
else:
    try:
        from msgspec import Struct, field
    except ImportError:  # the module says so before anything is read; this file can still be imported

        class Struct:
            """Stands in for msgspec's."""

            def __init_subclass__(cls, **_options: object) -> None:
                """Take msgspec's options."""

        def field(**_options: object) -> None:
            """Stands in for msgspec's."""


class Record(Struct, gc=False):
    """What is made of an object: small, and never searched for cycles."""


class Owner(Struct, gc=False):
    """An ownerReference."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class Metadata(Struct, gc=False, rename="camel"):
    """Of any object."""

    name: str
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    finalizers: list[str] | None = None
    owner_references: list[Owner] | None = None


class Key(Struct, gc=False):
    """Metadata of an object of which only its place matters."""

    name: str
    namespace: str = ""
    uid: str = ""


class PageMetadata(Struct, gc=False):
    """Of a page: the token of the next one, and the version after which a watch begins."""

    next_page: str = field(default="", name="continue")
    version: str = field(default="", name="resourceVersion")


class Amount(Struct, gc=False):
    """A list of resources, of which only storage matters: a quantity."""

    storage: str | float | None = None


class Condition(Struct, gc=False, rename="camel"):
    """Of any object."""

    type: str = ""
    status: str = ""
    reason: str = ""
    last_transition_time: str | None = None


class Reference(Struct, gc=False):
    """To an object by its place."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


# -- claims, volumes, classes -----------------------------------------------------------------------------------------


class ClaimRequests(Struct, gc=False):
    """Of a claim's spec."""

    requests: Amount | None = None


class ClaimSpec(Struct, gc=False, rename="camel"):
    """Of a PersistentVolumeClaim."""

    storage_class_name: str | None = None
    volume_name: str = ""
    volume_mode: str = ""
    resources: ClaimRequests | None = None


class ClaimStatus(Struct, gc=False):
    """Of a PersistentVolumeClaim."""

    phase: str = ""
    capacity: Amount | None = None
    conditions: list[Condition] | None = None


class ClaimObject(Struct, gc=False):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: ClaimSpec
    status: ClaimStatus | None = None


class ClaimPage(Struct, gc=False):
    """A page of claims."""

    kind: str
    metadata: PageMetadata
    items: list[ClaimObject] | None = None


class CsiSource(Struct, gc=False, rename="camel"):
    """Of a volume of a CSI driver."""

    driver: str = ""
    volume_handle: str = ""
    volume_attributes: dict[str, str] | None = None


class NfsSource(Struct, gc=False):
    """Of a volume that no driver mounts, but the kubelet itself."""

    path: str = ""


class IscsiSource(Struct, gc=False):
    """The same, of iSCSI."""

    iqn: str = ""


class VolumeSpec(Struct, gc=False, rename="camel"):
    """Of a PersistentVolume."""

    capacity: Amount | None = None
    claim_ref: Reference | None = None
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str | None = None
    csi: CsiSource | None = None
    nfs: NfsSource | None = None
    iscsi: IscsiSource | None = None


class VolumeStatus(Struct, gc=False, rename="camel"):
    """Of a PersistentVolume."""

    phase: str = ""
    message: str = ""
    reason: str = ""
    last_phase_transition_time: str | None = None


class VolumeAnnotations(Struct, gc=False):
    """Of a PersistentVolume: who provisioned one that is no CSI driver's."""

    provisioned_by: str | None = field(default=None, name="pv.kubernetes.io/provisioned-by")


class VolumeMetadata(Struct, gc=False, rename="camel"):
    """Of a PersistentVolume."""

    name: str
    uid: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    finalizers: list[str] | None = None
    annotations: VolumeAnnotations | None = None


class VolumeObject(Struct, gc=False):
    """A PersistentVolume."""

    metadata: VolumeMetadata
    spec: VolumeSpec
    status: VolumeStatus | None = None


class VolumePage(Struct, gc=False):
    """A page of volumes."""

    kind: str
    metadata: PageMetadata
    items: list[VolumeObject] | None = None


class ClassObject(Struct, gc=False, rename="camel"):
    """A StorageClass."""

    metadata: Key
    provisioner: str = ""
    volume_binding_mode: str = ""


class ClassPage(Struct, gc=False):
    """A page of StorageClasses."""

    kind: str
    metadata: PageMetadata
    items: list[ClassObject] | None = None


class AttachmentSource(Struct, gc=False, rename="camel"):
    """What is attached."""

    persistent_volume_name: str | None = None


class AttachmentSpec(Struct, gc=False, rename="camel"):
    """Of a VolumeAttachment."""

    attacher: str = ""
    node_name: str = ""
    source: AttachmentSource | None = None


class AttachmentObject(Struct, gc=False):
    """A VolumeAttachment."""

    metadata: Key
    spec: AttachmentSpec


class AttachmentPage(Struct, gc=False):
    """A page of VolumeAttachments."""

    kind: str
    metadata: PageMetadata
    items: list[AttachmentObject] | None = None


class KeyObject(Struct, gc=False):
    """An object of which only its place matters."""

    metadata: Key


class KeyPage(Struct, gc=False):
    """A page of objects of which only their places matter."""

    kind: str
    metadata: PageMetadata
    items: list[KeyObject] | None = None


# -- pods, and what makes them ----------------------------------------------------------------------------------------


class ClaimSource(Struct, gc=False, rename="camel"):
    """A pod's volume that names a claim."""

    claim_name: str = ""


class Ephemeral(Struct, gc=False):
    """A pod's volume for which a claim of its own is made; what is in it does not matter."""


class NamedSource(Struct, gc=False):
    """A KubeVirt volume that names a DataVolume, which has a claim of its name."""

    name: str = ""


class PodVolume(Struct, gc=False, rename="camel"):
    """Of a pod, or of a pod template."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Ephemeral | None = None
    data_volume: NamedSource | None = None


class PodSpec(Struct, gc=False, rename="camel"):
    """Of a pod, or of a pod template."""

    volumes: list[PodVolume] | None = None
    node_name: str = ""


class PodStatus(Struct, gc=False):
    """Of a pod."""

    phase: str = ""


class PodObject(Struct, gc=False):
    """A pod."""

    metadata: Key
    spec: PodSpec
    status: PodStatus | None = None


class PodPage(Struct, gc=False):
    """A page of pods."""

    kind: str
    metadata: PageMetadata
    items: list[PodObject] | None = None


class Template(Struct, gc=False):
    """A pod template."""

    spec: PodSpec | None = None


class ClaimTemplate(Struct, gc=False):
    """A volumeClaimTemplate."""

    metadata: Key


class JobSpec(Struct, gc=False):
    """Of a Job, or of a CronJob's template."""

    template: Template | None = None
    suspend: bool | None = None


class JobTemplate(Struct, gc=False):
    """Of a CronJob."""

    spec: JobSpec | None = None


class WorkloadSpec(Struct, gc=False, rename="camel"):
    """Of anything that makes pods."""

    replicas: int | None = None
    suspend: bool | None = None
    template: Template | None = None
    job_template: JobTemplate | None = None
    volume_claim_templates: list[ClaimTemplate] | None = None


class WorkloadStatus(Struct, gc=False):
    """Of a Job."""

    conditions: list[Condition] | None = None


class WorkloadObject(Struct, gc=False):
    """Anything that makes pods."""

    metadata: Key
    spec: WorkloadSpec
    status: WorkloadStatus | None = None


class WorkloadPage(Struct, gc=False):
    """A page of one kind of them."""

    kind: str
    metadata: PageMetadata
    items: list[WorkloadObject] | None = None


# -- snapshots --------------------------------------------------------------------------------------------------------


class SnapshotSource(Struct, gc=False, rename="camel"):
    """Of a VolumeSnapshot."""

    persistent_volume_claim_name: str = ""


class SnapshotSpec(Struct, gc=False, rename="camel"):
    """Of a VolumeSnapshot."""

    source: SnapshotSource | None = None
    volume_snapshot_class_name: str | None = None


class SnapshotError(Struct, gc=False):
    """Of a VolumeSnapshot, or of its content."""

    message: str | None = None


class SnapshotStatus(Struct, gc=False, rename="camel"):
    """Of a VolumeSnapshot."""

    bound_volume_snapshot_content_name: str | None = None
    ready_to_use: bool | None = None
    restore_size: str | float | None = None
    creation_time: str | None = None
    error: SnapshotError | None = None


class SnapshotObject(Struct, gc=False):
    """A VolumeSnapshot."""

    metadata: Metadata
    spec: SnapshotSpec
    status: SnapshotStatus | None = None


class SnapshotPage(Struct, gc=False):
    """A page of VolumeSnapshots."""

    kind: str
    metadata: PageMetadata
    items: list[SnapshotObject] | None = None


class ContentSource(Struct, gc=False, rename="camel"):
    """Of a VolumeSnapshotContent: handles of the volume, or of a snapshot that was there before."""

    volume_handle: str | None = None
    snapshot_handle: str | None = None


class ContentSpec(Struct, gc=False, rename="camel"):
    """Of a VolumeSnapshotContent."""

    driver: str = ""
    deletion_policy: str = ""
    volume_snapshot_ref: Reference | None = None
    source: ContentSource | None = None


class ContentStatus(Struct, gc=False, rename="camel"):
    """Of a VolumeSnapshotContent."""

    snapshot_handle: str | None = None
    ready_to_use: bool | None = None
    restore_size: int | None = None
    error: SnapshotError | None = None


class ContentObject(Struct, gc=False):
    """A VolumeSnapshotContent."""

    metadata: Metadata
    spec: ContentSpec
    status: ContentStatus | None = None


class ContentPage(Struct, gc=False):
    """A page of VolumeSnapshotContents."""

    kind: str
    metadata: PageMetadata
    items: list[ContentObject] | None = None


class SnapshotClassObject(Struct, gc=False, rename="camel"):
    """A VolumeSnapshotClass."""

    metadata: Key
    driver: str = ""


class SnapshotClassPage(Struct, gc=False):
    """A page of VolumeSnapshotClasses."""

    kind: str
    metadata: PageMetadata
    items: list[SnapshotClassObject] | None = None


# -- nodes, and what kubelets tell ------------------------------------------------------------------------------------


class NodeMetadata(TypedDict, total=False):
    """Of a node."""

    name: str
    annotations: dict[str, str]


class KubeletEndpoint(TypedDict, total=False):
    """Of a node."""

    Port: int


class NodeEndpoints(TypedDict, total=False):
    """Of a node."""

    kubeletEndpoint: KubeletEndpoint


class NodeStatus(TypedDict, total=False):
    """Of a node."""

    daemonEndpoints: NodeEndpoints


class NodeObject(TypedDict, total=False):
    """A node, for readiness.nodes.is_simulated."""

    metadata: NodeMetadata
    status: NodeStatus


class NodePage(Struct, gc=False):
    """A page of nodes."""

    kind: str
    metadata: PageMetadata
    items: list[NodeObject] | None = None


class VolumeFigures(Struct, gc=False, rename="camel"):
    """Of one volume of a pod, in a kubelet's stats/summary."""

    pvc_ref: Reference | None = None
    time: str | None = None
    available_bytes: int | None = None
    capacity_bytes: int | None = None
    used_bytes: int | None = None
    inodes: int | None = None
    inodes_used: int | None = None


class PodFigures(Struct, gc=False):
    """Of one pod, in a kubelet's stats/summary."""

    volume: list[VolumeFigures] | None = None


class Summary(Struct, gc=False):
    """A kubelet's stats/summary, of which only volumes matter."""

    pods: list[PodFigures] | None = None
