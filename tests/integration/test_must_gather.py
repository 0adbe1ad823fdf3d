"""The playbook must_gather, as users run it: files, table, check mode, refusals; and its page in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import gather_maker as maker
from helpers import pages
from playwright.sync_api import Browser, Page

PLAYBOOK = "kubestress.core.must_gather"


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maker.archive(tmp_path_factory.mktemp("gather") / "outage.tar.gz", maker.outage_files())


def test_files_and_table(cluster_free_playbook: Any, outage: Path, tmp_path: Path) -> None:
    done = cluster_free_playbook(PLAYBOOK, extra_vars={"must_gather_path": str(outage)}, cwd=tmp_path)
    assert done.rc == 0, done.output
    folder = tmp_path / "kubestress-results" / "must-gather-outage"
    document = json.loads((folder / "must-gather.json").read_text())
    assert [row["sources"]["multus"]["add"] + row["sources"]["multus"]["del"] for row in document["hours"]] == [
        722, 1198, 5505,
    ]  # fmt: skip
    assert document["first_failure"]["time"] == "2025-04-19T23:56:44Z"
    assert (folder / "must-gather.html").stat().st_size > 50_000
    assert "+359.5 %" in done.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "kubestress-results"], "nothing else is written"


def test_it_fails_if_it_is_asked_to_and_writes_all_the_same(
    cluster_free_playbook: Any, outage: Path, tmp_path: Path
) -> None:
    given = {"must_gather_path": str(outage), "must_gather_dest": "told", "must_gather_fail_on": "failures"}
    done = cluster_free_playbook(PLAYBOOK, extra_vars=given, cwd=tmp_path)
    assert done.rc != 0
    assert "must_gather_fail_on=failures: 7 × fork failed, first at 2025-04-19T23:56:44Z" in done.output
    assert (tmp_path / "told" / "must-gather.json").exists()


def test_check_mode_writes_nothing(cluster_free_playbook: Any, outage: Path, tmp_path: Path) -> None:
    done = cluster_free_playbook(PLAYBOOK, "--check", extra_vars={"must_gather_path": str(outage)}, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert "check mode: would write must-gather.json and must-gather.html to" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"must_gather_collect": "false"}, "must_gather_path: none is given; name one, as in -e must_gather_path=…"),
        ({"kubestress_kubeconfig": "nowhere"}, "kubeconfig: no file at nowhere"),
        ({"must_gather_path": "nowhere"}, "path (must_gather_path): cannot read"),
        ({"must_gather_path": "."}, "is no gather: neither it nor a folder in it has cluster-scoped-resources"),
        ({"must_gather_path": ".", "must_gather_window": -5}, "must_gather_window: -5 is not allowed; it must be 1 to"),
        ({"must_gather_path": ".", "must_gather_fail_on": "all"}, "must_gather_fail_on: 'all' is not allowed"),
        ({"must_gather_path": ".", "must_gather_windw": 5}, "did you mean must_gather_window"),
    ],
)
def test_bad_input_is_one_line(cluster_free_playbook: Any, tmp_path: Path, given: dict[str, Any], told: str) -> None:
    done = cluster_free_playbook(PLAYBOOK, extra_vars=given, cwd=tmp_path)
    assert done.rc != 0
    assert told in done.output
    assert list(tmp_path.iterdir()) == []


# --- the page in a browser -------------------------------------------------------------------------------------------


@pytest.fixture
def page(chromium: Browser, cluster_free_playbook: Any, outage: Path, tmp_path: Path) -> Iterator[Page]:
    """Yield the outage's page, opened; nothing may be asked for or complained of until the test's end."""
    given = {"must_gather_path": str(outage), "must_gather_dest": str(tmp_path / "told")}
    done = cluster_free_playbook(PLAYBOOK, extra_vars=given, cwd=tmp_path)
    assert done.rc == 0, done.output
    with pages.opened(chromium, tmp_path / "told" / "must-gather.html") as opened:
        yield opened


def test_page_in_a_browser(page: Page) -> None:
    assert page.locator("#verdict h2").inner_text() == "First failure at 23:56:44"
    assert page.locator(".plot canvas").count() == page.locator(".plot").count() == 4
    rows = page.locator("#hours tbody tr").all_inner_texts()
    assert any("5,505" in row and "+359.5 %" in row for row in rows)
    page.locator("#plot-operations .plot").focus()
    page.keyboard.press("Home")
    said = page.locator("#plot-operations [aria-live]")
    assert (said.text_content() or "").startswith("21:00:00: multus ")
    page.keyboard.press("End")
    assert (said.text_content() or "").startswith("23:59:00: multus ")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert pages.barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator("#verdict h2").is_visible()
