"""On a real API server: a batch counts its own objects only, and notices when somebody else deletes or changes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.wait.wait import run_module as run_wait_module
from ansible_collections.kubestress.core.plugins.modules.wait import ARGUMENTS as WAIT_ARGUMENTS
from helpers.batches import NAMESPACES, jobs, obj, pod_spec, run_batch
from helpers.beside import beside
from helpers.waiting import until

LONG = {"simulate_duration": "120s", "simulate_duration_max": "121s"}


def test_deleting_the_jobs_of_a_run_stops_it(kubeconfig: Path, kubectl, run_id: str, prefix: str, tmp_path: Path):
    selector = f"kubestress.core/run-id={run_id}"

    def delete() -> None:
        until(lambda: len(kubectl("get", "pods", "-A", "-l", selector)["items"]) == 6)
        for number in (1, 2):
            kubectl("delete", "jobs", f"-n={prefix}-{number}", "-l", selector)

    plan = {"kubeconfig": str(kubeconfig), "run_id": run_id, "namespace_prefix": prefix, "namespace_total": 2}
    gated = jobs(5, parallelism=3, completions=3, active=1, simulate=LONG)
    with beside(delete):
        result = run_batch(**plan, fragments=[NAMESPACES, gated], results_dir=str(tmp_path))
    assert result["failed"]
    assert f"aborted: Job {prefix}-" in result["msg"]
    assert "/j-1 was deleted by somebody else during the run" in result["msg"]
    assert result["objects"]["Job"]["created"] == 2
    assert kubectl("get", "jobs", "-A", "-l", selector)["items"] == []
    assert result["jobs"]["peak_active_pods"] == result["jobs"]["ceiling_active_pods"] == 6


def test_a_smaller_run_after_a_larger_one_counts_its_own_objects(kubeconfig: Path, run_id: str, prefix: str):
    plan = {"kubeconfig": str(kubeconfig), "run_id": run_id, "namespace_prefix": prefix}
    pods = {"parallelism": 2, "completions": 2}
    brief = {"simulate_duration": "8s", "simulate_duration_max": "9s"}
    larger = run_batch(**plan, namespace_total=2, fragments=[NAMESPACES, jobs(3, simulate=brief, **pods)], wait=False)
    assert larger["objects"]["Job"]["created"] == 6, larger["msg"]
    result = run_batch(**plan, namespace_total=1, fragments=[NAMESPACES, jobs(1, simulate=brief, **pods)])
    assert not result["failed"], result["msg"]
    assert result["objects"]["Job"] == {"requested": 1, "created": 0, "unchanged": 1, "failed": 0, "ready": 1}
    assert result["objects"]["Namespace"]["ready"] == 1
    assert result["jobs"]["peak_active_pods"] == result["jobs"]["ceiling_active_pods"] == 2
    assert (result["jobs"]["complete"], result["pods"]["succeeded"]) == (1, 2)


@pytest.mark.parametrize(("annotations", "killed"), [({"simulate": "oom-killed"}, True), ({}, False)])
def test_sets_that_are_meant_to_be_killed_are_waited_for_until_they_were(
    kubeconfig: Path, run_id: str, prefix: str, annotations: dict[str, str], killed: bool
):
    template = pod_spec(**annotations)
    spec = {"replicas": 3, "podManagementPolicy": "Parallel", "serviceName": "s", "template": template}
    spec["selector"] = {"matchLabels": {"app": "x-{{ index }}"}}
    stateful = obj("StatefulSet", "s-{{ index }}", spec=spec)
    stateful["definition"]["apiVersion"] = "apps/v1"
    sets = {"role": "sets", "expect": "restarts", "steps": [[stateful]], "ready_timeout": 60 if killed else 8}
    result = run_batch(
        kubeconfig=str(kubeconfig), run_id=run_id, namespace_prefix=prefix, namespace_total=1,
        fragments=[NAMESPACES, sets],
    )  # fmt: skip
    assert result["failed"] is not killed, result["msg"]
    if killed:
        assert result["statefulsets"]["pods_killed"] == 3
        assert result["statefulsets"]["oom_kills"] >= 3
    else:
        assert "all 3 pods run, but only 0 have been killed or restarted" in result["msg"]


def listed(kubectl: Any, kind: str) -> list[Any] | None:
    """The objects of a kind; None while it is established but not served yet, which takes a moment."""
    try:
        return kubectl("get", kind, "-A")["items"]
    except AssertionError:
        return None


@pytest.fixture
def widgets(kubectl: Any, run_id: str) -> Iterator[str]:
    """Have two kinds of custom resources, one of them with a status; yield their group."""
    group = f"{run_id}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = []
    for kind, more in (("Widget", {"subresources": {"status": {}}}), ("Note", {})):
        plural = f"{kind.lower()}s"
        names.append(f"crd/{plural}.{group}")
        spec = {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema, **more}],
        }
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
        kubectl("create", "-f", "-", stdin=json.dumps({**definition, "metadata": {"name": f"{plural}.{group}"}}))
    kubectl("wait", "--for=condition=Established", *names, "--timeout=240s")
    for plural in ("widgets", "notes"):
        until(lambda plural=plural: listed(kubectl, f"{plural}.{group}") == [])
    yield group
    for name in names:
        kubectl("delete", name, "--wait=false")


def wait_for(**options: Any) -> str:
    """Run the module wait; its message if it fails, or nothing."""
    validated = ArgumentSpecValidator(WAIT_ARGUMENTS).validate(options)
    assert not validated.error_messages, validated.error_messages
    try:
        run_wait_module(validated.validated_parameters, check_mode=False)
    except ModuleFailed as error:
        return str(error)
    return ""


@pytest.mark.parametrize("ready", ["False", "True", None])
def test_custom_resources_are_judged_alike_by_batch_and_by_wait(
    kubeconfig: Path, kubectl, widgets: str, run_id: str, prefix: str, ready: str | None
):
    def report() -> None:
        """Do what a controller would do."""
        where = ("widget", "w", f"-n={prefix}-1")
        if ready is not None:
            until(lambda: listed(kubectl, f"widgets.{widgets}"))
            conditions = [{"type": "Ready", "status": ready, "reason": "NoWheels"}]
            patch = json.dumps({"status": {"conditions": conditions}})
            kubectl("patch", *where, "--subresource=status", "--type=merge", "-p", patch)

    def custom(kind: str, name: str) -> dict[str, Any]:
        template = obj(kind, name)
        template["definition"]["apiVersion"] = f"{widgets}/v1"
        return template

    fragment = {"role": "custom", "steps": [[custom("Widget", "w"), custom("Note", "n")]], "ready_timeout": 4}
    with beside(report):
        result = run_batch(
            kubeconfig=str(kubeconfig), run_id=run_id, namespace_prefix=prefix, namespace_total=1,
            fragments=[NAMESPACES, fragment], preflight="skip",
        )  # fmt: skip
    kinds = [{"api_version": f"{widgets}/v1", "kind": kind} for kind in ("Widget", "Note")]
    waited = wait_for(kubeconfig=str(kubeconfig), run_id=run_id, kinds=kinds, wait_timeout=2)
    assert result["objects"]["Note"]["ready"] == 1
    assert result["objects"]["Widget"]["ready"] == (ready == "True")
    for message in (result["msg"], waited):
        if ready == "True":
            assert message == ""
        else:
            assert ("NoWheels" if ready else "has no condition Ready or Available") in message
