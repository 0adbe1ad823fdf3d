"""storage.html: what it says first, what it says loudly, the tables, and no markup from data."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.storage_files import page_of
from helpers import example_storage as example


def verdict_of(page: str) -> tuple[str, str]:
    found = re.search(r'class="verdict (\w+)".*?<h2 id="verdict-word">(.*?)</h2>', page, re.DOTALL)
    assert found
    return found[1], found[2]


def rows_of(page: str, table: str) -> list[list[str]]:
    found = re.search(rf'<table id="{table}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert found
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in found[1].strip().split("\n")]
    return [[re.sub("<[^>]+>", "", cell) for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (example.tidy(), ("passed", "Nothing left over")),
        (example.document([example.finding()]), ("attention", "1 orphan")),
        (example.busy(), ("failed", "6 orphans, 3 over a threshold, 2 pools in trouble")),
        (
            example.document(parts={"claims": example.part(0, cause="403")}),
            ("attention", "Nothing found, but not all was read"),
        ),
        (example.document(usages=[example.usage(percent=90.0)]), ("attention", "1 over a threshold")),
        (example.document(usages=[example.usage(percent=99.0)]), ("failed", "1 over a threshold")),
    ],
)
def test_answer(document: dict[str, Any], verdict: tuple[str, str]) -> None:
    assert verdict_of(page_of(document)) == verdict


def test_what_was_not_read_is_said_loudly() -> None:
    page = page_of(example.busy())
    alarm = page.partition('<section id="incomplete" class="alarm"')[2].partition("</section>")[0]
    assert "Incomplete: not everything was read" in alarm
    assert "<strong>usage</strong>: 1 of 8 kubelets did not answer: node-7" in alarm
    assert "<title>Incomplete: 6 orphans" in page
    assert 'id="incomplete"' not in page_of(example.tidy())


def test_tables() -> None:
    page = page_of(example.busy())
    findings = rows_of(page, "findings-table")
    assert findings[0] == [
        "tank/k8s/v/pvc-7d1", "Dataset", "! orphan", "200 GiB", "40 d", "no PV has this handle", "no_volume", "yes", "",
    ]  # fmt: skip
    assert findings[3][:5] == ["web/cache", "PersistentVolumeClaim", "! orphan", "no data", "no data"]
    claims = rows_of(page, "claims-table")
    assert claims[0][:6] == ["bank/ledger", "97.2 %", "9.7 GiB", "286.7 MiB", "10 GiB", "✗ critical"]
    assert claims[4][:6] == ["shop/cold", "no data", "no data", "no data", "10 GiB", ""]
    assert rows_of(page, "pools-table")[1][:3] == ["backup", "✗ DEGRADED", "! warning"]
    assert ["none", "0", "0 B", "no data", "! 4", "261 GiB"] in rows_of(page, "total-namespace")
    assert rows_of(page, "parts-table")[4] == ["usage", "✗ no", "7", "120 ms", "1 of 8 kubelets did not answer: node-7"]


def test_orphan_without_a_second_look_is_not_called_confirmed() -> None:
    page = page_of(example.document([example.finding(confirmed=None), example.finding(name="b")]))
    assert "Not confirmed by a second look: 1 of 2 orphans." in page


def test_one_bar_for_a_claim_with_two_sources() -> None:
    page = page_of(example.busy())
    bars = re.findall(r'<span class="metric">(.*?)</span>', page)
    assert bars == ["tank", "backup", "bank/ledger", "shop/uploads", "shop/home"]


def test_text_that_looks_like_markup_stays_text() -> None:
    page = page_of(example.hostile())
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert page.count("<script") == 2, "the data and the page's own"


def test_ten_thousand_findings_are_all_there() -> None:
    page = page_of(example.large())
    assert len(rows_of(page, "findings-table")) == len(rows_of(page, "claims-table")) == 10_000
