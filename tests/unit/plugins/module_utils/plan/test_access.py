"""Which permissions a run needs."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource
from ansible_collections.kubestress.core.plugins.module_utils.plan.access import cleanup_access, needed_access
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.example_settings import settings
from helpers.role_plans import compiled_plan

VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "watch"})


def served(api_version, kind, plural, *, namespaced=True, verbs=VERBS):
    return (api_version, kind), Resource(api_version, kind, plural, namespaced, verbs)


SERVED = dict(
    [
        served("v1", "Namespace", "namespaces", namespaced=False, verbs=VERBS - {"deletecollection"}),
        served("v1", "ConfigMap", "configmaps"),
        served("v1", "Secret", "secrets"),
        served("v1", "Service", "services", verbs=VERBS - {"deletecollection"}),
        served("apps/v1", "Deployment", "deployments"),
        served("apps/v1", "StatefulSet", "statefulsets"),
        served("batch/v1", "Job", "jobs"),
        served("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
        served("example.com/v1", "Farm", "farms"),
    ]
)


def needed(*, cleans_up=False, makes_namespaces=True, **changed):
    fragments = compiled_plan(settings(**changed))
    found = needed_access(fragments, SERVED, cleans_up=cleans_up, makes_namespaces=makes_namespaces)
    return [str(access) for access in found]


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
    assert "list secrets" in found  # what nobody watches is counted at the end
    assert "watch secrets" not in found


def test_cleanup_needs_delete():
    assert "delete namespaces" not in needed()
    assert "delete namespaces" in needed(cleans_up=True)


def test_where_all_namespaces_exist_nothing_is_asked_about_them():
    found = needed(makes_namespaces=False, cleans_up=True)
    assert [access for access in found if access.endswith((" namespaces", " serviceaccounts"))] == []
    assert {"create jobs.batch", "watch pods", "deletecollection secrets"} <= set(found)


def test_cleanup_of_somebody_elses_namespaces_lists_and_deletes_the_plans_kinds_only():
    fragments = compiled_plan(settings(deployments_per_namespace=0, build_jobs_enabled=False))
    found = cleanup_access(fragments, SERVED, makes_namespaces=False)
    assert [str(access) for access in found] == [
        "list pods",
        "watch pods",
        # Services cannot be deleted together on every server.
        "delete services",
        "list services",
        "watch services",
        "deletecollection statefulsets.apps",
        "list statefulsets.apps",
        "watch statefulsets.apps",
    ]


def test_kinds_of_somebody_elses_templates_are_named_as_discovery_names_them():
    def made(api_version, kind):
        return {"definition": {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x-{{ namespace }}"}}}

    kinds = [("rbac.authorization.k8s.io/v1", "ClusterRole"), ("example.com/v1", "Farm")]
    raw = [{"role": "own", "steps": [[made(*kind) for kind in kinds]], "ready": False}]
    found = [str(access) for access in needed_access(parse_fragments(raw, Context(run_id="r")), SERVED)]
    assert found == [
        "create farms.example.com",
        "get farms.example.com",
        "list farms.example.com",
        "create clusterroles.rbac.authorization.k8s.io",
        "get clusterroles.rbac.authorization.k8s.io",
        "list clusterroles.rbac.authorization.k8s.io",
    ]
