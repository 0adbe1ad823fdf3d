"""The runner on an API server in memory: one outcome per operation, and nothing foreign is ever touched."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery
from ansible_collections.kubestress.core.plugins.module_utils.cluster.labels import run_labels
from ansible_collections.kubestress.core.plugins.module_utils.load.runner import Runner
from ansible_collections.kubestress.core.plugins.module_utils.load.scheduler import Operation, Outcome, Scheduler
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.batches import NAMESPACES, config_maps, jobs, obj
from helpers.memory_api import Answer, MemoryApi, MemoryCluster, failure
from helpers.virtual_time import in_virtual_time

NAMES = [(1, "n-1"), (2, "n-2")]
OURS = run_labels("r", "configs")
FOREIGN = {
    "another run's": ({**OURS, "kubestress.core/run-id": "r2"}, "belongs to run r2"),
    "somebody's own": ({}, "was not made by kubestress"),
    "of the same run id, but not made by us": ({"kubestress.core/run-id": "r"}, "belongs to run r"),
}


class Run:
    """What came of a plan."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @property
    def results(self) -> Counter[str]:
        return Counter(outcome.result for outcome in self.outcomes)

    @property
    def names(self) -> Counter[tuple[str, str]]:
        return Counter((outcome.operation.namespace, outcome.operation.name) for outcome in self.outcomes)


async def run(
    api: MemoryApi,
    *plan: dict[str, Any],
    workers: int = 5,
    finished_earlier: set[str] | None = None,
    namespaces: list[tuple[int, str]] | None = None,
    **options: Any,
) -> Run:
    fragments = parse_fragments(list(plan), Context(run_id="r"))
    done = Run()
    async with MemoryCluster(api) as cluster:
        discovery = Discovery(cluster)
        kinds = {kind for fragment in fragments for kind in fragment.kinds}

        def is_finished(_operation: Operation) -> bool:
            return True

        runner = Runner(
            cluster,
            Scheduler(fragments, namespaces=namespaces or NAMES, parallel=2, assume_namespaces_ready=True),
            run_id="r",
            discovery=discovery,
            resources={kind: await discovery.resource(*kind) for kind in kinds},
            on_outcome=done.outcomes.append,
            is_finished=is_finished,
            finished_earlier=lambda operation: operation.name in (finished_earlier or ()),
            workers=workers,
            **options,
        )
        await runner.run()
    return done


def config_map(api: MemoryApi, name: str, labels: dict[str, str], *, namespace: str = "n-1") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return api.put("configmaps", {"metadata": metadata, "data": {"own": "1"}})


# --- create -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3, 50])
@in_virtual_time
async def test_every_operation_has_one_outcome(workers: int):
    api = MemoryApi()
    done = await run(api, NAMESPACES, config_maps(20), jobs(3), workers=workers)
    assert done.results == {"created": 2 * (1 + 20 + 3)}
    assert set(done.names.values()) == {1}
    assert {len(api.objects[plural]) for plural in ("namespaces", "configmaps", "jobs")} == {2, 40, 6}
    assert all(outcome.seconds >= 0 and outcome.attempts == 1 for outcome in done.outcomes)


@in_virtual_time
async def test_what_this_run_made_before_is_unchanged():
    api = MemoryApi()
    await run(api, NAMESPACES, config_maps(3))
    done = await run(api, NAMESPACES, config_maps(3))
    assert done.results == {"unchanged": 2 * 4}


@pytest.mark.parametrize("whose", FOREIGN)
@pytest.mark.parametrize("state", ["present", "patched", "absent"])
@in_virtual_time
async def test_a_foreign_object_is_a_failure_and_stays_as_it_is(state: str, whose: str):
    labels, words = FOREIGN[whose]
    api = MemoryApi()
    before = json.dumps(config_map(api, "c-1", labels))
    done = await run(api, config_maps(1), state=state)
    assert json.dumps(api.objects["configmaps"]["n-1", "c-1"]) == before
    (outcome,) = (each for each in done.outcomes if each.operation.namespace == "n-1")
    assert (outcome.result, outcome.reason) == ("failed", "NotOurs")
    assert f"ConfigMap c-1 exists already and {words}" in outcome.message


@in_virtual_time
async def test_a_foreign_object_of_no_namespace_has_a_cure_of_its_own():
    api = MemoryApi()
    api.put("persistentvolumes", {"metadata": {"name": "high"}})
    shared = {"role": "shared", "scope": "run", "steps": [[obj("PersistentVolume", "high", spec={})]]}
    (outcome,) = (await run(api, shared)).outcomes
    assert outcome.reason == "NotOurs"
    assert outcome.message.endswith("(leave it out of this run, or use another name)")


