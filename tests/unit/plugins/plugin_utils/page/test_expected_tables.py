"""The section of what was expected: words of its lead, cells of a row, and causes."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.plugin_utils.page.expected_tables import expected_section
from ansible_collections.kubestress.core.plugins.plugin_utils.page.model import FAINT, GOOD, WARN
from helpers.example_page import expected


def texts(found: Any, name: str) -> list[str]:
    table = expected_section({"expected": found}).tables[0]
    (row,) = (row for row in table.rows if row[0].text == name)
    return [cell.text for cell in row]


def test_what_is_later_than_the_longest_lengths_is_said():
    section = expected_section({"expected": expected()})
    assert section.tone == WARN
    assert section.lead.startswith("All Jobs ended after 6 min 42 s; 3 min 49 s were expected. Something came later")
    assert texts(expected(), "All Jobs have ended") == [
        "All Jobs have ended", "3 min 49 s", "1 min 57 s – 5 min 57 s", "6 min 42 s", "+2 min 52 s", "", ""
    ]  # fmt: skip


def test_what_comes_in_time_is_good():
    found = expected()
    (role,) = found["roles"]
    role["milestones"][3]["seen_s"] = 220.0
    section = expected_section({"expected": found})
    assert (section.tone, section.lead) == (GOOD, "All Jobs ended after 3 min 40 s; 3 min 49 s were expected.")
    assert texts(found, "All Jobs have ended")[4] == "−9.1 s"


def test_what_was_not_seen_has_its_cause():
    row = texts(expected(), "First pod compiles")
    assert row[3:5] == ["no data", "no data"]
    assert row[6] == "worker-1: simulated node: it runs no processes"
    found = expected() | {"nodes": [], "nodes_cause": "nodes were not observed"}
    assert expected_section({"expected": found}).tables[1].empty == "No data: nodes were not observed."
    found["roles"][0]["milestones"][3] |= {"seen_s": None, "cause": "not all Jobs ended"}
    assert expected_section({"expected": found}).lead == "No data on the end of all Jobs: not all Jobs ended."


def test_a_run_without_builds():
    for summary in ({}, {"expected": None}):
        section = expected_section(summary)
        assert (section.tone, section.tables) == (FAINT, [])
        assert section.lead.startswith("No data")


def test_processes_of_a_node():
    (row,) = expected_section({"expected": expected()}).tables[1].rows
    assert [cell.text for cell in row] == ["worker-1", "12", "311", "864", "850", "1,200", "2,050", "32,000"]
