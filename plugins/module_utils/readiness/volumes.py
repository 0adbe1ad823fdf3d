# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When claims, volumes, attachments and snapshots are ready, and what their events mean. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..syntax import quantity
from .state import READY, Readiness, condition, failed, one_line, spec_of, status_of, waiting, why

#: Events of type Normal that are the whole cause of a claim's wait.
_PATIENT_EVENTS = frozenset(
    {"WaitForFirstConsumer", "WaitForPodScheduled", "ExternalProvisioning", "Provisioning", "FailedBinding"}
)
#: What a driver answers to a request that it will refuse however often it is sent: "the caller MUST fix" it, by the
#: table of errors of CSI's specification (CreateVolume). Provisioners try it again all the same, minutes later.
_REFUSED_FOR_GOOD = re.compile(r"\bcode = (?:InvalidArgument|OutOfRange|Unimplemented)\b")
#: Words of allocatedResourceStatuses for an expansion that the driver has refused, and that nobody tries again.
_INFEASIBLE = ("ControllerResizeInfeasible", "NodeResizeInfeasible")


def wanted_size(claim: Mapping[str, Any]) -> str:
    """The size that a claim asks for, as a quantity; empty where it says none."""
    return str(((spec_of(claim).get("resources") or {}).get("requests") or {}).get("storage") or "")


def real_size(claim: Mapping[str, Any]) -> str:
    """The size that a claim has, as a quantity; empty before it is bound."""
    return str((status_of(claim).get("capacity") or {}).get("storage") or "")


def is_smaller_than_wanted(claim: Mapping[str, Any]) -> bool:
    """Whether a bound claim has less than it asks for: it is to be expanded. False where either is not known."""
    wanted, real = quantity(wanted_size(claim)), quantity(real_size(claim))
    return wanted is not None and real is not None and real < wanted


def persistent_volume_claim(obj: Mapping[str, Any]) -> Readiness:
    """Phase Bound, and as large as it asks for; Lost is final, its volume is gone."""
    phase = status_of(obj).get("phase")
    if phase == "Bound":
        return _expanding(obj) if is_smaller_than_wanted(obj) else READY
    if phase == "Lost":
        return failed(f"phase Lost: volume {spec_of(obj).get('volumeName') or '?'} is gone")
    storage_class = spec_of(obj).get("storageClassName")
    return waiting(f"phase {phase or 'Pending'}, storage class {storage_class or 'not set'}")


def _expanding(claim: Mapping[str, Any]) -> Readiness:
    """The answer for a claim that has less than it asks for."""
    sizes = f"has {real_size(claim)} of {wanted_size(claim)}"
    told = (status_of(claim).get("allocatedResourceStatuses") or {}).get("storage")
    for kind in ("ControllerResizeError", "NodeResizeError"):
        error = condition(claim, kind)
        if error is not None and error.get("status") == "True":
            sizes += f"; {kind}: {one_line(error.get('message') or '')}"
    if told in _INFEASIBLE:
        return failed(f"{sizes}; its driver cannot expand it ({told})")
    pending = condition(claim, "FileSystemResizePending")
    if pending is not None and pending.get("status") == "True":
        return waiting(f"{sizes}; its file system grows when a pod mounts it (FileSystemResizePending)")
    resizing = condition(claim, "Resizing")
    if resizing is not None and resizing.get("status") == "True":
        return waiting(f"{sizes}; its driver is expanding it")
    return waiting(f"{sizes}; nobody has begun to expand it")


def is_first_consumer_awaited(claim: Mapping[str, Any]) -> bool:
    """Whether a claim is Pending and no pod that mounts it was scheduled, as far as the claim itself tells."""
    annotations = claim["metadata"].get("annotations") or {}
    is_pending = status_of(claim).get("phase", "Pending") == "Pending" and not spec_of(claim).get("volumeName")
    return is_pending and "volume.kubernetes.io/selected-node" not in annotations


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


def volume_attachment(obj: Mapping[str, Any]) -> Readiness:
    """Its status says attached; an attachError is the cause of the wait, for it is tried again."""
    status = status_of(obj)
    if status.get("attached"):
        return READY
    error = status.get("attachError")
    if error:
        return waiting(f"not attached: {_told(error)}")
    attacher = spec_of(obj).get("attacher") or "its driver"
    return waiting(f"{attacher} has not attached it to node {spec_of(obj).get('nodeName') or '?'} yet")


def volume_snapshot(obj: Mapping[str, Any]) -> Readiness:
    """Its status says readyToUse; an error is the cause of the wait, for drivers try again."""
    status = status_of(obj)
    # A content that is ready keeps the error of an earlier try.
    if status.get("readyToUse"):
        return READY
    error = status.get("error")
    if error:
        return waiting(f"not ready to use: {_told(error)}")
    content = status.get("boundVolumeSnapshotContentName")
    if content:
        return waiting(f"its driver has not reported {content} as ready to use yet")
    return waiting("no snapshot controller has looked at it yet" if not status else "it has no content yet")


def volume_snapshot_content(obj: Mapping[str, Any]) -> Readiness:
    """Its status says readyToUse; an error is the cause of the wait."""
    status = status_of(obj)
    if status.get("readyToUse"):
        return READY
    error = status.get("error")
    if error:
        return waiting(f"not ready to use: {_told(error)}")
    return waiting(f"{spec_of(obj).get('driver') or 'its driver'} has not reported it as ready to use yet")


def _told(error: Mapping[str, Any]) -> str:
    """The text of a status' error; drivers write several lines."""
    return one_line(str(error.get("message") or "")) or "an error without a message"


def is_refused_for_good(event: Mapping[str, Any]) -> bool:
    """Whether an event says that a claim's driver refuses to make its volume, and will refuse every time."""
    about = event.get("involvedObject") or {}
    if event.get("reason") != "ProvisioningFailed" or about.get("kind") != "PersistentVolumeClaim":
        return False
    return _REFUSED_FOR_GOOD.search(event.get("message") or "") is not None


def patient_cause(events: Sequence[Mapping[str, Any]]) -> str:
    """What Normal events, oldest first, say of a claim's wait, in plain words; empty where they say nothing of it."""
    told = [event for event in events if event.get("reason") in _PATIENT_EVENTS]
    if not told:
        return ""
    text = one_line(why(told[-1]))
    # Kubernetes repeats this until the volume is there; the provisioner's own first event is "Provisioning".
    is_silent = not any(event.get("reason") == "Provisioning" for event in told)
    if told[-1].get("reason") == "ExternalProvisioning" and is_silent:
        return f"its provisioner has not answered, is it running? ({text})"
    return text
