"""Where kinds are listed and watched, by a user who may do so in all namespaces and by one who may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.kubestress.core.plugins.module_utils.cluster.scopes import (
    MAX_NAMESPACES,
    ScopedWatch,
    Scopes,
)
from ansible_collections.kubestress.core.plugins.module_utils.cluster.watch import Event
from helpers.memory_api import Answer, MemoryApi, MemoryCluster, failure

PODS = Resource("v1", "Pod", "pods", True, frozenset())
NAMESPACES = Resource("v1", "Namespace", "namespaces", False, frozenset())


def only_in(*namespaces: str) -> Callable[[str, str], Answer | None]:
    """What to refuse to a user with rights in these namespaces alone."""

    def refuse(_method: str, path: str) -> Answer | None:
        allowed = any(path.startswith(f"/api/v1/namespaces/{name}/") for name in namespaces)
        return None if allowed else failure(403, "Forbidden", f"no right to {path}")

    return refuse


def a_pod(api: MemoryApi, name: str, namespace: str) -> None:
    api.put("pods", {"metadata": {"name": name, "namespace": namespace}})


async def following(watch: ScopedWatch) -> AsyncIterator[Event]:
    async with asyncio.timeout(60):
        async for event in watch.events():
            yield event


def place(event: Event) -> tuple[str, str]:
    return event.type, event.object["metadata"]["namespace"] if event.type != "SYNCED" else ""


async def test_who_may_watch_all_has_one_watch_for_all():
    api = MemoryApi()
    a_pod(api, "p", "stranger")
    async with MemoryCluster(api) as cluster:
        events = following(ScopedWatch(cluster, PODS, Scopes(["a", "b"])))
        assert [place(await anext(events)) for _number in range(2)] == [("ADDED", "stranger"), ("SYNCED", "")]
        await events.aclose()
    assert api.requests["GET", "pods"] == 1


async def test_who_may_not_has_one_in_each_namespace():
    api = MemoryApi()
    for namespace in ("a", "b", "stranger"):
        a_pod(api, "p", namespace)
    api.refuse = only_in("a", "b")
    scopes = Scopes(["a", "b"])
    async with MemoryCluster(api) as cluster:
        events = following(ScopedWatch(cluster, PODS, scopes))
        first = [await anext(events) for _number in range(3)]
        assert sorted(place(event) for event in first[:2]) == [("ADDED", "a"), ("ADDED", "b")]
        assert (first[2].type, first[2].namespace) == ("SYNCED", None)
        assert first[2].names == {("a", "p"), ("b", "p")}
        a_pod(api, "q", "b")
        a_pod(api, "q", "stranger")
        a_pod(api, "q", "a")
        assert sorted([place(await anext(events)) for _number in range(2)]) == [("ADDED", "a"), ("ADDED", "b")]
        await events.aclose()
    assert scopes.of(PODS) == ("a", "b")


async def test_a_later_list_speaks_of_its_own_namespace_only():
    api = MemoryApi()
    api.refuse = only_in("a", "b")
    async with MemoryCluster(api) as cluster:
        events = following(ScopedWatch(cluster, PODS, Scopes(["a", "b"])))
        assert place(await anext(events)) == ("SYNCED", "")
        a_pod(api, "p", "a")
        assert place(await anext(events)) == ("ADDED", "a")
        api.break_watches("b")
        again = await anext(events)
        assert (again.type, again.namespace, again.names) == ("SYNCED", "b", frozenset())
        assert not again.forgets(("a", "p"))
        assert again.forgets(("b", "p"))
        await events.aclose()


async def test_a_namespace_that_is_refused_too_is_named():
    api = MemoryApi()
    api.refuse = only_in("a")
    async with MemoryCluster(api) as cluster:
        with pytest.raises(Forbidden, match="no right to /api/v1/namespaces/b/pods"):
            async for _event in following(ScopedWatch(cluster, PODS, Scopes(["a", "b"]))):
                pass


@pytest.mark.parametrize(
    ("resource", "namespaces", "message"),
    [
        (NAMESPACES, ["a"], "no right to /api/v1/namespaces$"),
        (PODS, [], "no right to /api/v1/pods$"),
        (PODS, [f"n-{number}" for number in range(MAX_NAMESPACES + 1)], "101 namespaces are too many .* 100 at most"),
    ],
    ids=["cluster-scoped", "no namespaces", "too many"],
)
async def test_where_there_is_no_other_way_the_refusal_stands(resource, namespaces, message):
    api = MemoryApi()
    api.refuse = only_in()
    async with MemoryCluster(api) as cluster:
        with pytest.raises(Forbidden, match=message):
            async for _event in following(ScopedWatch(cluster, resource, Scopes(namespaces))):
                pass


async def test_few_namespaces_are_looked_into_without_trying_all():
    api = MemoryApi()
    a_pod(api, "p", "stranger")
    async with MemoryCluster(api) as cluster:
        events = following(ScopedWatch(cluster, PODS, Scopes(["a", "b"], few=2)))
        assert place(await anext(events)) == ("SYNCED", "")
        await events.aclose()
    assert Scopes(["a", "b", "c"], few=2).of(PODS) == (None,)


async def test_a_version_to_start_from_is_found_in_one_namespace():
    api = MemoryApi()
    a_pod(api, "old", "a")
    api.refuse = only_in("a", "b")
    async with MemoryCluster(api) as cluster:
        watch = ScopedWatch(cluster, PODS, Scopes(["a", "b"]))
        version = await watch.now()
        a_pod(api, "new", "b")
        async with asyncio.timeout(60):
            async for event in watch.events(version=version):
                assert event.object["metadata"]["name"] == "new"
                break
