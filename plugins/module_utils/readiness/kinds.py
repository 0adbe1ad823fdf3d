# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an object is ready, by kind: controllers of pods, Jobs, namespaces, Services, nodes, API extensions.

One predicate per kind; the first sentence of its docstring is in the documentation. Pods are in `pods.py`, what has to
do with storage in `volumes.py`. A new predicate needs a line in the table of `registry.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .queues import by_queue
from .state import (
    FINISHED,
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

#: Signs in a FailedCreate message that no later try will fare better. A used-up quota is none: pods end and free it.
#: "error looking up service account" is none either: it is the race with a namespace's very first seconds.
_HOPELESS_CREATE = (
    "violates PodSecurity",
    " is invalid: ",
    "unable to validate against any security context constraint",
)


def _wanted(obj: Mapping[str, Any]) -> int:
    replicas = spec_of(obj).get("replicas")
    return 1 if replicas is None else int(replicas)


def _pods_refused(obj: Mapping[str, Any], counted: str) -> Readiness | None:
    """The answer while the API refuses the pods, which the controller says in its condition ReplicaFailure."""
    refused = condition(obj, "ReplicaFailure")
    if refused is None or refused.get("status") != "True":
        return None
    text = f"{counted}; pods are refused: {why(refused)}"
    if any(sign in (refused.get("message") or "") for sign in _HOPELESS_CREATE):
        return failed(text)
    return waiting(text)


def deployment(obj: Mapping[str, Any]) -> Readiness:
    """All replicas of the newest template are available and none of an older one is left."""
    behind = unseen_generation(obj)
    if behind is not None:
        return behind
    wanted, status = _wanted(obj), status_of(obj)
    updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    existing = status.get("replicas") or 0
    # Availability goes first: a Deployment that got there late keeps no grudge about its progress deadline.
    if updated >= wanted and available >= wanted and existing <= updated and updated <= wanted:
        return READY
    counted = f"{available} of {wanted} replicas available"
    progressing = condition(obj, "Progressing")
    refused = _pods_refused(obj, counted)
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed(f"{refused.cause if refused else counted}; {why(progressing)}")
    if refused is not None:
        return refused
    if spec_of(obj).get("paused"):
        return waiting(f"{counted}; the Deployment is paused")
    if updated < wanted:
        return waiting(f"{counted}; {updated} of {wanted} have the newest template")
    if existing > updated:
        return waiting(f"{counted}; {existing - updated} of an older template are left")
    return waiting(counted)


def replica_set(obj: Mapping[str, Any]) -> Readiness:
    """Exactly the wanted replicas exist and are available. Also for ReplicationController."""
    behind = unseen_generation(obj)
    if behind is not None:
        return behind
    wanted, status = _wanted(obj), status_of(obj)
    available = status.get("availableReplicas") or 0
    existing = status.get("replicas") or 0
    if existing == wanted and available >= wanted:
        return READY
    counted = f"{available} of {wanted} replicas available"
    return _pods_refused(obj, counted) or waiting(counted)


def stateful_set(obj: Mapping[str, Any]) -> Readiness:
    """The wanted replicas are ready and carry the newest revision, as far as its update strategy brings them there."""
    behind = unseen_generation(obj)
    if behind is not None:
        return behind
    wanted, status = _wanted(obj), status_of(obj)
    ready = status.get("readyReplicas") or 0
    # availableReplicas is ready for minReadySeconds; servers older than 1.22 don't have it.
    available = status.get("availableReplicas", ready) or 0
    existing = status.get("replicas") or 0
    counted = f"{ready} of {wanted} replicas ready"
    if existing > wanted:
        return waiting(f"{counted}; {existing - wanted} too many are left")
    if existing < wanted or ready < wanted:
        return waiting(counted)
    if available < wanted:
        return waiting(f"{counted}, {available} for minReadySeconds")
    return _updated_set(obj, wanted, counted)


def _updated_set(obj: Mapping[str, Any], wanted: int, counted: str) -> Readiness:
    status = status_of(obj)
    strategy = spec_of(obj).get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return READY
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    updated = status.get("updatedReplicas") or 0
    if partition:
        due = max(0, wanted - partition)
        return READY if updated >= due else waiting(f"{counted}; {updated} of {due} have the newest revision")
    if status.get("currentRevision") != status.get("updateRevision"):
        return waiting(f"{counted}; {updated} of {wanted} have the newest revision")
    return READY


def daemon_set(obj: Mapping[str, Any]) -> Readiness:
    """A pod of the newest template is available on every node that it is meant for, be that none."""
    behind = unseen_generation(obj)
    if behind is not None:
        return behind
    status = status_of(obj)
    wanted = status.get("desiredNumberScheduled") or 0
    available = status.get("numberAvailable") or 0
    updated = status.get("updatedNumberScheduled") or 0
    counted = f"{available} of {wanted} nodes have it available"
    on_delete = (spec_of(obj).get("updateStrategy") or {}).get("type") == "OnDelete"
    if not on_delete and updated < wanted:
        return waiting(f"{counted}; {updated} of {wanted} have the newest template")
    return READY if available >= wanted else waiting(counted)


def job(obj: Mapping[str, Any]) -> Readiness:
    """Condition Complete or Failed; SuccessCriteriaMet and FailureTarget only announce them, pods still run."""
    failure = condition(obj, "Failed")
    if failure is not None and failure.get("status") == "True":
        return failed(why(failure) or "the Job failed without saying why")
    if is_true(obj, "Complete"):
        return FINISHED
    spec, status = spec_of(obj), status_of(obj)
    completions = spec.get("completions")
    wanted = completions if completions is not None else spec.get("parallelism", 1)
    counted = f"{status.get('succeeded') or 0} of {wanted} pods succeeded, {status.get('active') or 0} active"
    if status.get("failed"):
        counted += f", {status['failed']} failed"
    if spec.get("suspend") or is_true(obj, "Suspended"):
        return waiting(f"{counted}; the Job is suspended{by_queue(obj)}")
    target = condition(obj, "FailureTarget")
    if target is not None and target.get("status") == "True":
        return waiting(f"{counted}; failing: {why(target)}")
    return waiting(counted)


def namespace(obj: Mapping[str, Any]) -> Readiness:
    """Phase Active."""
    # Its ServiceAccount "default" is another object; who needs that, watches it.
    phase = status_of(obj).get("phase")
    if phase == "Terminating" or obj["metadata"].get("deletionTimestamp"):
        return failed("is being deleted (phase Terminating)")
    return READY if phase == "Active" else waiting(f"phase {phase or 'unknown'}")


def service(obj: Mapping[str, Any]) -> Readiness:
    """Type LoadBalancer: an address is there. Every other type is ready as soon as it is stored."""
    if spec_of(obj).get("type") != "LoadBalancer":
        return READY
    if (status_of(obj).get("loadBalancer") or {}).get("ingress"):
        return READY
    return waiting("the load balancer has no address yet")


def pod_disruption_budget(obj: Mapping[str, Any]) -> Readiness:
    """As many pods are healthy as the budget requires; whether one more may be evicted does not matter."""
    allowed = condition(obj, "DisruptionAllowed")
    # A controller that cannot count the pods does not update observedGeneration either.
    if allowed is not None and allowed.get("reason") == "SyncFailed":
        return waiting(f"its pods cannot be counted: {why(allowed)}")
    behind = unseen_generation(obj)
    if behind is not None:
        return behind
    status = status_of(obj)
    healthy, required = status.get("currentHealthy") or 0, status.get("desiredHealthy") or 0
    if healthy >= required:
        return READY
    counted = f"{healthy} of {required} pods healthy"
    return waiting(counted if status.get("expectedPods") else f"{counted}; its selector matches no pod")


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
