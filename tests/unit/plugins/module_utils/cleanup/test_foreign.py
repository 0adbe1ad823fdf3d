"""What could not be looked into is not deleted, and what is not proven is not believed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from helpers.cleaning import RUN, clean
from helpers.fake_api import KINDS, FakeApi
from helpers.fake_server import status

OURS = {"app.kubernetes.io/managed-by": "kubestress", "kubestress.core/run-id": RUN}
Rule = Callable[[web.Request], web.Response | None]


class Interposed(FakeApi):
    """An API server behind something that may answer instead: the first of `rules` that has an answer."""

    def __init__(self) -> None:
        widgets = ("example.com/v1", "widgetjobs", "Job", True)
        super().__init__((*KINDS, ("v1", "secrets", "Secret", True), widgets))
        self.rules: list[Rule] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        for rule in self.rules:
            answer = rule(request)
            if answer is not None:
                self.asked.append((request.method, request.path, dict(request.query)))
                return answer
        return await super().handle(request)


@pytest.fixture
def api() -> Interposed:
    """Return a cluster with the run's namespace a, in which a stranger keeps a Secret, and its namespace b."""
    made = Interposed()
    for name in ("a", "b"):
        made.add("namespaces", name, labels=OURS)
        made.add("configmaps", "settings", name, labels=OURS)
        made.add("deployments", "web", name, labels=OURS)
    made.add("secrets", "theirs", "a")
    return made


def page() -> web.Response:
    return web.Response(text="<html>Please log in</html>", content_type="text/html")


def forbidden() -> web.Response:
    return status(403, reason="Forbidden", message='secrets is forbidden: User "x" cannot list resource "secrets"')


def first_page_of_more() -> web.Response:
    metadata = {"resourceVersion": "1", "continue": "more"}
    return web.json_response({"kind": "SecretList", "metadata": metadata, "items": []})


#: What is answered instead of a list, and what is said of it.
BLIND: dict[str, tuple[Callable[[], web.Response], str]] = {
    "forbidden": (forbidden, "missing rights: list secrets"),
    "forgotten": (lambda: status(410, reason="Expired", message="too old"), "secrets: too old"),
    "overloaded": (lambda: status(503, reason="ServiceUnavailable", message="busy"), "secrets: busy"),
    "a page": (page, "answered by something that is no API server"),
    "null": (lambda: web.json_response(None), "answered by something that is no API server"),
    "an empty object": (lambda: web.json_response({}), "answered by something that is no API server"),
    "a redirect": (lambda: web.Response(status=302, headers={"Location": "/login"}), "no API server (HTTP 302"),
    "without items": (lambda: web.json_response({"kind": "SecretList", "metadata": {}}), "no API server"),
}


def instead_of_secrets(make: Callable[[], web.Response]) -> Rule:
    return lambda request: make() if request.path.endswith("/secrets") and request.method == "GET" else None


def deleted_paths(api: FakeApi) -> set[str]:
    return {path for path, _query, _body in api.deleted}


@pytest.mark.parametrize("case", BLIND)
async def test_a_namespace_that_cannot_be_looked_through_stays(api: Interposed, case: str) -> None:
    make, told = BLIND[case]
    api.rules = [instead_of_secrets(make)]
    with pytest.raises(ModuleFailed) as caught:
        await clean(api)
    message, result = str(caught.value), caught.value.result
    assert "namespaces a, b are kept, because it is unknown what else is in there" in message
    assert told in message
    assert "accept_unseen: true deletes it anyway" in message
    assert [(row["namespace"], row["objects"], [each["kind"] for each in row["unseen"]]) for row in result["kept"]] == [
        ("a", [], ["secrets"]),
        ("b", [], ["secrets"]),
    ]
    right = result["kept"][0]["unseen"][0]["missing_right"]
    assert right == ("list secrets" if case == "forbidden" else "")
    assert result["kept_total"] == 2
    assert set(api.objects) == {("namespaces", "", "a"), ("namespaces", "", "b"), ("secrets", "a", "theirs")}
    assert not deleted_paths(api) & {"/api/v1/namespaces/a", "/api/v1/namespaces/b"}


