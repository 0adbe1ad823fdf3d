"""An inventory that events keep up to date is the one that a scan would make of what is there, after any events."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Part
from ansible_collections.kubestress.core.plugins.module_utils.storage.findings import CLAIM, CONTENT, SNAPSHOT, VOLUME
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import MAKERS, Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import Options
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS
from ansible_collections.kubestress.core.plugins.module_utils.storage.rules import Limits, Rules, judge, records_of
from ansible_collections.kubestress.core.plugins.module_utils.storage.selection import Selection
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.judging import (
    APPEARED,
    VANISHED,
    Change,
    Judge,
    only,
)
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.live import Live
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.typed import form_of, key_of
from helpers.storage import HOUR, NOW, Objects, since

KINDS = (CLAIM, VOLUME, SNAPSHOT, CONTENT)
LIST_NAMES = ["volumes", "claims", "classes", "pods", *MAKERS, "attachments", "snapshots", "contents"]
#: What an event changes; nothing of it depends on the order of events.
TABLES = ("claims", "volumes", "classes", "snapshots", "contents", "attached", "uses", "users", "ephemeral", "on_node")


def decoded(name: str, obj: Mapping[str, Any]) -> tuple[str, Any]:
    """Key and decoded object, as of a line of a watch."""
    import msgspec

    metadata = {**obj["metadata"], "resourceVersion": "7"}
    line = msgspec.json.encode({"type": "ADDED", "object": {"kind": "x", **obj, "metadata": metadata}})
    event = form_of(LISTS[name]).event(line)
    assert event.version == "7"
    namespace, key = key_of(event.object)
    return (f"{namespace}/{key}" if namespace else key), event.object


def some_objects(draw: random.Random) -> Objects:
    """Objects that refer to one another by few names, so that they meet."""
    objects = Objects()
    names = [f"n-{number}" for number in range(5)]

    def name() -> str:
        return draw.choice(names)

    for each in names:
        _storage_of(objects, each, name, draw)
        if draw.random() < 0.4:
            volumes = [{"name": draw.choice(["0", "1"]), "ephemeral": {}}] if draw.random() < 0.3 else None
            phase, node = draw.choice(["Running", "Succeeded", "Pending"]), draw.choice(["node-1", None])
            objects.pod(each, name(), phase=phase, volumes=volumes, node=node)
        if draw.random() < 0.2:
            objects.attachment(each, node=name())
    for list_name in ("deployments", "jobs", "cron_jobs"):
        if draw.random() < 0.3:
            objects.maker(list_name, name(), name(), replicas=draw.choice([0, 1]), over=draw.random() < 0.5)
    if draw.random() < 0.4:
        objects.stateful_set("n", [draw.choice(["data", "n"])], replicas=draw.choice([0, 2]))
    for each in ("slow", "fast"):
        if draw.random() < 0.7:
            objects.storage_class(each, waits=draw.random() < 0.5)
    return objects


def _storage_of(objects: Objects, own: str, name: Callable[[], str], draw: random.Random) -> None:
    """Perhaps a claim, a volume, a snapshot and a content of that name."""
    ages = [since(hours=hours) for hours in (1, 30, 1000)]
    if draw.random() < 0.7:
        phase, storage_class = draw.choice(["Bound", "Bound", "Pending", "Lost"]), draw.choice(["slow", "fast", None])
        owners = draw.choice([None, None, [{"kind": "Pod", "name": name(), "uid": f"uid-{name()}"}]])
        created = draw.choice(ages)
        objects.claim(own, phase=phase, volume=name(), storage_class=storage_class, owners=owners, created=created)
    if draw.random() < 0.7:
        uid = f"uid-{name()}" if draw.random() < 0.8 else ""
        phase, policy = draw.choice(["Bound", "Released"]), draw.choice(["Delete", "Retain"])
        created = draw.choice(ages)
        objects.volume(own, phase=phase, claim=f"ns/{name()}", claim_uid=uid, policy=policy, created=created)
    if draw.random() < 0.5:
        objects.snapshot(own, content=name(), source=name(), created=draw.choice(ages))
    if draw.random() < 0.5:
        objects.content(own, snapshot=f"ns/{name()}", snapshot_uid=f"uid-{name()}", created=draw.choice(ages))


def by_key(objects: Objects) -> dict[tuple[str, str], Any]:
    """The decoded objects by list and key."""
    return {
        (name, key): item for name in LIST_NAMES for key, item in (decoded(name, obj) for obj in objects.lists[name])
    }


def move(live: Live, before: Mapping[Any, Any], after: Mapping[Any, Any], draw: random.Random) -> None:
    """Take all events that lead from one state to the other, in any order."""
    events = [*({*before} - {*after}), *after]
    draw.shuffle(events)
    for name, key in events:
        if (name, key) in after:
            live.take(LISTS[name], key, after[name, key])
        else:
            live.forget(LISTS[name], key)


def findings_of(inventory: Inventory, now: float) -> set[Any]:
    """What a scan finds."""
    judged = judge(Rules(inventory, limits(now)), {kind: records_of(inventory, kind) for kind in KINDS})
    return {(one.key, one.state, one.reason, one.evidence, one.age_seconds) for one in judged.findings}


def limits(now: float) -> Limits:
    return Limits(now=now, min_age_seconds=24 * HOUR, snapshot_age_seconds=900 * HOUR)


def a_judge(live: Live, *, confirm: bool = False) -> Judge:
    """All kinds, everything selected, all lists read."""
    live.inventory.parts.update({name: Part() for name in LIST_NAMES})
    selection = Selection(Options(), live.inventory, None)
    ages = {"min_age_seconds": 24 * HOUR, "snapshot_age_seconds": 900 * HOUR}
    return Judge(live, selection, KINDS, confirm=confirm, **ages)


@pytest.mark.parametrize("seed", range(40))
def test_after_any_events_it_is_what_a_scan_reads_and_finds(seed: int) -> None:
    draw = random.Random(seed)
    live = Live()
    judge_ = a_judge(live)
    states: dict[Any, str] = {}
    before: dict[Any, Any] = {}
    now = NOW
    for _step in range(8):
        objects = some_objects(draw)
        after = by_key(objects)
        move(live, before, after, draw)
        before = after
        now += draw.choice([0.0, 12 * HOUR])
        changes, candidates = judge_.judge(now)
        assert candidates == []
        fresh = objects.inventory()
        for table in TABLES:
            assert getattr(live.inventory, table) == getattr(fresh, table), table
        assert live.inventory.set_templates == fresh.set_templates
        found = judge_.judged(now)
        assert {(one.key, one.state, one.reason, one.evidence, one.age_seconds) for one in found.findings} == (
            findings_of(fresh, now)
        )
        counted = judge(Rules(fresh, limits(now)), {kind: records_of(fresh, kind) for kind in KINDS}).states
        assert found.states == counted
        apply(states, changes)
        assert states == {one.key: one.state for one in found.findings}
    move(live, before, {}, draw)
    changes, _candidates = judge_.judge(now)
    apply(states, changes)
    assert states == {}
    # Nothing is kept of what is gone.
    assert not any(live._said.values())
    assert (live._sources, live.claim_uids, live.snapshot_uids) == ({}, set(), set())


def apply(states: dict[Any, str], changes: list[Change]) -> None:
    """Every change fits what was told before."""
    for change in changes:
        key = change.finding.key
        assert (key in states) is (change.how != APPEARED), change
        if change.how == VANISHED:
            del states[key]
        else:
            states[key] = change.finding.state


def test_time_alone_makes_an_orphan_and_an_old_snapshot() -> None:
    objects = Objects()
    objects.claim("young", created=since(hours=23))
    objects.snapshot("s", content="c", source="young", created=since(hours=899))
    objects.content("c", snapshot="ns/s", snapshot_uid="uid-s")
    live = Live()
    judge_ = a_judge(live)
    move(live, {}, by_key(objects), random.Random(1))
    assert judge_.judge(NOW) == ([], [])
    assert not judge_.is_due(NOW + 0.9 * HOUR)
    assert judge_.is_due(NOW + HOUR + 1)
    changes, _candidates = judge_.judge(NOW + HOUR + 1)
    assert {(each.how, each.finding.name, each.finding.state) for each in changes} == {
        (APPEARED, "young", "orphan"),
        (APPEARED, "s", "old"),
    }
    assert judge_.judge(NOW + 2 * HOUR) == ([], [])


def test_dates_of_what_is_gone_take_no_room() -> None:
    live = Live()
    judge_ = a_judge(live)
    for number in range(1_500):
        objects = Objects()
        objects.snapshot(f"s-{number}", content="c", source="x", created=since(hours=1))
        objects.content("c", snapshot=f"ns/s-{number}", snapshot_uid=f"uid-s-{number}")
        now = by_key(objects)
        move(live, {}, now, random.Random(number))
        judge_.judge(NOW)
        move(live, now, {}, random.Random(number))
        judge_.judge(NOW)
    assert len(judge_._dates) <= 1_010
    assert judge_._date_of == {}


def test_an_orphan_is_told_when_a_second_look_has_confirmed_it_and_nothing_has_happened_meanwhile() -> None:
    objects = Objects()
    objects.claim("left")
    objects.claim("taken")
    live = Live()
    judge_ = a_judge(live, confirm=True)
    before = by_key(objects)
    move(live, {}, before, random.Random(1))
    changes, candidates = judge_.judge(NOW)
    assert changes == []
    assert {one.key for one in candidates} == {"ns/left", "ns/taken"}
    assert set(only(candidates, live.inventory).claims) == {"ns/left", "ns/taken"}

    # While the second look goes on, a pod comes, of which that look knows nothing.
    after = copy.deepcopy(objects)
    after.pod("p", "taken")
    move(live, before, by_key(after), random.Random(1))
    judged = judge(Rules(live.inventory, limits(NOW)), {CLAIM: {}})
    judged.findings = [one.finding for one in candidates]
    told = judge_.looked(candidates, judged, NOW)
    assert [(each.how, each.finding.name) for each in told] == [(APPEARED, "left")]
    changes, candidates = judge_.judge(NOW)
    assert (changes, candidates) == ([], [])

    # One that the second look does not find is asked for again, and later.
    move(live, by_key(after), before, random.Random(1))
    changes, candidates = judge_.judge(NOW)
    assert [one.key for one in candidates] == ["ns/taken"]
    judged.findings = []
    assert judge_.looked(candidates, judged, NOW) == []
    assert not judge_.is_due(NOW + 1)
    assert judge_.is_due(NOW + 60)


def test_what_the_rules_do_not_read_is_no_change() -> None:
    live, listed = Live(), LISTS["claims"]
    objects = Objects()
    objects.claim("c")
    (obj,) = objects.lists["claims"]
    key, item = decoded("claims", obj)
    before, after = live.take(listed, key, item)
    assert before is None
    live.drain()
    _key, annotated = decoded("claims", {**obj, "metadata": {**obj["metadata"], "annotations": {"a": "b"}}})
    assert live.take(listed, key, annotated) == (after, after)
    assert not live.is_changed
    assert live.inventory.claims[key] is after
