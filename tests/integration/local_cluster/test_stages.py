"""The Stages: simulated pods look as a kubelet would have them, and each annotation does what it says."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers.local_cluster import Driver
from helpers.waiting import until

SIMULATE = "kubestress.core/simulate"
DURATION = "kubestress.core/simulate-duration"
DURATION_MAX = "kubestress.core/simulate-duration-max"
START_DELAY = "kubestress.core/simulate-start-delay"

Objects = dict[str, Any]
Kubectl = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def cluster(driver: Driver) -> None:
    driver.ok()


@pytest.fixture
def namespace(own_kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.node.name.replace("_", "-").partition("[")[0][:60].strip("-")
    own_kubectl("create", "namespace", name)
    until(lambda: own_kubectl("get", "serviceaccounts", "-n", name)["items"])
    yield name
    own_kubectl("delete", "namespace", name, "--wait=false", parse=False)


def pod(restart: str = "Always", annotations: dict[str, str] | None = None) -> Objects:
    return {
        "metadata": {"annotations": annotations or {}},
        "spec": {"restartPolicy": restart, "containers": [{"name": "main", "image": "registry.example/app:1"}]},
    }


def create(kubectl: Kubectl, namespace: str, document: Objects) -> Objects:
    return kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(document))


def create_pod(kubectl: Kubectl, namespace: str, restart: str = "Always", **annotations: str) -> None:
    names = {"simulate": SIMULATE, "duration": DURATION, "start_delay": START_DELAY}
    document = pod(restart, {names[key]: value for key, value in annotations.items()})
    document |= {"apiVersion": "v1", "kind": "Pod"}
    document["metadata"]["name"] = "one"
    create(kubectl, namespace, document)


def job(template: Objects, **spec: Any) -> Objects:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template, **spec}}


def status(kubectl: Kubectl, namespace: str) -> Objects:
    return kubectl("get", "pod", "one", "-n", namespace)["status"]


def container(kubectl: Kubectl, namespace: str) -> Objects:
    return (status(kubectl, namespace).get("containerStatuses") or [{"state": {}}])[0]


def conditions(pod_status: Objects) -> dict[str, str]:
    return {item["type"]: item["status"] for item in pod_status["conditions"]}


def seconds_of(moment: str) -> float:
    return datetime.datetime.fromisoformat(moment).timestamp()


def test_a_pod_runs_after_a_start_delay(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace)
    seen = until(lambda: (found := status(own_kubectl, namespace))["phase"] == "Running" and found)
    assert conditions(seen) == {
        "PodScheduled": "True",
        "Initialized": "True",
        "PodReadyToStartContainers": "True",
        "ContainersReady": "True",
        "Ready": "True",
    }
    running = seen["containerStatuses"][0]
    assert running["ready"]
    assert running["started"]
    assert running["restartCount"] == 0
    assert running["containerID"]
    assert 0 <= seconds_of(running["state"]["running"]["startedAt"]) - seconds_of(seen["startTime"]) <= 20
    assert seen["podIP"].startswith("10.244.")
    assert seen["hostIP"].startswith("10.245.")


def test_the_start_delay_can_be_set(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace, start_delay="4s")
    waiting = until(lambda: container(own_kubectl, namespace)["state"].get("waiting"))
    assert waiting == {"reason": "ContainerCreating"}
    seen = until(lambda: (found := status(own_kubectl, namespace))["phase"] == "Running" and found)
    started = seconds_of(seen["containerStatuses"][0]["state"]["running"]["startedAt"])
    assert 3 <= started - seconds_of(seen["startTime"]) <= 30


def test_a_job_ends_after_its_length(own_kubectl: Kubectl, namespace: str) -> None:
    template = pod("Never", {DURATION: "3s", DURATION_MAX: "5s"})
    create(own_kubectl, namespace, job(template, completions=4, parallelism=4))
    until(lambda: own_kubectl("get", "job", "j", "-n", namespace)["status"].get("succeeded") == 4)
    for item in own_kubectl("get", "pods", "-n", namespace)["items"]:
        assert item["status"]["phase"] == "Succeeded"
        ended = item["status"]["containerStatuses"][0]["state"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
        # The API keeps whole seconds, so each moment may be told up to one second early.
        assert 2 <= seconds_of(ended["finishedAt"]) - seconds_of(ended["startedAt"]) <= 30
        told = {entry["type"]: (entry["status"], entry.get("reason")) for entry in item["status"]["conditions"]}
        assert told["Ready"] == ("False", "PodCompleted")
        assert told["Initialized"] == ("True", "PodCompleted")


def test_a_job_without_annotation_ends_after_a_second(own_kubectl: Kubectl, namespace: str) -> None:
    create(own_kubectl, namespace, job(pod("Never")))
    until(lambda: own_kubectl("get", "job", "j", "-n", namespace)["status"].get("succeeded") == 1)


def test_a_pod_without_a_job_does_not_end(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace, "Never")
    until(lambda: status(own_kubectl, namespace)["phase"] == "Running")
    create(own_kubectl, namespace, job(pod("Never")))
    until(lambda: own_kubectl("get", "job", "j", "-n", namespace)["status"].get("succeeded") == 1)
    assert status(own_kubectl, namespace)["phase"] == "Running"


def test_oom_killed_restarts_at_once_and_then_backs_off(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace, simulate="oom-killed")
    seen = until(lambda: (found := container(own_kubectl, namespace)).get("restartCount") == 1 and found)
    killed = seen["lastState"]["terminated"]
    assert (killed["exitCode"], killed["reason"]) == (137, "OOMKilled")
    waiting = until(
        lambda: (
            (found := container(own_kubectl, namespace))["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
            and found
        )
    )
    assert waiting["restartCount"] == 1
    assert waiting["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert not waiting["ready"]
    held = status(own_kubectl, namespace)
    assert held["phase"] == "Running"
    assert conditions(held)["Ready"] == "False"
    assert until(lambda: container(own_kubectl, namespace)["restartCount"] == 2)


def test_a_statefulset_is_oom_killed_and_comes_back(own_kubectl: Kubectl, namespace: str) -> None:
    template = pod("Always", {SIMULATE: "oom-killed"})
    template["metadata"]["labels"] = {"app": "s"}
    spec = {"replicas": 2, "serviceName": "s", "selector": {"matchLabels": {"app": "s"}}, "template": template}
    spec["podManagementPolicy"] = "Parallel"
    document = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"}, "spec": spec}
    create(own_kubectl, namespace, document)

    def restarts() -> list[int]:
        items = own_kubectl("get", "pods", "-n", namespace)["items"]
        return [item["status"].get("containerStatuses", [{"restartCount": 0}])[0]["restartCount"] for item in items]

    until(lambda: len(restarts()) == 2 and min(restarts()) >= 1)


def test_crash_of_a_jobs_pod_is_a_failure(own_kubectl: Kubectl, namespace: str) -> None:
    create(own_kubectl, namespace, job(pod("Never", {SIMULATE: "crash"}), backoffLimit=0))
    found = until(lambda: own_kubectl("get", "job", "j", "-n", namespace)["status"].get("conditions"))
    until(
        lambda: any(
            item["type"] == "Failed" and item["reason"] == "BackoffLimitExceeded"
            for item in own_kubectl("get", "job", "j", "-n", namespace)["status"]["conditions"]
        )
    )
    assert found
    failed = own_kubectl("get", "pods", "-n", namespace)["items"][0]["status"]
    assert failed["phase"] == "Failed"
    assert failed["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
    assert failed["containerStatuses"][0]["state"]["terminated"]["reason"] == "Error"


def test_oom_killed_pod_of_a_job_is_a_failure(own_kubectl: Kubectl, namespace: str) -> None:
    create(own_kubectl, namespace, job(pod("Never", {SIMULATE: "oom-killed"}), backoffLimit=0))
    until(lambda: own_kubectl("get", "job", "j", "-n", namespace)["status"].get("failed") == 1)
    ended = own_kubectl("get", "pods", "-n", namespace)["items"][0]["status"]["containerStatuses"][0]["state"]
    assert (ended["terminated"]["exitCode"], ended["terminated"]["reason"]) == (137, "OOMKilled")


def test_crash_of_a_restarted_pod_loops(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace, simulate="crash")
    until(lambda: container(own_kubectl, namespace)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    last = container(own_kubectl, namespace)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (1, "Error")


def test_image_pull_failure(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace, simulate="image-pull-failure")
    first = until(lambda: container(own_kubectl, namespace)["state"].get("waiting", {}).get("message") and "seen")
    assert first == "seen"
    until(lambda: container(own_kubectl, namespace)["state"].get("waiting", {}).get("reason") == "ImagePullBackOff")
    held = status(own_kubectl, namespace)
    assert held["phase"] == "Pending"
    assert "registry.example/app:1" in held["containerStatuses"][0]["state"]["waiting"]["message"]
    reasons = {item["reason"] for item in own_kubectl("get", "events", "-n", namespace)["items"]}
    assert {"Failed", "BackOff"} <= reasons


def test_init_containers_end_before_the_pod_runs(own_kubectl: Kubectl, namespace: str) -> None:
    document = {"apiVersion": "v1", "kind": "Pod", **pod()}
    document["metadata"]["name"] = "one"
    document["spec"]["initContainers"] = [
        {"name": "first", "image": "i"},
        {"name": "sidecar", "image": "i", "restartPolicy": "Always"},
    ]
    create(own_kubectl, namespace, document)
    seen = until(lambda: (found := status(own_kubectl, namespace))["phase"] == "Running" and found)
    assert conditions(seen)["Initialized"] == "True"
    assert conditions(seen)["Ready"] == "True"
    first, sidecar = seen["initContainerStatuses"]
    assert first["state"]["terminated"]["reason"] == "Completed"
    assert "running" in sidecar["state"]


def test_a_running_pod_that_was_taken_for_lost_is_ready_again(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace)
    until(lambda: status(own_kubectl, namespace)["phase"] == "Running")
    # As the node controller does after an outage of the API server.
    lost = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    own_kubectl("patch", "pod", "one", "-n", namespace, "--subresource=status", "-p", lost)
    until(lambda: conditions(status(own_kubectl, namespace))["Ready"] == "True")


def test_a_deleted_pod_vanishes(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace)
    until(lambda: status(own_kubectl, namespace)["phase"] == "Running")
    own_kubectl("delete", "pod", "one", "-n", namespace, "--wait=true", "--timeout=240s", parse=False)
    assert own_kubectl("get", "pods", "-n", namespace)["items"] == []


def test_a_finalizer_holds_a_deleted_pod(own_kubectl: Kubectl, namespace: str) -> None:
    create_pod(own_kubectl, namespace)
    until(lambda: status(own_kubectl, namespace)["phase"] == "Running")
    own_kubectl("patch", "pod", "one", "-n", namespace, "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    own_kubectl("delete", "pod", "one", "-n", namespace, "--wait=false", parse=False)
    held = until(lambda: (found := status(own_kubectl, namespace))["phase"] == "Failed" and found)
    ended = held["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 143
    assert ended["startedAt"]
    own_kubectl("patch", "pod", "one", "-n", namespace, "-p", '{"metadata":{"finalizers":null}}')
    until(lambda: not own_kubectl("get", "pods", "-n", namespace)["items"])


def test_a_terminating_pod_counts_until_it_has_failed(own_kubectl: Kubectl, namespace: str) -> None:
    """PodReplacementPolicy Failed: no replacement while the old pod still terminates, one when it has failed."""
    template = pod("Never", {DURATION: "60s"})
    create(own_kubectl, namespace, job(template, podReplacementPolicy="Failed", backoffLimit=5))

    def running() -> list[Objects]:
        items = own_kubectl("get", "pods", "-n", namespace)["items"]
        return [item for item in items if item["status"]["phase"] == "Running"]

    first = until(running)[0]["metadata"]["name"]
    own_kubectl("delete", "pod", first, "-n", namespace, "--wait=false", parse=False)
    second = until(lambda: [item for item in running() if item["metadata"]["name"] != first])[0]
    counted = own_kubectl("get", "job", "j", "-n", namespace)["status"]
    assert counted["failed"] == 1
    assert counted["active"] == 1
    assert second["metadata"]["name"] != first


def test_nodes_have_a_lease_and_stay_ready(own_kubectl: Kubectl) -> None:
    leases = own_kubectl("get", "leases", "-n", "kube-node-lease")["items"]
    assert {item["metadata"]["name"] for item in leases} == {f"simulated-000{number}" for number in (1, 2, 3)}
    assert {item["spec"]["leaseDurationSeconds"] for item in leases} == {40}
