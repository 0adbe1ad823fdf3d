"""The scheduler driven by a made-up cluster: order, slots, gates, waves, and never a hang nor a lost operation."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.load.scheduler import Operation, Scheduler
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments
from helpers.virtual_time import in_virtual_time


def one(kind: str, name: str, *, count: int = 1) -> dict[str, Any]:
    version = {"Job": "batch/v1", "Deployment": "apps/v1"}.get(kind, "v1")
    return {"definition": {"apiVersion": version, "kind": kind, "metadata": {"name": name}}, "count": count}


NAMESPACES = {"role": "namespaces", "steps": [[one("Namespace", "{{ namespace }}")]]}
DEPLOYMENTS = {
    "role": "deployments",
    "count": 3,
    "steps": [
        [one("ConfigMap", "d{{ index }}-c{{ item }}", count=2), one("Secret", "d{{ index }}-s{{ item }}", count=2)],
        [one("Deployment", "d{{ index }}")],
    ],
}
JOBS = {"role": "jobs", "count": 5, "active": 2, "steps": [[one("Job", "j{{ index }}")]]}
CONFIGS = {"role": "configs", "count": 4, "steps": [[one("ConfigMap", "c{{ index }}")]]}


def fragments(*raw: dict[str, Any]) -> list[Fragment]:
    return parse_fragments(list(raw), Context(run_id="r"))


class Simulated:
    """Workers, an API server and a watch, all made up; what they see is checked as it happens.

    `draw` decides the order of everything that may happen in any order. `fails` are (namespace, name) whose request
    fails; `never_ready` namespaces that are stored but fail later.
    """

    def __init__(
        self,
        plan: list[Fragment],
        *,
        namespaces: int = 3,
        parallel: int = 10,
        workers: int = 8,
        seed: int = 0,
        fails: frozenset[tuple[str, str]] = frozenset(),
        never_ready: frozenset[str] = frozenset(),
        existing: frozenset[str] = frozenset(),
        finished: bool = False,
    ) -> None:
        self.names = [f"n-{number}" for number in range(1, namespaces + 1)]
        self.plan, self.workers, self.draw = plan, workers, random.Random(seed)
        self.fails, self.never_ready, self.finished = fails, never_ready, finished
        self.scheduler = Scheduler(
            plan,
            namespaces=enumerate(self.names, 1),
            parallel=parallel,
            existing=existing,
            unfinished_in=lambda namespace, role: len(self.unfinished[namespace, role]),
        )
        self.sent: list[Operation] = []
        self.outcomes: Counter[tuple[str, str, str]] = Counter()
        self.skipped: dict[tuple[str, str], str] = {}
        self.stored: set[tuple[str, str]] = set()
        self.ready: set[str] = set(existing)
        self.unfinished: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.gated: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.later: list[Any] = []
        self.most_unfinished: Counter[str] = Counter()
        self.working: Counter[str] = Counter()
        self.most_namespaces = 0
        self.gates = {fragment.role: fragment.active for fragment in plan}
        self.once = {fragment.role for fragment in plan if fragment.once}
        self.waits = {fragment.role: fragment.after for fragment in plan}
        self.objects = {fragment.role: fragment.count * fragment.kinds.total() for fragment in plan}

    async def run(self) -> Simulated:
        """Until the scheduler has no more, or fail for a hang."""
        async with asyncio.timeout(60):
            workers = [asyncio.create_task(self.work()) for _ in range(self.workers)]
            while not all(worker.done() for worker in workers):
                await self.happen()
                for worker in workers:
                    if worker.done():
                        worker.result()  # a check that failed in there
            await asyncio.gather(*workers)
        return self

    async def happen(self) -> None:
        """Let workers go on, and then one of the things that happen in their own time."""
        for _ in range(self.draw.randrange(1, 4)):
            await asyncio.sleep(0)
        if self.later:
            self.later.pop(self.draw.randrange(len(self.later)))()
        elif self.scheduler.is_waiting:
            # Only a pause of a wave may be left to wait for: anything else would hang for ever.
            await asyncio.sleep(0.001)

    async def work(self) -> None:
        while (operation := await self.scheduler.next()) is not None:
            self.check(operation)
            self.working[operation.namespace] += 1
            self.most_namespaces = max(self.most_namespaces, len(+self.working))
            for _ in range(self.draw.randrange(4)):
                await asyncio.sleep(0)
            self.working[operation.namespace] -= 1
            key = (operation.namespace, operation.name)
            self.outcomes[*key, operation.kind] += 1
            failure = operation.skipped_because or ("refused" if key in self.fails else None)
            if operation.skipped_because:
                self.skipped[key] = operation.skipped_because
            if failure is None:
                self.store(operation)
            self.scheduler.finished_operation(operation, failure=failure, finished=self.finished)

    def check(self, operation: Operation) -> None:
        """What must hold at the moment at which an operation is handed out."""
        self.sent.append(operation)
        if operation.skipped_because:
            return
        namespace = operation.namespace
        if operation.kind != "Namespace" and operation.role not in self.once:
            assert (namespace, namespace) in self.stored or "namespaces" not in self.gates
        if operation.kind in ("Deployment", "Job"):
            assert namespace in self.ready or "namespaces" not in self.gates
        if operation.kind == "Deployment":
            needed = {f"{operation.name}-{letter}{number}" for letter in "cs" for number in (1, 2)}
            assert {name for name in needed if (namespace, name) in self.stored} == needed
        for role in self.waits[operation.role]:
            place = "" if role in self.once else namespace
            assert not self.unfinished[place, role]
            sent = [each for each in self.sent if (each.namespace, each.role) == (place, role)]
            assert len(sent) == self.objects[role]

    def store(self, operation: Operation) -> None:
        namespace, name = operation.namespace, operation.name
        self.stored.add((namespace, name))
        if operation.kind == "Namespace":
            self.later.append(lambda: self.namespace_settles(namespace))
        elif operation.kind in ("Deployment", "Job"):
            if self.finished:
                return
            self.unfinished[namespace, operation.role].add(name)
            self.later.append(lambda: self.member_ends(operation))
            gate = self.gates[operation.role]
            if gate and operation.unit.step == len(operation.unit.lane.fragment.steps) - 1:
                gated = self.gated[namespace, operation.role]
                gated.add(name)
                assert len(gated) <= gate, f"{len(gated)} unfinished in {namespace}, {gate} allowed"
                self.most_unfinished[namespace] = max(self.most_unfinished[namespace], len(gated))

    def namespace_settles(self, namespace: str) -> None:
        if namespace in self.never_ready:
            self.scheduler.namespace_failed(namespace, "is being deleted")
        else:
            self.ready.add(namespace)
            self.scheduler.namespace_ready(namespace)

    def member_ends(self, operation: Operation) -> None:
        for names in (self.unfinished, self.gated):
            names[operation.namespace, operation.role].discard(operation.name)
        self.scheduler.member_finished(operation.namespace, operation.name)
        self.scheduler.recheck(operation.namespace)

    def expected(self) -> Counter[tuple[str, str, str]]:
        """Every object of the plan, once."""
        return Counter(
            (namespace, rendered.name, rendered.kind)
            for number, namespace in enumerate(self.names, 1)
            for fragment in self.plan
            for index in range(1, fragment.count + 1)
            for step in range(len(fragment.steps))
            for rendered in fragment.render_step(
                step, fragment.values(namespace=namespace, namespace_index=number, index=index)
            )
        )


@pytest.mark.parametrize("seed", range(12))
async def test_everything_is_sent_once_in_order(seed: int):
    run = await Simulated(fragments(NAMESPACES, DEPLOYMENTS, JOBS, CONFIGS), seed=seed).run()
    assert run.outcomes == run.expected()
    assert not run.skipped
    assert run.most_unfinished["n-1"] >= 2


@pytest.mark.parametrize("parallel", [1, 2, 5])
async def test_no_more_namespaces_than_allowed_are_worked_on_and_that_many_are(parallel: int):
    plan = fragments(NAMESPACES, DEPLOYMENTS, CONFIGS)
    run = await Simulated(plan, namespaces=12, parallel=parallel, workers=30).run()
    assert run.outcomes == run.expected()
    assert run.most_namespaces == parallel


@pytest.mark.parametrize("active", [1, 2, 5])
async def test_the_gate_of_unfinished_members_is_never_exceeded_and_is_reached(active: int):
    run = await Simulated(
        fragments(NAMESPACES, {**JOBS, "active": active, "count": 20}), namespaces=4, workers=40
    ).run()
    assert run.outcomes == run.expected()
    assert set(run.most_unfinished.values()) == {active}


async def test_a_namespace_that_only_waits_for_its_jobs_makes_room_for_the_next():
    """Slots are for namespaces with something to send, so that all namespaces' Jobs run side by side."""
    run = Simulated(fragments(NAMESPACES, {**JOBS, "active": 1}), namespaces=6, parallel=1)
    ends: list[Any] = []
    run.member_ends = ends.append  # type: ignore[method-assign]
    workers = [asyncio.create_task(run.work()) for _ in range(4)]
    while len(ends) < 6:
        await asyncio.wait_for(run.happen(), 60)
    assert {operation.namespace for operation in ends} == set(run.names)
    run.scheduler.stop()
    await asyncio.gather(*workers)


