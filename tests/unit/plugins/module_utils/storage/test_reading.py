"""Lists over real HTTP: in order, page by page, whole or with the cause, and whatever a hostile server answers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Unauthorized
from ansible_collections.kubestress.core.plugins.module_utils.storage import reading
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS, Reader, Wanted, uncompressed
from helpers.collection import CHECKOUT
from helpers.fake_server import ThreeTries, cluster_on, serving, status
from helpers.storage import Answer, Objects, StorageServer, answering, endless

QUICKLY = ThreeTries(deadline_seconds=20.0, first_pause_seconds=0.001, max_pause_seconds=0.01)


async def read(server: StorageServer, **wanted: Any) -> Inventory:
    """Everything, or what is wanted."""
    inventory = Inventory()
    async with cluster_on(server.handle, retry=QUICKLY) as cluster:
        await Reader(cluster, Wanted(**{"lists": LISTS, **wanted}), inventory).read()
    return inventory


def some_claims(number: int) -> Objects:
    objects = Objects()
    for each in range(number):
        objects.claim(f"c{each}", volume=f"v{each}")
        objects.volume(f"v{each}", claim=f"ns/c{each}", claim_uid=f"uid-c{each}")
        objects.pod(f"p{each}", f"c{each}")
    return objects


async def test_all_pages_of_all_lists() -> None:
    server = StorageServer(some_claims(25), page_size=10)
    inventory = await read(server)
    assert (len(inventory.claims), len(inventory.volumes), len(inventory.uses)) == (25, 25, 25)
    assert all(part.complete for part in inventory.parts.values())
    assert inventory.parts["pods"].objects == 25
    assert [server.asked.count(name) for name in ("claims", "volumes", "pods", "deployments")] == [3, 3, 3, 1]


async def test_what_is_made_first_is_read_last() -> None:
    """A list is a moment of the server, that of its first page."""
    server = StorageServer(some_claims(25), page_size=10)
    await read(server)
    first = {name: server.asked.index(name) for name in set(server.asked)}
    assert first["volumes"] < first["claims"] < min(first["pods"], first["deployments"], first["attachments"])
    assert first["snapshots"] < first["contents"]
    # ... and not that of its last: the others need not wait for that.
    assert first["claims"] < len(server.asked) - 1 - server.asked[::-1].index("volumes")


async def test_the_order_holds_where_a_list_is_refused() -> None:
    server = StorageServer(some_claims(1))
    server.instead["volumes"] = answering(lambda: status(403, reason="Forbidden", message="no"))
    inventory = await read(server)
    assert len(inventory.claims) == 1
    assert inventory.parts["volumes"].cause == "the user may not list persistentvolumes: no"


async def test_a_group_that_is_not_served_is_not_asked_for() -> None:
    server = StorageServer(some_claims(1), groups=["apps", "batch", "storage.k8s.io"])
    inventory = await read(server, groups=server.groups)
    part = inventory.parts["snapshots"]
    assert (part.complete, part.objects) == (False, 0)
    assert part.cause == (
        "the cluster does not serve snapshot.storage.k8s.io/v1; are CustomResourceDefinitions missing?"
    )
    assert "snapshots" not in server.asked
    # OpenShift's and KubeVirt's kinds are missed nowhere else.
    assert not {"deployment_configs", "virtual_machines"} & set(inventory.parts)


async def test_a_group_whose_kinds_are_missing_is_the_same() -> None:
    server = StorageServer(some_claims(1), groups=["apps", "batch", "storage.k8s.io"])
    inventory = await read(server, groups=None)
    assert "are CustomResourceDefinitions missing?" in str(inventory.parts["snapshots"].cause)


async def test_credentials_that_are_refused_end_the_scan() -> None:
    server = StorageServer(some_claims(1))
    server.instead["claims"] = answering(lambda: status(401, reason="Unauthorized", message="who?"))
    with pytest.raises(ExceptionGroup) as caught:
        await read(server)
    assert caught.group_contains(Unauthorized)


async def test_only_some_namespaces() -> None:
    objects = some_claims(3)
    objects.claim("elsewhere", namespace="other")
    objects.claim("there", namespace="more")
    server = StorageServer(objects)
    inventory = await read(server, namespaces=["ns", "other"])
    assert set(inventory.claims) == {"ns/c0", "ns/c1", "ns/c2", "other/elsewhere"}
    assert server.asked.count("claims") == 2
    assert server.asked.count("volumes") == 1


async def test_only_some_names() -> None:
    server = StorageServer(some_claims(9))
    inventory = await read(
        server, lists=["claims", "volumes"], names={"claims": ["ns/c1", "ns/gone"], "volumes": ["v2"]}
    )
    assert (set(inventory.claims), set(inventory.volumes)) == ({"ns/c1"}, {"v2"})
    assert sorted(server.asked) == ["claims/c1", "claims/gone", "volumes/v2"]
    assert inventory.parts["claims"].complete


async def test_what_no_object_can_be_called_is_not_asked_for() -> None:
    server = StorageServer(some_claims(1))
    names = {"claims": ["ns/", "../../x", "ns/a,b", "N S/c", "/"], "volumes": ["a/../b?x"]}
    inventory = await read(server, lists=["claims", "volumes"], names=names)
    assert (server.asked, inventory.claims) == ([], {})


async def test_a_name_that_may_not_be_read_is_not_one_that_is_gone() -> None:
    server = StorageServer(some_claims(2))
    server.instead["claims/c1"] = answering(lambda: status(403, reason="Forbidden", message="no"))
    inventory = await read(server, lists=["claims"], names={"claims": ["ns/c0", "ns/c1"]})
    assert not inventory.parts["claims"].complete


async def test_a_list_that_the_server_has_forgotten_begins_anew() -> None:
    objects = some_claims(25)
    objects.claim("elsewhere", namespace="a")
    server = StorageServer(objects, page_size=10)
    forgotten: list[str] = []

    async def forget_once(request: web.Request) -> web.StreamResponse:
        del server.instead["claims"]
        if "continue" in request.query and not forgotten:
            forgotten.append(request.query["continue"])
            return status(410, reason="Expired", message="too old")
        return await server.handle(request)

    def from_the_second_page(name: str) -> None:
        if name == "claims" and not forgotten:
            server.instead["claims"] = forget_once

    server.after = from_the_second_page
    inventory = await read(server, lists=["claims"], namespaces=["a", "ns"])
    assert forgotten
    assert len(inventory.claims) == 26, "what the other namespace has is kept"
    assert inventory.parts["claims"].objects == 26


async def test_one_that_is_forgotten_again_and_again_is_not_complete() -> None:
    server = StorageServer(some_claims(1))
    server.instead["claims"] = answering(lambda: status(410, reason="Expired", message="too old"))
    inventory = await read(server)
    assert inventory.parts["claims"].cause == "persistentvolumeclaims cannot be read to the end: too old"


async def test_pages_that_are_too_long_are_asked_for_in_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = Objects()
    for number in range(30):
        objects.claim(f"c{number}", annotations={"note": "x" * 100_000})
    monkeypatch.setattr(reading, "_MAX_PAGE_BYTES", 1_000_000)
    server = StorageServer(objects)
    inventory = await read(server, lists=["claims"])
    assert len(inventory.claims) == 30
    assert {query["limit"] for query in server.queries} == {"500", "50", "5"}


def _document(items: Any, **metadata: Any) -> bytes:
    return json.dumps({"kind": "List", "metadata": metadata, "items": items}).encode()


NO_CLAIM = {"metadata": {"name": "c", "namespace": "ns"}, "spec": {}}
HOSTILE: dict[str, tuple[Answer, str]] = {
    "an endless stream": (endless, "longer than 32 MiB"),
    "a list without end": (
        answering(lambda: web.Response(body=_document([NO_CLAIM], **{"continue": "again"}))),
        "does not end",
    ),
    "a page of HTML": (
        answering(lambda: web.Response(text="<script>alert(1)</script>", content_type="text/html")),
        "no API server",
    ),
    "nothing": (answering(lambda: web.Response(body=b"")), "the answer is empty"),
    "an interrupted list": (answering(lambda: web.Response(body=_document([NO_CLAIM])[:-3])), "no whole JSON"),
    "items that are no list": (answering(lambda: web.Response(body=_document({"a": 1}))), "$.items"),
    "an object without a name": (
        answering(lambda: web.Response(body=_document([{"metadata": {}, "spec": {}}]))),
        "name",
    ),
    "a number in the place of a text": (
        answering(lambda: web.Response(body=_document([{"metadata": {"name": 3}, "spec": {}}]))),
        "name",
    ),
    "something that is no list": (
        answering(lambda: web.json_response({"kind": "Pod", "metadata": {}})),
        "a list was asked for",
    ),
    "depth": (answering(lambda: web.Response(body=b"[" * 100_000)), "no API server"),
    "a refusal of many lines": (
        answering(lambda: status(403, reason="Forbidden", message="no\r\n\x1b[31m<b>" + "x" * 10_000)),
        "no [31m<b>xxx",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_is_a_list_that_is_not_complete(name: str) -> None:
    answer, told = HOSTILE[name]
    server = StorageServer(some_claims(1))
    server.instead["claims"] = answer
    inventory = await read(server)
    part = inventory.parts["claims"]
    assert not part.complete
    cause = str(part.cause)
    assert told in cause
    assert cause.isprintable(), "one line, and nothing that a terminal would obey"
    assert len(cause) < 500
    assert inventory.parts["pods"].complete, "the others are read all the same"


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(body=_document([]))

    @asynccontextmanager
    async def redirecting() -> AsyncIterator[StorageServer]:
        async with serving(elsewhere) as url:
            server = StorageServer(some_claims(1))
            headers = {"Location": f"{url}/api/v1/persistentvolumeclaims"}
            server.instead["claims"] = answering(lambda: web.Response(status=307, headers=headers))
            yield server

    async with redirecting() as server:
        inventory = await read(server)
    assert asked == []
    assert not inventory.parts["claims"].complete


async def test_bad_quantities_and_huge_annotations_are_no_sizes() -> None:
    objects = Objects()
    sizes = ["banana", "-1Gi", "1e999999", "1E99999999999", "9" * 500, "", "1Gi\n", "0", "1.5Gi", "1e3"]
    for number, size in enumerate(sizes):
        objects.claim(f"c{number}", size=size, annotations={"note": "<script>" * 30_000})
    inventory = await read(StorageServer(objects), lists=["claims"])
    assert [claim.bytes for claim in inventory.claims.values()] == [
        *[None] * 6, 2**30, 0, 3 * 2**29, 1000,
    ]  # fmt: skip


async def test_answers_are_not_compressed_unless_the_way_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[str] = []
    objects = Objects()
    for number in range(40):
        objects.claim(f"c{number}", annotations={"note": "x" * 20_000})
    server = StorageServer(objects, page_size=20)

    async def handle(request: web.Request) -> web.StreamResponse:
        accepted.append(request.headers["Accept-Encoding"])
        return await server.handle(request)

    async def once() -> list[str]:
        accepted.clear()
        async with cluster_on(handle) as cluster:
            uncompressed(cluster)
            await Reader(cluster, Wanted(lists=["claims"]), Inventory()).read()
        return list(accepted)

    assert await once() == ["identity", "identity"]
    monkeypatch.setattr(reading, "_SLOW_BYTES_PER_SECOND", 10**15)
    first, second = await once()
    assert first == "identity"
    assert "gzip" in second


async def test_one_page_after_the_other_is_read_into_the_same_memory() -> None:
    async def pieces(*found: bytes) -> AsyncIterator[bytes]:
        for piece in found:
            yield piece

    held, cluster = bytearray(), cast(Cluster, SimpleNamespace(connection=None))
    for parts in ((b"a" * 1000, b"b" * 500), (b"c",), (), (b"d" * 3000, b"", b"e")):
        body = await reading.bounded(cluster, held, pieces(*parts))
        assert body == b"".join(parts)
        assert cast(Any, body) is held


# --- the rights for it, as docs/rights.md states them ----------------------------------------------------------------


def test_the_role_in_the_documentation_is_what_a_scan_reads() -> None:
    text = (CHECKOUT / "docs" / "rights.md").read_text()
    (block,) = (one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "kubestress-storage" in one)
    allowed = [
        (group, resource, verb)
        for rule in yaml.safe_load(block)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    asked = [(listed.group, listed.plural, "list") for listed in LISTS.values()]
    assert sorted(allowed) == sorted([*asked, ("", "nodes/proxy", "get")])


def test_the_first_six_rules_are_what_lies_in_namespaces() -> None:
    """The text below the role says that they are enough for an account of some namespaces."""
    text = (CHECKOUT / "docs" / "rights.md").read_text()
    (block,) = (one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "kubestress-storage" in one)
    first = {resource for rule in yaml.safe_load(block)["rules"][:6] for resource in rule["resources"]}
    assert first == {listed.plural for listed in LISTS.values() if listed.namespaced}
