"""A page of something that goes on: how far it is, when it is written again, and what is not on the last page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.page.live import Live, live_data, share_done
from ansible_collections.kubestress.core.plugins.plugin_utils.page.render import render_page
from helpers import example_page

LIVE = Live(written="2026-11-21T05:23:10+00:00", every_seconds=10, what="run", otherwise="Do <this>.")


def running(**changed: Any) -> dict[str, Any]:
    document = example_page.passed()
    document["summary"] |= {"verdict": "running", "finished": None, **changed}
    return document


def data_of(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return json.loads(found)


def test_how_far_a_run_is():
    document = running()
    document["summary"]["objects"]["Job"] |= {"ready": 30, "not_ready": 30}
    document["summary"]["jobs"] |= {"complete": 30}
    text = render_page(**document, live=LIVE, at_work=True)
    assert "<title>running, 98 %: kubestress run" in text
    assert "1,300 of 1,300 objects stored, 30 of 60 Jobs ended, 240 build pods succeeded. 2 min so far." in text
    assert "Written at 21 November 2026, 05:23:10 UTC, and again every 10 seconds while the run goes on." in text
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in text
    assert "Do &lt;this&gt;." in text
    assert data_of(text)["live"] == {"written": 1795238590.0, "every": 10, "stale": 90}
    # What is not done yet is not wrong.
    assert 'class="bad"' not in text.split('id="key-figures"')[1].split("</section>")[0]


def test_what_went_wrong_until_now():
    document = running()
    document["summary"]["objects"]["Deployment"]["failed"] = 3
    document["summary"]["jobs"]["failed"] = 1
    document["summary"]["outages"] = {"number": 1, "list": [{"began": example_page.rfc3339(9), "over": False}]}
    text = render_page(**document, live=LIVE, at_work=True)
    for reason in ("Deployment: 3 failed", "1 Job failed", "2 pods failed: 2 × Error (exit code 1)",
                   "the API server could not be reached 1 time, and cannot be now"):  # fmt: skip
        assert f"<li>{reason}</li>" in text


@pytest.mark.parametrize(
    ("run", "told"),
    [({"preflight": None}, "The settings were checked"), ({}, "The plan was compared with the cluster")],
)
def test_before_the_load_there_is_nothing_but_the_configuration(run: dict[str, Any], told: str):
    summary = {"run_id": "r", "attempt": 1, "verdict": "running", "started": example_page.STARTED, "finished": None}
    text = render_page(summary=summary, timeline=None, run=example_page.run_document(**run), live=LIVE)
    assert f"{told}; the load has not begun." in text
    assert re.findall(r'<section id="([a-z-]+)"', text) == ["verdict", "configuration"]
    assert data_of(text)["plots"] == []
    assert "<title>running: " in text


def test_after_the_load_the_report_is_waited_for():
    assert "The load has ended; the report is being made." in render_page(**running(), live=LIVE, at_work=False)


def test_the_last_page_is_not_loaded_again():
    text = render_page(**example_page.passed(), note="One more thing.")
    assert data_of(text)["live"] is None
    assert '<meta http-equiv="refresh"' not in text
    assert 'id="live-pause"' not in text
    assert "One more thing." in text


def test_a_page_that_is_written_at_events_is_never_too_old():
    live = Live(written=LIVE.written, every_seconds=10, what="search", otherwise="", paced=False)
    found = live_data(live)
    assert found is not None
    assert found["stale"] is None


def test_the_share_that_is_done():
    kinds = {
        "ConfigMap": {"requested": 10, "created": 5, "failed": 1, "ready": None},
        "Job": {"requested": 10, "created": 10, "failed": 0, "ready": 3},
    }
    assert share_done({"objects": kinds, "jobs": {"failed": 1}}) == pytest.approx((5 + 1 + 3 + 1) / 20)
    assert share_done({"objects": {}}) is None