async def test_a_role_that_comes_after_another_waits_for_its_readiness_there():
    later = {"role": "check", "after": ["deployments"], "steps": [[one("Job", "check")]]}
    run = await Simulated(fragments(NAMESPACES, DEPLOYMENTS, later), namespaces=5, parallel=2).run()
    assert run.outcomes == run.expected()


@in_virtual_time
async def test_waves_pause_between_their_members_and_let_others_go_on():
    plan = fragments({**CONFIGS, "wave": {"size": 2, "pause": 30}, "count": 5}, {**JOBS, "active": 0})
    scheduler = Scheduler(plan, namespaces=[(1, "n-1")], parallel=1)
    loop = asyncio.get_running_loop()
    times = {}
    while (operation := await scheduler.next()) is not None:
        times[operation.name] = round(loop.time())
        scheduler.finished_operation(operation, failure=None)
    assert [times[f"c{number}"] for number in range(1, 6)] == [0, 0, 30, 30, 60]
    assert {times[f"j{number}"] for number in range(1, 6)} == {0}


async def test_of_a_stopped_role_no_more_members_begin_and_the_others_go_on():
    run = Simulated(fragments(NAMESPACES, {**JOBS, "active": 1}, DEPLOYMENTS), namespaces=4, parallel=2)

    def stop_the_jobs(operation: Operation) -> None:
        Simulated.member_ends(run, operation)
        if operation.role == "jobs":
            run.scheduler.stop_role("jobs")

    run.member_ends = stop_the_jobs  # type: ignore[method-assign]
    await run.run()
    sent = Counter(operation.role for operation in run.sent)
    assert (sent["namespaces"], sent["deployments"]) == (4, 4 * 15)
    assert 1 <= sent["jobs"] <= 4
    assert run.scheduler.members_begun["jobs"] == sent["jobs"]


