"""The table on the screen: short, problems first, the largest of each, and every line as wide as a screen."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.table import BAD, GOOD, WARN, WIDTH, Line
from ansible_collections.kubestress.core.plugins.module_utils.storage.table import MAX_ORPHANS, storage_lines
from helpers import example_storage as example


def tone_of(lines: list[Line], text: str) -> str:
    (found,) = [line.tone for line in lines if text in line.text]
    return found


def test_tidy_cluster_has_three_lines() -> None:
    lines = storage_lines(example.tidy(), files={"page": "/x/storage.html"})
    assert [line.text.strip() for line in lines[1:]] == [
        "answer     nothing is left over, and nothing is nearly full",
        "used       7 GiB, by 2 claims with figures; 20 GiB are claimed",
        "page       /x/storage.html",
    ]
    assert lines[1].tone == GOOD


def test_nothing_measured_is_told_with_the_cause() -> None:
    document = example.document(usages=[example.usage(percent=None)])
    assert "  used       no data (no pod has it mounted); 10 GiB are claimed" in [
        line.text for line in storage_lines(document)
    ]


def test_problems_come_first() -> None:
    lines = storage_lines(example.busy())
    texts = [line.text for line in lines]
    assert texts[1].startswith("  answer     6 orphans of 301 GiB")
    assert lines[1].tone == WARN
    assert tone_of(lines, "INCOMPLETE usage: 1 of 8 kubelets did not answer: node-7") == BAD
    assert any("what depends on that is unknown, never an orphan" in text for text in texts)
    assert [text.split()[0] for text in texts if " yes" in text][:3] == [
        "tank/k8s/v/pvc-7d1",
        "pvc-0b7",
        "shop/old-backup",
    ]
    assert tone_of(lines, "bank/ledger  ") == BAD
    assert tone_of(lines, "backup: 50 %, DEGRADED") == BAD
    assert any("1 × available, 1 × not_ready, 1 × retained, 1 × unknown" in text for text in texts)


def test_incomplete_scan_without_orphans_is_not_called_tidy() -> None:
    document = example.document(usages=[example.usage()], parts={"claims": example.part(0, cause="403 Forbidden")})
    lines = storage_lines(document)
    assert lines[1].text.strip() == "answer     none was found, but not all was read"
    assert lines[1].tone == WARN


def test_large_cluster_fits_on_a_screen() -> None:
    lines = storage_lines(example.large(1000))
    assert len(lines) < 35
    assert sum(" unused " in line.text for line in lines) == MAX_ORPHANS
    assert any("and 190 more orphans" in line.text for line in lines)


@pytest.mark.parametrize("made", [example.busy, example.large, example.hostile])
def test_lines_are_no_wider_than_a_screen_and_hold_no_controls(made) -> None:
    for line in storage_lines(made()):
        assert line.text.isprintable(), ascii(line.text)
        # A word that is longer by itself is not broken.
        assert len(line.text) <= WIDTH or len(max(line.text.split(), key=len)) > WIDTH / 2, line.text
