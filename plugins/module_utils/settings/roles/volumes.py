# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role volumes: its variables and its entry points."""

from __future__ import annotations

from ..setting import WEEK_SECONDS, Entry, Range, Role, Setting, plan_entry


def _template(name: str, default: str, what: str) -> Setting:
    return Setting(
        name,
        "str",
        default,
        meaning=(
            f"Template of {what}: the role's own, or a path, or a file in a C(templates) folder beside the playbook."
        ),
    )


_SETTINGS = (
    Setting("volumes_enabled", "bool", False, meaning="Whether the run has volumes."),
    Setting(
        "volumes_per_namespace",
        "int",
        3,
        allowed=Range(0, 10_000),
        meaning="PersistentVolumeClaims in each namespace, without those of restores and clones.",
    ),
    Setting(
        "volumes_max_claims",
        "int",
        1_000,
        allowed=Range(1, 10_000_000),
        meaning=(
            "Claims that the run may make in all, restores, clones and those of other roles included. Preflight "
            "refuses more: storage is slow to make, and slow to remove."
        ),
    ),
    Setting("volumes_size", "str", "1Gi", meaning="Size of each claim, a Kubernetes quantity."),
    Setting(
        "volumes_storage_class",
        "str",
        "",
        meaning="StorageClass of the claims. Empty is the cluster's default class.",
    ),
    Setting(
        "volumes_access_mode",
        "str",
        "ReadWriteOnce",
        choices=("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"),
        meaning="Access mode of the claims.",
    ),
    Setting(
        "volumes_volume_mode",
        "str",
        "Filesystem",
        choices=("Filesystem", "Block"),
        meaning=(
            "What pods get: a mounted file system, or the bare device.\n"
            "Pods do not run as root, so V(Block) needs nodes whose runtime gives a device to the pod's user, as "
            "containerd does with C(device_ownership_from_security_context)."
        ),
    ),
    Setting(
        "volumes_pods_per_volume",
        "int",
        1,
        allowed=Range(0, 100),
        meaning=(
            "Pods that mount each claim and write into it. More than 1 needs V(volumes_access_mode=ReadWriteMany).\n"
            "With V(0) nothing is mounted. A claim of a class that waits for its first consumer then counts as ready "
            "while it waits."
        ),
    ),
    Setting(
        "volumes_write",
        "int",
        16,
        allowed=Range(0, 1_048_576),
        meaning="MiB that each pod writes into its volume, and has stored, before it is ready.",
    ),
    Setting(
        "volumes_snapshots_per_volume",
        "int",
        0,
        allowed=Range(0, 1_000),
        meaning="VolumeSnapshots of each claim, once the claims of a namespace are bound and written.",
    ),
    Setting(
        "volumes_snapshot_class",
        "str",
        "",
        meaning="VolumeSnapshotClass of the snapshots. Empty is the default class of the claims' driver.",
    ),
    Setting(
        "volumes_restores_per_volume",
        "int",
        0,
        allowed=Range(0, 1_000),
        meaning="Claims that are made of the snapshots of each claim, in turn, once these are ready.",
    ),
    Setting(
        "volumes_clones_per_volume",
        "int",
        0,
        allowed=Range(0, 1_000),
        meaning="Claims that are made of each claim itself, after the snapshots.",
    ),
    Setting(
        "volumes_expand_to",
        "str",
        "",
        meaning=(
            "Size to which each claim is expanded, after all else; restores and clones are not. Empty expands nothing."
        ),
    ),
    Setting(
        "volumes_stall_timeout",
        "int",
        600,
        allowed=Range(1, WEEK_SECONDS),
        meaning="Seconds in which no claim, pod or snapshot has come forward, after which the run gives up.",
    ),
    Setting(
        "volumes_image",
        "str",
        "registry.k8s.io/e2e-test-images/busybox:1.36.1-1",
        meaning=(
            "Needs a POSIX shell at C(/bin/sh), C(dd) with C(conv=fsync), and C(sleep). The default is a small image "
            "of Kubernetes' own end-to-end tests."
        ),
    ),
    Setting(
        "volumes_requests",
        "dict",
        {"cpu": "10m", "memory": "32Mi"},
        meaning="Resource requests of each pod's containers, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "volumes_limits",
        "dict",
        {"cpu": "500m", "memory": "128Mi"},
        meaning="Resource limits of each pod's containers, as in a pod's spec: cpu and memory.",
    ),
    _template("volumes_claim_template", "claim.yml.j2", "a claim"),
    _template("volumes_pod_template", "pod.yml.j2", "a pod that mounts a claim"),
    _template("volumes_snapshot_template", "snapshot.yml.j2", "a VolumeSnapshot"),
    _template("volumes_restore_template", "restore.yml.j2", "a claim that is made of a snapshot"),
    _template("volumes_clone_template", "clone.yml.j2", "a claim that is made of another"),
    _template("volumes_expansion_template", "expansion.yml.j2", "the patch that expands a claim"),
)

_SUMMARY = "Volumes: claims, pods that write, snapshots, restores, clones, expansion"

ROLE = Role(
    "volumes",
    entries=(
        Entry(
            "main",
            _SUMMARY,
            (
                "Makes PersistentVolumeClaims, and for each a pod that mounts it and writes into it. Then, if asked "
                "for, VolumeSnapshots of them, claims restored from the snapshots, clones, and an expansion.\n"
                "Each of these begins in a namespace when what it needs is ready there, and how long each volume took "
                "to be bound, attached, mounted, cut, ready and expanded is in the summary, with percentiles.\n"
                "Claims and snapshots are removed with the run. Volumes of a class with the reclaim policy Retain are "
                "not: the cleanup names them.\n"
                "On simulated nodes nothing is mounted and nothing is written."
            ),
            settings=_SETTINGS,
        ),
        plan_entry(_SUMMARY),
    ),
)
