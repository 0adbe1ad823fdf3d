"""The load: fragments like those of the roles, with the roles' own templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments

TEMPLATES = Path(__file__).resolve().parent / "templates"
ROLES = Path(__file__).resolve().parents[2] / "roles"
DEPLOYMENTS_PER_NAMESPACE = 3
#: A Namespace, and per Deployment 2 ConfigMaps, 2 Secrets and itself.
OBJECTS_PER_NAMESPACE = 1 + DEPLOYMENTS_PER_NAMESPACE * 5
# Variables that the roles' plans pass to their templates, with the roles' defaults.
DEPLOYMENT_VARIABLES: dict[str, Any] = {
    "deployments_replicas": 1,
    "deployments_service_enabled": False,
    "deployments_image": "registry.k8s.io/e2e-test-images/agnhost:2.57",
    "deployments_requests": {"cpu": "10m", "memory": "16Mi"},
    "deployments_limits": {"cpu": "100m", "memory": "64Mi"},
    "pod_node_selector": {},
    "pod_tolerations": [],
    "pod_image_pull_secrets": [],
    "pod_user_id": 65532,
}


def _of_role(role: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"template": str(ROLES / role / "templates" / name), **arguments}


def _of_bench(name: str) -> dict[str, Any]:
    return {"template": str(TEMPLATES / name)}


def namespace_fragment() -> dict[str, Any]:
    """The Namespace itself."""
    return {"role": "namespaces", "count": 1, "steps": [[_of_bench("namespace.yml.j2")]]}


def headline() -> list[dict[str, Any]]:
    """Namespaces with 3 Deployments each, and 2 ConfigMaps and 2 Secrets for each of these."""
    deployments = {
        "role": "deployments",
        "count": DEPLOYMENTS_PER_NAMESPACE,
        "variables": DEPLOYMENT_VARIABLES,
        "steps": [
            [
                _of_role("deployments", "deployment_config_map.yml.j2", count=2),
                _of_role("deployments", "deployment_secret.yml.j2", count=2),
            ],
            [_of_role("deployments", "deployment.yml.j2")],
        ],
    }
    return [namespace_fragment(), deployments]


def config_maps(count: int, *, with_namespace: bool) -> list[dict[str, Any]]:
    """`count` ConfigMaps per namespace, all independent, with or without their Namespace."""
    fragment = {"role": "config-maps", "count": count, "steps": [[_of_bench("config_map.yml.j2")]]}
    return [namespace_fragment(), fragment] if with_namespace else [fragment]


def config_map_with_generate_name(run_id: str) -> dict[str, Any]:
    """The body of one of `config_maps`, without its name, which the server generates."""
    (fragment,) = compiled(config_maps(1, with_namespace=False), run_id=run_id)
    (rendered,) = fragment.render_step(0, fragment.values(namespace=run_id, namespace_index=1, index=1))
    body: dict[str, Any] = json.loads(rendered.body)
    body["metadata"]["generateName"] = body["metadata"].pop("name")[:-1]
    return body


def compiled(fragments: list[dict[str, Any]], *, run_id: str) -> list[Fragment]:
    """The fragments as the engine takes them."""
    return parse_fragments(fragments, Context(run_id=run_id, variables={}, labels={}))


def names(prefix: str, count: int) -> list[str]:
    """The namespaces `{prefix}-1` to `{prefix}-{count}`."""
    return [f"{prefix}-{number}" for number in range(1, count + 1)]
