"""A whole cleanup against a small API server: what is asked for, what never is, and what is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from helpers.cleaning import RUN, clean
from helpers.fake_api import FakeApi
from helpers.fake_server import status

OURS = {"app.kubernetes.io/managed-by": "kubestress", "kubestress.core/run-id": RUN}
THEIRS = {"app.kubernetes.io/managed-by": "kubestress", "kubestress.core/run-id": "r2"}


@pytest.fixture
def api() -> FakeApi:
    """Return a cluster with run r1 in namespace a, run r2 in b, and a stranger's c that both use."""
    made = FakeApi()
    made.add("namespaces", "a", labels=OURS)
    made.add("namespaces", "b", labels=THEIRS)
    made.add("namespaces", "c", labels={"deployment-test": "true"})
    for namespace, labels in (("a", OURS), ("b", THEIRS), ("c", OURS)):
        made.add("configmaps", "settings", namespace, labels=labels)
        made.add("deployments", "web", namespace, labels=labels)
        owner = {"uid": f"uid-deployments-{namespace}-web", "kind": "Deployment", "name": "web", "controller": True}
        made.add("pods", "web-1", namespace, labels=labels, ownerReferences=[owner])
    made.add("configmaps", "notes", "c", labels={"app.kubernetes.io/managed-by": "kubestress"})
    made.add("clusterroles", "ours", labels=OURS)
    return made


async def test_only_what_carries_the_label_is_asked_to_go(api: FakeApi) -> None:
    result = await clean(api)
    selector = "app.kubernetes.io/managed-by=kubestress,kubestress.core/run-id=r1"
    for path, query, body in api.deleted:
        if path.rpartition("/")[2] in api.kinds:
            assert query["labelSelector"] == selector, path
        else:
            assert body["preconditions"]["uid"].startswith("uid-"), path
    left = set(api.objects)
    assert ("configmaps", "c", "notes") in left
    assert {("namespaces", "", "b"), ("configmaps", "b", "settings"), ("namespaces", "", "c")} <= left
    assert not {("namespaces", "", "a"), ("clusterroles", "", "ours"), ("configmaps", "c", "settings")} & left
    assert result["changed"] is True
    assert result["objects"]["ConfigMap"]["found"] == 2


async def test_namespaces_go_first_then_pods_then_the_rest(api: FakeApi) -> None:
    await clean(api)
    inside = [path for path, _query, _body in api.deleted if path.startswith("/api/v1/namespaces/a")]
    assert inside[:2] == ["/api/v1/namespaces/a", "/api/v1/namespaces/a/pods"]


async def test_owned_objects_elsewhere_are_left_to_their_owner(api: FakeApi) -> None:
    await clean(api)
    outside = {path for path, _query, _body in api.deleted if "/namespaces/c/" in path}
    assert outside == {"/api/v1/namespaces/c/configmaps", "/apis/apps/v1/namespaces/c/deployments"}


async def test_check_mode_sends_nothing_but_reads(api: FakeApi) -> None:
    result = await clean(api, check_mode=True)
    assert {method for method, _path, _query in api.asked} == {"GET"}
    assert result["changed"] is True
    assert "would be deleted" in result["msg"]
    assert result["diff"]["before"].splitlines()[0] == "Namespace a with 1 ConfigMap, 1 Deployment, 1 Pod"


async def test_nothing_found_is_no_change(api: FakeApi) -> None:
    result = await clean(api, run_id="never")
    assert result["changed"] is False
    assert result["objects"] == {}
    assert result["msg"] == "nothing on this cluster has the labels of run never"


async def test_a_namespace_with_a_foreign_object_stays_and_loses_only_ours(api: FakeApi) -> None:
    api.add("configmaps", "diary", "a")
    with pytest.raises(ModuleFailed, match="namespace a is kept, because it contains ConfigMap diary") as caught:
        await clean(api)
    assert caught.value.result["kept"] == [{"namespace": "a", "objects": ["ConfigMap diary"], "unseen": []}]
    left = {key for key in api.objects if key[1] == "a" or key == ("namespaces", "", "a")}
    # The Pod goes when its owner, which is deleted, is collected: no controller runs here.
    assert left == {("namespaces", "", "a"), ("configmaps", "a", "diary"), ("pods", "a", "web-1")}


async def test_another_runs_object_in_our_namespace_is_foreign(api: FakeApi) -> None:
    api.add("configmaps", "theirs", "a", labels=THEIRS)
    with pytest.raises(ModuleFailed, match="ConfigMap theirs"):
        await clean(api)
    assert ("configmaps", "a", "theirs") in api.objects


async def test_delete_foreign_says_yes(api: FakeApi) -> None:
    api.add("configmaps", "diary", "a")
    await clean(api, delete_foreign=True)
    assert ("namespaces", "", "a") not in api.objects


