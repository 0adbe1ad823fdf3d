"""When the wait for a role ends: each kind of limit, from which moment it counts, and what a move changes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.clock import HeldClock
from ansible_collections.kubestress.core.plugins.module_utils.load.deadlines import Deadlines, Overdue
from ansible_collections.kubestress.core.plugins.module_utils.load.object_states import ObjectStates
from ansible_collections.kubestress.core.plugins.module_utils.load.role_progress import RoleProgress
from ansible_collections.kubestress.core.plugins.module_utils.load.scheduler import Scheduler
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import (
    Context,
    Fragment,
    PlanError,
    parse_fragments,
)
from ansible_collections.kubestress.core.plugins.module_utils.readiness.state import State
from helpers.batches import NAMESPACES, config_maps, deployments, jobs, obj
from helpers.virtual_time import in_virtual_time

# When the only member is stored, and when something of the role comes forward once more.
STORED, MOVED = 100, 130


@dataclass(frozen=True)
class Limit:
    """A fragment's options, and in which second the wait for it ends; None: never. `stalled`: by which limit."""

    options: dict[str, Any]
    ends: float | None
    stalled: bool = False
    gated: bool = False
    jobs: bool = True


LIMITS = {
    "ready_timeout counts from the last stored member": Limit({"ready_timeout": 60}, STORED + 60, jobs=False),
    "with a gate it counts from the start": Limit({"ready_timeout": 160}, 160, gated=True),
    "stall_timeout counts from the last move": Limit({"stall_timeout": 50}, MOVED + 50, stalled=True),
    "the same behind a gate": Limit({"stall_timeout": 50}, MOVED + 50, stalled=True, gated=True),
    "with both, the absolute limit counts from the start": Limit({"stall_timeout": 500, "ready_timeout": 200}, 200),
    "the first of both ends it": Limit({"stall_timeout": 40, "ready_timeout": 400}, MOVED + 40, stalled=True),
    "what does not end may have a stall timeout, too": Limit(
        {"stall_timeout": 50}, MOVED + 50, stalled=True, jobs=False
    ),
    "after another role it counts from the last stored member": Limit(
        {"stall_timeout": 500, "ready_timeout": 200, "after": ["first"]}, STORED + 200
    ),
    "what is not waited for has no limit": Limit({"ready": False, "ready_timeout": 10}, None),
}


def fragments_of(limit: Limit) -> list[Fragment]:
    active = {"active": 1} if limit.gated else {}
    first = {**config_maps(1), "role": "first"}
    made = jobs(1) if limit.jobs else {**deployments(1), "role": "jobs"}
    return parse_fragments([first, {**made, **active, **limit.options}], Context(run_id="r"))


@dataclass
class Parts:
    deadlines: Deadlines
    scheduler: Scheduler
    states: ObjectStates
    progress: RoleProgress


def parts_for(fragments: list[Fragment], *, namespaces: int = 1, clock: HeldClock | None = None) -> Parts:
    progress = RoleProgress(clock)
    states = ObjectStates(progress)
    scheduler = Scheduler(fragments, namespaces=[], parallel=1, clock=clock)
    deadlines = Deadlines(fragments, namespaces, scheduler, states, progress, clock)
    deadlines.begin()
    return Parts(deadlines, scheduler, states, progress)


async def run_to_its_end(parts: Parts, *, until: float) -> tuple[float, Overdue] | None:
    """The script of these tests: when, looked at as often as the deadlines ask, is the first limit reached."""
    loop = asyncio.get_running_loop()

    def store() -> None:
        parts.states.stored("Job", ("n-1", "j-1"), "jobs")
        parts.scheduler.members_begun["jobs"] += 1
        parts.scheduler.last_stored["jobs"] = loop.time()
        parts.progress.moved("jobs")

    loop.call_at(STORED, store)
    loop.call_at(MOVED, parts.progress.moved, "jobs")
    while loop.time() < until:
        if overdue := parts.deadlines.overdue():
            return loop.time(), overdue[0]
        await asyncio.sleep(min(1.0, parts.deadlines.seconds_to_next()))
    return None


@pytest.mark.parametrize("name", LIMITS)
@in_virtual_time
async def test_the_wait_for_a_role_ends(name: str):
    limit = LIMITS[name]
    found = await run_to_its_end(parts_for(fragments_of(limit)), until=1000)
    if limit.ends is None:
        assert found is None
    else:
        assert found is not None
        assert (round(found[0]), found[1].stalled) == (limit.ends, limit.stalled)


@in_virtual_time
async def test_a_role_that_has_not_begun_cannot_stand_still():
    parts = parts_for(fragments_of(Limit({"stall_timeout": 5}, None, gated=True)))
    await asyncio.sleep(99)
    assert parts.deadlines.overdue() == []


