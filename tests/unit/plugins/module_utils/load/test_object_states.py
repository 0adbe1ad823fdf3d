"""States of objects: what is counted as unfinished, who is called when, and what is ready in its own way."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.load.object_states import (
    CrashingSets,
    ObjectStates,
)
from ansible_collections.kubestress.core.plugins.module_utils.load.role_progress import RoleProgress
from ansible_collections.kubestress.core.plugins.module_utils.readiness.state import State
from helpers.virtual_time import in_virtual_time

KEY = ("n-1", "j-1")


class Calls:
    """Keeps what the states report."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    def object_failed(self, kind: str, key: tuple[str, str], role: str, cause: str) -> None:
        self.seen.append(("failed", kind, *key, role, cause))

    def object_settled(self, namespace: str, name: str) -> None:
        self.seen.append(("settled", namespace, name))

    def role_settled(self, namespace: str, role: str) -> None:
        self.seen.append(("role settled", namespace, role))

    def all_settled(self) -> None:
        self.seen.append(("all settled",))


def states_and_calls() -> tuple[ObjectStates, Calls]:
    states, calls = ObjectStates(RoleProgress()), Calls()
    states.subscribe(calls)
    return states, calls


@in_virtual_time
async def test_an_object_is_unfinished_from_its_storing_to_its_end():
    states, calls = states_and_calls()
    states.stored("Job", KEY, "jobs")
    states.stored("Job", KEY, "jobs")  # a second answer counts nothing twice
    assert (states.unfinished(), states.unfinished("jobs"), states.unfinished_in("n-1", "jobs")) == (1, 1, 1)
    assert calls.seen == []

    known = states.find("Job", KEY)
    states.set("Job", KEY, known, State.WAITING, "1 of 2 pods succeeded")
    assert states.not_ready() == [("Job", KEY, "1 of 2 pods succeeded")]
    states.set("Job", KEY, known, State.READY, "")
    assert (states.unfinished(), states.unfinished_in("n-1", "jobs"), states.ready["Job"]) == (0, 0, 1)
    assert states.not_ready() == []
    assert calls.seen == [("role settled", "n-1", "jobs"), ("all settled",), ("settled", "n-1", "j-1")]


@in_virtual_time
async def test_an_end_that_is_seen_before_the_answer_to_its_creation_is_not_waited_for():
    states, calls = states_and_calls()
    known = states.find_or_add("Job", KEY, "jobs")
    states.set("Job", KEY, known, State.READY, "")
    states.stored("Job", KEY, "jobs")
    assert (states.unfinished(), states.ready["Job"]) == (0, 1)
    assert calls.seen == [("settled", "n-1", "j-1")]


@in_virtual_time
async def test_an_object_that_is_no_longer_ready_is_waited_for_again():
    states, _calls = states_and_calls()
    states.stored("Deployment", KEY, "web")
    known = states.find("Deployment", KEY)
    for state, unfinished, ready in ((State.READY, 0, 1), (State.WAITING, 1, 0), (State.READY, 0, 1)):
        states.set("Deployment", KEY, known, state, "")
        assert (states.unfinished("web"), states.ready["Deployment"]) == (unfinished, ready)


@in_virtual_time
async def test_a_failure_is_reported_once_with_its_cause():
    states, calls = states_and_calls()
    states.stored("Job", KEY, "jobs")
    for _ in range(2):
        states.set("Job", KEY, states.find("Job", KEY), State.FAILED, "BackoffLimitExceeded")
    assert [call for call in calls.seen if call[0] == "failed"] == [
        ("failed", "Job", "n-1", "j-1", "jobs", "BackoffLimitExceeded")
    ]
    assert states.not_ready("jobs") == [("Job", KEY, "BackoffLimitExceeded")]
    assert states.not_ready("web") == []


@in_virtual_time
async def test_giving_up_ends_what_still_waits_of_one_role_or_of_all():
    states, _calls = states_and_calls()
    for name, role in (("a", "web"), ("b", "web"), ("c", "jobs")):
        states.stored("Deployment", ("n-1", name), role)
    states.set("Deployment", ("n-1", "a"), states.find("Deployment", ("n-1", "a")), State.READY, "")
    states.find("Deployment", ("n-1", "b")).cause = "0 of 1 replicas available"

    states.give_up("web", "not ready after 60 s")
    assert states.not_ready("web") == [("Deployment", ("n-1", "b"), "not ready after 60 s; 0 of 1 replicas available")]
    assert (states.unfinished("web"), states.unfinished()) == (0, 1)
    states.give_up(None, "the batch was not done")
    assert states.unfinished() == 0
    assert states.ready["Deployment"] == 1


