"""Settings as the roles' defaults give them, for tests of what is computed from them; and workloads.md's profiles."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, Any] = {
    "namespaces_total": 10,
    "namespaces_prefix": "deploy-test",
    "namespaces_existing": [],
    "run_node_selector": {},
    "run_tolerations": [],
    "deployments_per_namespace": 3,
    "deployments_replicas": 1,
    "deployments_service_enabled": False,
    "deployments_requests": {"cpu": "10m", "memory": "16Mi"},
    "deployments_limits": {"cpu": "100m", "memory": "64Mi"},
    "connectivity_enabled": False,
    "connectivity_requests": {"cpu": "10m", "memory": "16Mi"},
    "connectivity_limits": {"memory": "64Mi"},
    "statefulsets_enabled": True,
    "statefulsets_per_namespace": 1,
    "statefulsets_replicas": 3,
    "statefulsets_requests": {"memory": "48Mi"},
    "statefulsets_limits": {"memory": "64Mi"},
    "build_jobs_enabled": True,
    "build_jobs_per_namespace": 20,
    "build_jobs_active_per_namespace": 1,
    "build_jobs_completions": 10,
    "build_jobs_parallelism": 3,
    "build_jobs_processes": 72,
    "build_jobs_time_scale": 1.0,
    "build_jobs_timeout": 900,
    "build_jobs_requests": {"cpu": "50m", "memory": "64Mi"},
    "build_jobs_limits": {"cpu": "500m", "memory": "256Mi"},
}


def settings(**changed: Any) -> dict[str, Any]:
    """Return SETTINGS with some of them changed."""
    return {**SETTINGS, **changed}


def profile(
    *, parallelism: int, completions: int, namespaces: int, jobs: int = 20, active: int = 1, **changed: Any
) -> dict[str, Any]:
    """Return the settings of one line of the table of profiles."""
    return settings(
        build_jobs_parallelism=parallelism,
        build_jobs_completions=completions,
        namespaces_total=namespaces,
        build_jobs_per_namespace=jobs,
        build_jobs_active_per_namespace=active,
        **changed,
    )
