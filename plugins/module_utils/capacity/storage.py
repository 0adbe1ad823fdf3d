# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims and snapshots of a plan against the cluster's classes and its free volumes. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..plan.demand import ClaimGroup, Demand, SnapshotGroup
from ..text import text_of
from .rows import INFO, NO_DATA, OK, OVER, UNKNOWN, WARNING, Levers, Row, judged

#: The provisioner of a class whose volumes somebody makes by hand.
NO_PROVISIONER = "kubernetes.io/no-provisioner"
#: Annotations of the default class, in the order in which Kubernetes looks at them.
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_DEFAULT_SNAPSHOT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
#: Classes that a note lists.
_LISTED = 5
#: Parts of a quota's names that are about one class.
_OF_CLASS = ".storageclass.storage.k8s.io/"


@dataclass(frozen=True, kw_only=True)
class VolumeClass:
    """A StorageClass. `late`: it makes a volume only for a pod that is scheduled (WaitForFirstConsumer)."""

    name: str
    provisioner: str
    expandable: bool
    late: bool
    default: bool
    created: str

    @property
    def makes_volumes(self) -> bool:
        """Whether it has a provisioner."""
        return self.provisioner != NO_PROVISIONER


@dataclass(frozen=True, kw_only=True)
class SnapshotClass:
    """A VolumeSnapshotClass."""

    name: str
    driver: str
    default: bool


@dataclass(kw_only=True)
class StorageSupply:
    """What was read; None is "no data", with its cause in `unread`, under classes, snapshot classes, volumes.

    `free` counts by class the volumes that are Available and nobody's; it is read where claims may need them.
    """

    classes: dict[str, VolumeClass] | None = None
    snapshot_classes: dict[str, SnapshotClass] | None = None
    free: Counter[str] | None = None
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def default_class(self) -> str | None:
        """The class that a claim without one gets: of several defaults the newest, as Kubernetes has it."""
        found = [one for one in (self.classes or {}).values() if one.default]
        # Of two as old as each other, the first by name.
        found.sort(key=lambda one: one.name)
        found.sort(key=lambda one: one.created, reverse=True)
        return found[0].name if found else None

    def class_of(self, named: str | None) -> str | None:
        """The class of a claim that names this one; None where it names none and there is no default."""
        return self.default_class if named is None else named


def class_of_object(obj: Mapping[str, Any]) -> VolumeClass:
    """A VolumeClass from its API object."""
    metadata = obj["metadata"]
    annotations = metadata.get("annotations") or {}
    return VolumeClass(
        name=metadata["name"],
        provisioner=obj.get("provisioner") or "",
        expandable=bool(obj.get("allowVolumeExpansion")),
        late=obj.get("volumeBindingMode") == "WaitForFirstConsumer",
        default=any(annotations.get(key) == "true" for key in _DEFAULT_CLASS),
        created=metadata.get("creationTimestamp") or "",
    )


def snapshot_class_of_object(obj: Mapping[str, Any]) -> SnapshotClass:
    """A SnapshotClass from its API object."""
    annotations = obj["metadata"].get("annotations") or {}
    return SnapshotClass(
        name=obj["metadata"]["name"],
        driver=obj.get("driver") or "",
        default=annotations.get(_DEFAULT_SNAPSHOT_CLASS) == "true",
    )


def storage_rows(demand: Demand, supply: StorageSupply | None, levers: Levers, *, worked_before: bool) -> list[Row]:
    """Rows of a plan that has claims or snapshots. `worked_before`: volumes may be bound to this run's own claims."""
    groups = [group for group in demand.claims if group.number or group.bytes]
    if not groups and not demand.snapshots:
        return []
    rows = _totals(groups) if groups else []
    if supply is None:
        return rows
    if supply.classes is None:
        cause = supply.unread.get("classes", "not read")
        return [*rows, Row(name="StorageClasses", needed=None, verdict=NO_DATA, note=cause)]
    for named in dict.fromkeys(group.kind.storage_class for group in groups):
        of_class = [group for group in groups if group.kind.storage_class == named]
        rows += _rows_of_class(named, of_class, supply, levers, worked_before=worked_before)
    return rows + [row for group in demand.snapshots for row in _rows_of_snapshots(group, supply, levers)]


def _totals(groups: list[ClaimGroup]) -> list[Row]:
    made, grown = (
        sum(group.bytes for group in groups if group.kind.expanded is expanded) for expanded in (False, True)
    )
    note = f"{text_of(grown, 'bytes')} of it by expansion" if grown else ""
    return [
        Row(name="claims", needed=sum(group.number for group in groups), verdict=INFO),
        Row(name="storage that claims ask for", needed=made + grown, unit="bytes", verdict=INFO, note=note),
    ]


