"""kubestress.core.wait on a real API server: until it is so, not longer than it can become so, and why it is not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.one_task import returned
from helpers.waiting import until

PATIENCE_SECONDS = 120
DEPLOYMENT = {"api_version": "apps/v1", "kind": "Deployment"}
JOB = {"api_version": "batch/v1", "kind": "Job"}
BUDGET = {"api_version": "policy/v1", "kind": "PodDisruptionBudget"}
CONFIG_MAP = {"api_version": "v1", "kind": "ConfigMap"}


@pytest.fixture
def namespace(kubectl: Any) -> Iterator[str]:
    """Yield a namespace of the test's own."""
    name = f"wt-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def create(kubectl: Any, namespace: str) -> Callable[..., None]:
    """Return a function that creates an object of that kind with the label app=<namespace>."""

    def run(api_version: str, kind: str, name: str, *, metadata: dict[str, Any] | None = None, **rest: Any) -> None:
        own = {"name": name, "namespace": namespace, "labels": {"app": namespace}, **(metadata or {})}
        kubectl(
            "create", "-f", "-", stdin=json.dumps({"apiVersion": api_version, "kind": kind, "metadata": own, **rest})
        )

    return run


@pytest.fixture
def wait(tmp_path: Path, ansible_playbook: Any, namespace: str) -> Callable[..., Any]:
    """Return a function that runs the module with options, and gives exit code and what the task returned."""

    def run(*arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        task = {"label_selector": f"app={namespace}", "wait_timeout": PATIENCE_SECONDS} | options
        return returned(ansible_playbook, tmp_path, "kubestress.core.wait", task, *arguments)

    return run


def template(name: str, *, restart: str = "Always", image: str = "registry.example/none:1", **simulate: str) -> Any:
    annotations = {f"kubestress.core/{key.replace('_', '-')}": value for key, value in simulate.items()}
    return {
        "metadata": {"labels": {"app": name}, "annotations": annotations},
        "spec": {"restartPolicy": restart, "containers": [{"name": "main", "image": image}]},
    }


def a_deployment(namespace: str, **simulate: str) -> dict[str, Any]:
    return {
        "replicas": 2,
        "selector": {"matchLabels": {"app": namespace}},
        "template": template(namespace, **simulate),
    }


def a_job(namespace: str, **simulate: str) -> dict[str, Any]:
    return {"backoffLimit": 0, "completions": 2, "template": template(namespace, restart="Never", **simulate)}


def test_until_deployments_are_available_and_jobs_complete(wait: Any, create: Any, namespace: str) -> None:
    create("apps/v1", "Deployment", "web", spec=a_deployment(namespace))
    create("batch/v1", "Job", "build", spec=a_job(namespace))
    rc, answer = wait(kinds=[DEPLOYMENT, JOB], namespaces=[namespace])
    assert rc == 0, answer
    assert answer["reached"] is True
    assert answer["changed"] is False
    assert answer["objects"] == {
        "Deployment": {"total": 1, "ready": 1, "finished": 0, "failed": 0, "waiting": 0},
        "Job": {"total": 1, "ready": 1, "finished": 1, "failed": 0, "waiting": 0},
    }
    assert answer["not_ready"] == []


def test_until_a_disruption_budget_is_met(wait: Any, create: Any, namespace: str) -> None:
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": namespace}}}
    create("policy/v1", "PodDisruptionBudget", "web", spec=budget)
    create("apps/v1", "Deployment", "web", spec=a_deployment(namespace))
    rc, answer = wait(kinds=[BUDGET], namespaces=[namespace])
    assert rc == 0, answer
    assert answer["objects"]["PodDisruptionBudget"]["ready"] == 1


def test_a_failed_job_ends_the_wait_at_once(wait: Any, create: Any, namespace: str) -> None:
    create("batch/v1", "Job", "build", spec=a_job(namespace, simulate="crash"))
    rc, answer = wait(kinds=[JOB], wait_timeout=300)
    assert rc != 0
    assert answer["seconds"] < PATIENCE_SECONDS
    assert answer["objects"]["Job"]["failed"] == 1
    assert answer["not_ready"][0]["name"] == "build"
    assert "BackoffLimitExceeded" in answer["not_ready"][0]["cause"]
    assert answer["msg"].startswith("gave up waiting: 1 of 1 objects are not ready and cannot be; first Job")


def test_a_failed_job_has_finished(wait: Any, create: Any, namespace: str) -> None:
    create("batch/v1", "Job", "bad", spec=a_job(namespace, simulate="crash"))
    create("batch/v1", "Job", "good", spec=a_job(namespace))
    rc, answer = wait(kinds=[{**JOB, "count": 2}], state="finished")
    assert rc == 0, answer
    assert answer["objects"]["Job"] == {"total": 2, "ready": 1, "finished": 1, "failed": 1, "waiting": 0}
    assert [row["name"] for row in answer["failed_objects"]] == ["bad"]


def test_pods_that_cannot_pull_their_image_are_the_cause_told(
    wait: Any, create: Any, kubectl: Any, namespace: str
) -> None:
    create("apps/v1", "Deployment", "web", spec=a_deployment(namespace, simulate="image-pull-failure"))
    until(lambda: "ImagePull" in str([pod["status"] for pod in kubectl("get", "pods", "-n", namespace)["items"]]))
    rc, answer = wait(kinds=[DEPLOYMENT], wait_timeout=3)
    assert rc != 0
    assert answer["not_ready_total"] == 1
    cause = answer["not_ready"][0]["cause"]
    assert "0 of 2 replicas available" in cause
    assert "ImagePull" in cause
    assert "not ready after 3 s; first Deployment" in answer["msg"]


def test_an_unschedulable_pod_is_the_cause_told(wait: Any, create: Any, kubectl: Any, namespace: str) -> None:
    spec = a_deployment(namespace)
    spec["template"]["spec"]["nodeSelector"] = {"example.com/none": "none"}
    create("apps/v1", "Deployment", "web", spec=spec)
    until(lambda: "Unschedulable" in str([pod["status"] for pod in kubectl("get", "pods", "-n", namespace)["items"]]))
    rc, answer = wait(kinds=[DEPLOYMENT], wait_timeout=3)
    assert rc != 0
    assert "Unschedulable" in answer["not_ready"][0]["cause"]


def test_a_quota_that_is_used_up_is_the_cause_told(wait: Any, create: Any, kubectl: Any, namespace: str) -> None:
    create("v1", "ResourceQuota", "none", spec={"hard": {"pods": "0"}})
    create("apps/v1", "Deployment", "web", spec=a_deployment(namespace))
    until(lambda: "exceeded quota" in str(kubectl("get", "deployment", "web", "-n", namespace)["status"]))
    rc, answer = wait(kinds=[DEPLOYMENT], wait_timeout=3)
    assert rc != 0
    assert "exceeded quota" in answer["not_ready"][0]["cause"]


def test_pods_refused_for_good_end_the_wait(wait: Any, create: Any, kubectl: Any, namespace: str) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    create("apps/v1", "Deployment", "web", spec=a_deployment(namespace))
    rc, answer = wait(kinds=[DEPLOYMENT], wait_timeout=300)
    assert rc != 0
    assert answer["seconds"] < PATIENCE_SECONDS
    assert "violates PodSecurity" in answer["msg"]


def test_nothing_selected_is_not_ready(wait: Any) -> None:
    rc, answer = wait(kinds=[DEPLOYMENT], wait_timeout=2)
    assert rc != 0
    assert answer["not_ready"] == [
        {"kind": "Deployment", "namespace": "", "name": "", "cause": "0 of 1 expected exist"}
    ]


def test_nothing_selected_is_ready_where_nothing_is_expected(wait: Any) -> None:
    rc, answer = wait(kinds=[{**DEPLOYMENT, "count": 0}])
    assert rc == 0, answer


def test_until_nothing_is_left_names_the_finalizer(wait: Any, create: Any, kubectl: Any, namespace: str) -> None:
    create("v1", "ConfigMap", "held", metadata={"finalizers": ["example.com/hold"]})
    kubectl("delete", "configmap", "held", "-n", namespace, "--wait=false")
    rc, answer = wait(kinds=[CONFIG_MAP], state="absent", wait_timeout=3)
    assert rc != 0
    assert answer["not_ready"] == [
        {"kind": "ConfigMap", "namespace": namespace, "name": "held", "cause": "held by finalizer example.com/hold"}
    ]
    kubectl("patch", "configmap", "held", "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    rc, answer = wait(kinds=[CONFIG_MAP], state="absent")
    assert rc == 0, answer


def test_check_mode_looks_once_and_does_not_fail(wait: Any, create: Any, namespace: str) -> None:
    create("batch/v1", "Job", "build", spec={**a_job(namespace), "suspend": True})
    rc, answer = wait("--check", kinds=[JOB], wait_timeout=600)
    assert rc == 0
    assert answer["reached"] is False
    assert answer["objects"]["Job"]["waiting"] == 1
    assert "suspended" in answer["not_ready"][0]["cause"]


def test_other_namespaces_do_not_count(wait: Any, create: Any, kubectl: Any, namespace: str) -> None:
    create("v1", "ConfigMap", "here")
    rc, answer = wait(kinds=[CONFIG_MAP], namespaces=["default"], wait_timeout=2)
    assert rc != 0
    assert answer["objects"]["ConfigMap"]["total"] == 0
    # Beyond 20 namespaces one watch over all serves them.
    many = [namespace, *(f"wt-none-{number}" for number in range(25))]
    rc, answer = wait(kinds=[CONFIG_MAP], namespaces=many)
    assert rc == 0, answer


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kinds": []}, "kinds: the list is empty"),
        ({"kinds": [DEPLOYMENT, DEPLOYMENT]}, "kinds: a kind is listed twice"),
        ({"kinds": [{**JOB, "count": -1}]}, "kinds: count -1 of Job; allowed are 0 and more"),
        ({"kinds": [DEPLOYMENT], "state": "finished"}, "state: finished, with Deployment of apps/v1 in kinds"),
        ({"kinds": [JOB], "wait_timeout": 0}, "wait_timeout: 0 is not allowed; it must be 1 to 2,419,200"),
        ({"kinds": [JOB], "label_selector": ""}, "run_id, label_selector: both are empty"),
        ({"kinds": [{"api_version": "apps/v1", "kind": "Deploiment"}]}, "the API server has no Deploiment in apps/v1"),
        ({"kinds": [{"api_version": "nix/v9", "kind": "X"}]}, "the API server does not serve nix/v9"),
        ({"kinds": [JOB], "label_selector": "a=b=c"}, "label_selector: 'a=b=c': found '='"),
    ],
)
def test_bad_input_is_one_clear_line(wait: Any, options: dict[str, Any], told: str) -> None:
    rc, answer = wait(**options)
    assert rc != 0
    assert told in answer["msg"]
