"""The books of a search: interrupted anywhere and resumed, it ends with the same answer and runs nothing twice."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.search import document as books
from ansible_collections.kubestress.core.plugins.module_utils.search.document import Document, Result
from ansible_collections.kubestress.core.plugins.module_utils.search.progress import REFUSED, UNKNOWN, Search
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from helpers.commands import CHECKOUT
from helpers.example_searches import LATER, NOW, cluster_that_bears, result, search, searched
from jsonschema import Draft202012Validator

SCHEMA = json.loads((CHECKOUT / "docs" / "capacity.schema.json").read_text())


class Killed(Exception):
    """The playbook, between two of its tasks."""


def interrupted(wanted: Search, *, after: int) -> tuple[Document, list[str]]:
    """The file as it is when the playbook was killed after so many writes, and the runs that it had begun."""
    writes, begun = 0, []
    document = books.new_document(wanted, now=NOW)
    saved = copy.deepcopy(document)

    def save() -> None:
        nonlocal saved, writes
        writes += 1
        saved = copy.deepcopy(document)
        if writes >= after:
            raise Killed

    try:
        while following := books.upcoming(document, wanted):
            books.begin(document, wanted, following)
            begun.append(following.run_id)
            save()
            books.judge(document, wanted, following.run_id, cluster_that_bears(6)(following.step.value))
            save()
            books.close(document, wanted, following.run_id, now=LATER)
            save()
    except Killed:
        pass
    return json.loads(json.dumps(saved)), begun


@pytest.mark.parametrize("after", range(1, 16))
def test_killed_anywhere_it_ends_with_the_same_answer(after: int) -> None:
    wanted = search(bisect=True)
    whole = searched(wanted, cluster_that_bears(6))
    document, begun = interrupted(wanted, after=after)
    finished = {record["run_id"] for record in document["runs"] if record["stage"] != books.STARTED}
    ran: list[Any] = []

    def run(value: Any) -> Result:
        ran.append(f"s1-{value}")
        return cluster_that_bears(6)(value)

    books.resumed(document, wanted)
    assert books.rounds(document, wanted) >= len(whole["runs"]) - len([one for one in begun if one in finished])
    resumed = searched(wanted, run, document=document)
    assert not finished & set(ran), "what was judged is not run again"
    answers = ("highest_safe", "broke_at", "cause", "answer", "steps", "state")
    assert {name: resumed[name] for name in answers} == {name: whole[name] for name in answers}


def test_what_an_interrupted_run_left_is_removed_first_and_of_a_judged_one_nothing_else_is_done() -> None:
    wanted = search()
    started, _begun = interrupted(wanted, after=4)
    following = books.upcoming(started, wanted)
    assert following is not None
    assert (following.run_id, following.clean_first, following.clean_only) == ("s1-5", True, False)
    judged, _begun = interrupted(wanted, after=5)
    following = books.upcoming(judged, wanted)
    assert following is not None
    assert (following.run_id, following.clean_first, following.clean_only) == ("s1-5", False, True)


def test_with_a_name_that_users_gave_each_run_cleans_up_first() -> None:
    """The files of an earlier search of that name may be lost, and its objects be there."""
    following = books.upcoming(books.new_document(search(), now=NOW, named=True), search())
    assert following is not None
    assert following.clean_first


def test_other_thresholds_judge_earlier_runs_anew() -> None:
    document = searched(search(), cluster_that_bears(7))
    assert document["broke_at"] == 8
    tolerant = search(max_failed_pods=5, max_fork_failures=5, require_passed=False)
    assert books.reopens(document, tolerant)
    books.resumed(document, tolerant)
    finished = searched(tolerant, cluster_that_bears(7), document=document)
    assert [record["value"] for record in finished["runs"]] == [3, 5, 8, 10]
    assert (finished["highest_safe"], finished["broke_at"]) == (10, None)


def test_more_steps_and_more_runs_go_on_with_a_finished_search() -> None:
    document = searched(search(steps=[3, 5]), cluster_that_bears(9))
    assert not books.reopens(document, search(steps=[3, 5]))
    books.resumed(document, search(steps=[3, 5, 10], runs=2))
    finished = searched(search(steps=[3, 5, 10], runs=2), cluster_that_bears(9), document=document)
    assert [record["run_id"] for record in finished["runs"]] == ["s1-3", "s1-5", "s1-3-r2", "s1-5-r2", "s1-10"]


@pytest.mark.parametrize("outcome", [REFUSED, UNKNOWN])
def test_what_could_not_be_run_is_tried_again(outcome: str) -> None:
    def run(value: Any) -> Result:
        return result("aborted", outcome=outcome) if value == 5 else result()

    document = searched(search(), run)
    assert (document["highest_safe"], document["broke_at"], document["cause"]) == (3, None, f"it was {outcome}")
    assert books.is_answered(document) is (outcome == REFUSED)
    books.resumed(document, search())
    finished = searched(search(), cluster_that_bears(8), document=document)
    assert (finished["highest_safe"], finished["broke_at"]) == (8, 10)


def test_a_first_step_that_is_refused_is_no_answer() -> None:
    document = searched(search(), lambda _value: result("aborted", outcome=REFUSED))
    assert not books.is_answered(document)
    assert document["answer"] == "preflight refused 3."


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"knob": ["namespaces_total"]}, "varies build_jobs_parallelism, and now namespaces_total is asked for; begin"),
        ({"steps": [{"namespaces_total": 3}]}, "varies build_jobs_parallelism, and now namespaces_total is asked for"),
    ],
)
def test_another_search_of_that_name_is_refused(changed: dict[str, Any], told: str) -> None:
    document = searched(search(), cluster_that_bears(6))
    with pytest.raises(SettingError, match=re.escape(told)):
        books.resumed(document, search(**changed))


def test_another_load_or_schema_is_refused() -> None:
    document = searched(search(), cluster_that_bears(6))
    with pytest.raises(SettingError, match="began with other settings of the load or another profile"):
        books.resumed(document | {"settings_hash": "0" * 64}, search())
    with pytest.raises(SettingError, match="is of schema 0, and this version writes 1"):
        books.resumed(document | {"schema": 0}, search())


def test_dictionaries_in_another_order_are_refused() -> None:
    steps = [{"namespaces_total": 1}, {"namespaces_total": 2}]
    document = searched(search(steps=steps), lambda _value: result())
    with pytest.raises(SettingError, match="the run s1-s1 of this search was of namespaces_total=1, which is now"):
        books.resumed(document, search(steps=steps[::-1]))


def test_of_several_runs_the_first_that_breaks_ends_the_step() -> None:
    results = iter([result(startup_p99_s=1.0), result(startup_p99_s=3.0), result("failed", pods_failed=1)])
    document = searched(search(runs=3), lambda _value: next(results, result()), most=3)
    assert [step["verdict"] for step in document["steps"]] == ["broke"]
    assert document["steps"][0]["figures"]["startup_p99_s"] == 3.0


def test_it_says_that_results_scatter_and_what_nobody_measured() -> None:
    def run(value: Any) -> Result:
        return result("failed") if value == 5 else result(threads_percent=None)

    document = searched(search(keep_going=True), run)
    assert (document["highest_safe"], document["broke_at"]) == (3, 5)
    assert document["notes"] == [
        "8, 10 passed above a value that broke: the results scatter; more runs of a step (capacity_runs) tell how much",
        "not judged, because no run measured it in full: threads of a node",
    ]


def test_what_preflight_had_said_is_among_the_reasons() -> None:
    over = Result(**{**vars(result("failed")), "over": ("pods at peak: 50 needed, 40 offered",)})
    document = searched(search(), lambda _value: over)
    assert document["steps"][0]["reasons"][-1] == "preflight had said: pods at peak: 50 needed, 40 offered"


@pytest.mark.parametrize("after", [0, 1, 2, 3, 7, 99])
def test_the_schema_describes_every_state(after: int) -> None:
    for wanted in (search(bisect=True, runs=2), search(steps=[{"namespaces_total": 1}, {"namespaces_total": 2}])):
        run = cluster_that_bears(6) if wanted.knob else lambda _value: result("aborted", outcome=UNKNOWN)
        document = books.new_document(wanted, now=NOW) if after == 0 else searched(wanted, run, most=after)
        Draft202012Validator(SCHEMA).validate(document)
        books.break_off(document, wanted, error="a\nb", now=LATER)
        Draft202012Validator(SCHEMA).validate(document)
        assert document["error"] == "a b"
