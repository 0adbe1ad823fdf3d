# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a pod is ready, and why it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .state import FINISHED, READY, Readiness, condition, failed, is_true, one_line, spec_of, status_of, waiting, why

#: Waiting reasons that never end by themselves, because the pod's own spec is wrong.
HOPELESS_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
#: Waiting reasons of a container that has not been started yet; the events say more.
_BEFORE_START = frozenset({"ContainerCreating", "PodInitializing", ""})
#: Reasons of events that explain why a pod has not started.
_START_EVENTS = ("FailedCreatePodSandBox", "FailedMount", "FailedAttachVolume", "FailedScheduling", "NetworkNotReady")


def pod(obj: Mapping[str, Any]) -> Readiness:
    """Condition Ready, or phase Succeeded; phase Failed or an image name that cannot be one is final."""
    phase = status_of(obj).get("phase")
    if phase == "Succeeded":
        return FINISHED
    if phase == "Failed":
        return failed(pod_cause(obj))
    if obj["metadata"].get("deletionTimestamp"):
        return waiting("is being deleted")
    if is_true(obj, "Ready"):
        return READY
    cause = pod_cause(obj)
    return failed(cause) if is_hopeless(obj) else waiting(cause)


def is_hopeless(obj: Mapping[str, Any]) -> bool:
    """Whether a container waits for what can't come; a pod made from the same template would fare no better."""
    return any(state.get("reason") in HOPELESS_REASONS for _name, state, _status in _waiting_containers(obj))


def pod_reason(obj: Mapping[str, Any]) -> str:
    """One stable word to count by, such as OOMKilled, Error, Evicted, ImagePullBackOff or Unschedulable.

    Empty where nothing is wrong (ready, succeeded).
    """
    phase = status_of(obj).get("phase")
    if phase == "Succeeded" or (phase != "Failed" and is_true(obj, "Ready")):
        return ""
    if phase == "Failed":
        return str(status_of(obj).get("reason") or _terminated_reason(obj) or "Failed")
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    scheduled = condition(obj, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        return str(scheduled.get("reason") or "Unschedulable")
    for _name, state, _status in _waiting_containers(obj):
        return str(state.get("reason") or "ContainerCreating")
    return "NotReady" if phase == "Running" else str(phase or "Pending")


def pod_cause(obj: Mapping[str, Any], events: Iterable[Mapping[str, Any]] = ()) -> str:
    """Why a pod is not ready, in one line. `events` are those of this pod, where somebody was allowed to read them.

    For a pod that is ready, empty.
    """
    status = status_of(obj)
    if status.get("phase") == "Failed":
        return why(status) or _terminated_cause(obj) or "the pod failed without saying why"
    if status.get("phase") == "Succeeded":
        return ""
    if obj["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    if is_true(obj, "Ready"):
        return ""
    return _not_scheduled(obj) or _not_started(obj, tuple(events)) or _not_ready(obj)


def _not_scheduled(obj: Mapping[str, Any]) -> str:
    scheduled = condition(obj, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        return why(scheduled) or "Unschedulable"
    if scheduled is None and not spec_of(obj).get("nodeName"):
        name = spec_of(obj).get("schedulerName") or "default-scheduler"
        return f"Pending: {name} has not looked at it yet"
    return ""


def _not_started(obj: Mapping[str, Any], events: tuple[Mapping[str, Any], ...]) -> str:
    """What its containers wait for; a telling reason of any of them goes before a mere 'its turn has not come'."""
    patient = ""
    for name, state, status in _waiting_containers(obj):
        reason = state.get("reason") or ""
        if reason not in _BEFORE_START:
            return _waiting_cause(name, state, status)
        patient = patient or f"container {name}: {reason or 'not started'}"
    crashed = _terminated_cause(obj)
    if crashed:
        return crashed
    if not patient and not status_of(obj).get("containerStatuses"):
        node = spec_of(obj).get("nodeName") or "its node"
        patient = f"Pending: scheduled, but the kubelet of {node} has not reported yet"
    if not patient:
        return ""
    for event in reversed(events):
        if event.get("reason") in _START_EVENTS:
            return why(event)
    return patient


def _waiting_cause(name: str, state: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    reason = state["reason"]
    if reason == "CrashLoopBackOff":
        last = (status.get("lastState") or {}).get("terminated")
        ended = f", last: {_ended(last)}" if last else ""
        return f"container {name}: CrashLoopBackOff after {status.get('restartCount', 0)} restarts{ended}"
    return f"container {name}: {why(state)}"


def _not_ready(obj: Mapping[str, Any]) -> str:
    gates = [gate["conditionType"] for gate in spec_of(obj).get("readinessGates") or ()]
    closed = [gate for gate in gates if not is_true(obj, gate)]
    if closed:
        return f"readiness gate {closed[0]} is not True"
    names = [name for name, _state, status in _containers(obj, "containerStatuses") if not status.get("ready")]
    if names:
        return f"container {names[0]}: runs, but its readiness probe has not succeeded"
    return why(condition(obj, "Ready")) or f"phase {status_of(obj).get('phase') or 'unknown'}, not Ready"


def _containers(obj: Mapping[str, Any], *fields: str) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """(name, waiting state or {}, whole status) of each container of these fields of the status."""
    for field in fields:
        for status in status_of(obj).get(field) or ():
            yield status.get("name", ""), (status.get("state") or {}).get("waiting") or {}, status


def _waiting_containers(obj: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for name, state, status in _containers(obj, "initContainerStatuses", "containerStatuses"):
        if "waiting" in (status.get("state") or {}):
            yield name, state, status


def _terminated(obj: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, _state, status in _containers(obj, "initContainerStatuses", "containerStatuses"):
        ended = (status.get("state") or {}).get("terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") not in ("Completed", None)):
            yield name, ended


def _terminated_reason(obj: Mapping[str, Any]) -> str:
    return next((str(ended.get("reason") or "Error") for _name, ended in _terminated(obj)), "")


def _terminated_cause(obj: Mapping[str, Any]) -> str:
    return next((f"container {name}: {_ended(ended)}" for name, ended in _terminated(obj)), "")


def _ended(ended: Mapping[str, Any]) -> str:
    text = f"{ended.get('reason') or 'Error'} (exit code {ended.get('exitCode', '?')})"
    # It may be the end of the output (terminationMessagePolicy FallbackToLogsOnError), whose last line tells most.
    message = one_line((ended.get("message") or "").strip().rpartition("\n")[2])
    return f"{text}: {message}" if message else text
