"""capacity.html: what it says in each state, its curves, and that nothing in a search becomes markup."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.search import document as books
from ansible_collections.kubestress.core.plugins.module_utils.search.progress import REFUSED
from ansible_collections.kubestress.core.plugins.plugin_utils.page.capacity import render_capacity
from helpers.example_searches import LATER, NOW, cluster_that_bears, result, search, searched


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def heading(page: str) -> str:
    found = re.search(r'<h2 id="verdict-word">(.*?)</h2>', page)
    assert found
    return found[1]


def test_the_answer_stands_first() -> None:
    page = render_capacity(searched(search(), cluster_that_bears(6)))
    assert heading(page) == "5 is safe, 8 broke"
    assert 'class="verdict passed"' in page
    assert "At 8: 3 pods and Warnings report that a process could not be started" in page
    assert 'href="../s1-5/report.html"' in page


@pytest.mark.parametrize(
    ("bears", "told", "verdict"),
    [(2, "3 broke, nothing below was safe", "failed"), (99, "10 is safe, nothing broke", "passed")],
)
def test_the_other_answers(bears: int, told: str, verdict: str) -> None:
    page = render_capacity(searched(search(), cluster_that_bears(bears)))
    assert (heading(page), f'class="verdict {verdict}"' in page) == (told, True)


def test_refused_and_broken_off() -> None:
    document = searched(search(), lambda value: result("aborted", outcome=REFUSED) if value == 5 else result())
    assert heading(render_capacity(document)) == "3 is safe, 5 was refused"
    document = searched(search(), cluster_that_bears(9), most=1)
    books.break_off(document, search(), error="cleanup failed", now=LATER)
    page = render_capacity(document)
    assert (heading(page), 'class="verdict aborted"' in page) == ("3 is safe so far", True)
    assert "cleanup failed" in page


def test_while_it_runs() -> None:
    document = books.new_document(search(), now=NOW)
    assert heading(render_capacity(document)) == "Running"
    following = books.upcoming(document, search())
    assert following is not None
    books.begin(document, search(), following)
    page = render_capacity(document)
    assert 'class="verdict running"' in page
    assert "Now: 3, of 3, 5, 8, 10." in page
    assert data_of(page)["plots"] == []


def test_curves_lie_over_the_values() -> None:
    data = data_of(render_capacity(searched(search(keep_going=True), cluster_that_bears(6))))
    startup = next(one for one in data["plots"] if one["id"] == "plot-startup")
    assert (data["along"], startup["t"]) == ("number", [3, 5, 8, 10])
    assert data["begin"] < 3 < 10 < data["end"]
    assert startup["limits"] == []  # 10 s are far above the 2 s that were seen
    failures = next(one for one in data["plots"] if one["id"] == "plot-failures")
    assert failures["series"][1] == {"name": "failed forks", "values": [0, 0, 3, 3]}
    assert data["marks"] == [
        {"t": 5, "kind": "safe", "label": "safe"},
        {"t": 8, "kind": "failure", "label": "broke"},
    ]


def test_dictionaries_lie_over_their_numbers() -> None:
    steps = [{"namespaces_total": 2}, {"namespaces_total": 9}]
    page = render_capacity(searched(search(steps=steps), lambda _value: result()))
    assert next(one for one in data_of(page)["plots"])["t"] == [1, 2]
    assert heading(page) == "namespaces_total=9 is safe, nothing broke"


def test_nothing_in_a_search_becomes_markup() -> None:
    document = searched(search(), cluster_that_bears(6))
    evil = '</script><script>alert(1)</script>"><img src=x onerror=alert(1)>'
    for record in document["runs"]:
        record.update(run_reasons=[evil], reasons=[evil], label=evil, run_id=evil)
    for step in document["steps"]:
        step.update(label=evil, reasons=[evil])
    document.update(notes=[evil], error=evil, capacity_id=evil, profile=evil, knob=[evil])
    page = render_capacity(document)
    assert "<script>alert" not in page
    assert "<img" not in page
