"""The role `volumes` as a batch in this process, in one namespace of its own, and what it measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.cleanup.cleanup import run_module
from ansible_collections.kubestress.core.plugins.modules.cleanup import ARGUMENTS

from helpers.batches import run_batch
from helpers.example_settings import settings
from helpers.role_plans import raw_plan


def run_volumes(
    kubeconfig: Path, run_id: str, *, preflight: str = "refuse", check_mode: bool = False, **chosen: Any
) -> dict[str, Any]:
    """Run its plan with these settings; returns the batch's result. The namespace is the run id and `-1`."""
    off = dict.fromkeys(("build_jobs_enabled", "deployments_enabled", "statefulsets_enabled"), False)
    place = {"namespaces_prefix": run_id, "namespaces_total": 1}
    values = settings(**{**off, **place, "volumes_enabled": True, "volumes_size": "64Mi", **chosen})
    return run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespace_prefix=run_id,
        namespace_total=1,
        fragments=raw_plan(values),
        preflight=preflight,
        check_mode=check_mode,
    )


def clean_up(kubeconfig: Path, run_id: str) -> dict[str, Any]:
    """Remove what a run left; returns the module's result."""
    options = ArgumentSpecValidator(ARGUMENTS).validate({"kubeconfig": str(kubeconfig), "run_id": run_id})
    return run_module(options.validated_parameters, check_mode=False)


def stages(result: dict[str, Any], role: str) -> dict[str, int]:
    """How often each stage of a role was measured."""
    return {stage: row["count"] for stage, row in result["volumes"]["stages"].get(role, {}).items()}