@in_virtual_time
async def test_an_object_whose_first_answer_was_lost_counts_as_created_and_exists_once():
    api, lost = MemoryApi(), []

    def lose(method: str, path: str) -> bool:
        if method == "POST" and path not in lost:
            lost.append(path)
            return True
        return False

    api.lose = lose
    done = await run(api, config_maps(3))
    assert done.results == {"created": 6}
    assert sorted(outcome.attempts for outcome in done.outcomes) == [1, 1, 1, 1, 2, 2]
    assert len(api.objects["configmaps"]) == 6


LOGIN = "<html>Please log in</html>"
#: Answers with a status of success that prove no creation of c-1.
EMPTY_PROMISES = {
    "login page": Answer(200, LOGIN, {}),
    "login page as created": Answer(201, LOGIN, {}),
    "null": Answer(201, None, {}),
    "JSON of another kind": Answer(201, {"ok": True}, {}),
    "no uid": Answer(201, {"metadata": {"name": "c-1", "namespace": "n-1"}}, {}),
    "another object": Answer(201, {"metadata": {"name": "c-2", "namespace": "n-1", "uid": "u"}}, {}),
    "another namespace": Answer(201, {"metadata": {"name": "c-1", "namespace": "n-3", "uid": "u"}}, {}),
    "200 instead of 201": Answer(200, {"metadata": {"name": "c-1", "namespace": "n-1", "uid": "u"}}, {}),
}


@pytest.mark.parametrize("promise", EMPTY_PROMISES.values(), ids=EMPTY_PROMISES)
@in_virtual_time
async def test_a_success_that_proves_nothing_is_asked_for_again(promise: Answer):
    api = MemoryApi()
    turns = iter([promise, promise])
    api.refuse = lambda method, _path: next(turns, None) if method == "POST" else None
    done = await run(api, config_maps(1), namespaces=[(1, "n-1")])
    assert done.results == {"created": 1}
    assert [outcome.attempts for outcome in done.outcomes] == [3]
    assert set(api.objects["configmaps"]) == {("n-1", "c-1")}


@pytest.mark.parametrize("promise", EMPTY_PROMISES.values(), ids=EMPTY_PROMISES)
@in_virtual_time
async def test_what_is_never_proved_to_be_stored_is_a_failure_by_name(promise: Answer):
    api = MemoryApi()
    api.refuse = lambda method, path: promise if method == "POST" and "/n-1/" in path else None
    done = await run(api, config_maps(1))
    assert done.results == {"created": 1, "failed": 1}
    (failed,) = [outcome for outcome in done.outcomes if outcome.result == "failed"]
    assert (failed.operation.namespace, failed.operation.name, failed.reason) == ("n-1", "c-1", "NoApiServer")
    assert "memory: POST /api/v1/namespaces/n-1/configmaps was answered by something that is no API server (HTTP" in (
        failed.message
    )
    assert set(api.objects["configmaps"]) == {("n-2", "c-1")}


@pytest.mark.parametrize(("state", "method"), [("patched", "PATCH"), ("absent", "DELETE"), ("patched", "GET")])
@in_virtual_time
async def test_a_page_proves_neither_a_patch_nor_a_deletion(state: str, method: str):
    api = MemoryApi()
    config_map(api, "c-1", OURS)
    turns = iter([Answer(200, LOGIN, {}), Answer(200, None, {}), Answer(404, LOGIN, {})])
    api.refuse = lambda its, _path: next(turns, None) if its == method else None
    done = await run(api, config_maps(1), state=state, namespaces=[(1, "n-1")])
    assert done.results == {"patched" if state == "patched" else "deleted": 1}
    assert done.outcomes[0].attempts == (4 if method != "GET" else 1)
    assert next(turns, None) is None


@in_virtual_time
async def test_a_request_that_was_turned_away_and_then_finds_the_object_has_not_made_it():
    """After 429 nothing was done: what is there has been there before."""
    api, refused = MemoryApi(), []
    config_map(api, "c-1", OURS)

    def refuse(method: str, path: str) -> Any:
        if method == "POST" and path not in refused:
            refused.append(path)
            return failure(429, "TooManyRequests")
        return None

    api.refuse = refuse
    done = await run(api, config_maps(1))
    assert {each.operation.namespace: each.result for each in done.outcomes} == {"n-1": "unchanged", "n-2": "created"}


