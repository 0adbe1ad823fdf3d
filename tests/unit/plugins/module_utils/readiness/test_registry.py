"""When an object is ready: one row per case, among them those that other tools get wrong."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.readiness import kinds
from ansible_collections.kubestress.core.plugins.module_utils.readiness.registry import (
    State,
    documented_kinds,
    finishes,
    has_predicate,
    predicate_for,
    readiness_of,
)
from ansible_collections.kubestress.core.plugins.modules import wait

READY, FINISHED, WAITING, FAILED = State.READY, State.FINISHED, State.WAITING, State.FAILED


@dataclass
class Case:
    """An object's spec and status, and its expected state. `causes` are parts of the expected cause."""

    name: str
    kind: str
    state: State
    causes: tuple[str, ...] = ()
    spec: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    api_version: str = "v1"


def cond(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def running(*containers: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {
        "phase": "Pending",
        "conditions": [cond("PodScheduled"), cond("Ready", "False", "ContainersNotReady")],
        "containerStatuses": list(containers),
        **rest,
    }


def held(reason: str, message: str = "", **rest: Any) -> dict[str, Any]:
    return {"name": "main", "ready": False, "state": {"waiting": {"reason": reason, "message": message}}, **rest}


def ended(reason: str, code: int, **rest: Any) -> dict[str, Any]:
    return {"name": "main", "ready": False, "state": {"terminated": {"reason": reason, "exitCode": code}}, **rest}


def apps(name: str, kind: str, state: State, *causes: str, generation: int = 1, **rest: Any) -> Case:
    return Case(name, kind, state, causes, metadata={"generation": generation}, api_version="apps/v1", **rest)


def batch(name: str, state: State, *causes: str, **rest: Any) -> Case:
    return Case(name, "Job", state, causes, api_version="batch/v1", **rest)


def budget(
    name: str, state: State, *causes: str, reason: str = "SufficientPods", message: str = "", **counts: int
) -> Case:
    allowed = cond("DisruptionAllowed", "True" if reason == "SufficientPods" else "False", reason, message)
    status = {"observedGeneration": 1, "conditions": [allowed], **counts}
    return Case(
        name, "PodDisruptionBudget", state, causes, status=status, metadata={"generation": 1}, api_version="policy/v1"
    )


DEADLINE = cond("Progressing", "False", "ProgressDeadlineExceeded", 'ReplicaSet "x" has timed out progressing.')
QUOTA = cond("ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: exceeded quota: q, requested: pods=1')
POLICY = cond("ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: violates PodSecurity "restricted"')
NO_ACCOUNT = cond("ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: error looking up service account')


def deployed(**counts: int) -> dict[str, Any]:
    return {"observedGeneration": 1, **counts}


ALL_THREE = deployed(replicas=3, updatedReplicas=3, readyReplicas=3, availableReplicas=3)

DEPLOYMENTS = [
    apps("fresh, no status", "Deployment", WAITING, "generation 0 of 1", spec={"replicas": 3}),
    apps("all available", "Deployment", READY, spec={"replicas": 3}, status=ALL_THREE),
    apps(
        "status of an older spec",
        "Deployment",
        WAITING,
        "generation 1 of 2",
        generation=2,
        spec={"replicas": 3},
        status=ALL_THREE,
    ),
    apps("no replicas wanted, none there", "Deployment", READY, spec={"replicas": 0}, status=deployed()),
    apps("no replicas wanted, not seen yet", "Deployment", WAITING, "generation 0", spec={"replicas": 0}),
    apps(
        "scaling down to none",
        "Deployment",
        WAITING,
        spec={"replicas": 0},
        status=deployed(replicas=2, updatedReplicas=2, availableReplicas=2),
    ),
    apps("replicas left out means 1", "Deployment", WAITING, "0 of 1", status=deployed(replicas=1, updatedReplicas=1)),
    apps(
        "some unavailable",
        "Deployment",
        WAITING,
        "1 of 3 replicas available",
        spec={"replicas": 3},
        status=deployed(replicas=3, updatedReplicas=3, availableReplicas=1),
    ),
    apps(
        "old pods still there",
        "Deployment",
        WAITING,
        "1 of an older template",
        spec={"replicas": 3},
        status=deployed(replicas=4, updatedReplicas=3, availableReplicas=4),
    ),
    apps(
        "available ones are old ones",
        "Deployment",
        WAITING,
        "0 of 3 have the newest",
        spec={"replicas": 3},
        status=deployed(replicas=3, availableReplicas=3),
    ),
    apps(
        "progress deadline exceeded",
        "Deployment",
        FAILED,
        "0 of 1",
        "ProgressDeadlineExceeded",
        "timed out",
        status=deployed(replicas=1, updatedReplicas=1) | {"conditions": [DEADLINE]},
    ),
    apps(
        "late, but there",
        "Deployment",
        READY,
        status=deployed(replicas=1, updatedReplicas=1, availableReplicas=1) | {"conditions": [DEADLINE]},
    ),
    apps(
        "quota used up: may pass",
        "Deployment",
        WAITING,
        "exceeded quota",
        status=deployed() | {"conditions": [QUOTA]},
    ),
    apps(
        "pod security says no: never",
        "Deployment",
        FAILED,
        "violates PodSecurity",
        status=deployed() | {"conditions": [POLICY]},
    ),
    apps(
        "service account not there yet: passes",
        "Deployment",
        WAITING,
        "service account",
        status=deployed() | {"conditions": [NO_ACCOUNT]},
    ),
    apps(
        "deadline names the refusal too",
        "Deployment",
        FAILED,
        "exceeded quota",
        "ProgressDeadlineExceeded",
        status=deployed() | {"conditions": [QUOTA, DEADLINE]},
    ),
    apps("paused", "Deployment", WAITING, "paused", spec={"paused": True}, status=deployed()),
    Case(
        "being deleted",
        "Deployment",
        WAITING,
        ("being deleted",),
        {"replicas": 0},
        deployed(),
        {"generation": 1, "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "apps/v1",
    ),
]

SETS = [
    apps("fresh", "StatefulSet", WAITING, "generation 0", spec={"replicas": 2}),
    apps(
        "all there",
        "StatefulSet",
        READY,
        spec={"replicas": 2},
        status=deployed(replicas=2, readyReplicas=2, availableReplicas=2, updatedReplicas=2)
        | {"currentRevision": "a", "updateRevision": "a"},
    ),
    apps(
        "all ready, in the old revision",
        "StatefulSet",
        WAITING,
        "0 of 2 have the newest revision",
        spec={"replicas": 2},
        status=deployed(replicas=2, readyReplicas=2, availableReplicas=2)
        | {"currentRevision": "a", "updateRevision": "b"},
    ),
    apps(
        "updated as far as the partition wants",
        "StatefulSet",
        READY,
        spec={"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
        status=deployed(replicas=3, readyReplicas=3, availableReplicas=3, updatedReplicas=1)
        | {"currentRevision": "a", "updateRevision": "b"},
    ),
    apps(
        "not yet as far as the partition",
        "StatefulSet",
        WAITING,
        "0 of 1 have the newest",
        spec={"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
        status=deployed(replicas=3, readyReplicas=3, availableReplicas=3)
        | {"currentRevision": "a", "updateRevision": "b"},
    ),
    apps(
        "OnDelete never updates by itself",
        "StatefulSet",
        READY,
        spec={"replicas": 1, "updateStrategy": {"type": "OnDelete"}},
        status=deployed(replicas=1, readyReplicas=1) | {"currentRevision": "a", "updateRevision": "b"},
    ),
    apps(
        "minReadySeconds not over",
        "StatefulSet",
        WAITING,
        "0 for minReadySeconds",
        spec={"replicas": 1},
        status=deployed(replicas=1, readyReplicas=1, availableReplicas=0),
    ),
    apps(
        "too many left",
        "StatefulSet",
        WAITING,
        "1 too many",
        spec={"replicas": 1},
        status=deployed(replicas=2, readyReplicas=2),
    ),
    apps("no replicas", "StatefulSet", READY, spec={"replicas": 0}, status=deployed(replicas=0)),
    apps(
        "replica set short",
        "ReplicaSet",
        WAITING,
        "1 of 2",
        spec={"replicas": 2},
        status=deployed(replicas=2, availableReplicas=1),
    ),
    apps(
        "replica set there", "ReplicaSet", READY, spec={"replicas": 2}, status=deployed(replicas=2, availableReplicas=2)
    ),
    apps("replica set refused", "ReplicaSet", FAILED, "PodSecurity", status=deployed() | {"conditions": [POLICY]}),
    apps("daemon set, fresh", "DaemonSet", WAITING, "generation 0"),
    apps("daemon set, no node for it", "DaemonSet", READY, status=deployed(desiredNumberScheduled=0)),
    apps(
        "daemon set, half",
        "DaemonSet",
        WAITING,
        "1 of 2 nodes",
        status=deployed(desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=1),
    ),
    apps(
        "daemon set, old template",
        "DaemonSet",
        WAITING,
        "1 of 2 have the newest",
        status=deployed(desiredNumberScheduled=2, updatedNumberScheduled=1, numberAvailable=2),
    ),
    apps(
        "daemon set, there",
        "DaemonSet",
        READY,
        status=deployed(desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=2),
    ),
]

JOBS = [
    batch("fresh", WAITING, "0 of 3 pods succeeded", spec={"completions": 3}),
    batch("complete", FINISHED, status={"succeeded": 3, "conditions": [cond("Complete")]}),
    batch(
        "failed ends the wait",
        FAILED,
        "BackoffLimitExceeded: Job has reached",
        status={"conditions": [cond("Failed", "True", "BackoffLimitExceeded", "Job has reached the backoff limit")]},
    ),
    batch(
        "past its deadline",
        FAILED,
        "DeadlineExceeded",
        status={"conditions": [cond("FailureTarget"), cond("Failed", "True", "DeadlineExceeded", "too long")]},
    ),
    batch(
        "will fail, pods still end",
        WAITING,
        "failing: PodFailurePolicy",
        status={"active": 2, "conditions": [cond("FailureTarget", "True", "PodFailurePolicy")]},
    ),
    batch(
        "will complete, pods still end",
        WAITING,
        "1 active",
        status={"active": 1, "succeeded": 3, "conditions": [cond("SuccessCriteriaMet")]},
    ),
    batch("suspended", WAITING, "suspended", spec={"suspend": True}, status={"conditions": [cond("Suspended")]}),
    batch("resumed", WAITING, "0 of 1", spec={"suspend": False}, status={"conditions": [cond("Suspended", "False")]}),
    batch("some failed, retries left", WAITING, "1 failed", status={"failed": 1, "active": 1}),
    batch("a condition that is False", WAITING, status={"conditions": [cond("Complete", "False")]}),
]

PODS = [
    Case("ready", "Pod", READY, status={"phase": "Running", "conditions": [cond("Ready")]}),
    Case(
        "succeeded counts",
        "Pod",
        FINISHED,
        status={"phase": "Succeeded", "conditions": [cond("Ready", "False", "PodCompleted")]},
    ),
    Case(
        "evicted",
        "Pod",
        FAILED,
        ("Evicted: low on memory",),
        status={"phase": "Failed", "reason": "Evicted", "message": "low on\nmemory"},
    ),
    Case(
        "killed for memory",
        "Pod",
        FAILED,
        ("container main: OOMKilled (exit code 137)",),
        status={"phase": "Failed", "containerStatuses": [ended("OOMKilled", 137)]},
    ),
    Case(
        "being deleted, still ready",
        "Pod",
        WAITING,
        ("being deleted",),
        {},
        {"phase": "Running", "conditions": [cond("Ready")]},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
    ),
    Case("no scheduler", "Pod", WAITING, ("default-scheduler has not looked",), status={"phase": "Pending"}),
    Case(
        "unschedulable",
        "Pod",
        WAITING,
        ("Unschedulable: 0/3 nodes",),
        status={
            "phase": "Pending",
            "conditions": [cond("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")],
        },
    ),
    Case(
        "gated",
        "Pod",
        WAITING,
        ("SchedulingGated",),
        status={
            "phase": "Pending",
            "conditions": [cond("PodScheduled", "False", "SchedulingGated", "waiting for gates")],
        },
    ),
    Case(
        "kubelet silent",
        "Pod",
        WAITING,
        ("kubelet of n1",),
        {"nodeName": "n1"},
        {"phase": "Pending", "conditions": [cond("PodScheduled")]},
    ),
    Case(
        "image cannot be pulled",
        "Pod",
        WAITING,
        ("container main: ImagePullBackOff: Back-off",),
        status=running(held("ImagePullBackOff", "Back-off pulling image")),
    ),
    Case(
        "image name that cannot be one",
        "Pod",
        FAILED,
        ("InvalidImageName",),
        status=running(held("InvalidImageName", "couldn't parse image")),
    ),
    Case(
        "crash loop",
        "Pod",
        WAITING,
        ("CrashLoopBackOff after 4 restarts, last: OOMKilled (exit code 137)",),
        status=running(
            held(
                "CrashLoopBackOff",
                "back-off 5m",
                restartCount=4,
                lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            )
        ),
    ),
    Case(
        "init container crashed",
        "Pod",
        WAITING,
        ("container init: Error (exit code 3)",),
        status={
            "phase": "Pending",
            "conditions": [cond("PodScheduled")],
            "initContainerStatuses": [{"name": "init", "state": {"terminated": {"exitCode": 3}}}],
            "containerStatuses": [held("PodInitializing")],
        },
    ),
    Case(
        "the container with a reason goes first",
        "Pod",
        WAITING,
        ("ErrImagePull",),
        status=running(held("PodInitializing") | {"name": "a"}, held("ErrImagePull", "no such host")),
    ),
    Case(
        "probe not answered",
        "Pod",
        WAITING,
        ("container main: runs, but its readiness probe",),
        status=running({"name": "main", "ready": False, "state": {"running": {}}}, phase="Running"),
    ),
    Case(
        "readiness gate closed",
        "Pod",
        WAITING,
        ("readiness gate x/y",),
        {"readinessGates": [{"conditionType": "x/y"}]},
        running({"name": "main", "ready": True, "state": {"running": {}}}, phase="Running"),
    ),
]

OTHERS = [
    Case("active", "Namespace", READY, status={"phase": "Active"}),
    Case("terminating never comes back", "Namespace", FAILED, ("Terminating",), status={"phase": "Terminating"}),
    Case("fresh", "Namespace", WAITING, ("phase unknown",)),
    Case("bound", "PersistentVolumeClaim", READY, status={"phase": "Bound"}),
    Case(
        "pending",
        "PersistentVolumeClaim",
        WAITING,
        ("storage class fast",),
        {"storageClassName": "fast"},
        {"phase": "Pending"},
    ),
    Case("lost", "PersistentVolumeClaim", FAILED, ("pv-1 is gone",), {"volumeName": "pv-1"}, {"phase": "Lost"}),
    Case("available", "PersistentVolume", READY, status={"phase": "Available"}),
    Case(
        "failed",
        "PersistentVolume",
        FAILED,
        ("VolumeFailedDelete",),
        status={"phase": "Failed", "reason": "VolumeFailedDelete"},
    ),
    Case("cluster IP", "Service", READY, spec={"type": "ClusterIP"}, status={"loadBalancer": {}}),
    Case(
        "balancer without address", "Service", WAITING, ("no address",), {"type": "LoadBalancer"}, {"loadBalancer": {}}
    ),
    Case(
        "balancer", "Service", READY, (), {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    ),
    Case(
        "not ready",
        "Node",
        WAITING,
        ("KubeletNotReady: PLEG",),
        status={"conditions": [cond("Ready", "False", "KubeletNotReady", "PLEG is not healthy")]},
    ),
    Case(
        "established",
        "CustomResourceDefinition",
        READY,
        status={"conditions": [cond("Established")]},
        api_version="apiextensions.k8s.io/v1",
    ),
    Case(
        "name taken",
        "CustomResourceDefinition",
        FAILED,
        ("PluralConflict",),
        api_version="apiextensions.k8s.io/v1",
        status={"conditions": [cond("NamesAccepted", "False", "PluralConflict"), cond("Established", "False")]},
    ),
    Case(
        "backend away",
        "APIService",
        WAITING,
        ("ServiceNotFound",),
        api_version="apiregistration.k8s.io/v1",
        status={"conditions": [cond("Available", "False", "ServiceNotFound")]},
    ),
    Case("ready when stored", "ConfigMap", READY),
    Case("own group, no readiness", "Role", READY, api_version="rbac.authorization.k8s.io/v1"),
    Case(
        "a custom resource without status",
        "Widget",
        WAITING,
        ("no condition Ready",),
        api_version="example.com/v1",
    ),
    Case(
        "a custom resource, ready",
        "Widget",
        READY,
        status={"conditions": [cond("Ready")]},
        api_version="example.com/v1",
    ),
    Case(
        "a custom resource, ready before its last change",
        "Widget",
        WAITING,
        ("generation 1 of 2",),
        status={"observedGeneration": 1, "conditions": [cond("Ready")]},
        metadata={"generation": 2},
        api_version="example.com/v1",
    ),
    Case(
        "same kind of another group",
        "Service",
        WAITING,
        ("IngressNotConfigured",),
        status={"conditions": [cond("Ready", "Unknown", "IngressNotConfigured")]},
        api_version="serving.knative.dev/v1",
    ),
]

BUDGETS = [
    budget("met", READY, expectedPods=3, desiredHealthy=2, currentHealthy=3),
    budget(
        "met, with none to spare", READY, reason="InsufficientPods", expectedPods=2, desiredHealthy=2, currentHealthy=2
    ),
    budget("asks for none", READY, expectedPods=0, desiredHealthy=0, currentHealthy=0),
    budget(
        "not met",
        WAITING,
        "1 of 2 pods healthy",
        reason="InsufficientPods",
        expectedPods=3,
        desiredHealthy=2,
        currentHealthy=1,
    ),
    budget(
        "no pod selected", WAITING, "0 of 2 pods healthy; its selector matches no pod", expectedPods=0, desiredHealthy=2
    ),
    budget(
        "pods without a controller",
        WAITING,
        "cannot be counted: SyncFailed: found no controllers",
        reason="SyncFailed",
        message='found no controllers for pod "x"',
        observedGeneration=0,
    ),
    budget("older spec", WAITING, "generation 0 of 1", observedGeneration=0, desiredHealthy=0),
]


def sized(name: str, state: State, *causes: str, wanted: str = "2Gi", real: str = "1Gi", **status: Any) -> Case:
    """A bound claim that asks for a size and has one."""
    return Case(
        name,
        "PersistentVolumeClaim",
        state,
        causes,
        {"resources": {"requests": {"storage": wanted}}},
        {"phase": "Bound", "capacity": {"storage": real}, **status},
    )


def stored(name: str, kind: str, state: State, *causes: str, spec: Any = None, **status: Any) -> Case:
    """A snapshot, its content or an attachment."""
    version = "storage.k8s.io/v1" if kind == "VolumeAttachment" else "snapshot.storage.k8s.io/v1"
    return Case(name, kind, state, causes, spec or {}, status or None, api_version=version)


SNAPSHOT, CONTENT, ATTACHMENT = "VolumeSnapshot", "VolumeSnapshotContent", "VolumeAttachment"
REFUSED = {"message": "rpc error: code = Unimplemented\n no snapshots"}
GROWING = {"conditions": [cond("FileSystemResizePending")]}
STORAGE = [
    sized("as large as it asks for", READY, real="2Gi"),
    sized("the driver rounded up", READY, wanted="1000M", real="1Gi"),
    sized("to be expanded", WAITING, "has 1Gi of 2Gi; nobody has begun"),
    sized("being expanded", WAITING, "its driver is expanding it", conditions=[cond("Resizing")]),
    sized("waits for a pod to grow its file system", WAITING, "when a pod mounts it", **GROWING),
    sized(
        "expansion failed, tried again",
        WAITING,
        "ControllerResizeError: no space",
        conditions=[cond("ControllerResizeError", message="no\n space")],
    ),
    sized(
        "cannot be expanded",
        FAILED,
        "cannot expand it (ControllerResizeInfeasible)",
        allocatedResourceStatuses={"storage": "ControllerResizeInfeasible"},
    ),
    stored("fresh", SNAPSHOT, WAITING, "no snapshot controller has looked at it"),
    stored("no content yet", SNAPSHOT, WAITING, "has no content yet", readyToUse=False),
    stored("cut", SNAPSHOT, WAITING, "snapcontent-1", boundVolumeSnapshotContentName="snapcontent-1"),
    stored("ready", SNAPSHOT, READY, readyToUse=True),
    stored("refused by the driver", SNAPSHOT, WAITING, "Unimplemented no snapshots", error=REFUSED),
    stored("ready after an error", SNAPSHOT, READY, readyToUse=True, error=REFUSED),
    stored("fresh", CONTENT, WAITING, "csi.example.com has not reported", spec={"driver": "csi.example.com"}),
    stored("refused", CONTENT, WAITING, "Unimplemented", error=REFUSED),
    stored("ready", CONTENT, READY, readyToUse=True),
    stored(
        "fresh",
        ATTACHMENT,
        WAITING,
        "csi.x has not attached it to node n-1",
        spec={"attacher": "csi.x", "nodeName": "n-1"},
    ),
    stored("attached", ATTACHMENT, READY, attached=True),
    stored("refused", ATTACHMENT, WAITING, "not attached: an error without", attached=False, attachError={"time": "x"}),
]


def jobs(
    name: str, state: State, *causes: str, spec: dict[str, Any] | None = None, restarts: int = 0, **status: Any
) -> Case:
    """A JobSet of two Jobs, which may be restarted once."""
    given = {"restarts": restarts, **status} if status else None
    wanted = {"replicatedJobs": [{"name": "slice-job", "replicas": 2}], "failurePolicy": {"maxRestarts": 1}}
    return Case(
        name, "JobSet", state, causes, {**wanted, **(spec or {})}, given, api_version="jobset.x-k8s.io/v1alpha2"
    )


def counted(**counts: int) -> list[dict[str, Any]]:
    return [{"name": "slice-job", **counts}]


def kueue(name: str, kind: str, state: State, *causes: str, spec: dict[str, Any] | None = None, **status: Any) -> Case:
    return Case(name, kind, state, causes, spec or {}, status, {"generation": 2}, api_version="kueue.x-k8s.io/v1beta2")


NO_QUOTA = cond("QuotaReserved", "False", "WaitingForQuota", "insufficient unused quota for google.com/tpu, 4 more")
EVICTED = cond("Evicted", "True", "Preempted", "Preempted to accommodate a workload of higher priority")
IN_QUEUE = {"queueName": "team-a"}

QUEUES = [
    jobs("fresh", WAITING, "0 of 2 Jobs succeeded", "no controller has looked at it"),
    jobs(
        "runs",
        WAITING,
        "1 of 2 Jobs succeeded, 1 active, 1 ready",
        replicatedJobsStatus=counted(succeeded=1, active=1, ready=1, failed=0, suspended=0),
    ),
    jobs(
        "was restarted", WAITING, "1 failed; restarted 1 of 1 times", restarts=1, replicatedJobsStatus=counted(failed=1)
    ),
    jobs(
        "suspended",
        WAITING,
        "the JobSet is suspended",
        spec={"suspend": True},
        replicatedJobsStatus=counted(suspended=2),
    ),
    Case(
        "in a queue",
        "Job",
        WAITING,
        ("the Job is suspended, queue team-a has not admitted it",),
        {"suspend": True},
        metadata={"labels": {"kueue.x-k8s.io/queue-name": "team-a"}},
        api_version="batch/v1",
    ),
    jobs("complete", State.FINISHED, conditions=[cond("Completed", "True", "AllJobsCompleted")]),
    jobs(
        "failed",
        FAILED,
        "ReachedMaxRestarts: jobset failed due to reaching max number of restarts; restarted 1 of 1 times",
        restarts=1,
        conditions=[
            cond("Failed", "True", "ReachedMaxRestarts", "jobset failed due to reaching max number of restarts")
        ],
    ),
    kueue("fresh", "Workload", WAITING, "team-a: no quota is reserved", spec=IN_QUEUE),
    kueue(
        "waits",
        "Workload",
        WAITING,
        "team-a: WaitingForQuota: insufficient unused",
        spec=IN_QUEUE,
        conditions=[NO_QUOTA],
    ),
    kueue(
        "evicted", "Workload", WAITING, "WaitingForQuota", "evicted before: Preempted", conditions=[NO_QUOTA, EVICTED]
    ),
    kueue("deactivated", "Workload", WAITING, "it is deactivated", spec={**IN_QUEUE, "active": False}),
    kueue(
        "reserved, not admitted",
        "Workload",
        WAITING,
        "UnsatisfiedAdmissionChecks",
        conditions=[cond("QuotaReserved"), cond("Admitted", "False", "UnsatisfiedAdmissionChecks")],
    ),
    kueue("admitted", "Workload", READY, conditions=[cond("QuotaReserved"), cond("Admitted")]),
    kueue("finished", "Workload", State.FINISHED, conditions=[cond("Finished"), cond("Admitted", "False")]),
    kueue("fresh", "ClusterQueue", WAITING, "is not active yet"),
    kueue(
        "flavor missing",
        "ClusterQueue",
        WAITING,
        "FlavorNotFound: no flavor x",
        conditions=[cond("Active", "False", "FlavorNotFound", "no flavor x")],
    ),
    kueue("active", "ClusterQueue", READY, conditions=[cond("Active")]),
    kueue("active", "LocalQueue", READY, conditions=[{**cond("Active"), "observedGeneration": 2}]),
    kueue(
        "active, but changed",
        "LocalQueue",
        WAITING,
        "generation 1 of 2",
        conditions=[{**cond("Active"), "observedGeneration": 1}],
    ),
]

CASES = QUEUES + BUDGETS + DEPLOYMENTS + SETS + JOBS + PODS + OTHERS + STORAGE


def built(case: Case) -> dict[str, Any]:
    return {
        "apiVersion": case.api_version,
        "kind": case.kind,
        "metadata": {"name": "x", **case.metadata},
        "spec": case.spec,
        **({} if case.status is None else {"status": case.status}),
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_state_and_cause(case: Case) -> None:
    answer = readiness_of(built(case))
    assert answer.state is case.state, answer
    for part in case.causes:
        assert part in answer.cause
    # An object that waits or failed has a cause; one that is ready has none.
    assert bool(answer.cause) is (answer.state in (WAITING, FAILED))
    assert "\n" not in answer.cause


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_an_item_of_a_list_has_no_kind_of_its_own(case: Case) -> None:
    item = built(case)
    del item["kind"], item["apiVersion"]
    assert readiness_of(item, api_version=case.api_version, kind=case.kind) == readiness_of(built(case))


def test_without_any_kind_nothing_is_guessed() -> None:
    with pytest.raises(ValueError, match="no kind"):
        readiness_of({"metadata": {"name": "x"}})


@pytest.mark.parametrize(
    ("api_version", "kind", "has_status", "expected"),
    [
        ("apps/v1", "Deployment", True, True),
        ("v1", "Namespace", True, True),
        ("v1", "ConfigMap", True, False),
        ("rbac.authorization.k8s.io/v1", "Role", True, False),
        ("v1", "Service", True, True),
        ("serving.knative.dev/v1", "Service", True, True),
        ("example.com/v1", "Widget", True, True),
        ("example.com/v1", "Widget", False, False),
    ],
)
def test_has_predicate(api_version: str, kind: str, has_status: bool, expected: bool) -> None:
    assert has_predicate(api_version, kind, has_status=has_status) is expected


def test_a_custom_kind_without_a_status_is_ready_when_it_is_stored() -> None:
    widget = {"metadata": {"name": "x"}}
    assert predicate_for("example.com/v1", "Widget", has_status=False)(widget).is_ready
    assert not predicate_for("example.com/v1", "Widget")(widget).is_ready


def test_only_jobs_and_pods_finish() -> None:
    assert [row["kind"] for row in documented_kinds() if row["finished"]] == ["Pod", "Job", "JobSet"]
    assert finishes("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert finishes("batch/v1", "Job")
    assert not finishes("batch/v1", "CronJob")


def test_every_documented_kind_has_cases_here_and_says_what_ready_means() -> None:
    tried = {case.kind for case in CASES} | {"ReplicationController"}
    for row in documented_kinds():
        assert row["kind"] in tried
        assert row["ready"].endswith(".")


def test_a_predicate_is_looked_up_once_and_called_often() -> None:
    judge = predicate_for("apps/v1", "Deployment")
    assert judge({"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}).is_ready


def test_the_documentation_of_wait_names_every_kind_of_the_registry() -> None:
    text = " ".join(yaml.safe_load(wait.DOCUMENTATION)["description"])
    for row in documented_kinds():
        assert row["kind"] in text


def test_the_example_of_the_contributors_guide_is_the_code_that_runs() -> None:
    guide = (Path(__file__).parents[5] / "docs" / "development.md").read_text()
    assert inspect.getsource(kinds.pod_disruption_budget) in guide