def _rows_of_class(
    named: str | None, groups: list[ClaimGroup], supply: StorageSupply, levers: Levers, *, worked_before: bool
) -> list[Row]:
    classes = supply.classes or {}
    needed, name = sum(group.number for group in groups), supply.class_of(named)
    found = classes.get(name or "")
    what = f"claims of StorageClass {name}" if name else "claims without a StorageClass"
    cure = levers.change_of(groups[0].role, "storage")
    rows = []
    if found is not None and found.makes_volumes:
        late = ", once a pod that mounts it is scheduled" if found.late else ""
        rows.append(Row(name=what, needed=needed, verdict=OK, note=f"made by {found.provisioner}{late}"))
    elif needed:
        note = _why_static(named, name, found, supply)
        rows.append(_static_row(what, needed, name, note, supply, cure, worked_before=worked_before))
    if any(group.kind.expanded for group in groups) and found is not None and not found.expandable:
        number = sum(group.bytes for group in groups if group.kind.expanded)
        note = "its allowVolumeExpansion is not true"
        expanded = f"expansion in StorageClass {name}"
        cure = f"{levers.change_of(groups[-1].role, 'storage')}, or allow it in the class"
        rows.append(Row(name=expanded, needed=number, offered=0, unit="bytes", verdict=OVER, note=note, cure=cure))
    return rows


def _static_row(
    what: str,
    needed: int,
    name: str | None,
    note: str,
    supply: StorageSupply,
    cure: str,
    *,
    worked_before: bool,
) -> Row:
    """Claims for which nobody makes volumes: those that are there and free have to suffice."""
    if supply.free is None:
        unread = supply.unread.get("volumes", "not read")
        return Row(name=what, needed=needed, verdict=NO_DATA, note=f"{note}; free volumes: {unread}")
    row = Row(name=what, needed=needed, offered=supply.free[name or ""], note=note, cure=cure)
    return judged(row, when_over=WARNING if worked_before else OVER)


def _why_static(named: str | None, name: str | None, found: VolumeClass | None, supply: StorageSupply) -> str:
    """Why nobody makes volumes for claims that name this class, which is then the one of that name."""
    if found is not None:
        return f"its provisioner is {NO_PROVISIONER}, so only volumes that are there can be bound"
    if named == "":
        return "they ask for none, so only volumes that are there can be bound"
    what = "no such class" if name else "no default class"
    return f"the cluster has {what}; it has {_listed(supply.classes or {})}"


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _LISTED} more" if len(ordered) > _LISTED else ""
    return ", ".join(ordered[:_LISTED]) + more or "none"


def _rows_of_snapshots(group: SnapshotGroup, supply: StorageSupply, levers: Levers) -> list[Row]:
    if supply.snapshot_classes is None:
        cause = supply.unread.get("snapshot classes", "not read")
        return [Row(name="VolumeSnapshotClasses", needed=None, verdict=NO_DATA, note=cause)]
    source = (supply.classes or {}).get(supply.class_of(group.kind.storage_class) or "") if group.kind.known else None
    driver = source.provisioner if source is not None else None
    row = Row(name="snapshots", needed=group.number, offered=0, cure=levers.change_of(group.role, "storage"))
    named = group.kind.snapshot_class
    if named is not None:
        row = replace(row, name=f"snapshots of VolumeSnapshotClass {named}")
        found = supply.snapshot_classes.get(named)
        if found is None:
            note = f"the cluster has no such class; it has {_listed(supply.snapshot_classes)}"
            return [replace(row, verdict=OVER, note=note)]
        if driver is not None and found.driver != driver:
            return [replace(row, verdict=OVER, note=f"its driver is {found.driver}, the claims' is {driver}")]
        return [replace(row, offered=None, verdict=OK, cure="", note=f"made by {found.driver}")]
    if driver is None:
        note = "the driver of their claims is not known, so neither is its default class"
        return [replace(row, offered=None, verdict=UNKNOWN, cure="", note=note)]
    defaults = [one.name for one in supply.snapshot_classes.values() if one.default and one.driver == driver]
    if len(defaults) == 1:
        return [replace(row, offered=None, verdict=OK, cure="", note=f"of {defaults[0]}, made by {driver}")]
    there = f"{len(defaults)} default classes, one is needed" if defaults else "no default class"
    return [replace(row, verdict=OVER, note=f"driver {driver} has {there}")]


def quota_need(resource: str, demand: Demand, supply: StorageSupply | None) -> int | None:
    """What the fullest namespace needs of a quota's resource that is about storage; None for any other resource."""
    groups = demand.claims
    name, of_class, figure = resource.partition(_OF_CLASS)
    if of_class:
        known = supply or StorageSupply()
        groups = tuple(group for group in groups if known.class_of(group.kind.storage_class) == name)
    else:
        figure = resource
    if figure == "requests.storage":
        return sum(group.bytes_in_a_namespace for group in groups)
    if figure == "persistentvolumeclaims" and of_class:
        return sum(group.number_in_a_namespace for group in groups)
    return None
