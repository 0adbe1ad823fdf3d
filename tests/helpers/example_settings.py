"""The roles' default settings, for tests of everything computed from them; and the profiles of workloads.md."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.settings.table import RUN_SETTINGS

SETTINGS: dict[str, Any] = {
    **{name: setting.default for name, setting in RUN_SETTINGS.items()},
    "namespaces_total": 10,
    "build_jobs_enabled": True,
}


def settings(**changed: Any) -> dict[str, Any]:
    """Return SETTINGS with some changes."""
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
