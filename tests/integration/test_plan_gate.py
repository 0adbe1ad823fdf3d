"""What a plan weighs is what it makes: the gate in front of templates of every kind, and counts taken afterwards."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.cluster.arguments import AUTH_ARGUMENTS, auth_options
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.plan.arguments import PLAN_ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.preflight.preflight import PREFLIGHT_OPTIONS, run_module
from helpers.batches import NAMESPACES, run_batch
from helpers.collection import CHECKOUT

CONTAINERS = [{"name": "main", "image": "registry.invalid/none:1", "resources": {"requests": {"cpu": "10m"}}}]
POD: dict[str, Any] = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": CONTAINERS}}
NPU = {"limits": {"x.io/npu": 1}}
SELECTED = {"selector": {"matchLabels": {"app": "x"}}, "template": POD}


def preflight(kubeconfig: Path, **options: Any) -> dict[str, Any]:
    """Run the module as its main() does; `msg` is empty where the run may start."""
    options["kubeconfig"] = str(kubeconfig)
    validated = ArgumentSpecValidator({**PLAN_ARGUMENTS, **PREFLIGHT_OPTIONS, **AUTH_ARGUMENTS}).validate(options)
    assert not validated.error_messages, validated.error_messages
    params = validated.validated_parameters
    try:
        return {**asyncio.run(run_module(params, auth_options(params), check_mode=False)), "msg": ""}
    except ModuleFailed as error:
        return {**error.result, "msg": str(error)}


def row(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [each for each in found["rows"] if each["name"] == name]
    return one


def versioned(kind: str, api_version: str, name: str, **body: Any) -> dict[str, Any]:
    """Return one template of a step, of any API."""
    return {"definition": {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}}


def fragment(role: str, *items: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"role": role, "steps": [list(items)], **options}


@pytest.fixture
def farms(kubectl: Any, run_id: str) -> Any:
    """Have a custom resource whose controller nobody knows; yield its group."""
    group = f"{run_id}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"farms.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "farms", "singular": "farm", "kind": "Farm"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    kubectl("create", "-f", "-", stdin=json.dumps(definition))
    kubectl("wait", "--for=condition=Established", f"crd/farms.{group}", "--timeout=240s")
    yield group
    kubectl("delete", "crd", f"farms.{group}")


def test_kinds_of_every_sort_are_counted_judged_and_named(kubeconfig: Path, kubectl: Any, farms: str, run_id, prefix):
    nodes = len(kubectl("get", "nodes")["items"])
    job = {"spec": {"template": {**POD, "spec": {**POD["spec"], "restartPolicy": "Never"}}}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    fragments = [
        NAMESPACES,
        fragment("agents", versioned("DaemonSet", "apps/v1", "agent", spec=SELECTED)),
        fragment("ticks", versioned("CronJob", "batch/v1", "tick", spec={"schedule": "@yearly", "jobTemplate": job})),
        fragment("claims", versioned("PersistentVolumeClaim", "v1", "c-{{ index }}", spec=claim), count=4, ready=False),
        fragment("farms", versioned("Farm", f"{farms}/v1", "farm", spec={"template": POD}), ready=False),
        fragment("rights", versioned("ClusterRole", "rbac.authorization.k8s.io/v1", f"{run_id}-{{{{ namespace }}}}")),
    ]
    plan = {"run_id": run_id, "namespace_prefix": prefix, "namespace_total": 2, "fragments": fragments}
    refused = preflight(kubeconfig, **plan)
    assert "claims without a StorageClass: 8 needed, 0 offered" in refused["msg"]
    found = preflight(kubeconfig, **plan, accept_over_limit=True)
    assert found["msg"] == ""
    assert found["demand"]["objects"] == {
        "Namespace": 2,
        "DaemonSet": 2,
        "CronJob": 2,
        "PersistentVolumeClaim": 8,
        "Farm": 2,
        "ClusterRole": 2,
    }
    # A pod of each DaemonSet on each node, and one of each CronJob.
    assert row(found, "pods at peak")["needed"] == 2 * nodes + 2
    assert row(found, "further pods and objects of farms")["verdict"] == "unknown"
    assert row(found, "further pods and objects of farms")["note"].endswith(
        "what its controller makes is unknown; it holds 1 pod template"
    )
    assert "depends on its schedule" in row(found, "further pods and objects of ticks")["note"]
    for access in (
        "create daemonsets.apps",
        "create cronjobs.batch",
        "create persistentvolumeclaims",
        f"create farms.{farms}",
        "create clusterroles.rbac.authorization.k8s.io",
    ):
        assert access in found["needed_access"]
    # `batch` alone in a play has the same table before it, and makes what was announced.
    result = run_batch(kubeconfig=str(kubeconfig), **plan, preflight_options={"accept_over_limit": True})
    assert not result["failed"], result["msg"]
    assert result["preflight"]["demand"]["objects"] == found["demand"]["objects"]
    assert {kind: one["created"] for kind, one in result["objects"].items()} == found["demand"]["objects"]
    running = kubectl("get", "pods", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"]
    assert len(running) == 2 * nodes
    kubectl("delete", "clusterrole", "-l", f"kubestress.core/run-id={run_id}")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"replicas": 2900, **SELECTED}, "pods at peak: 5,800 needed, "),
        (
            {
                **SELECTED,
                "template": {
                    **POD,
                    "spec": {"containers": [{**CONTAINERS[0], "resources": {"limits": {"x.io/npu": 1}}}]},
                },
            },
            "2 reasons not to start: (1) pods of deployments that find a node: 2 needed, 0 offered: ",
        ),
        (
            {**SELECTED, "template": {**POD, "spec": {**POD["spec"], "nodeSelector": {"pool": "none"}}}},
            "nodes that take the pods of deployments: 1 needed, 0 offered (10 without the label pool=none): ",
        ),
    ],
    ids=["replicas", "extended resource", "node selector"],
)
def test_a_template_that_does_not_fit_is_refused_by_both_modules(
    kubeconfig: Path, kubectl: Any, run_id, prefix, spec, problem
):
    nodes = len(kubectl("get", "nodes")["items"])
    problem = problem.replace("(10 ", f"({nodes} ")
    fragments = [NAMESPACES, fragment("deployments", versioned("Deployment", "apps/v1", "d", spec=spec))]
    plan = {"run_id": run_id, "namespace_prefix": prefix, "namespace_total": 2, "fragments": fragments}
    found = preflight(kubeconfig, **plan)
    assert found["msg"].startswith(f"preflight: {problem}"), found["msg"]
    refused = run_batch(kubeconfig=str(kubeconfig), **plan)
    assert refused["failed"]
    assert refused["msg"] == found["msg"]
    assert kubectl("get", "namespaces", "-l", f"kubestress.core/run-id={run_id}")["items"] == []


def test_fifty_replicas_in_a_template_of_the_roles_are_weighed(tmp_path, ansible_playbook, run_id, prefix):
    template = yaml.safe_load((CHECKOUT / "roles/deployments/templates/deployment.yml.j2").read_text().split("spec:")[0]
                              .replace("{{ index }}", "x"))  # fmt: skip
    text = yaml.safe_dump({**template, "metadata": {"name": "d-{{ index }}"}, "spec": {"replicas": 50, **SELECTED}})
    (tmp_path / "own.yml.j2").write_text(text)
    chosen = {
        "run_id": run_id,
        "namespaces_prefix": prefix,
        "namespaces_total": 2,
        "statefulsets_enabled": False,
        "deployments_template": str(tmp_path / "own.yml.j2"),
        "run_results_dir": str(tmp_path / "results"),
    }
    done = ansible_playbook("kubestress.core.stress", "--check", extra_vars={**chosen, "profile": "smoke"})
    assert done.rc == 0, done.output
    # Three Deployments of fifty in each namespace, and the builds.
    assert "pods at peak" in done.stdout
    needed = next(line for line in done.stdout.splitlines() if line.strip().startswith("pods at peak"))
    assert needed.split()[3] == str(2 * 3 * 50 + 8)


PROFILES = sorted(path.stem for path in (CHECKOUT / "playbooks" / "profiles").glob("*.yml"))


@pytest.mark.parametrize("profile", PROFILES)
def test_figures_of_each_profile_equal_what_is_there_afterwards(
    tmp_path, ansible_playbook, kubectl, run_id, prefix, profile
):
    """One namespace and two Jobs of it: everything else is the profile's own."""
    chosen = {
        "run_id": run_id,
        "namespaces_prefix": prefix,
        "namespaces_total": 1,
        "build_jobs_per_namespace": 2,
        "build_jobs_active_per_namespace": 0 if profile in ("high_volume", "reproduce") else 1,
        "build_jobs_time_scale": 0.005,
        "build_jobs_ttl": 3600,
        "preflight_accept_risk": True,
        "run_results_dir": str(tmp_path / "results"),
        "profile": profile,
    }
    done = ansible_playbook("kubestress.core.stress", extra_vars=chosen)
    assert done.rc == 0, done.output
    demand = json.loads((tmp_path / "results" / run_id / "run.json").read_text())["preflight"]["demand"]
    selector = f"kubestress.core/run-id={run_id}"
    kinds = "namespaces,configmaps,secrets,deployments,services,statefulsets,jobs"
    stored = Counter(each["kind"] for each in kubectl("get", kinds, "-A", "-l", selector)["items"])
    assert dict(stored) == demand["objects"]
    pods = kubectl("get", "pods", "-n", f"{prefix}-1")["items"]
    assert len(pods) == demand["pods_in_all"]
    followers = kubectl("get", "replicasets,controllerrevisions,endpoints,endpointslices,serviceaccounts,configmaps",
                        "-n", f"{prefix}-1")["items"]  # fmt: skip
    ours = stored["ConfigMap"]
    assert demand["api_objects"] == sum(stored.values()) + len(pods) + len(followers) - ours
