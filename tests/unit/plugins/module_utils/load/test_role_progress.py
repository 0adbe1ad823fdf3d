"""What counts as coming forward: only what can happen a limited number of times."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.load.role_progress import RoleProgress
from helpers.virtual_time import in_virtual_time


class Step(NamedTuple):
    """An event of a pod, and whether it is progress."""

    event: str
    uid: str
    phase: str
    moves: bool


CASES = {
    "each pod of a Job that runs or ends": (
        "Job",
        [
            Step("ADDED", "a", "Pending", False),
            Step("MODIFIED", "a", "Pending", False),
            Step("MODIFIED", "a", "Running", True),
            Step("MODIFIED", "a", "Running", False),
            Step("MODIFIED", "a", "Succeeded", True),
            Step("MODIFIED", "a", "Succeeded", False),
            Step("DELETED", "a", "Succeeded", False),
            Step("ADDED", "b", "Pending", False),
            Step("MODIFIED", "b", "Failed", True),
            Step("ADDED", "c", "Running", True),
            Step("DELETED", "c", "Running", False),
        ],
    ),
    "of other pods only that more run than ever": (
        "ReplicaSet",
        [
            Step("ADDED", "a", "Running", True),
            Step("MODIFIED", "a", "Failed", False),  # evicted, and replaced again and again
            Step("ADDED", "b", "Running", False),
            Step("MODIFIED", "b", "Failed", False),
            Step("ADDED", "c", "Running", False),
            Step("ADDED", "d", "Running", True),
            Step("DELETED", "d", "Running", False),
            Step("ADDED", "e", "Running", False),
        ],
    ),
}


def pod(uid: str, phase: str, *, owner: str) -> dict[str, Any]:
    owners = [{"kind": owner, "name": "x", "controller": True}]
    metadata = {"uid": uid, "name": uid, "namespace": "n-1", "ownerReferences": owners}
    return {"metadata": metadata, "status": {"phase": phase}}


@pytest.mark.parametrize("case", CASES)
@in_virtual_time
async def test_of_pods_this_is_progress(case: str):
    owner, steps = CASES[case]
    progress = RoleProgress()
    for step in steps:
        await asyncio.sleep(1)
        progress.pod_event(step.event, pod(step.uid, step.phase, owner=owner), "jobs")
        moved = progress.last_moved("jobs") == asyncio.get_running_loop().time()
        assert moved is step.moves, step


@in_virtual_time
async def test_pods_are_counted_by_role_while_they_live():
    progress = RoleProgress()
    for uid, phase, role in (("a", "Pending", "x"), ("b", "Running", "x"), ("c", "Running", "y"), ("d", "Failed", "x")):
        progress.pod_event("ADDED", pod(uid, phase, owner="Job"), role)
    assert (progress.pending("x"), progress.running("x"), progress.running("y")) == (["a"], 1, 1)
    progress.pod_event("MODIFIED", pod("b", "Succeeded", owner="Job"), "x")
    progress.pod_event("DELETED", pod("a", "Pending", owner="Job"), "x")
    assert (progress.pending("x"), progress.running("x")) == ([], 0)
    assert progress.last_moved("z") is None
