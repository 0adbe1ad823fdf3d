"""The page of a run that goes on: there from the first seconds, left open until the verdict, and after a kill."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.plugin_utils.live.process import STATE_FILE
from ansible_collections.kubestress.core.plugins.plugin_utils.page.live import Live
from ansible_collections.kubestress.core.plugins.plugin_utils.page.render import render_page
from helpers import example_page, pages
from helpers.commands import started_playbook
from helpers.processes import kill_tree
from helpers.waiting import until
from playwright.sync_api import Browser, Page, expect

CHECKOUT = Path(__file__).resolve().parents[2]
RUNNING = re.compile("running.*: kubestress run")


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a file; what the page writes to the console fails the test."""
    context = chromium.new_context()
    told: list[str] = []
    context.on("console", lambda message: told.append(message.text))
    context.on("weberror", lambda error: told.append(str(error.error)))

    def open_file(path: Path) -> Page:
        page = context.new_page()
        page.goto(path.as_uri())
        return page

    yield open_file
    context.close()
    assert told == []


# --- a real run ------------------------------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path: Path, run_id: str, prefix: str, kubeconfig: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that starts a run and returns its playbook and its folder once its page is there."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(**settings: Any) -> tuple[subprocess.Popen[bytes], Path]:
        chosen = {
            "run_id": run_id,
            "run_results_dir": str(tmp_path),
            "namespaces_prefix": prefix,
            "namespaces_total": 1,
            "statefulsets_enabled": False,
            "build_jobs_per_namespace": 2,
            "build_jobs_active_per_namespace": 1,
            **settings,
        }
        process = started_playbook("kubestress.core.smoke", chosen, kubeconfig=kubeconfig, cwd=tmp_path)
        started.append(process)
        folder = tmp_path / run_id
        until(lambda: (folder / "report.html").exists() or process.poll() is not None)
        assert process.poll() is None, "the run ended before it had a page"
        return process, folder

    yield begin
    for process in started:
        kill_tree(process)


def test_left_open_the_page_shows_the_verdict_at_the_end_without_a_click(
    begun: Callable[..., Any], visit: Callable[..., Page]
) -> None:
    process, folder = begun()
    writer = Process(**json.loads((folder / "attempts/1" / STATE_FILE).read_text())["process"])
    assert not (folder / "summary.json").exists()
    page = visit(folder / "report.html")
    expect(page).to_have_title(RUNNING)
    expect(page.locator("#verdict-word")).to_have_text("Running")
    # From here on nobody touches it but for one fold and one sorted table, which stay as they are.
    expect(page.locator(".sentence")).to_contain_text("of 2 Jobs ended", timeout=180_000)
    page.locator("summary", has_text="Settings").click()
    page.locator("#settings th button").first.click()
    expect(page).to_have_title(re.compile("passed: kubestress run"), timeout=300_000)
    expect(page.locator("#verdict-word")).to_have_text("Passed")
    expect(page.locator("#settings")).to_be_visible()
    expect(page.locator("#settings th").first).to_have_attribute("aria-sort", "ascending")
    assert page.locator("#live-pause").count() == 0
    assert process.wait(timeout=240) == 0
    # It is the page of the report, its maker is gone, and nothing of it is left.
    assert "live-pause" not in (folder / "attempts/1/report.html").read_text().split("<script>")[0]
    assert not writer.alive
    assert sorted(path.name for path in (folder / "attempts/1").iterdir() if path.name.startswith(".")) == []


def test_after_the_playbook_is_killed_the_page_says_how_the_run_was_left(
    begun: Callable[..., Any], visit: Callable[..., Page], run_id: str, cluster_free_playbook: Callable[..., Any]
) -> None:
    process, folder = begun(build_jobs_time_scale=5)
    page = visit(folder / "report.html")
    expect(page.locator(".sentence")).to_contain_text("Jobs ended", timeout=180_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    expect(page.locator("#verdict-word")).to_have_text("Aborted", timeout=180_000)
    text = page.locator("#verdict").inner_text()
    assert "The playbook ended before it made its report" in text
    assert "the playbook that ran this batch is gone" in text
    command = f"ansible-playbook kubestress.core.report -e run_id={run_id} -e run_results_dir={folder.parent}"
    assert command in text
    assert not (folder / "attempts/1" / STATE_FILE).exists()
    done = cluster_free_playbook(*command.split()[1:])
    assert done.rc == 0, done.output
    assert json.loads((folder / "summary.json").read_text())["verdict"] == "aborted"
    assert "before it made its report" not in (folder / "report.html").read_text()


# --- the page --------------------------------------------------------------------------------------------------------


def live_page(*, age_seconds: float = 0, every_seconds: float = 60, paced: bool = True) -> str:
    """Return the example run's page as it is while the run goes on, written some seconds ago."""
    written = datetime.fromtimestamp(datetime.now(UTC).timestamp() - age_seconds, UTC).isoformat(timespec="seconds")
    live = Live(written=written, every_seconds=every_seconds, what="run", otherwise="Ask <b>them</b>.", paced=paced)
    document = example_page.passed()
    document["summary"] |= {"verdict": "running", "finished": None}
    return render_page(**document, live=live, at_work=True)


def test_a_page_that_nobody_writes_says_so(visit: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(live_page(age_seconds=3600))
    page = visit(path)
    expect(page.locator("#live-stale")).to_contain_text(re.compile(r"for 1:0\d:\d\d"))
    expect(page.locator("#live-stale")).to_contain_text("the run may have ended. Ask <b>them</b>.")
    for text in (live_page(), live_page(age_seconds=3600, paced=False)):
        path.write_text(text)
        page.reload()
        expect(page.locator("#live-stale")).to_be_hidden()


def test_paused_it_stays_and_going_on_it_keeps_the_readers_place(visit: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(live_page(every_seconds=2))
    page = visit(path)
    page.click("#live-pause")
    page.click("#theme")
    page.evaluate("document.querySelector('#nodes').scrollIntoView()")
    top = page.evaluate("document.querySelector('#nodes').getBoundingClientRect().top")
    path.write_text(render_page(**example_page.failed()))
    page.wait_for_timeout(3500)
    assert page.locator("#verdict-word").inner_text() == "Running"
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.evaluate("document.querySelector('#live-pause').click()")
    expect(page.locator("#verdict-word")).to_have_text("Failed")
    page.wait_for_load_state("load")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    # What is above it has grown.
    assert page.evaluate("document.querySelector('#nodes').getBoundingClientRect().top") == pytest.approx(top, abs=2)


def test_without_javascript_the_browser_loads_it_again(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(live_page(every_seconds=2))
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert "If that is long ago, the run may have ended." in page.locator("#verdict").inner_text()
    path.write_text(render_page(**example_page.passed()))
    expect(page.locator("#verdict-word")).to_have_text("Passed")
    context.close()


def test_axe_finds_no_barriers(visit: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(live_page(age_seconds=3600))
    assert pages.barriers(visit(path)) == []
