"""The table of rules, line by line in the forms of real programs; and rules of the user, checked."""

from __future__ import annotations

import io
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.must_gather import rules as room
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.lines import LogReader
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.requests import ADD, DEL
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.rules import (
    VERBS,
    RuleBook,
    RuleError,
    request_in,
    user_rules,
)
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.tally import Tally
from helpers import gather_maker as maker

CID = "0f1e2d3c" * 8
WHEN = maker.DAY
RUN = r"RunPodSandbox for &PodSandboxMetadata{Name:web,Uid:u,Namespace:n,Attempt:0,}"
#: line -> (source, verb, failed)
OPERATIONS = {
    maker.multus(WHEN, "ADD", "starting", CID): ("multus", ADD, False),
    maker.multus(WHEN, "ADD", "finished", CID): ("multus", ADD, False),
    maker.multus(WHEN, "DEL", "finished", CID, error="fork/exec: no"): ("multus", DEL, True),
    maker.ovnkube(WHEN, "ADD", "starting", CID): ("ovnkube", ADD, False),
    maker.ovnkube(WHEN, "DEL", "finished", CID): ("ovnkube", DEL, False),
    maker.ovnkube(WHEN, "ADD", "finished", CID, error="timed out waiting for annotations"): ("ovnkube", ADD, True),
    f'time="x" level=info msg="Ran pod sandbox {CID} with infra container: n/web/POD" id=1': ("crio", ADD, False),
    f'time="x" level=info msg="Stopped pod sandbox: {CID}" id=1': ("crio", DEL, False),
    f'time="x" level=info msg="Stopped pod sandbox (already stopped): {CID}" id=1': ("crio", DEL, False),
    f"Apr 19 22:00:00 h crio[1]: failed to create pod network sandbox k8s_web_n_u_0({CID}): error adding pod n_web": (
        "crio", ADD, True,
    ),
    rf'time="x" level=info msg="{RUN} returns sandbox id \"{CID}\""': ("containerd", ADD, False),
    rf'time="x" level=error msg="{RUN} failed, error="failed to setup network for sandbox \"{CID}\": plugin"': (
        "containerd", ADD, True,
    ),
    rf'time="x" level=info msg="TearDown network for sandbox \"{CID}\" successfully"': ("containerd", DEL, False),
}  # fmt: skip
ERRORS = {
    "runc: fork/exec /proc/self/exe: resource temporarily unavailable": {"fork failed"},
    "bash: fork: retry: Resource temporarily unavailable": {"fork failed"},
    "bash: fork: Cannot allocate memory": {"fork failed"},
    "fork/exec /usr/bin/runc: cannot allocate memory": {"fork failed"},
    "runtime: failed to create new OS thread (have 5 already; errno=11)": {"fork failed"},
    "runtime/cgo: pthread_create failed: Resource temporarily unavailable": {"fork failed"},
    "RuntimeError: can't start new thread": {"fork failed"},
    "fork failed: resource temporarily unavailable: phase compile, starting a sleeper, with 40 of 72": {"fork failed"},
    'Failed to create pod sandbox: rpc error: error adding pod n_p to CNI network "multus-cni-network": plugin '
    'type="multus-shim" name="multus-cni-network" failed (add): CmdAdd (shim): CNI request failed with status 400': {
        "sandbox failed", "network set-up failed",
    },
    "failed to get pod annotation: timed out waiting for annotations: context deadline": {"annotation timeout"},
    '"Attempting to reclaim" resourceName="pids" signal="pid.available"': {"pid pressure"},
    # The kubelet's further lines about the same failure.
    'Error syncing pod, skipping" err="failed to \\"CreatePodSandbox\\" for \\"p\\"': set(),
    "git fork of the thread pool, read tcp: resource temporarily unavailable": set(),
    "waiting for annotations": set(),
}  # fmt: skip


def matches(line: str, gives: str) -> list[tuple[room.Rule, Any]]:
    """Return what the rules find that the line's words lead to."""
    found: dict[str, tuple[room.Rule, Any]] = {}
    for word, led in RuleBook().for_file("current.log"):
        for rule in led:
            text = line.encode()
            match = rule.pattern.search(text) if word in text and rule.has_needs(text) else None
            if match and rule.gives == gives:
                found[rule.name] = (rule, match)
    return list(found.values())