FAILURES = [
    (frozenset({("n-2", "n-2")}), {"n-2": 20 + 5 + 4 - 5}),
    (frozenset({("n-1", "d1-c1")}), {"n-1": 1}),
    (frozenset({("n-1", "d1-c1"), ("n-1", "d1-s2"), ("n-3", "d3-s1")}), {"n-1": 1, "n-3": 1}),
    (frozenset({("n-1", "j1"), ("n-1", "d2")}), {}),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("fails", "skipped"), FAILURES)
async def test_what_needs_a_failed_object_is_not_sent_but_has_its_outcome(
    seed: int, fails: frozenset, skipped: dict[str, int]
):
    run = await Simulated(fragments(NAMESPACES, DEPLOYMENTS, JOBS, CONFIGS), fails=fails, seed=seed).run()
    assert run.outcomes == run.expected()
    assert Counter(namespace for namespace, _name in run.skipped) == skipped
    assert set(run.skipped.values()) <= {"refused"}


@pytest.mark.parametrize("seed", range(4))
async def test_a_namespace_that_fails_after_it_was_stored_ends_only_itself(seed: int):
    plan = fragments(NAMESPACES, DEPLOYMENTS, JOBS, CONFIGS)
    run = await Simulated(plan, never_ready=frozenset({"n-2"}), seed=seed).run()
    assert run.outcomes == run.expected()
    assert {namespace for namespace, _name in run.skipped} == {"n-2"}
    assert {("n-2", f"d{number}") for number in (1, 2, 3)} <= set(run.skipped)


