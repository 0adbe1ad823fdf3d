"""must-gather.html: what it says, its axis of hours of the clock, and that nothing in a gather becomes markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import run_module
from ansible_collections.kubestress.core.plugins.plugin_utils.page.gather import render_gather
from helpers import gather_maker as maker


def document(path: Path, **given: Any) -> dict[str, Any]:
    return run_module({"path": str(path), "window": 7200, "compare": "", "rules_file": "", **given})["gather"]


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("gather")
    other = maker.archive(folder / "later.tar", maker.later_files())
    return document(maker.write(folder / "outage", maker.outage_files()), compare=str(other))


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def test_answer_and_figures(outage: dict[str, Any]) -> None:
    page = render_gather(outage)
    for text in (
        "First failure at 23:56:44",
        "5,505",
        "+359.5 %",
        "+662.5 %",
        "multus 6,445",
        "Beside the other gather",
    ):
        assert text in page, text


def test_axis_has_the_hours_of_the_clock(outage: dict[str, Any]) -> None:
    data = data_of(render_gather(outage))
    operations = next(one for one in data["plots"] if one["id"] == "plot-operations")
    assert operations["t"][0] == data["begin"] == 21 * 3600
    multus = next(one for one in operations["series"] if one["name"] == "multus")
    assert sum(multus["values"]) == sum(maker.OUTAGE.values())
    assert 23 * 3600 + 56 * 60 + 44 in [mark["t"] for mark in data["marks"]]
    assert data["phases"][0]["start"] == 21 * 3600 + 56 * 60 + 44


def test_axis_of_a_gather_that_begins_at_midnight_begins_a_day_before(tmp_path: Path) -> None:
    """So that no time is shown without its hour."""
    log = tmp_path / "multus.log"
    log.write_bytes(maker.text([maker.multus(maker.DAY, "ADD", "starting", maker.container("x"))]))
    assert data_of(render_gather(document(log)))["begin"] == 24 * 3600


def test_without_a_failure_it_says_so(tmp_path: Path) -> None:
    log = tmp_path / "multus.log"
    log.write_bytes(maker.text([maker.multus(maker.DAY, "ADD", "starting", maker.container("x"))]))
    page = render_gather(document(log))
    assert "No failure was found" in page
    assert "No builds were found" in page


def test_text_that_looks_like_markup_stays_text(tmp_path: Path) -> None:
    log = tmp_path / "<b>x.log"
    log.write_text("2025-04-19T22:00:00Z </script><script>alert(1)</script> fork failed\n")
    page = render_gather(document(log))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>x" not in page
