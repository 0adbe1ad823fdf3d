"""Every kind a server serves, from one answer or, on older servers, from one per group."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery, served
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Invalid
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


async def test_a_kind_that_is_expected_is_asked_for_until_it_is_served() -> None:
    answers: dict[str, Any] = {}
    asked = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if len(asked) == 3:
            answers["/apis/x.example/v1"] = {"resources": [entry("things", "Thing")]}
        found = answers.get(request.path)
        return web.json_response(found) if found else status(404, reason="NotFound", message="not served")

    async with cluster_on(handle) as cluster:
        discovery = Discovery(cluster)
        with pytest.raises(Invalid, match=r"does not serve x\.example/v1"):
            await discovery.resource("x.example/v1", "Thing")
        discovery.expect("x.example/v1", "Thing", plural="things", namespaced=True)
        expected = await discovery.resource("x.example/v1", "Thing")
        assert expected.path("n") == "/apis/x.example/v1/namespaces/n/things"
        assert len(asked) == 2
        await discovery.until_served("x.example/v1", "Thing", timeout_seconds=10)
        assert (await discovery.resource("x.example/v1", "Thing")).verbs == {"list", "delete"}
        assert len(asked) == 3
        await discovery.until_served("x.example/v1", "Thing", timeout_seconds=0)
        assert len(asked) == 3


async def test_a_kind_that_is_never_served_is_named_with_its_definition() -> None:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return status(404, reason="NotFound", message="not served")

    async with cluster_on(handle) as cluster:
        discovery = Discovery(cluster)
        discovery.expect("x.example/v1", "Thing", plural="things", namespaced=True)
        with pytest.raises(Invalid, match=r"does not serve Thing in x\.example/v1, 0\.3 s .* CustomResourceDefinition"):
            await discovery.until_served("x.example/v1", "Thing", timeout_seconds=0.3)


async def test_a_kind_has_a_status_if_it_is_written_by_itself() -> None:
    async def handle(_request: web.Request) -> web.StreamResponse:
        resources = [entry("widgets", "Widget"), entry("widgets/status", "Widget"), entry("notes", "Note")]
        return web.json_response({"resources": resources})

    async with cluster_on(handle) as cluster:
        discovery = Discovery(cluster)
        assert (await discovery.resource("example.com/v1", "Widget")).has_status
        assert not (await discovery.resource("example.com/v1", "Note")).has_status
