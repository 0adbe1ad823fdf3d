# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an object is not ready, from its status, its pods and its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .pods import is_hopeless, pod, pod_cause
from .state import Readiness, State, failed, one_line, waiting, why
from .volumes import patient_cause

#: By it JobSet's controller marks the pods of a JobSet, which its Jobs own.
JOB_SET_UID = "jobset.sigs.k8s.io/jobset-uid"
#: Owners of pods that have owners themselves.
_BETWEEN = frozenset({"ReplicaSet", "Job"})
#: Maximum of different causes of pods per object, each with the name of one pod.
_MAX_CAUSES = 3


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector (matchLabels, matchExpressions) selects these labels.

    An empty one selects nothing here: no controller has one.
    """
    match = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    if not match and not expressions:
        return False
    if any(labels.get(key) != value for key, value in match.items()):
        return False
    return all(_holds(expression, labels) for expression in expressions)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    if operator == "In":
        return labels.get(key) in expression["values"]
    if operator == "NotIn":
        return labels.get(key) not in expression["values"]
    return (key in labels) is (operator == "Exists")


def pod_selector(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The LabelSelector of a controller's pods; empty where it has none."""
    selector = (obj.get("spec") or {}).get("selector")
    if isinstance(selector, Mapping):
        return selector
    if (obj.get("spec") or {}).get("replicatedJobs"):
        return {"matchLabels": {JOB_SET_UID: obj["metadata"].get("uid") or ""}}
    return {}


def pods_of(obj: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The pods of `pods` that belong to a controller: owned by it, or else selected by it.

    By selector because a Deployment owns its pods only by way of a ReplicaSet, and a JobSet by way of Jobs.
    """
    metadata = obj["metadata"]
    by_selector = pod_selector(obj)
    found = []
    for each in pods:
        its = each["metadata"]
        if its.get("namespace") != metadata.get("namespace"):
            continue
        owners = its.get("ownerReferences") or ()
        selected = selects(by_selector, its.get("labels") or {})
        if any(owner.get("uid") == metadata.get("uid") for owner in owners) or (
            selected and any(owner.get("kind") in _BETWEEN for owner in owners)
        ):
            found.append(each)
    return found


def explained(
    obj: Mapping[str, Any],
    readiness: Readiness,
    *,
    pods: Iterable[Mapping[str, Any]] = (),
    events: Iterable[Mapping[str, Any]] = (),
) -> Readiness:
    """`readiness` with a fuller cause. `pods` are candidates (others' are sorted out), `events` of any object.

    A controller that waits for pods which can never start turns FAILED: its next pod would be the same.
    """
    if readiness.is_ready:
        return readiness
    told = _events_by_uid(events)
    own_events = told.get(obj["metadata"].get("uid") or "", [])
    if "containerStatuses" in (obj.get("status") or {}) or (obj.get("spec") or {}).get("containers"):
        cause = pod_cause(obj, own_events) or readiness.cause
        return Readiness(readiness.state, cause)
    members = pods_of(obj, pods)
    judged = [(each, pod(each)) for each in members]
    unwell = [(each, answer) for each, answer in judged if not answer.is_ready]
    cause = _joined(readiness.cause, _pods_cause(unwell, told) or _event_cause(own_events))
    if readiness.state is State.WAITING and unwell and all(is_hopeless(each) for each, _answer in unwell):
        return failed(cause)
    return failed(cause) if readiness.state is State.FAILED else waiting(cause)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _events_by_uid(events: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Events (core/v1), oldest first, by the object that they speak of."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=_event_time):
        found[(event.get("involvedObject") or {}).get("uid") or ""].append(event)
    return found


def _event_time(event: Mapping[str, Any]) -> str:
    # RFC 3339 in UTC sorts as text; a series' last time is written by newer reporters only.
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or "")


def _pods_cause(
    unwell: Sequence[tuple[Mapping[str, Any], Readiness]], told: Mapping[str, list[Mapping[str, Any]]]
) -> str:
    by_cause: dict[str, list[str]] = defaultdict(list)
    for each, _answer in unwell:
        metadata = each["metadata"]
        by_cause[pod_cause(each, told.get(metadata.get("uid") or "", ()))].append(metadata["name"])
    ranked = sorted(by_cause.items(), key=lambda item: -len(item[1]))
    parts = [
        f"pod {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {cause}"
        for cause, names in ranked[:_MAX_CAUSES]
    ]
    if len(ranked) > _MAX_CAUSES:
        parts.append(f"{len(ranked) - _MAX_CAUSES} more causes")
    return "; ".join(parts)


def _event_cause(events: Sequence[Mapping[str, Any]]) -> str:
    """The newest warning; without one, what Normal events say of a claim's wait, which may be the whole cause of it."""
    for event in reversed(events):
        if event.get("type") == "Warning":
            return one_line(why(event))
    return patient_cause(events)
