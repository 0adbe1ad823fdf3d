"""What is shown: the table at the end, and what check mode would do."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.results.table import WIDTH
from ansible_collections.kubestress.core.plugins.module_utils.search import document as books
from ansible_collections.kubestress.core.plugins.module_utils.search.table import plan_lines, search_lines, step_line
from helpers.example_searches import NOW, cluster_that_bears, search, searched


def test_the_answer_with_its_cause() -> None:
    lines = search_lines(searched(search(), cluster_that_bears(6)), search(), files={"page": "/x/capacity.html"})
    text = "\n".join(line.text for line in lines)
    assert "     5  safe        1     6       0      0           2 s    40 ms   12.2 %    30 s" in text
    assert "  answer     build_jobs_parallelism 5 is safe; 8 broke." in text
    assert "  cause      3 pods and Warnings report that a process could not be started (fork failed); 0 are" in text
    assert "  page       /x/capacity.html" in text
    assert max(len(line.text) for line in lines) <= WIDTH


def test_a_search_that_is_not_finished_says_how_to_go_on() -> None:
    document = searched(search(), cluster_that_bears(6), most=1)
    books.break_off(document, search(), error="no more", now=NOW)
    text = "\n".join(line.text for line in search_lines(document, search(), files={}))
    assert "  broken off no more" in text
    assert "  left       3 runs at most; capacity_id=s1 resumes the search" in text
    assert "the search is not finished" in text


def test_heading_of_a_run() -> None:
    wanted = search(runs=2)
    document = searched(wanted, cluster_that_bears(6), most=1)
    following = books.upcoming(document, wanted)
    assert following is not None
    assert step_line(document, wanted, following).text.startswith(
        "── capacity s1: build_jobs_parallelism 3, run 2 of 2 ──"
    )


def test_what_check_mode_would_do() -> None:
    demand = {"pods_at_peak": 12, "fragments": [{"expected_seconds": 100.0}, {"expected_seconds": None}]}
    fits = {"run_id": "s1-3", "label": "3", "error": "", "preflight": {"demand": demand}}
    refused = {"run_id": "s1-5", "label": "5", "error": "preflight: too many pods", "preflight": {"demand": demand}}
    lines = plan_lines(search(steps=[3, 5], bisect=True, settle=60), [fits, refused], folder="/x")
    text = "\n".join(line.text for line in lines)
    assert "     3  s1-3      12            100 s  accepts it" in text or "1 min 40 s  accepts it" in text
    assert "refuses it" in text
    assert "  length     4 min 20 s if nothing breaks, and the cleanup of each run" in text
    assert "  bisection  1 more runs at most" in text
    assert "  stop       5: preflight: too many pods" in text
