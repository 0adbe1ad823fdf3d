# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a scan: from what users write to checked values. Bad input is one line, before anything is asked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.validation import check_type_dict

from ..cluster.arguments import CONNECTION_ARGUMENTS, auth_options
from ..errors import ModuleFailed
from ..syntax import DNS_LABEL_RULE, DURATION_RULE, duration_seconds, is_dns_label, is_dns_subdomain
from ..truenas.arguments import BOX_ARGUMENTS
from ..truenas.errors import BadOption, plain
from ..truenas.options import BoxOptions, box_options

CLAIMS, VOLUMES, SNAPSHOTS, ATTACHMENTS, USAGE = "claims", "volumes", "snapshots", "attachments", "usage"
#: The storage box; only where one is given.
BACKEND = "backend"
PARTS = (CLAIMS, VOLUMES, SNAPSHOTS, ATTACHMENTS, USAGE, BACKEND)
#: What the module itself writes.
FORMATS = ("json",)
#: Name -> (default, lowest, highest).
THRESHOLDS: dict[str, tuple[float, float, float]] = {
    "volume_warning": (85.0, 0.0, 100.0),
    "volume_critical": (95.0, 0.0, 100.0),
    "snapshot_age_days": (30.0, 0.0, 36_500.0),
    "snapshots_per_volume": (50, 0, 1_000_000),
    "pool_warning": (80.0, 0.0, 100.0),
    "pool_critical": (90.0, 0.0, 100.0),
    "overcommit": (2.0, 0.0, 1_000_000.0),
}
MAX_TOP = 100_000
_SECONDS_PER_DAY = 86_400
#: How much of a wrong value is shown.
_SHOWN = 80
#: Options of a connection by which a cluster is called.
_NAMING = ("context", "host", "kubeconfig")


@dataclass(frozen=True, kw_only=True)
class OtherCluster:
    """Another cluster whose volumes may be on the box. `connection` as auth_options() gives it."""

    name: str
    connection: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked options. Ages in seconds; `label_selector` is the server's to judge. `box`: None where none is asked."""

    namespaces: tuple[str, ...] = ()
    exclude_namespaces: frozenset[str] = frozenset()
    label_selector: str = ""
    storage_classes: frozenset[str] = frozenset()
    drivers: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset(PARTS)
    min_age_seconds: float = 24 * 3600.0
    confirm: bool = True
    thresholds: Mapping[str, float] = field(default_factory=lambda: {name: row[0] for name, row in THRESHOLDS.items()})
    strict: bool = False
    top: int = 100
    dest: str = ""
    formats: tuple[str, ...] = FORMATS
    box: BoxOptions | None = None
    other_clusters: tuple[OtherCluster, ...] = ()

    @property
    def snapshot_age_seconds(self) -> float:
        """From this age on a snapshot is old."""
        return self.thresholds["snapshot_age_days"] * _SECONDS_PER_DAY

    def told(self) -> dict[str, Any]:
        """For the document, without secrets."""
        box, told = self.box, {}
        if box is not None:
            told = {
                "truenas": {
                    "url": box.url,
                    "transport": box.transport,
                    "volume_parents": list(box.volume_parents),
                    "detached_parents": list(box.detached_parents),
                    "instance_id": box.instance_id,
                },
                "other_clusters": [other.name for other in self.other_clusters],
            }
        return {
            "namespaces": list(self.namespaces),
            "exclude_namespaces": sorted(self.exclude_namespaces),
            "label_selector": self.label_selector,
            "storage_classes": sorted(self.storage_classes),
            "drivers": sorted(self.drivers),
            "parts": [name for name in PARTS if name in self.parts],
            "min_age_seconds": self.min_age_seconds,
            "confirm": self.confirm,
            "thresholds": dict(self.thresholds),
            **told,
        }


def checked(params: Mapping[str, Any]) -> Options:
    """The options of a module. Raises ModuleFailed naming the option, the value, and what is allowed."""
    for name in ("namespaces", "exclude_namespaces"):
        for namespace in params[name]:
            if not is_dns_label(namespace):
                raise ModuleFailed(f"{name}: {_shown(namespace)}; allowed are names of namespaces: {DNS_LABEL_RULE}")
    both = set(params["namespaces"]) & set(params["exclude_namespaces"])
    if both:
        raise ModuleFailed(f"exclude_namespaces: {', '.join(sorted(both))} is also in namespaces; name it in one")
    for name in ("storage_classes", "drivers"):
        for value in params[name]:
            if not is_dns_subdomain(value.lower()):
                raise ModuleFailed(f"{name}: {_shown(value)}; allowed are names such as zfs-nfs or org.example.csi")
    if not 0 <= params["top"] <= MAX_TOP:
        raise ModuleFailed(f"top: {params['top']}; allowed are 0 to {MAX_TOP:,}")
    parts = frozenset(_chosen("parts", params["parts"], PARTS))
    box = _box(params)
    if box is None and parts == {BACKEND}:
        raise ModuleFailed("parts: only backend is named, which needs truenas; give that, or name other parts")
    return Options(
        namespaces=tuple(dict.fromkeys(params["namespaces"])),
        exclude_namespaces=frozenset(params["exclude_namespaces"]),
        label_selector=params["label_selector"].strip(),
        storage_classes=frozenset(params["storage_classes"]),
        drivers=frozenset(params["drivers"]),
        parts=parts if box is not None else parts - {BACKEND},
        min_age_seconds=seconds("min_age", params["min_age"]),
        confirm=params["confirm"],
        thresholds=_thresholds(params["thresholds"] or {}),
        strict=params["strict"],
        top=params["top"],
        dest=params["dest"] or "",
        # All others are made of this one, on the controller.
        formats=tuple(name for name in FORMATS if name in params["formats"]),
        box=box if BACKEND in parts else None,
        other_clusters=_other_clusters(params, box),
    )


