"""comparison.html: what it says, runs as marks on one axis, both groups on one axis of time, no markup from data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.document import document_of
from ansible_collections.kubestress.core.plugins.module_utils.compare.sources import Source, read_group
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import run_module
from ansible_collections.kubestress.core.plugins.plugin_utils.page.comparison import render_comparison
from helpers import gather_maker as maker
from helpers.example_runs import run_document, summary, write_run


def groups(folder: Path, **starts: list[float]) -> list[list[Source]]:
    """Write and read a run for each start-up time, by side."""
    sides = []
    for side, seconds in starts.items():
        names = [f"{side}-{number}" for number in range(len(seconds))]
        for name, one in zip(names, seconds, strict=True):
            write_run(folder / name, summary(name, start_seconds=one), run_document())
        sides.append(read_group(side, names, str(folder)))
    return sides


def page_of(before: list[Source], after: list[Source], **changed: Any) -> str:
    document = {**document_of(before, after, {}), **changed}
    timelines = [[source.timeline for source in side] for side in (before, after)]
    return render_comparison(document, before=timelines[0], after=timelines[1])


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


@pytest.fixture
def slower(tmp_path: Path) -> str:
    return page_of(*groups(tmp_path, before=[2, 2.5, 2.2], after=[9, 9.5, 10]))


def test_verdict_causes_and_notes(slower: str) -> None:
    for text in (
        '<h2 id="verdict-word">Regressed</h2>',
        "pod start-up p99, all pods: 2.2 s → 9.5 s (+332 %)",
        "2.2 s (2–2.5 s) → 9.5 s (9–10 s)",
        "3 against 3 runs: no rank test can be significant",
        "before-0",
        "after-2",
    ):
        assert text in slower, text


def test_each_run_is_a_mark_between_0_and_the_largest(slower: str) -> None:
    (strip,) = re.findall(r'<span class="metric">pod start-up p99, all pods</span>(.*?)</li>', slower, re.DOTALL)
    before = [float(x) for x in re.findall(r'class="before" cx="([\d.]+)%"', strip)]
    after = [float(x) for x in re.findall(r'class="after" x="([\d.]+)%"', strip)]
    assert before == [pytest.approx(100 * value / 10.6, abs=0.01) for value in (2, 2.5, 2.2)]
    assert after == [pytest.approx(100 * value / 10.6, abs=0.01) for value in (9, 9.5, 10)]
    (low, width) = re.findall(r'class="band" x="([\d.]+)%" width="([\d.]+)%"', strip)[0]
    assert float(low) + float(width) < min(after)


def test_both_groups_are_on_one_axis_of_time(slower: str) -> None:
    plots = {plot["id"]: plot for plot in data_of(slower)["plots"]}
    assert [one["name"] for one in plots["plot-pods-running"]["series"]] == ["before", "after"]
    assert plots["plot-pods-running"]["series"][0]["values"][:4] == [0, 1, 2, 3]
    # Nodes are read every five seconds: a point takes in two readings.
    assert plots["plot-threads"]["t"] == [5, 15]
    assert plots["plot-threads"]["series"][0]["values"] == [650, 400]
    assert "plot-pods-failed" not in plots, "nothing failed on either side"


def test_of_several_runs_the_middle_one_is_drawn(tmp_path: Path) -> None:
    before, after = groups(tmp_path, before=[2, 2, 2], after=[2])
    for source, height in zip(before, (1.0, 50.0, 7.0), strict=True):
        source.timeline["load"]["series"]["pods_pending"] = [height, height]
    plots = {plot["id"]: plot for plot in data_of(page_of(before, after))["plots"]}
    assert plots["plot-pods-pending"]["series"][0]["values"][:3] == [7, 7, None]


def test_without_timelines_the_page_says_so(tmp_path: Path) -> None:
    sides = groups(tmp_path, before=[2], after=[2])
    page = render_comparison(document_of(sides[0], sides[1], {}), before=[{}], after=[{}])
    assert "No data: neither side has a timeline." in page
    assert '<h2 id="verdict-word">The same</h2>' in page


def test_gathers_by_the_minute(tmp_path: Path) -> None:
    sides = []
    for name, made in (("april", maker.outage_files()), ("may", maker.later_files())):
        path = maker.archive(tmp_path / f"{name}.tar", made)
        gather = run_module({"path": str(path), "window": 7200, "compare": "", "rules_file": ""})["gather"]
        (tmp_path / name).mkdir()
        (tmp_path / name / "must-gather.json").write_text(json.dumps(gather))
        sides.append(read_group("x", [str(tmp_path / name)], str(tmp_path)))
    page = page_of(*sides)
    plots = {plot["id"]: plot for plot in data_of(page)["plots"]}
    title = "multus: ADD and DEL per minute"
    (multus,) = re.findall(rf'<figure id="(plot-gather-\d)">\s*<figcaption><h3>{title}', page)
    before = plots[multus]["series"][0]
    assert (before["name"], sum(value or 0 for value in before["values"])) == ("before", 722 + 1198 + 5505)
    assert plots[multus]["t"][:2] == [30, 90]


@pytest.mark.parametrize(
    ("verdict", "answer", "box"),
    [("improved", "Improved", "passed"), ("not comparable", "Not comparable", "unsure")],
)
def test_every_verdict_has_its_box(tmp_path: Path, verdict: str, answer: str, box: str) -> None:
    page = page_of(*groups(tmp_path, before=[2], after=[2]), verdict=verdict, reasons=[])
    assert f'class="verdict {box}"' in page
    assert answer in page


def test_nothing_in_a_run_becomes_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    write_run(tmp_path / "a", summary(evil), run_document(run_seed=evil))
    causes = {"causes": {evil: 3}, "failed": 3}
    write_run(tmp_path / "b", summary("b", pods=causes), run_document())
    page = page_of(*(read_group("x", [name], str(tmp_path)) for name in "ab"))
    assert evil not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
