# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a scan: from what users write to checked values. Bad input is one line, before anything is asked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ModuleFailed
from ..syntax import DNS_LABEL_RULE, DURATION_RULE, duration_seconds, is_dns_label, is_dns_subdomain

CLAIMS, VOLUMES, SNAPSHOTS, ATTACHMENTS, USAGE = "claims", "volumes", "snapshots", "attachments", "usage"
PARTS = (CLAIMS, VOLUMES, SNAPSHOTS, ATTACHMENTS, USAGE)
#: What the module itself writes.
FORMATS = ("json",)
#: Name -> (default, lowest, highest).
THRESHOLDS: dict[str, tuple[float, float, float]] = {
    "volume_warning": (85.0, 0.0, 100.0),
    "volume_critical": (95.0, 0.0, 100.0),
    "snapshot_age_days": (30.0, 0.0, 36_500.0),
    "snapshots_per_volume": (50, 0, 1_000_000),
}
MAX_TOP = 100_000
_SECONDS_PER_DAY = 86_400
#: How much of a wrong value is shown.
_SHOWN = 80


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked options. Ages in seconds; `label_selector` is the server's to judge."""

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

    @property
    def snapshot_age_seconds(self) -> float:
        """From this age on a snapshot is old."""
        return self.thresholds["snapshot_age_days"] * _SECONDS_PER_DAY

    def told(self) -> dict[str, Any]:
        """For the document."""
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
    return Options(
        namespaces=tuple(dict.fromkeys(params["namespaces"])),
        exclude_namespaces=frozenset(params["exclude_namespaces"]),
        label_selector=params["label_selector"].strip(),
        storage_classes=frozenset(params["storage_classes"]),
        drivers=frozenset(params["drivers"]),
        parts=frozenset(_chosen("parts", params["parts"], PARTS)),
        min_age_seconds=seconds("min_age", params["min_age"]),
        confirm=params["confirm"],
        thresholds=_thresholds(params["thresholds"] or {}),
        strict=params["strict"],
        top=params["top"],
        dest=params["dest"] or "",
        # All others are made of this one, on the controller.
        formats=tuple(name for name in FORMATS if name in params["formats"]),
    )


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
    if found["volume_warning"] > found["volume_critical"]:
        raise ModuleFailed(
            f"thresholds: volume_warning is {found['volume_warning']:g}, which is more than volume_critical, "
            f"{found['volume_critical']:g}"
        )
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
