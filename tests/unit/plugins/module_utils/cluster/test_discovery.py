"""Every kind a server serves, from one answer or, on older servers, from one per group."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import served
from helpers.fake_api import FakeApi
from helpers.fake_server import cluster_on, status


async def test_one_answer_for_all_groups() -> None:
    api = FakeApi()
    api.verbs["pods"] = ["list", "get"]
    api.stale = ["metrics.example.com/v1beta1"]
    async with api.cluster() as cluster:
        catalog = await served(cluster)
    assert len(api.asked) == 2
    assert {resource.plural for resource in catalog.with_verbs("list", "delete")} == set(api.kinds) - {"pods"}
    assert set(catalog.unavailable) == {"metrics.example.com/v1beta1"}


def entry(name: str, kind: str, *, namespaced: bool = True) -> dict[str, Any]:
    return {"name": name, "kind": kind, "namespaced": namespaced, "verbs": ["list", "delete"]}


async def test_an_older_server_is_asked_group_by_group() -> None:
    answers: dict[str, Any] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [
                {
                    "preferredVersion": {"groupVersion": "autoscaling/v2"},
                    "versions": [{"groupVersion": "autoscaling/v1"}, {"groupVersion": "autoscaling/v2"}],
                },
                {
                    "preferredVersion": {"groupVersion": "gone.example.com/v1"},
                    "versions": [{"groupVersion": "gone.example.com/v1"}],
                },
            ],
        },
        "/api/v1": {"resources": [entry("pods", "Pod"), entry("pods/log", "Pod")]},
        "/apis/autoscaling/v1": {"resources": [entry("horizontalpodautoscalers", "HorizontalPodAutoscaler")]},
        "/apis/autoscaling/v2": {"resources": [entry("horizontalpodautoscalers", "HorizontalPodAutoscaler")]},
    }

    async def handle(request: web.Request) -> web.StreamResponse:
        found = answers.get(request.path)
        return web.json_response(found) if found else status(404, reason="NotFound", message="not served")

    async with cluster_on(handle) as cluster:
        catalog = await served(cluster)
    # Each kind once, in the version that the server prefers, and no subresources.
    assert [(resource.api_version, resource.plural) for resource in catalog.resources] == [
        ("v1", "pods"),
        ("autoscaling/v2", "horizontalpodautoscalers"),
    ]
    assert catalog.unavailable == {"gone.example.com/v1": "not served"}