async def test_a_list_that_ends_in_the_middle_is_not_complete(api: Interposed) -> None:
    def second_page_is_lost(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/secrets") or "!=" not in request.query.get("labelSelector", ""):
            return None
        return status(503, message="busy") if "continue" in request.query else first_page_of_more()

    api.rules = [second_page_is_lost]
    with pytest.raises(ModuleFailed, match=r"namespaces a, b are kept.*secrets: busy"):
        await clean(api)
    assert ("secrets", "a", "theirs") in api.objects


async def test_only_the_namespace_that_is_closed_stays(api: Interposed) -> None:
    closed = ("/api/v1/secrets", "/api/v1/namespaces/b/secrets")
    api.rules = [lambda request: forbidden() if request.path in closed else None]
    del api.objects["secrets", "a", "theirs"]
    with pytest.raises(ModuleFailed, match="namespace b is kept, because it is unknown"):
        await clean(api)
    assert ("namespaces", "", "a") not in api.objects
    assert ("namespaces", "", "b") in api.objects


async def test_a_group_that_is_away_keeps_namespaces(api: Interposed) -> None:
    api.stale = ["widgets.example.com/v1"]
    with pytest.raises(ModuleFailed, match=r"namespaces a, b are kept.*widgets.example.com/v1: the extension server"):
        await clean(api)
    assert ("namespaces", "", "b") in api.objects


async def test_metrics_that_are_away_keep_nothing(api: Interposed) -> None:
    api.stale = ["metrics.k8s.io/v1beta1"]
    del api.objects["secrets", "a", "theirs"]
    result = await clean(api)
    assert result["unlisted"] == {}
    assert not api.objects


@pytest.mark.parametrize("option", ["accept_unseen", "delete_foreign"])
async def test_who_knows_better_says_so(api: Interposed, option: str) -> None:
    api.rules = [instead_of_secrets(forbidden)]
    await clean(api, **{option: True})
    assert ("namespaces", "", "a") not in api.objects


async def test_accept_unseen_does_not_accept_what_is_seen(api: Interposed) -> None:
    with pytest.raises(ModuleFailed, match="namespace a is kept, because it contains Secret theirs"):
        await clean(api, accept_unseen=True)
    assert ("secrets", "a", "theirs") in api.objects


async def test_check_mode_names_what_would_be_kept(api: Interposed) -> None:
    api.rules = [instead_of_secrets(forbidden)]
    result = await clean(api, check_mode=True)
    assert "missing rights: list secrets" in result["msg"]
    assert result["kept_total"] == 2


@pytest.mark.parametrize("case", ["forgotten", "overloaded", "a page", "null", "a redirect"])
async def test_lists_are_asked_for_again_first(api: Interposed, case: str) -> None:
    make, _told = BLIND[case]
    once: set[tuple[str, str]] = set()

    def first_time(request: web.Request) -> web.Response | None:
        key = (request.path, request.query.get("labelSelector", ""))
        if request.method != "GET" or request.path in ("/version", "/api", "/apis") or key in once:
            return None
        once.add(key)
        return make()

    api.rules = [first_time]
    del api.objects["secrets", "a", "theirs"]
    await clean(api, retry_deadline=30.0)
    assert not api.objects


async def test_what_came_after_the_first_look_is_seen_before_the_delete(api: Interposed) -> None:
    looks = 0

    def somebody_comes(request: web.Request) -> None:
        nonlocal looks
        if request.path == "/api/v1/secrets" and "!=" in request.query.get("labelSelector", ""):
            looks += 1
            if looks == 2:
                api.add("secrets", "new", "b")

    del api.objects["secrets", "a", "theirs"]
    api.rules = [somebody_comes]
    with pytest.raises(ModuleFailed, match="namespace b is kept, because it contains Secret new") as caught:
        await clean(api)
    assert set(api.objects) == {("namespaces", "", "b"), ("secrets", "b", "new")}
    assert caught.value.result["namespaces"] == ["a"]
    assert "/api/v1/namespaces/b" not in deleted_paths(api)


async def test_namespaces_are_deleted_by_uid(api: Interposed) -> None:
    del api.objects["secrets", "a", "theirs"]
    await clean(api)
    bodies = {path: body for path, _query, body in api.deleted}
    for name in ("a", "b"):
        assert bodies[f"/api/v1/namespaces/{name}"]["preconditions"] == {"uid": f"uid-namespaces--{name}"}


async def test_deletes_that_a_page_answers_deleted_nothing(api: Interposed) -> None:
    api.rules = [lambda request: page() if request.method == "DELETE" else None]
    del api.objects["secrets", "a", "theirs"]
    with pytest.raises(ModuleFailed) as caught:
        await clean(api, wait=True)
    message = str(caught.value)
    told = r"/api/v1/namespaces/[ab] was answered by something that is no API server \(HTTP 200, text/html"
    assert re.search(told, message), message
    assert "controller" not in message
    assert all(row["deleted"] == 0 for row in caught.value.result["objects"].values())


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1/namespaces"])
async def test_a_page_instead_of_what_all_depends_on_is_named(api: Interposed, path: str) -> None:
    api.rules = [lambda request: page() if request.path == path else None]
    with pytest.raises(ModuleFailed, match=rf"{path} was answered by something that is no API server \(HTTP 200, text"):
        await clean(api)
    assert not api.deleted


async def test_a_kind_that_could_not_be_listed_again_was_not_deleted(api: Interposed) -> None:
    """A finalizer holds one object, so what is left is counted; that count has no list of ConfigMaps."""
    deleting = False

    def blind_afterwards(request: web.Request) -> web.Response | None:
        nonlocal deleting
        deleting = deleting or request.method == "DELETE"
        hidden = request.path.endswith("/configmaps") and request.method == "GET" and deleting
        return forbidden() if hidden else None

    del api.objects["secrets", "a", "theirs"]
    api.add("clusterroles", "held", labels=OURS, finalizers=["example.com/hold"])
    api.rules = [blind_afterwards]
    with pytest.raises(ModuleFailed, match="ClusterRole held") as caught:
        await clean(api, wait=True, wait_timeout=1)
    objects = caught.value.result["objects"]
    assert objects["Deployment"] == {"found": 2, "deleted": 2}
    assert objects["ConfigMap"] == {"found": 2, "deleted": 0}


async def test_nothing_found_is_not_nothing_there(api: Interposed) -> None:
    api.rules = [instead_of_secrets(lambda: status(503, message="busy"))]
    with pytest.raises(ModuleFailed, match=r"secrets could not be listed \(busy.*unknown whether the run has any"):
        await clean(api, run_id="never")
    assert (await clean(api, run_id="never", accept_unseen=True))["changed"] is False
    api.rules = [instead_of_secrets(forbidden)]
    result = await clean(api, run_id="never")
    assert result["msg"] == "nothing on this cluster has the labels of run never; 1 kind could not be listed"


async def test_kinds_of_one_name_are_both_removed_from_a_namespace_that_stays(api: Interposed) -> None:
    api.add("jobs", "ours", "a", labels=OURS)
    api.add("widgetjobs", "ours", "a", labels=OURS)
    with pytest.raises(ModuleFailed, match="namespace a is kept, because it contains Secret theirs"):
        await clean(api)
    assert set(api.objects) == {("namespaces", "", "a"), ("secrets", "a", "theirs")}


async def test_a_page_while_waiting_is_asked_past(api: Interposed) -> None:
    pages = 0

    def page_after_the_delete(request: web.Request) -> web.Response | None:
        nonlocal pages
        if request.method != "GET" or not api.deleted or pages == 3:
            return None
        pages += 1
        return page()

    del api.objects["secrets", "a", "theirs"]
    api.rules = [page_after_the_delete]
    result = await clean(api, wait=True, wait_timeout=60, retry_deadline=30.0)
    assert pages == 3
    assert result["objects"]["Namespace"] == {"found": 2, "deleted": 2}
