"""The table of states: each state and each trap, positive and negative."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage import structs
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Part
from ansible_collections.kubestress.core.plugins.module_utils.storage.findings import (
    CLAIM,
    CONTENT,
    ORPHAN,
    SNAPSHOT,
    UNKNOWN,
    VOLUME,
)
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import MAKERS, Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.rules import (
    Limits,
    Rules,
    Verdict,
    judge,
    records_of,
    seconds_of,
)
from helpers.storage import HOUR, NOW, Objects, since

LIMITS = Limits(now=NOW, min_age_seconds=24 * HOUR, snapshot_age_seconds=30 * 24 * HOUR)


def judged(objects: Objects, kind: str, name: str, **incomplete: str) -> Verdict:
    """The verdict on one object, by lists that are complete but those that are named, with their causes."""
    inventory = objects.inventory(incomplete)
    rules = Rules(inventory, LIMITS)
    (record,) = [record for record in records_of(inventory, kind).values() if record.name == name]
    return rules.verdict(kind, record)


@dataclass(frozen=True)
class Case:
    """One row: `make` adds the object "x" and what is around it."""

    name: str
    kind: str
    state: str
    make: Callable[[Objects], Any]
    told: str = ""


def claim(name: str, state: str, told: str = "", *around: Callable[[Objects], Any], **fields: Any) -> Case:
    def make(objects: Objects) -> None:
        objects.claim("x", **fields)
        for each in around:
            each(objects)

    return Case(name, CLAIM, state, make, told)


def volume(name: str, state: str, told: str = "", *around: Callable[[Objects], Any], **fields: Any) -> Case:
    def make(objects: Objects) -> None:
        objects.volume("x", **fields)
        for each in around:
            each(objects)

    return Case(name, VOLUME, state, make, told)


def snapshot(name: str, state: str, told: str = "", *around: Callable[[Objects], Any], **fields: Any) -> Case:
    def make(objects: Objects) -> None:
        objects.snapshot("x", **fields)
        for each in around:
            each(objects)

    return Case(name, SNAPSHOT, state, make, told)


def content(name: str, state: str, told: str = "", *around: Callable[[Objects], Any], **fields: Any) -> Case:
    def make(objects: Objects) -> None:
        objects.content("x", **fields)
        for each in around:
            each(objects)

    return Case(name, CONTENT, state, make, told)


OWNER = [{"kind": "DataVolume", "name": "disk", "uid": "u"}]
EPHEMERAL = {"name": "x", "ephemeral": {"volumeClaimTemplate": {}}}
CLAIMS = [
    claim("nobody names it", ORPHAN, "no pod and no template names it"),
    claim("too young", "young", created=since(hours=23)),
    claim("exactly old enough", ORPHAN, created=since(hours=24)),
    claim("without an age", UNKNOWN, "its age is unknown", created="yesterday"),
    claim("a running pod", "in_use", "", lambda o: o.pod("p", "x")),
    claim("a pending pod", "in_use", "", lambda o: o.pod("p", "x", phase="Pending")),
    claim("a pod that nobody hears of", "in_use", "", lambda o: o.pod("p", "x", phase="Unknown")),
    claim("a pod of another namespace", ORPHAN, "", lambda o: o.pod("p", "x", namespace="other")),
    claim("a pod that succeeded", "completed_only", "Pod/p", lambda o: o.pod("p", "x", phase="Succeeded")),
    claim("a pod that failed", "completed_only", "Pod/p", lambda o: o.pod("p", "x", phase="Failed")),
    claim(
        "one pod ended, another runs",
        "in_use",
        "",
        lambda o: o.pod("p", "x", phase="Failed"),
        lambda o: o.pod("q", "x"),
    ),
    *(
        claim(f"template of a {kind}", "referenced", "", lambda o, name=name: o.maker(name, "w", "x"))
        for name, (_version, kind) in MAKERS.items()
    ),
    claim(
        "Deployment without replicas",
        "scaled_to_zero",
        "Deployment/w",
        lambda o: o.maker("deployments", "w", "x", replicas=0),
    ),
    claim(
        "ReplicaSet of an old revision",
        "scaled_to_zero",
        "ReplicaSet/w",
        lambda o: o.maker("replica_sets", "w", "x", replicas=0),
    ),
    claim(
        "CronJob that is suspended",
        "scaled_to_zero",
        "CronJob/w",
        lambda o: o.maker("cron_jobs", "w", "x", suspend=True),
    ),
    claim("Job that is over", "completed_only", "Job/w", lambda o: o.maker("jobs", "w", "x", over=True)),
    claim(
        "CronJob between two Jobs that are over",
        "referenced",
        "",
        lambda o: o.maker("jobs", "w-1", "x", over=True),
        lambda o: o.maker("cron_jobs", "w", "x"),
    ),
    claim(
        "a VirtualMachine's DataVolume",
        "referenced",
        "",
        lambda o: o.maker("virtual_machines", "vm", "x", data_volume=True),
    ),
    claim("an owner", "owned", "", owners=OWNER),
    claim("source of a snapshot", "in_use", "", finalizers=["snapshot.storage.kubernetes.io/pvc-as-source-protection"]),
    claim("source of a clone", "in_use", "", finalizers=["provisioner.storage.kubernetes.io/cloning-protection"]),
    claim("the finalizer that all have", ORPHAN, "", finalizers=["kubernetes.io/pvc-protection"]),
    claim("attached to a node", "attached", "node-1", lambda o: o.attachment("pv-x"), volume="pv-x"),
    claim("another volume is attached", ORPHAN, "", lambda o: o.attachment("pv-y"), volume="pv-x"),
    claim("going", "terminating", "example.com/hold", deleted=since(hours=1), finalizers=["example.com/hold"]),
    claim("going, and a pod has it", "terminating", "", lambda o: o.pod("p", "x"), deleted=since(hours=1)),
    claim("its volume is lost", "lost", "pv-x is gone", phase="Lost", volume="pv-x"),
    claim("not bound", "pending", "Pending", phase="Pending"),
    claim(
        "waits for its first pod",
        "waiting",
        "first pod",
        lambda o: o.storage_class("late", waits=True),
        phase="Pending",
        storage_class="late",
    ),
    claim(
        "its pod is there, its volume is not",
        "pending",
        "",
        lambda o: o.storage_class("late", waits=True),
        lambda o: o.pod("p", "x"),
        phase="Pending",
        storage_class="late",
    ),
    claim(
        "unused by the cluster's own condition", ORPHAN, "condition Unused is True", unused=("True", since(hours=25))
    ),
    claim("unused for a short time", "young", "", unused=("True", since(hours=2))),
    claim("in use by the cluster's own condition", "in_use", "", unused=("False", since(hours=2))),
]
VOLUMES = [
    volume(
        "its claim is there", "in_use", "", lambda o: o.claim("c", uid="u"), claim="ns/c", claim_uid="u", phase="Bound"
    ),
    volume("its claim is gone", ORPHAN, "uid u is gone", claim="ns/c", claim_uid="u", phase="Released"),
    volume(
        "its claim is another of that name",
        ORPHAN,
        "",
        lambda o: o.claim("c", uid="new"),
        claim="ns/c",
        claim_uid="u",
        phase="Released",
    ),
    volume(
        "released a moment ago, made long ago",
        "young",
        "",
        claim="ns/c",
        claim_uid="u",
        phase="Released",
        changed=since(hours=1),
    ),
    volume(
        "the controller has not seen that its claim is gone",
        UNKNOWN,
        "not Released",
        claim="ns/c",
        claim_uid="u",
        phase="Bound",
    ),
    volume(
        "kept by its policy",
        "retained",
        "policy is Retain",
        claim="ns/c",
        claim_uid="u",
        phase="Released",
        policy="Retain",
    ),
    volume(
        "still attached",
        "attached",
        "node-1",
        lambda o: o.attachment("x"),
        claim="ns/c",
        claim_uid="u",
        phase="Released",
    ),
    volume("spare", "available", "no claim has it", phase="Available"),
    volume("reserved", "available", "reserved for claim ns/c", claim="ns/c", phase="Available"),
    volume(
        "its reclaim failed",
        "failed",
        "disk is busy",
        claim="ns/c",
        claim_uid="u",
        phase="Failed",
        message="disk is busy",
    ),
    volume(
        "going",
        "terminating",
        "external-provisioner",
        claim="ns/c",
        claim_uid="u",
        phase="Released",
        deleted=since(hours=1),
        finalizers=["external-provisioner.volume.kubernetes.io/finalizer"],
    ),
    volume("being made", "pending", "", phase="Pending"),
]
SNAPSHOTS = [
    snapshot(
        "whole",
        "ready",
        "",
        lambda o: o.content("c", snapshot_uid="uid-x"),
        lambda o: o.claim("src"),
        content="c",
        source="src",
    ),
    snapshot("its content is gone", ORPHAN, "content c does not exist", content="c"),
    snapshot(
        "its content is gone, and it says so",
        ORPHAN,
        "no such content",
        content="c",
        ready=False,
        error="no such content",
    ),
    snapshot("its content is gone, just made", "young", "", content="c", created=since(hours=1)),
    snapshot(
        "its content is another's",
        ORPHAN,
        "belongs to ns/y",
        lambda o: o.content("c", snapshot="ns/y", snapshot_uid="v"),
        content="c",
    ),
    snapshot("its content is not bound yet", "ready", "", lambda o: o.content("c", snapshot_uid=""), content="c"),
    snapshot(
        "its claim is gone",
        "source_gone",
        "only copy",
        lambda o: o.content("c", snapshot_uid="uid-x"),
        content="c",
        source="src",
    ),
    snapshot("made of a content", "ready", "", lambda o: o.content("c", snapshot_uid="uid-x"), content="c", source=""),
    snapshot("not ready", "not_ready", "", ready=False),
    snapshot("ready is not said", "not_ready", "", ready=None),
    snapshot("an error", "error", "error: out of space", ready=False, error="out of space"),
    snapshot("going", "terminating", "", deleted=since(hours=1), content="c"),
    snapshot(
        "old",
        "old",
        "older than 720 h",
        lambda o: o.content("c", snapshot_uid="uid-x"),
        content="c",
        taken=since(hours=721),
    ),
]
CONTENTS = [
    content(
        "its snapshot is there", "ready", "", lambda o: o.snapshot("s", uid="u"), snapshot="ns/s", snapshot_uid="u"
    ),
    content("its snapshot is gone", ORPHAN, "uid u is gone", snapshot="ns/s", snapshot_uid="u"),
    content(
        "its snapshot is another of that name",
        ORPHAN,
        "",
        lambda o: o.snapshot("s", uid="new"),
        snapshot="ns/s",
        snapshot_uid="u",
    ),
    content("its snapshot is gone, just made", "young", "", snapshot="ns/s", snapshot_uid="u", created=since(hours=1)),
    content("kept by its policy", "retained", "policy Retain", snapshot="ns/s", snapshot_uid="u", policy="Retain"),
    content("pre-provisioned", "pre_provisioned", "waits for VolumeSnapshot ns/s", snapshot="ns/s", snapshot_uid=""),
    content("going", "terminating", "", snapshot="ns/s", snapshot_uid="u", deleted=since(hours=1)),
    content(
        "not ready", "not_ready", "", lambda o: o.snapshot("s", uid="u"), snapshot="ns/s", snapshot_uid="u", ready=False
    ),
    content(
        "an error",
        "error",
        "no space",
        lambda o: o.snapshot("s", uid="u"),
        snapshot="ns/s",
        snapshot_uid="u",
        error="no space",
    ),
]
CASES = [*CLAIMS, *VOLUMES, *SNAPSHOTS, *CONTENTS]


def named(cases: Iterable[Case]) -> list:
    return [pytest.param(case, id=f"{case.kind}: {case.name}") for case in cases]


@pytest.mark.parametrize("case", named(CASES))
def test_state(case: Case) -> None:
    objects = Objects()
    case.make(objects)
    verdict = judged(objects, case.kind, "x")
    assert verdict.state == case.state, verdict
    assert case.told in "; ".join(verdict.evidence)
    assert verdict.evidence or verdict.state in ("in_use", "referenced", "owned", "ready")


#: Kind -> every list that a verdict of orphan needs.
NEEDED = {
    CLAIM: ("pods", "attachments", *MAKERS),
    VOLUME: ("claims", "attachments"),
    SNAPSHOT: ("contents",),
    CONTENT: ("snapshots",),
}


@pytest.mark.parametrize(("kind", "missing"), [(kind, name) for kind, names in NEEDED.items() for name in names])
def test_what_could_not_be_read_makes_it_unknown(kind: str, missing: str) -> None:
    orphans = next(case for case in CASES if case.kind == kind and case.state == ORPHAN)
    objects = Objects()
    orphans.make(objects)
    verdict = judged(objects, kind, "x", **{missing: "forbidden"})
    assert verdict.state == UNKNOWN
    assert verdict.evidence == (f"{missing}: forbidden",)


@pytest.mark.parametrize("case", named(case for case in CASES if case.state not in (ORPHAN, UNKNOWN)))
def test_nothing_becomes_an_orphan_because_less_could_be_read(case: Case) -> None:
    """Whatever list is cut off before its first object: what is no orphan with it is none without it."""
    objects = Objects()
    case.make(objects)
    for name in NEEDED[case.kind]:
        fewer = objects.without(name)
        if fewer.has(case.kind, "x"):
            assert judged(fewer, case.kind, "x", **{name: "cut off"}).state != ORPHAN, name


def test_retained_by_a_stateful_set() -> None:
    objects = Objects()
    objects.stateful_set("db", ["data"], replicas=1)
    names = ["data-db-0", "data-db-7", "data-db-x", "other-db-0", "data-web-0", "data-db-"]
    for name in names:
        objects.claim(name)
    states = {name: judged(objects, CLAIM, name).state for name in names}
    assert states == {
        "data-db-0": "retained",
        "data-db-7": "retained",
        "data-db-x": ORPHAN,
        "other-db-0": ORPHAN,
        "data-web-0": ORPHAN,
        "data-db-": ORPHAN,
    }
    assert "has 1 replicas" in judged(objects, CLAIM, "data-db-7").evidence[0]


def test_a_set_without_replicas_keeps_its_claims() -> None:
    objects = Objects()
    objects.stateful_set("db", ["data"], replicas=0)
    objects.claim("data-db-0")
    assert judged(objects, CLAIM, "data-db-0").state == "retained"


@pytest.mark.parametrize(
    ("owner_uid", "phase", "state"),
    [("uid-p", "Running", "in_use"), ("uid-p", "Succeeded", "completed_only"), ("", "Running", ORPHAN)],
)
def test_an_ephemeral_claim_is_its_pods_and_not_that_of_one_that_would_have_the_same(
    owner_uid: str, phase: str, state: str
) -> None:
    objects = Objects()
    objects.pod("p", volumes=[EPHEMERAL], phase=phase)
    objects.claim("p-x", owners=[{"kind": "Pod", "name": "p", "uid": owner_uid}] if owner_uid else [])
    assert judged(objects, CLAIM, "p-x").state == state


def test_states_count_all_and_findings_tell_what_is_worth_a_look() -> None:
    objects = Objects()
    objects.claim("used")
    objects.pod("p", "used")
    objects.claim("left", size="10Gi")
    objects.claim("young", created=since(hours=1))
    inventory = objects.inventory()
    found = judge(Rules(inventory, LIMITS), {CLAIM: inventory.claims})
    assert found.states == {CLAIM: {"in_use": 1, ORPHAN: 1, "young": 1}}
    (finding,) = found.findings
    assert (finding.key, finding.state, finding.reason) == ((CLAIM, "ns", "left"), ORPHAN, "unused")
    assert (finding.bytes, finding.age_seconds, finding.confirmed) == (10 * 2**30, 100 * HOUR, None)


def test_a_clock_that_is_behind_makes_nothing_old() -> None:
    objects = Objects()
    objects.claim("x", created=since(hours=-1))
    assert judged(objects, CLAIM, "x").state == "young"


def test_times_of_the_api() -> None:
    assert seconds_of("1970-01-01T00:01:00Z") == 60
    assert seconds_of("1970-01-01T00:01:00.500000Z") == 60.5
    assert [seconds_of(text) for text in (None, "", "soon", "1970-01-01T00:00:00", "9" * 5000)] == [None] * 5


def test_a_list_that_was_not_asked_for_says_so() -> None:
    inventory = Inventory(parts={name: Part() for name in ("claims", "pods")})
    inventory.take_claims(
        [
            structs.ClaimObject(
                metadata=structs.Metadata(name="x", namespace="ns", creation_timestamp=since(hours=100)),
                spec=structs.ClaimSpec(),
                status=structs.ClaimStatus(phase="Bound"),
            )
        ]
    )
    verdict = Rules(inventory, LIMITS).claim(inventory.claims["ns/x"])
    assert verdict.state == ORPHAN
    assert "attached was not asked for" in verdict.evidence[-1]


def test_a_volume_says_that_attachments_were_not_asked_for() -> None:
    objects = Objects()
    objects.volume("x", claim="ns/c", claim_uid="u", phase="Released")
    inventory = objects.inventory()
    del inventory.parts["attachments"]
    verdict = Rules(inventory, LIMITS).volume(inventory.volumes["x"])
    assert verdict.state == ORPHAN
    assert "attached was not asked for" in verdict.evidence[-1]
