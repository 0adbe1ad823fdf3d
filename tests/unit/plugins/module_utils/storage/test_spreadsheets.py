"""findings.csv and claims.csv: all rows, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage.spreadsheets import (
    CLAIMS,
    FINDINGS,
    claims_csv,
    findings_csv,
    harmless,
)
from helpers import example_storage as example

SIGNS = tuple("=+-@\t\r＝＋－＠")


def rows_of(text: str, *, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def test_rows_of_findings() -> None:
    document = example.busy()
    head, *rows = rows_of(findings_csv(document))
    assert tuple(head) == FINDINGS
    assert [row[2] for row in rows] == [one["name"] for one in document["findings"]]
    assert rows[0][5:] == ["3456000.0", str(200 * example.GIB), "yes", "no PV has this handle"]
    assert rows[3][5:7] == ["", ""], "what is not known is empty, not 0"


def test_rows_of_claims() -> None:
    head, *rows = rows_of(claims_csv(example.busy()))
    assert tuple(head) == CLAIMS
    found = dict(zip(head, rows[0], strict=True))
    assert (found["namespace"], found["name"], found["used_percent"], found["level"]) == (
        "bank",
        "ledger",
        "97.2",
        "critical",
    )
    unknown = dict(zip(head, rows[-1], strict=True))
    assert (unknown["level"], unknown["cause"]) == ("", "the kubelet of node-7 did not answer within 5 s")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("write", [findings_csv, claims_csv])
def test_no_cell_is_a_formula_whatever_the_reader_takes_for_a_separator(write, delimiter: str) -> None:
    text = write(example.hostile())
    cells = [cell for row in rows_of(text, delimiter=delimiter) for cell in row]
    assert len(cells) > len(example.HOSTILE)
    # Figures of ours may be negative; text may not look like one.
    bad = [cell for cell in cells if cell.strip(' "').startswith(SIGNS)]
    assert bad == []
    assert not any(ord(sign) < 32 and sign not in "\t\r\n" for sign in text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("data-0", "data-0"),
        ("a=b, c-d", "a=b, c-d"),
        ("=1+1", "'=1+1"),
        (" =1", " '=1"),
        ("x;@SUM(1)", "x;'@SUM(1)"),
        ("one\n=two", "one\n'=two"),
        ("\t=1", " '=1"),
        ("＝1", "'＝1"),
        ("\u200b=1", " '=1"),
    ],
)
def test_harmless(text: str, written: str) -> None:
    assert harmless(text) == written