@pytest.mark.parametrize("line", OPERATIONS)
def test_operation(line: str) -> None:
    ((rule, match),) = matches(line, room.OPERATION)
    container, word, failed = request_in(rule)(match)
    assert word is not None
    assert (rule.source, VERBS[word], bool(failed)) == OPERATIONS[line]
    assert container == CID.encode()


@pytest.mark.parametrize("line", ERRORS)
def test_error(line: str) -> None:
    assert {rule.kind for rule, _match in matches(line, room.ERROR)} == ERRORS[line]
    tally = Tally()
    LogReader("current.log", RuleBook(), tally).read(io.BytesIO(f"2025-04-19T22:00:00Z {line}\n".encode()))
    counted = {} if "Error syncing pod" in line else dict.fromkeys(ERRORS[line], 1)
    assert {kind: len(stamps) for (kind, _source, _dated), stamps in tally.errors.items()} == counted


@pytest.mark.parametrize("make", [maker.multus, maker.ovnkube])
def test_an_add_that_ended_with_an_error_is_a_network_failure_once(make: Any) -> None:
    error = 'plugin type="x" failed (add): CNI request failed with status 400'
    lines = [make(WHEN, verb, "finished", CID, error=error) for verb in ("ADD", "ADD")]
    tally = Tally()
    LogReader("current.log", RuleBook(), tally).read(io.BytesIO(maker.text(lines)))
    assert [(kind, len(stamps)) for (kind, _source, _dated), stamps in tally.errors.items()] == [(room.NETWORK, 2)]
    assert tally.read.total() == 2


def test_words_are_in_every_line_that_a_pattern_reads() -> None:
    for line in (*OPERATIONS, *ERRORS):
        read = [rule.name for rule in room.RULES if rule.files is None and rule.pattern.search(line.encode())]
        led = {rule.name for word, some in RuleBook().for_file("x") if word in line.encode() for rule in some}
        assert set(read) <= led, line


GOOD = {"name": "mine", "gives": "error", "kind": "quota", "words": ["quota"], "pattern": "quota .* exceeded"}


def test_rule_of_the_user_comes_behind_our_own() -> None:
    (mine,) = user_rules([{**GOOD, "files": "api"}], option="rules_file")
    assert RuleBook([mine]).rules[-1] is mine
    words = [word for word, _rules in RuleBook([mine]).for_file("api.log")]
    assert b"quota" in words
    assert b"quota" not in [word for word, _rules in RuleBook([mine]).for_file("other.log")]


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({"rules": []}, "rules_file: a list of rules is needed, and this is dict"),
        (["x"], "rules_file: rule 1: 'x' is no dictionary; allowed keys are name, gives"),
        ([GOOD, {**GOOD, "knid": 1}], "rules_file: rule 2: 'knid' is unknown; allowed keys are name"),
        ([{**GOOD, "name": ""}], "rule 1: name is ''; a text is needed"),
        ([{**GOOD, "pattern": 7}], "rule 1: pattern is 7; a text is needed"),
        ([{**GOOD, "gives": "eror"}], "gives is 'eror'; allowed are operation, error, processes"),
        ([{**GOOD, "kind": ""}], "kind is ''; a rule that gives error needs a text there"),
        ([{**GOOD, "pattern": "(quota"}], r"rule 1 \(mine\): pattern: '\(quota' is no regular expression: missing"),
        ([{**GOOD, "files": "["}], "files: '\\[' is no regular expression"),
        ([{**GOOD, "words": []}], "words is \\[\\]; a list of texts of three characters or more is needed"),
        ([{**GOOD, "words": ["ab"]}], "words is \\['ab'\\]"),
        ([{**GOOD, "gives": "operation", "source": "x"}], "pattern 'quota .* exceeded' has no group id, verb"),
        ([{**GOOD, "gives": "operation"}], "source is ''; a rule that gives operation needs"),
        ([{**GOOD, "gives": "processes"}], "has no group processes"),
    ],
)
def test_wrong_rule_is_one_line(document: Any, wanted: str) -> None:
    with pytest.raises(RuleError, match=wanted) as refused:
        user_rules(document, option="rules_file")
    assert "\n" not in str(refused.value)