def _box(params: Mapping[str, Any]) -> BoxOptions | None:
    """The box to compare with, None if none is given."""
    given = params.get("truenas")
    if not given:
        return None
    try:
        box = box_options(given, prefix="truenas.")
    except BadOption as error:
        raise ModuleFailed(str(error)) from error
    if not box.volume_parents:
        raise ModuleFailed(
            "truenas.volume_parents: none is named; give the driver's datasetParentName, such as tank/k8s/v"
        )
    return box


def unknown_suboption(given: Mapping[str, Any]) -> str | None:
    """What is said of a name that `truenas` or `other_clusters` does not know; None if all are known.

    Ansible's own message comes with everything that was given, and a mistyped name is none that it hides.
    """
    names = {"truenas": BOX_ARGUMENTS, "other_clusters": CONNECTION_ARGUMENTS}
    for option, arguments in names.items():
        known = {*arguments, *(alias for spec in arguments.values() for alias in spec.get("aliases", ()))}
        value = given.get(option)
        for entry in value if isinstance(value, list) else [value]:
            try:
                unknown = set(check_type_dict(entry)) - known if entry else set()
            except TypeError:
                return f"{option}: its value is not names with values (a dictionary, or its JSON)"
            if unknown:
                said = _shown(plain(min(unknown, key=str)))
                return f"{option}: {said} is no option of it; allowed are {', '.join(arguments)}"
    return None


def _other_clusters(params: Mapping[str, Any], box: BoxOptions | None) -> tuple[OtherCluster, ...]:
    given = params.get("other_clusters") or ()
    if given and box is None:
        raise ModuleFailed("other_clusters: only the comparison with a box needs them; give truenas, or leave them out")
    found: dict[str, OtherCluster] = {}
    for number, entry in enumerate(given, start=1):
        connection = auth_options(dict(entry))
        named = [str(connection[key]) for key in _NAMING if isinstance(connection.get(key), str) and connection[key]]
        if not named and not connection.get("kubeconfig"):
            raise ModuleFailed(f"other_clusters: entry {number} names no cluster; give context, host or kubeconfig")
        if "context" in connection and "host" not in connection and params.get("kubeconfig"):
            connection.setdefault("kubeconfig", params["kubeconfig"])
        # The text of a kubeconfig is no name, and holds secrets; so may an address.
        is_name = bool(named) and not set("\n@{") & set(named[0]) and len(named[0]) <= _SHOWN
        name = plain(named[0]) if is_name else f"cluster {number}"
        name = name if name not in found else f"{name} ({number})"
        found[name] = OtherCluster(name=name, connection=connection)
    return tuple(found.values())


def seconds(option: str, value: Any) -> float:
    """A duration in seconds. Raises ModuleFailed."""
    found = duration_seconds(value)
    if found is None:
        raise ModuleFailed(f"{option}: {_shown(value)}; allowed is {DURATION_RULE}")
    return found


def _chosen(option: str, given: Collection[str], allowed: Collection[str]) -> list[str]:
    """The given words. Raises ModuleFailed if there is none, or another one."""
    for word in given:
        if word not in allowed:
            raise ModuleFailed(f"{option}: {_shown(word)}; allowed are {', '.join(allowed)}")
    if not given:
        raise ModuleFailed(f"{option}: none is named; allowed are {', '.join(allowed)}")
    return list(given)


def _thresholds(given: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {name: default for name, (default, _low, _high) in THRESHOLDS.items()}
    for name, value in given.items():
        if name not in THRESHOLDS:
            raise ModuleFailed(f"thresholds: {_shown(name)}; allowed are {', '.join(THRESHOLDS)}")
        _default, low, high = THRESHOLDS[name]
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            raise ModuleFailed(f"thresholds: {name} is {_shown(value)}; allowed are {low:,g} to {high:,g}")
        found[name] = number
    for what in ("volume", "pool"):
        warning, critical = found[f"{what}_warning"], found[f"{what}_critical"]
        if warning > critical:
            raise ModuleFailed(
                f"thresholds: {what}_warning is {warning:g}, which is more than {what}_critical, {critical:g}"
            )
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