async def test_an_existing_namespace_is_used_as_it_is():
    run = Simulated(fragments(NAMESPACES, DEPLOYMENTS), existing=frozenset({"n-1", "n-3"}))
    run.stored |= {("n-1", "n-1"), ("n-3", "n-3")}
    await run.run()
    assert [operation.name for operation in run.sent if operation.kind == "Namespace"] == ["n-2"]


async def test_a_namespace_known_as_ready_before_its_turn_needs_no_second_word():
    run = Simulated(fragments(NAMESPACES, DEPLOYMENTS), namespaces=4, parallel=1)
    run.ready |= set(run.names)
    for name in run.names:
        run.scheduler.namespace_ready(name)
    run.namespace_settles = lambda _namespace: None  # type: ignore[method-assign]
    await run.run()
    assert run.outcomes == run.expected()


async def test_members_that_ended_before_their_answer_came_do_not_hold_the_gate():
    run = await Simulated(fragments(NAMESPACES, {**JOBS, "active": 1}), finished=True).run()
    assert run.outcomes == run.expected()


async def test_after_a_stop_nothing_more_is_handed_out():
    run = Simulated(fragments(CONFIGS), namespaces=1000, parallel=5)
    operations = [await run.scheduler.next() for _ in range(7)]
    run.scheduler.stop()
    assert None not in operations
    assert [await run.scheduler.next() for _ in range(3)] == [None] * 3