async def test_what_ours_own_and_claims_of_our_sets_are_not_foreign(api: FakeApi) -> None:
    first = api.add("configmaps", "child", "a", ownerReferences=[{"uid": "uid-deployments-a-web"}])
    api.add("configmaps", "a-grandchild", "a", ownerReferences=[{"uid": first["metadata"]["uid"]}])
    api.add("statefulsets", "oom", "a", labels=OURS)
    api.add("persistentvolumeclaims", "data-oom-0", "a")
    await clean(api)
    assert ("namespaces", "", "a") not in api.objects


async def test_on_a_big_cluster_only_our_namespaces_are_read_through(api: FakeApi) -> None:
    api.page_size = 1
    api.add("configmaps", "diary", "a")
    api.add("configmaps", "zzz", "c")
    strangers = {"labelSelector": f"kubestress.core/run-id!={RUN}"}
    with pytest.raises(ModuleFailed, match="ConfigMap diary"):
        await clean(api)
    asked = [path for _method, path, query in api.asked if query.get("labelSelector") == strangers["labelSelector"]]
    assert "/api/v1/namespaces/a/configmaps" in asked
    assert "/api/v1/namespaces/c/configmaps" not in asked


async def test_a_kind_that_cannot_be_listed_is_told(api: FakeApi) -> None:
    api.refused["/apis/batch/v1/jobs"] = status(403, reason="Forbidden", message="jobs is forbidden")
    api.stale = ["metrics.example.com/v1"]
    result = await clean(api, check_mode=True, delete_foreign=True)
    assert result["unlisted"] == {
        "jobs.batch": "jobs is forbidden",
        "metrics.example.com/v1": "the extension server behind it does not answer",
    }


@pytest.mark.parametrize(("namespaces", "where"), [(["a", "b"], "in namespaces a, b"), ([], "on this cluster")])
async def test_who_may_list_nothing_does_not_hear_that_nothing_is_left(namespaces: list[str], where: str) -> None:
    class Blind(FakeApi):
        async def handle(self, request: web.Request) -> web.StreamResponse:
            listed = self._parts(request.path)[0] if request.path.count("/") > 2 else ""
            if listed in self.kinds and not (listed == "namespaces" and not namespaces):
                return status(403, reason="Forbidden", message=f"{listed} is forbidden")
            return await super().handle(request)

    with pytest.raises(ModuleFailed, match=f"no kind of object may be listed {where}, .* run r1 .* is forbidden"):
        await clean(Blind(), namespaces=namespaces)


async def test_a_refused_deletion_fails_the_module_with_the_servers_words(api: FakeApi) -> None:
    api.refused["/api/v1/namespaces/a"] = status(403, reason="Forbidden", message="a webhook says no")
    with pytest.raises(ModuleFailed, match="Namespace a: a webhook says no") as caught:
        await clean(api)
    assert caught.value.result["errors"] == {"Namespace a": "a webhook says no"}
    # What the refused namespace holds is not emptied: it did not agree to go.
    assert ("pods", "a", "web-1") in api.objects


async def test_what_a_finalizer_holds_is_named_after_the_timeout(api: FakeApi) -> None:
    api.add("clusterroles", "held", labels=OURS, finalizers=["example.com/hold"])
    # No garbage collector runs here.
    del api.objects["pods", "c", "web-1"]
    with pytest.raises(ModuleFailed, match="ClusterRole held: held by finalizer example") as caught:
        await clean(api, wait=True, wait_timeout=1)
    assert caught.value.result["objects"]["ClusterRole"] == {"found": 2, "deleted": 1}


async def test_a_cap_on_requests_in_flight_is_kept(api: FakeApi) -> None:
    running, peak = 0, 0
    full = asyncio.Event()
    handle = api.handle

    async def counted(request: Any) -> Any:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        if running == 3:
            full.set()
        try:
            if "labelSelector" in request.query and request.path != "/api/v1/namespaces":
                # The kinds are listed side by side: the first answers wait for as many requests as are allowed.
                await asyncio.wait_for(full.wait(), 60)
            await asyncio.sleep(0.005)
            return await handle(request)
        finally:
            running -= 1

    api.handle = counted  # type: ignore[method-assign]
    await clean(api, max_concurrent=3)
    assert peak == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"run_id": "a/b"}, "run_id: 'a/b' is not allowed"),
        ({"run_id": ""}, "run_id: '' is not allowed"),
        ({"run_id": "x" * 64}, "run_id: "),
        ({"namespaces": ["team-a", "Team_B"]}, "namespaces: 'Team_B' is no namespace's name; lower-case letters"),
        ({"max_concurrent": 0}, "max_concurrent: 0 is not allowed; it must be 1 to 2,000"),
        ({"grace_period": -1}, "grace_period: -1 is not allowed; it must be 0 to 86,400"),
        ({"wait_timeout": 0}, "wait_timeout: 0 is not allowed; it must be 1 to 604,800"),
    ],
)
async def test_bad_input_sends_nothing(api: FakeApi, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ModuleFailed, match=told):
        await clean(api, **options)
    assert api.asked == []
