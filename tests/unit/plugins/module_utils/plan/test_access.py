"""Which permissions a run needs."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.plan.access import needed_access
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import demand_of
from helpers.example_settings import settings


def needed(**changed):
    chosen = settings(**changed)
    return [str(access) for access in needed_access(demand_of(chosen), chosen)]


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
    assert "delete namespaces" in needed(cleanup_on_completion=True)