@in_virtual_time
async def test_a_role_settles_in_each_namespace_by_itself():
    states, calls = states_and_calls()
    for namespace in ("n-1", "n-2"):
        states.stored("Deployment", (namespace, "a"), "web")
        states.stored("Deployment", (namespace, "b"), "web")
    for name in ("a", "b"):
        states.set("Deployment", ("n-1", name), states.find("Deployment", ("n-1", name)), State.READY, "")
    assert [call for call in calls.seen if call[0] != "settled"] == [("role settled", "n-1", "web")]
    assert states.unfinished_in("n-2", "web") == 2


@in_virtual_time
async def test_a_namespace_counts_under_its_own_name():
    states, _calls = states_and_calls()
    states.stored("Namespace", ("", "n-1"), "namespaces")
    assert states.unfinished_in("n-1", "namespaces") == 1


@in_virtual_time
async def test_the_first_end_and_every_ended_pod_are_progress_but_nothing_twice():
    progress = RoleProgress()
    states = ObjectStates(progress)
    moves: list[str] = []
    progress.moved = moves.append  # type: ignore[method-assign]
    known = states.find_or_add("Deployment", KEY, "web")
    for state in (State.READY, State.WAITING, State.READY, State.WAITING, State.FAILED):
        states.set("Deployment", KEY, known, state, "")
    assert moves == ["web"]
    job = states.find_or_add("Job", KEY, "jobs")
    for number in (0, 1, 1, 3, 2, 3):
        states.count_ended_pods(job, number)
    assert moves == ["web", "jobs", "jobs"]


def stateful_pod(name: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    owner = {"kind": "StatefulSet", "name": "s-1", "controller": True}
    return {
        "metadata": {"name": name, "namespace": "n-1", "ownerReferences": [owner]},
        "status": {"containerStatuses": [{"name": "main", "restartCount": 0, "state": state, **more}]},
    }


CREATING: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
RUNS: dict[str, Any] = {"running": {}}
KILLED: dict[str, Any] = {"terminated": {"reason": "OOMKilled"}}


@pytest.mark.parametrize("set_first", [True, False])
@in_virtual_time
async def test_a_set_that_is_meant_to_crash_is_ready_when_each_of_its_pods_was_killed_once(set_first: bool):
    states, _calls = states_and_calls()
    sets, key = CrashingSets(states), ("n-1", "s-1")
    states.stored("StatefulSet", key, "statefulsets")
    obj = {"spec": {"replicas": 2}}
    if set_first:
        sets.set_event(key, obj)
    sets.pod_event(stateful_pod("s-1-0", KILLED))
    sets.pod_event(stateful_pod("s-1-0", KILLED))
    sets.pod_event(stateful_pod("s-1-1", CREATING))
    if not set_first:
        sets.set_event(key, obj)
    assert states.not_ready() == [("StatefulSet", key, "1 of 2 pods have run")]
    sets.pod_event(stateful_pod("s-1-1", RUNS))
    ((_kind, _key, cause),) = states.not_ready()
    assert cause.startswith("all 2 pods run, but only 1 have been killed or restarted: they need more memory than")
    # Between two events it was killed and runs again.
    sets.pod_event(stateful_pod("s-1-1", RUNS, restartCount=1, lastState=KILLED))
    assert states.ready["StatefulSet"] == 1


@in_virtual_time
async def test_pods_of_other_controllers_make_no_set_ready():
    states, _calls = states_and_calls()
    sets = CrashingSets(states)
    states.stored("StatefulSet", ("n-1", "s-1"), "statefulsets")
    sets.set_event(("n-1", "s-1"), {"spec": {}})
    pod = stateful_pod("x", KILLED)
    pod["metadata"]["ownerReferences"][0]["kind"] = "ReplicaSet"
    sets.pod_event(pod)
    assert states.unfinished() == 1


@in_virtual_time
async def test_a_patched_object_is_waited_for_again_by_who_patched_it():
    states, calls = states_and_calls()
    known = states.stored("Claim", KEY, "volumes")
    states.set("Claim", KEY, known, State.READY, "")
    calls.seen.clear()

    states.patched("Claim", KEY, "growth", is_seen=False)
    assert (states.unfinished("volumes"), states.unfinished("growth")) == (0, 1)
    assert states.ready["Claim"] == 0
    states.set("Claim", KEY, known, State.READY, "")
    # Two operations: its creation and the patch.
    assert (states.unfinished(), states.ready["Claim"]) == (0, 2)
    assert ("role settled", "n-1", "growth") in calls.seen


@in_virtual_time
async def test_a_patch_whose_event_came_before_its_answer_is_not_waited_for_twice():
    states, _calls = states_and_calls()
    known = states.stored("Claim", KEY, "volumes")
    states.set("Claim", KEY, known, State.READY, "")
    states.patched("Claim", KEY, "growth", is_seen=True)
    assert (states.unfinished(), states.ready["Claim"], known.role) == (0, 2, "growth")

    states.set("Claim", KEY, known, State.WAITING, "has 1Gi of 2Gi")
    states.patched("Claim", KEY, "more", is_seen=True)
    assert (states.unfinished("growth"), states.unfinished("more")) == (0, 1)