@in_virtual_time
async def test_what_the_server_refuses_is_a_failure_with_its_words_and_what_needs_it_is_not_sent():
    api = MemoryApi()
    steps = [[obj("ConfigMap", "needed")], [obj("Secret", "needs-it")]]
    api.refuse = lambda _method, path: failure(403, "Forbidden", "no ConfigMaps here") if "n-1/conf" in path else None
    done = await run(api, {"role": "pairs", "steps": steps})
    found = {(each.operation.namespace, each.operation.name): each for each in done.outcomes}
    assert (found["n-1", "needed"].reason, found["n-1", "needed"].message) == ("Forbidden", "no ConfigMaps here")
    skipped = found["n-1", "needs-it"]
    assert (skipped.result, skipped.reason, skipped.attempts) == ("failed", "DependencyFailed", 0)
    assert skipped.message == ("not sent, because something it needs has failed: ConfigMap needed: no ConfigMaps here")
    assert {found["n-2", name].result for name in ("needed", "needs-it")} == {"created"}
    assert list(api.objects["secrets"]) == [("n-2", "needs-it")]


@in_virtual_time
async def test_what_finished_in_an_earlier_attempt_is_not_sent():
    api = MemoryApi()
    done = await run(api, jobs(2), finished_earlier={"j-1"})
    assert done.results == {"created": 2, "unchanged": 2}
    assert {name for _namespace, name in api.objects["jobs"]} == {"j-2"}


@in_virtual_time
async def test_a_kind_that_only_a_later_member_makes_is_a_failure_that_says_so():
    text = (
        "apiVersion: v1\nmetadata:\n  name: x-{{ index }}\n"
        "kind: {% if index == 2 %}Secret{% else %}ConfigMap{% endif %}"
    )
    item = {"definition": text}
    done = await run(MemoryApi(), {"role": "odd", "count": 3, "steps": [[item]]})
    assert done.results == {"created": 4, "failed": 2}
    (message,) = {outcome.message for outcome in done.outcomes if outcome.result == "failed"}
    assert "Secret of v1 is not among what the first member makes" in message


@in_virtual_time
async def test_an_error_that_is_not_the_clusters_ends_the_run():
    item = obj("ConfigMap", "c-{{ 6 // (index - 2) }}")
    with pytest.raises(ExceptionGroup):
        await run(MemoryApi(), {"role": "odd", "count": 3, "steps": [[item]]})


# --- patch and delete -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patch_type", ["merge", "strategic", "apply"])
@in_virtual_time
async def test_a_patch_changes_once_and_is_unchanged_after_that(patch_type: str):
    api = MemoryApi()
    for namespace in ("n-1", "n-2"):
        config_map(api, "c-1", OURS, namespace=namespace)
    for result in ("patched", "unchanged"):
        done = await run(api, config_maps(1), state="patched", patch_type=patch_type)
        assert done.results == {result: 2}
    assert api.objects["configmaps"]["n-1", "c-1"]["data"] == {"own": "1", "key": "n-1/1"}
    content_types = {content_type for _method, _plural, _body, content_type in api.bodies}
    assert len(content_types) == 1
    assert patch_type in content_types.pop()


@pytest.mark.parametrize("state", ["patched", "absent"])
@in_virtual_time
async def test_an_object_that_was_replaced_since_it_was_looked_at_is_left_alone(state: str):
    """The uid goes along as a precondition."""
    api = MemoryApi()
    config_map(api, "c-1", OURS)

    def replace_after_the_look(method: str, path: str) -> None:
        if method in ("PATCH", "DELETE") and path.endswith("n-1/configmaps/c-1"):
            api.remove("configmaps", "c-1", "n-1")
            config_map(api, "c-1", {})

    api.refuse = replace_after_the_look
    done = await run(api, config_maps(1), state=state)
    (outcome,) = (each for each in done.outcomes if each.operation.namespace == "n-1")
    assert (outcome.result, outcome.reason) == ("failed", "Conflict")
    assert api.objects["configmaps"]["n-1", "c-1"]["data"] == {"own": "1"}


@in_virtual_time
async def test_what_is_to_be_patched_and_is_not_there_is_a_failure():
    done = await run(MemoryApi(), config_maps(1), state="patched")
    assert Counter(outcome.reason for outcome in done.outcomes) == {"NotFound": 2}


@in_virtual_time
async def test_deleting_deletes_what_is_ours_and_finds_the_rest_gone():
    api = MemoryApi()
    config_map(api, "c-1", OURS)
    done = await run(api, config_maps(2), state="absent")
    assert done.results == {"deleted": 1, "unchanged": 3}
    assert not api.objects["configmaps"]
    ((_method, _plural, options, _type),) = api.bodies
    assert options["propagationPolicy"] == "Background"
