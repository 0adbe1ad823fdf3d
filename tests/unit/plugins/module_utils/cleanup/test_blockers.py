"""From the conditions of a namespace that stays to the thing that holds it."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cleanup.blockers import Blocker, blockers_of
from ansible_collections.kubestress.core.plugins.module_utils.cleanup.removal import NAMESPACE
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import served
from helpers.fake_api import FakeApi
from helpers.fake_server import status

API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def cond(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "message": message}


async def found(api: FakeApi, *names: str) -> list[Blocker]:
    async with api.cluster() as cluster:
        resources = (await served(cluster)).resources
        return await blockers_of(cluster, {NAMESPACE: {("", name): f"uid-{name}" for name in names}}, resources)


def stuck(api: FakeApi, name: str, *conditions: dict[str, str], **metadata: Any) -> None:
    state = {"phase": "Terminating", "conditions": list(conditions)}
    api.add("namespaces", name, status=state, deletionTimestamp="2026-01-01T00:00:00Z", **metadata)


async def test_the_object_and_its_finalizer() -> None:
    api = FakeApi()
    remaining = (
        "Some resources are remaining: configmaps. has 2 resource instances, jobs.batch has 1 resource instances"
    )
    stuck(api, "a", cond("NamespaceContentRemaining", remaining), cond("NamespaceFinalizersRemaining", "some"))
    api.add("configmaps", "ends", "a", deletionTimestamp="2026-01-01T00:00:00Z")
    api.add("configmaps", "held", "a", finalizers=["x/y"], deletionTimestamp="2026-01-01T00:00:00Z")
    api.add("jobs", "build", "a", finalizers=["foregroundDeletion"])
    # It is not remaining, so it is not looked for.
    api.add("pods", "other", "a", finalizers=["x/y"])
    assert [(row.kind, row.name, row.cause) for row in await found(api, "a")] == [
        ("ConfigMap", "held", "held by finalizer x/y"),
        ("ConfigMap", "ends", "terminating since 2026-01-01T00:00:00Z"),
        ("Job", "build", "held by finalizer foregroundDeletion"),
    ]


async def test_the_api_service_that_is_away_is_named_once_for_all_namespaces() -> None:
    api = FakeApi()
    message = "Discovery failed for some groups, 1 failing: unable to retrieve: metrics.k8s.io/v1beta1: stale"
    for name in ("a", "b"):
        stuck(api, name, cond("NamespaceDeletionDiscoveryFailure", message))
    conditions = [{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "no endpoints"}]
    services = [
        {"metadata": {"name": "v1.apps"}, "status": {"conditions": [{"type": "Available", "status": "True"}]}},
        {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "status": {"conditions": conditions}},
    ]
    api.refused[API_SERVICES] = web.json_response({"kind": "APIServiceList", "metadata": {}, "items": services})
    rows = await found(api, "a", "b")
    assert len(rows) == 1
    assert str(rows[0]) == (
        "APIService v1beta1.metrics.k8s.io: is unavailable, so no namespace can be deleted: no endpoints "
        "(blocks 1 more namespaces)"
    )


async def test_the_message_names_the_group_for_who_may_not_read_api_services() -> None:
    api = FakeApi()
    message = "Discovery failed for some groups, 1 failing: unable to retrieve: metrics.k8s.io/v1beta1: stale"
    stuck(api, "a", cond("NamespaceDeletionDiscoveryFailure", message))
    api.refused[API_SERVICES] = status(403, reason="Forbidden", message="no")
    assert [(row.kind, row.name, row.cause) for row in await found(api, "a")] == [
        ("APIService", "v1beta1.metrics.k8s.io", message)
    ]


async def test_a_finalizer_of_the_namespace_itself_and_a_refused_deletion() -> None:
    api = FakeApi()
    stuck(api, "a", cond("NamespaceDeletionContentFailure", "webhook denied the request"), finalizers=["x/ns"])
    assert [(row.kind, row.name, row.cause) for row in await found(api, "a")] == [
        ("Namespace", "a", "webhook denied the request"),
        ("Namespace", "a", "held by finalizer x/ns"),
    ]


async def test_a_namespace_that_nobody_has_looked_at() -> None:
    api = FakeApi()
    stuck(api, "a")
    assert [str(row) for row in await found(api, "a")] == [
        "Namespace a: the namespace controller has not processed it yet"
    ]


async def test_what_has_gone_meanwhile_blocks_nothing() -> None:
    assert await found(FakeApi(), "gone") == []
