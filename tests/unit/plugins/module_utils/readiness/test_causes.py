"""Why something is not ready: its own words, those of its pods, and those of events."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.readiness.causes import (
    explained,
    pod_selector,
    pods_of,
    selects,
)
from ansible_collections.kubestress.core.plugins.module_utils.readiness.registry import (
    State,
    cause_of,
    pod_cause,
    pod_reason,
    readiness_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.readiness.state import failed

SELECTOR = {"matchLabels": {"app": "x"}}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "a", "uid": "d1", "generation": 1},
    "spec": {"replicas": 3, "selector": SELECTOR},
    "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3},
}


def a_pod(name: str, reason: str | None, **metadata: Any) -> dict[str, Any]:
    """A pod of the Deployment whose container waits for `reason`, or is ready."""
    state = {"waiting": {"reason": reason, "message": "because"}} if reason else {"running": {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "a",
            "uid": f"uid-{name}",
            "labels": {"app": "x"},
            "ownerReferences": [{"kind": "ReplicaSet", "uid": "rs1"}],
            **metadata,
        },
        "spec": {"containers": [{"name": "main"}], "nodeName": "n1"},
        "status": {
            "phase": "Running" if not reason else "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "False" if reason else "True"},
            ],
            "containerStatuses": [{"name": "main", "ready": not reason, "state": state}],
        },
    }


def an_event(uid: str, reason: str, message: str, *, kind: str = "Warning", at: str = "2026-01-01T00:00:00Z") -> Any:
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": at, "involvedObject": {"uid": uid}}


def test_causes_of_pods_are_grouped_and_the_commonest_comes_first() -> None:
    pods = [a_pod("p1", "ImagePullBackOff"), a_pod("p2", "ImagePullBackOff"), a_pod("p3", "CreateContainerError")]
    cause = cause_of(DEPLOYMENT, pods)
    assert cause.startswith("0 of 3 replicas available; pod p1 and 1 more: container main: ImagePullBackOff: because; ")
    assert cause.endswith("pod p3: container main: CreateContainerError: because")


def test_a_ready_object_has_no_cause() -> None:
    ready = {**DEPLOYMENT, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}
    assert cause_of(ready, [a_pod("p1", "ImagePullBackOff")]) == ""


def test_pods_that_can_never_start_end_the_wait_for_their_controller() -> None:
    pods = [a_pod("p1", "InvalidImageName"), a_pod("p2", None)]
    answer = explained(DEPLOYMENT, readiness_of(DEPLOYMENT), pods=pods)
    assert answer.state is State.FAILED
    assert "InvalidImageName" in answer.cause


def test_one_hopeless_pod_among_hopeful_ones_does_not() -> None:
    # In the middle of a correction: the old template's pod is hopeless, the new one's is only slow.
    pods = [a_pod("p1", "InvalidImageName"), a_pod("p2", "ContainerCreating")]
    assert explained(DEPLOYMENT, readiness_of(DEPLOYMENT), pods=pods).state is State.WAITING


def test_a_job_that_waits_for_a_crashing_pod_names_it() -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "a", "uid": "j1"},
        "spec": {"completions": 2},
    }
    pod = a_pod("j-1", "CrashLoopBackOff", ownerReferences=[{"kind": "Job", "uid": "j1"}])
    assert "pod j-1: container main: CrashLoopBackOff after 0 restarts" in cause_of(job, [pod])


def test_an_event_tells_why_a_pod_is_still_creating_its_containers() -> None:
    pod = a_pod("p1", "ContainerCreating")
    assert pod_cause(pod) == "container main: ContainerCreating"
    events = [
        an_event("uid-p1", "FailedCreatePodSandBox", "old", at="2026-01-01T00:00:00Z"),
        an_event(
            "uid-p1",
            "FailedCreatePodSandBox",
            "fork/exec: resource\n temporarily unavailable",
            at="2026-01-01T00:00:09Z",
        ),
        an_event("uid-p2", "FailedMount", "another pod's"),
    ]
    told = "FailedCreatePodSandBox: fork/exec: resource temporarily unavailable"
    assert cause_of(pod, events=events) == told
    assert cause_of(DEPLOYMENT, [pod], events).endswith(f"pod p1: {told}")


def test_a_claim_that_waits_for_its_first_consumer_says_so() -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "namespace": "a", "uid": "c1"},
        "spec": {"storageClassName": "late"},
        "status": {"phase": "Pending"},
    }
    event = an_event(
        "c1", "WaitForFirstConsumer", "waiting for first consumer to be created before binding", kind="Normal"
    )
    assert cause_of(claim, events=[event]) == (
        "phase Pending, storage class late; "
        "WaitForFirstConsumer: waiting for first consumer to be created before binding"
    )


PENDING_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c", "namespace": "a", "uid": "c1"},
    "spec": {"storageClassName": "fast"},
    "status": {"phase": "Pending"},
}
ASKED = an_event("c1", "ExternalProvisioning", "Waiting for a volume", kind="Normal", at="2026-01-01T00:00:09Z")
WORKING = an_event("c1", "Provisioning", "External provisioner is provisioning", kind="Normal")
REFUSED = an_event("c1", "ProvisioningFailed", 'storageclass "fast" not found', at="2026-01-01T00:00:01Z")


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([ASKED], "its provisioner has not answered, is it running? (ExternalProvisioning: Waiting for a volume)"),
        ([ASKED, WORKING], "ExternalProvisioning: Waiting for a volume"),
        ([ASKED, REFUSED], 'ProvisioningFailed: storageclass "fast" not found'),
        ([], ""),
    ],
)
def test_a_pending_claim_says_who_it_waits_for(events: list[dict[str, Any]], told: str) -> None:
    assert cause_of(PENDING_CLAIM, events=events) == "; ".join(
        filter(None, ["phase Pending, storage class fast", told])
    )


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ({"key": "app", "operator": "In", "values": ["x", "y"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["x"]}, False),
        ({"key": "other", "operator": "NotIn", "values": ["x"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
    ],
)
def test_selector_expressions(expression: dict[str, Any], selected: bool) -> None:
    assert selects({"matchExpressions": [expression]}, {"app": "x"}) is selected


def test_an_empty_selector_selects_nothing() -> None:
    assert not selects({}, {"app": "x"})


def test_pods_of_other_namespaces_and_other_owners_are_not_counted() -> None:
    mine = a_pod("p1", None)
    others = [
        a_pod("p2", None, namespace="b"),
        a_pod("p3", None, labels={"app": "y"}),
        a_pod("p4", None, ownerReferences=[]),
    ]
    assert pods_of(DEPLOYMENT, [mine, *others]) == [mine]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"phase": "Succeeded"}, ""),
        ({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, ""),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {
                "phase": "Failed",
                "containerStatuses": [{"name": "a", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 1}}}],
            },
            "OOMKilled",
        ),
        ({"phase": "Failed"}, "Failed"),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            },
            "Unschedulable",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}}],
            },
            "ErrImagePull",
        ),
        ({"phase": "Running"}, "NotReady"),
        ({}, "Pending"),
    ],
)
def test_the_word_to_count_a_pod_by(status: dict[str, Any], reason: str) -> None:
    assert pod_reason({"metadata": {"name": "p"}, "status": status}) == reason


def test_the_pods_of_a_job_set_are_found_by_its_uid_and_named() -> None:
    metadata = {"name": "train", "namespace": "ns", "uid": "set-1"}
    job_set = {"kind": "JobSet", "metadata": metadata, "spec": {"replicatedJobs": [{"name": "slice-job"}]}}
    pods = [
        {
            "metadata": {
                "name": f"train-slice-job-0-{number}",
                "namespace": "ns",
                "uid": f"pod-{number}",
                "labels": {"jobset.sigs.k8s.io/jobset-uid": uid},
                "ownerReferences": [{"kind": "Job", "name": "train-slice-job-0", "uid": "job-1"}],
            },
            "spec": {"containers": [{"name": "main"}]},
            "status": {
                "phase": "Failed",
                "containerStatuses": [
                    {"name": "main", "state": {"terminated": {"exitCode": 7, "reason": "Error"}}, "restartCount": 0}
                ],
            },
        }
        for number, uid in enumerate(["set-1", "set-2"])
    ]
    assert pod_selector(job_set) == {"matchLabels": {"jobset.sigs.k8s.io/jobset-uid": "set-1"}}
    answer = explained(job_set, failed("FailedJobs: jobset failed"), pods=pods)
    assert "FailedJobs: jobset failed; pod train-slice-job-0-0: " in answer.cause
    assert "exit code 7" in answer.cause or "code 7" in answer.cause
    assert "train-slice-job-0-1" not in answer.cause
