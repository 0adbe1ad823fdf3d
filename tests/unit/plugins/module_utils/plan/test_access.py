"""Which permissions a run needs."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.plan.access import needed_access
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.example_settings import settings
from helpers.role_plans import compiled_plan

PLURALS = {
    ("v1", "Namespace"): "namespaces",
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("batch/v1", "Job"): "jobs",
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): "clusterroles",
    ("example.com/v1", "Farm"): "farms",
}


def needed(*, cleans_up=False, **changed):
    fragments = compiled_plan(settings(**changed))
    return [str(access) for access in needed_access(fragments, PLURALS, cleans_up=cleans_up)]


def test_only_what_the_run_makes_and_watches():
    found = needed(statefulsets_enabled=False, deployments_per_namespace=0)
    assert found == [
        "create namespaces",
        "get namespaces",
        "list namespaces",
        "watch namespaces",
        "list pods",
        "watch pods",
        "list serviceaccounts",
        "watch serviceaccounts",
        "create jobs.batch",
        "get jobs.batch",
        "list jobs.batch",
        "watch jobs.batch",
    ]


def test_each_role_brings_its_own():
    found = needed(connectivity_enabled=True, deployments_service_enabled=True)
    for access in ("create secrets", "create services", "list pods", "watch deployments.apps", "get statefulsets.apps"):
        assert access in found
    assert "watch secrets" not in found


def test_cleanup_needs_delete():
    assert "delete namespaces" not in needed()
    assert "delete namespaces" in needed(cleans_up=True)


def test_kinds_of_somebody_elses_templates_are_named_as_discovery_names_them():
    def made(api_version, kind):
        return {"definition": {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x-{{ namespace }}"}}}

    kinds = [("rbac.authorization.k8s.io/v1", "ClusterRole"), ("example.com/v1", "Farm")]
    raw = [{"role": "own", "steps": [[made(*kind) for kind in kinds]], "ready": False}]
    found = [str(access) for access in needed_access(parse_fragments(raw, Context(run_id="r")), PLURALS)]
    assert found == [
        "create farms.example.com",
        "get farms.example.com",
        "create clusterroles.rbac.authorization.k8s.io",
        "get clusterroles.rbac.authorization.k8s.io",
    ]
