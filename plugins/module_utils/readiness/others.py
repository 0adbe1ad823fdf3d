# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds that make no pods: namespaces, volumes, Services, nodes, API extensions, and those known by conditions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .state import (
    READY,
    Readiness,
    condition,
    failed,
    is_true,
    one_line,
    spec_of,
    status_of,
    unseen_generation,
    waiting,
    why,
)


def namespace(obj: Mapping[str, Any]) -> Readiness:
    """Phase Active."""
    # Its ServiceAccount "default" is another object; who needs that, watches it.
    phase = status_of(obj).get("phase")
    if phase == "Terminating" or obj["metadata"].get("deletionTimestamp"):
        return failed("is being deleted (phase Terminating)")
    return READY if phase == "Active" else waiting(f"phase {phase or 'unknown'}")


def persistent_volume_claim(obj: Mapping[str, Any]) -> Readiness:
    """Phase Bound; Lost is final, its volume is gone."""
    phase = status_of(obj).get("phase")
    if phase == "Bound":
        return READY
    if phase == "Lost":
        return failed(f"phase Lost: volume {spec_of(obj).get('volumeName') or '?'} is gone")
    storage_class = spec_of(obj).get("storageClassName")
    return waiting(f"phase {phase or 'Pending'}, storage class {storage_class or 'not set'}")


def persistent_volume(obj: Mapping[str, Any]) -> Readiness:
    """Phase Available or Bound; a Released one waits for an administrator, so it is as final as Failed."""
    status = status_of(obj)
    phase = status.get("phase")
    if phase in ("Available", "Bound"):
        return READY
    if phase in ("Failed", "Released"):
        told = why(status)
        return failed(f"phase {phase}{': ' + told if told else ''}")
    return waiting(f"phase {phase or 'unknown'}")


def service(obj: Mapping[str, Any]) -> Readiness:
    """Type LoadBalancer: an address is there. Every other type is ready as soon as it is stored."""
    if spec_of(obj).get("type") != "LoadBalancer":
        return READY
    if (status_of(obj).get("loadBalancer") or {}).get("ingress"):
        return READY
    return waiting("the load balancer has no address yet")


def custom_resource_definition(obj: Mapping[str, Any]) -> Readiness:
    """Condition Established; names that another definition holds are never accepted."""
    if is_true(obj, "Established"):
        return READY
    names = condition(obj, "NamesAccepted")
    if names is not None and names.get("status") == "False":
        return failed(why(names) or "its names are not accepted")
    return waiting(why(condition(obj, "Established")) or "is not established yet")


def api_service(obj: Mapping[str, Any]) -> Readiness:
    """Condition Available."""
    if is_true(obj, "Available"):
        return READY
    return waiting(why(condition(obj, "Available")) or "its availability is not known yet")


def node(obj: Mapping[str, Any]) -> Readiness:
    """Condition Ready."""
    ready = condition(obj, "Ready")
    if ready is not None and ready.get("status") == "True":
        return READY
    return waiting(why(ready) or "has not reported yet")


def by_condition(obj: Mapping[str, Any]) -> Readiness:
    """Kinds of other API groups: condition Ready or, where it has none, Available, of the newest generation."""
    if "observedGeneration" in status_of(obj):
        behind = unseen_generation(obj)
        if behind is not None:
            return behind
    for kind in ("Ready", "Available"):
        found = condition(obj, kind)
        if found is not None:
            return READY if found.get("status") == "True" else waiting(why(found) or f"condition {kind} is not True")
    message = one_line(str(status_of(obj).get("message") or ""))
    return waiting("has no condition Ready or Available" + (f" ({message})" if message else ""))


def exists(_obj: Mapping[str, Any]) -> Readiness:
    """To be stored is all there is to it."""
    return READY