async def test_a_stop_wakes_those_who_wait():
    scheduler = Scheduler(fragments(NAMESPACES, JOBS), namespaces=[(1, "n-1")], parallel=1)
    assert await scheduler.next() is not None
    waiting = [asyncio.create_task(scheduler.next()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    scheduler.stop()
    async with asyncio.timeout(60):
        assert await asyncio.gather(*waiting) == [None] * 3


def random_plan(draw: random.Random) -> list[dict[str, Any]]:
    plan: list[dict[str, Any]] = [NAMESPACES] if draw.random() < 0.7 else []
    for number in range(draw.randrange(1, 5)):
        role = f"role{number}"
        kinds = [draw.choice(["ConfigMap", "Secret", "Job"]) for _ in range(draw.randrange(1, 4))]
        steps = [
            [one(kind, f"{role}-{{{{ index }}}}-{place}-{{{{ item }}}}", count=draw.choice([0, 1, 1, 1, 3]))]
            for place, kind in enumerate(kinds)
        ]
        fragment = {"role": role, "count": draw.randrange(0, 6), "steps": steps}
        if kinds[-1] == "Job" and draw.random() < 0.6:
            steps[-1][0]["count"] = 1
            fragment["active"] = draw.randrange(1, 4)
        if draw.random() < 0.3:
            fragment["wave"] = {"size": draw.randrange(1, 3), "pause": 0.001}
        earlier = [each["role"] for each in plan if each["role"] != "namespaces"]
        if earlier and draw.random() < 0.4:
            fragment["after"] = [draw.choice(earlier)]
        plan.append(fragment)
    return plan


@pytest.mark.parametrize("seeds", [range(start, start + 30) for start in range(0, 150, 30)], ids=str)
async def test_whatever_the_plan_and_the_failures_every_operation_has_one_outcome(seeds: range):
    for seed in seeds:
        draw = random.Random(seed)
        run = Simulated(
            fragments(*random_plan(draw)),
            namespaces=draw.randrange(1, 6),
            parallel=draw.randrange(1, 5),
            workers=draw.randrange(1, 12),
            seed=seed,
        )
        everything = run.expected()
        keys = [(namespace, name) for namespace, name, _kind in everything]
        run.fails = frozenset(draw.sample(keys, min(len(keys), draw.choice([0, 0, 1, 5]))))
        run.never_ready = frozenset(draw.sample(run.names, draw.choice([0, 0, 1])))
        try:
            await run.run()
        except TimeoutError:
            pytest.fail(f"seed {seed} hangs; still to come: {everything - run.outcomes}")
        assert run.outcomes == everything, f"seed {seed}"


def endless(limit: int) -> Iterator[tuple[int, str]]:
    return ((number, f"n-{number}") for number in itertools.islice(itertools.count(1), limit))


async def blocks_kept(scheduler: Scheduler, operations: int) -> int:
    """How many blocks of memory more are in use at most while so many operations are asked for and finished.

    Blocks, not bytes: the interpreter's table of interned strings grows now and then, by megabytes at once.
    """
    before = most = sys.getallocatedblocks()
    for _ in range(operations):
        operation = await scheduler.next()
        assert operation is not None
        scheduler.finished_operation(operation, failure=None)
        most = max(most, sys.getallocatedblocks())
    return most - before


async def test_a_plan_of_a_million_objects_is_made_only_as_it_is_asked_for():
    plan = fragments({**CONFIGS, "count": 1_000_000})
    scheduler = Scheduler(plan, namespaces=endless(1_000_000), parallel=10)
    assert await blocks_kept(scheduler, 20_000) < 5_000


async def test_namespaces_that_are_done_are_forgotten():
    """10,000 namespaces of one object: what is kept must not grow with them."""
    scheduler = Scheduler(fragments({**CONFIGS, "count": 1}), namespaces=endless(10_000), parallel=10)
    assert await blocks_kept(scheduler, 10_000) < 5_000
    assert await scheduler.next() is None


# --- what is made once for the run -----------------------------------------------------------------------------------

WIDE: dict[str, Any] = {"role": "wide", "count": 3, "scope": "run"}


@pytest.mark.parametrize("seed", range(30))
def test_what_is_made_once_takes_no_slot_and_those_after_it_wait_for_it_in_every_namespace(seed: int) -> None:
    plan = fragments(NAMESPACES, {**WIDE, "steps": [[one("Secret", "w{{ index }}")]]}, {**CONFIGS, "after": ["wide"]})
    simulated = asyncio.run(Simulated(plan, namespaces=4, parallel=1, seed=seed).run())
    made = Counter((namespace, kind) for namespace, _name, kind in simulated.outcomes.elements())
    assert made["", "Secret"] == 3
    assert all(made[f"n-{number}", "ConfigMap"] == 4 for number in range(1, 5))
    assert len(made) == 1 + 2 * 4


@pytest.mark.parametrize("seed", range(30))
def test_its_readiness_is_waited_for_in_every_namespace(seed: int) -> None:
    plan = fragments({**WIDE, "steps": [[one("Job", "w{{ index }}")]]}, {**CONFIGS, "after": ["wide"]})
    simulated = asyncio.run(Simulated(plan, namespaces=3, parallel=2, seed=seed).run())
    assert sum(simulated.outcomes.values()) == 3 + 3 * 4


def test_it_needs_no_namespace_at_all() -> None:
    plan = fragments({**WIDE, "steps": [[one("Secret", "w{{ index }}")]]})
    simulated = asyncio.run(Simulated(plan, namespaces=0).run())
    assert sum(simulated.outcomes.values()) == 3
