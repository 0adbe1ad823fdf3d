"""What a scan says in a few words: problems by name, nothing that a terminal obeys, figures as people read them."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage import answer, rules
from helpers import example_storage as example


def test_nothing_to_do() -> None:
    document = example.tidy()
    assert answer.problems_of(document) == {}
    assert answer.message_of(document) == "nothing is left over, and nothing is nearly full"


def test_each_problem_has_a_line() -> None:
    assert answer.problems_of(example.busy()) == {
        "orphans": (
            "6 orphans of 301 GiB (2 × PersistentVolumeClaim, 1 × Dataset, 1 × PersistentVolume, "
            "1 × VolumeSnapshotContent, 1 × ZFSSnapshot)"
        ),
        "incomplete": "incomplete: usage: 1 of 8 kubelets did not answer: node-7",
        "over_threshold": (
            "3 over a threshold and 2 pools in trouble (bank/ledger 97 %, shop/uploads 88 %, pool tank 92 %, "
            "pool backup 50 %, DEGRADED)"
        ),
    }


def test_old_snapshots_are_over_a_threshold() -> None:
    rows = [example.finding("VolumeSnapshot", f"s-{index}", state="old", reason="snapshot_age") for index in range(3)]
    document = example.document(rows)
    document["summary"]["over_threshold"] = 3
    assert answer.problems_of(document) == {"over_threshold": "3 over a threshold (3 old snapshots)"}


def test_claims_with_many_snapshots_are_named() -> None:
    document = example.document([example.finding(state="many_snapshots", reason="snapshots_per_volume")])
    document["summary"]["over_threshold"] = 1
    assert answer.problems_of(document) == {"over_threshold": "1 over a threshold (many snapshots of shop/data-0)"}


def test_what_was_not_asked_for_is_not_counted() -> None:
    document = example.tidy()
    del document["parts"]["volumes"]
    assert (answer.count_of(document, "claim"), answer.count_of(document, "volume")) == ("2 claims", "")


def test_box_that_was_not_read_is_told_once() -> None:
    box = example.box(complete=False, cause="login refused: EXPIRED")
    alone = example.document(box=box)
    assert answer.incomplete_parts(alone) == {"box": "login refused: EXPIRED"}
    with_part = example.document(box=box, parts={"backend": example.part(0, cause="login refused: EXPIRED")})
    assert answer.incomplete_parts(with_part) == {"backend": "login refused: EXPIRED"}


def test_parts_with_the_same_cause_are_told_once() -> None:
    missing = "the cluster does not serve snapshot.storage.k8s.io/v1"
    parts = {name: example.part(0, cause=missing) for name in ("snapshots", "contents")}
    document = example.document(parts={**parts, "pods": example.part(0, cause="403")})
    assert answer.incomplete_parts(document) == {"snapshots, contents": missing, "pods": "403"}


def test_all_that_may_not_be_listed_is_one_row() -> None:
    parts = {
        name: example.part(0, cause=f"the user may not list {name}: {name} is forbidden: User jane cannot list {name}")
        for name in ("claims", "volumes", "pods")
    }
    document = example.document(parts=parts)
    assert answer.incomplete_parts(document) == {
        "claims, volumes, pods": (
            "the user may not list these; of claims: claims is forbidden: User jane cannot list claims"
        )
    }
    assert answer.count_of(document, "claim") == "claims not known"
    assert answer.count_of(document, "snapshot") == "0 snapshots"
    some = example.document(usages=[example.usage()], parts=parts)
    assert answer.count_of(some, "claim") == "at least 1 claim"


def test_why_most_claims_have_no_figure() -> None:
    assert answer.unmeasured(example.tidy()) == ""
    silent = [
        example.usage(f"c-{node}", percent=None, node=f"n{node}", cause=f"node n{node}: no answer within 5 s")
        for node in range(3)
    ]
    waiting = [example.usage(f"w-{index}", percent=None, cause="not mounted") for index in range(2)]
    assert answer.unmeasured(example.document(usages=[*waiting, *silent])) == "no answer within 5 s"


def test_states_without_a_finding_are_those_of_the_rules() -> None:
    assert set(answer.QUIET) == {rules.IN_USE, rules.REFERENCED, rules.OWNED, rules.READY, rules.YOUNG}


@pytest.mark.parametrize("text", example.HOSTILE)
def test_plain_text_is_one_line_without_controls(text: str) -> None:
    assert answer.plain(text).isprintable()
    assert len(answer.plain(text)) == len(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0 min"), (-5, "0 min"), (720, "12 min"), (7200, "2 h"), (172_799, "48 h"), (172_800, "2 d")],
)
def test_age(seconds: float | None, text: str) -> None:
    assert answer.age_text(seconds) == text