@in_virtual_time
async def test_a_gated_role_with_members_to_come_is_waited_for_also_while_none_is_unfinished():
    parts = parts_for(fragments_of(Limit({"ready_timeout": 50}, None, gated=True)), namespaces=3)
    (fragment,) = (each for each in fragments_of(Limit({}, None)) if each.role == "jobs")
    assert parts.deadlines.unsent(fragment) == 3
    await asyncio.sleep(51)
    assert [overdue.text for overdue in parts.deadlines.overdue()] == ["not ready after 50 s"]
    parts.deadlines.end("jobs")
    assert parts.deadlines.overdue() == []
    assert parts.deadlines.seconds_to_next() == 1


@in_virtual_time
async def test_what_was_in_flight_when_a_role_ended_is_overdue_as_soon_as_it_is_stored():
    parts = parts_for(fragments_of(Limit({"ready_timeout": 50}, None, gated=True)))
    await asyncio.sleep(51)
    parts.deadlines.end("jobs")
    parts.states.stored("Job", ("n-1", "late"), "jobs")
    assert [overdue.fragment.role for overdue in parts.deadlines.overdue()] == ["jobs"]


@in_virtual_time
async def test_a_finished_role_has_no_limit_any_more():
    parts = parts_for(fragments_of(Limit({"stall_timeout": 10}, None)))
    parts.states.stored("Job", ("n-1", "j-1"), "jobs")
    parts.states.set("Job", ("n-1", "j-1"), parts.states.find("Job", ("n-1", "j-1")), State.READY, "")
    await asyncio.sleep(1000)
    assert parts.deadlines.overdue() == []


@in_virtual_time
async def test_limits_stand_still_while_the_clock_is_held():
    clock = HeldClock()
    parts = parts_for(fragments_of(Limit({"stall_timeout": 100, "ready_timeout": 10_000}, None)), clock=clock)
    parts.states.stored("Job", ("n-1", "j-1"), "jobs")
    parts.progress.moved("jobs")
    parts.deadlines.namespace_stored("n-1", 60)
    await asyncio.sleep(50)
    clock.hold("somebody")
    await asyncio.sleep(1000)
    assert (parts.deadlines.overdue(), parts.deadlines.overdue_namespaces()) == ([], {})
    clock.let_go("somebody")
    assert parts.deadlines.seconds_to_next() == 10
    await asyncio.sleep(10.1)
    assert parts.deadlines.overdue_namespaces() == {"n-1": 60}
    assert parts.deadlines.overdue_namespaces() == {}
    await asyncio.sleep(40)
    assert [overdue.stalled for overdue in parts.deadlines.overdue()] == [True]


# --- which limits a fragment has --------------------------------------------------------------------------------------


def with_deadline(seconds: int, **more: Any) -> dict[str, Any]:
    fragment = jobs(2, **more)
    fragment["steps"][0][0]["definition"]["spec"]["activeDeadlineSeconds"] = seconds
    return fragment


def job_sets(*seconds: int) -> dict[str, Any]:
    parts = [
        {"name": f"part-{number}", "template": {"spec": {"activeDeadlineSeconds": length, "template": {}}}}
        for number, length in enumerate(seconds)
    ]
    return {"role": "sets", "steps": [[obj("JobSet", "s-{{ index }}", spec={"replicatedJobs": parts})]]}


@pytest.mark.parametrize(
    ("fragment", "stall", "ready"),
    [
        (job_sets(0), 600, 0),
        (job_sets(300, 900), 960, 0),
        (jobs(2), 600, 0),
        (with_deadline(900), 960, 0),
        (with_deadline(900, ready_timeout=5000), 960, 5000),
        (with_deadline(900, stall_timeout=30), 30, 0),
        (with_deadline(900, stall_timeout=0, ready_timeout=0), 960, 0),
        (with_deadline(900, active=1), 960, 0),
        (deployments(2), 0, 600),
        (deployments(2, stall_timeout=30), 30, 0),
        (deployments(2, stall_timeout=30, ready_timeout=90), 30, 90),
        (NAMESPACES, 0, 600),
    ],
)
def test_the_limits_of_a_fragment_follow_from_its_options_and_its_jobs(fragment: dict, stall: float, ready: float):
    (parsed,) = parse_fragments([fragment], Context(run_id="r"))
    assert (parsed.stall_timeout_seconds, parsed.ready_timeout_seconds) == (stall, ready)


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        (deployments(1, ready_timeout=0), "ready_timeout: 0 means no limit, which needs a stall_timeout"),
        ({**NAMESPACES, "stall_timeout": 30}, "stall_timeout: 30; a Namespace has only ready_timeout"),
        (jobs(1, stall_timeout=-1), "stall_timeout: -1; a number of seconds, 0 or more, is needed"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(fragment: dict, message: str):
    with pytest.raises(PlanError, match=message):
        parse_fragments([fragment], Context(run_id="r"))
