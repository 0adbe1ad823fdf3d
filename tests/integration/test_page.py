"""report.html in a browser: quiet, offline, usable by keyboard, on a phone, on paper and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.page.render import render_page
from helpers import example_page
from helpers.pages import SCREEN, Complaints, barriers
from helpers.waiting import until
from playwright.sync_api import Browser, BrowserContext, Page, expect

EXAMPLES = ("passed", "failed", "aborted", "ten_hours", "huge")
PHONE = {"width": 390, "height": 844}
Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the example pages as files, by name."""
    folder = tmp_path_factory.mktemp("pages")
    files = {name: folder / f"{name}.html" for name in EXAMPLES}
    for name, path in files.items():
        path.write_text(render_page(**getattr(example_page, name)()), encoding="utf-8")
    return files


@pytest.fixture
def visit(chromium: Browser, pages: dict[str, Path]) -> Iterator[Opener]:
    """Return a function that opens an example's page by its name; nobody may complain until the test's end."""
    opened: list[tuple[BrowserContext, Complaints]] = []

    def open_page(name: str, *, viewport: dict[str, int] = SCREEN, **options: Any) -> Page:
        context = chromium.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        context.set_default_timeout(120_000)
        address = pages[name].as_uri()
        opened.append((context, Complaints(context, address)))
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    for context, complaints in opened:
        context.close()
        assert complaints.found == []


@pytest.fixture
def real_page(
    pages: dict[str, Path], ansible_playbook: Callable[..., Any], run_id: str, prefix: str, tmp_path: Path
) -> Iterator[str]:
    """Return the name of a page that a real run has made."""
    settings = {
        "run_id": run_id,
        "run_results_dir": str(tmp_path),
        "namespaces_prefix": prefix,
        "namespaces_total": 1,
        "statefulsets_enabled": False,
        "build_jobs_per_namespace": 1,
        "build_jobs_active_per_namespace": 1,
    }
    done = ansible_playbook("kubestress.core.smoke", extra_vars=settings)
    assert done.rc == 0, done.output
    pages["real"] = tmp_path / run_id / "report.html"
    yield "real"
    del pages["real"]


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


# --- what everybody gets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_quiet_and_asks_nobody(name: str, scheme: str, visit: Opener) -> None:
    page = visit(name, color_scheme=scheme)
    assert page.locator("h1").count() == 1
    drawn = page.locator(".plot canvas").count()
    assert drawn == page.locator(".plot").count()
    assert (drawn > 5) == (name != "aborted")


def test_axe_sees_what_is_wrong(visit: Opener) -> None:
    page = visit("aborted")
    page.evaluate("document.querySelector('.note, .lead').style.color = '#dddddd'")
    assert [line.split(" (")[0] for line in barriers(page)] == ["color-contrast"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("passed", {"color_scheme": "dark"}),
        ("passed", {"viewport": PHONE}),
        ("failed", {}),
        ("failed", {"viewport": PHONE, "color_scheme": "dark"}),
        ("aborted", {}),
    ],
)
def test_axe_finds_no_barriers(name: str, options: dict[str, Any], visit: Opener) -> None:
    page = visit(name, **options)
    open_all(page)
    assert barriers(page) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_only_tables_scroll_sideways(name: str, visit: Opener) -> None:
    page = visit(name)
    open_all(page)
    for width in (1280, 700, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        # Plots follow the width of their box a moment later. From outside: the page's own policy forbids the browser's
        # wait_for_function, which evaluates text inside of it.
        until(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("name", "word"), [("passed", "Passed"), ("failed", "Failed"), ("aborted", "Aborted")])
def test_verdict_is_seen_before_anything_is_scrolled(name: str, word: str, visit: Opener) -> None:
    page = visit(name, viewport=PHONE)
    verdict = page.locator("#verdict h2")
    assert verdict.inner_text() == word
    box = verdict.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < PHONE["height"] / 2


def test_text_that_looks_like_markup_stays_text(visit: Opener) -> None:
    page = visit("failed")
    assert page.locator("#causes td", has_text="<script>alert(1)</script>").count() == 1


@pytest.mark.slow
def test_page_of_a_real_run(real_page: str, visit: Opener) -> None:
    page = visit(real_page)
    assert page.locator("#verdict h2").inner_text() == "Passed"
    assert page.locator("#plot-load canvas").count() == page.locator("#plot-pods canvas").count() == 1
    assert page.locator("#sli tbody tr").count() > 0
    assert page.locator("#startup tbody tr").count() > 0
    open_all(page)
    assert barriers(page) == []


# --- by keyboard -----------------------------------------------------------------------------------------------------


def column(page: Page, table: str, number: int) -> list[str]:
    return page.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()


def test_table_is_sorted_by_keyboard(visit: Opener) -> None:
    page = visit("passed")
    header = page.locator("#objects thead th").nth(1)
    assert header.get_attribute("aria-sort") == "none"
    header.locator("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert column(page, "objects", 2) == ["400", "400", "200", "200", "60", "20", "20"]
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "ascending"
    assert column(page, "objects", 2) == ["20", "20", "60", "200", "200", "400", "400"]


def test_other_column_takes_the_sorting_over(visit: Opener) -> None:
    page = visit("passed")
    page.locator("#objects thead button").nth(1).click()
    page.locator("#objects thead button").nth(0).click()
    orders = [one.get_attribute("aria-sort") for one in page.locator("#objects thead th").all()]
    assert orders == ["ascending", *["none"] * 5]
    assert column(page, "objects", 1) == sorted(column(page, "objects", 1))


@pytest.mark.parametrize("presses", [1, 2])
def test_what_has_no_data_comes_last_in_both_orders(presses: int, visit: Opener) -> None:
    page = visit("passed")
    for _press in range(presses):
        page.locator("#slo thead button", has_text="p99").click()
    assert column(page, "slo", 6)[-1] == "no data"


def test_long_table_begins_short(visit: Opener) -> None:
    page = visit("huge")
    rows = page.locator("#node-peaks tbody tr:visible")
    assert rows.count() == 15
    more = page.locator("#nodes .more").first
    assert more.get_attribute("aria-expanded") == "false"
    more.focus()
    page.keyboard.press("Enter")
    assert rows.count() == 200
    assert more.get_attribute("aria-expanded") == "true"


def test_plot_tells_its_values_and_zooms_by_keyboard(visit: Opener) -> None:
    page = visit("failed")
    plot, said = page.locator("#plot-load .plot"), page.locator("#plot-load [aria-live]")
    plot.focus()
    page.keyboard.press("End")
    last = said.text_content() or ""
    assert last.startswith("5:11: requests ")
    page.keyboard.press("ArrowLeft")
    assert (said.text_content() or "").startswith("5:10: requests ")
    assert page.locator("#zoom-out").is_hidden()
    page.keyboard.press("+")
    assert page.locator("#zoom-out").is_visible()
    page.keyboard.press("0")
    assert page.locator("#zoom-out").is_hidden()


def test_plot_is_zoomed_by_dragging_and_all_plots_with_it(visit: Opener) -> None:
    page = visit("failed")
    over = page.locator("#plot-load .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 40, steps=5)
    page.mouse.up()
    page.locator("#zoom-out").wait_for()
    # The last value in sight is the zoomed range's, also in a plot that nobody touched.
    page.locator("#plot-pods .plot").focus()
    page.keyboard.press("End")
    assert (page.locator("#plot-pods [aria-live]").text_content() or "").split(":")[0] in ("1", "2", "3")
    page.locator("#zoom-out").click()
    assert page.locator("#zoom-out").is_hidden()


@pytest.mark.parametrize(("scheme", "offered"), [("light", "Dark"), ("dark", "Light")])
def test_colours_are_changed_by_keyboard(scheme: str, offered: str, visit: Opener) -> None:
    page = visit("passed", color_scheme=scheme)
    background = "getComputedStyle(document.body).backgroundColor"
    before, button = page.evaluate(background), page.locator("#theme")
    assert button.inner_text() == offered
    button.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(background) != before
    page.keyboard.press("Enter")
    assert page.evaluate(background) == before
    assert page.locator(".plot canvas").count() == page.locator(".plot").count()


def test_first_stop_of_the_keyboard_leads_to_the_verdict(visit: Opener) -> None:
    page = visit("passed")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#verdict"


# --- paper, and a browser that runs no script ------------------------------------------------------------------------


def test_paper_is_light_and_complete_and_the_screen_comes_back(visit: Opener) -> None:
    page = visit("huge", color_scheme="dark")
    background = "getComputedStyle(document.querySelector('main > section')).backgroundColor"
    dark = page.evaluate(background)
    page.emulate_media(media="print")
    expect(page.locator("#settings")).to_be_visible()
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    assert page.locator("#node-peaks tbody tr:visible").count() == 200
    assert page.evaluate("document.documentElement.scrollWidth") <= SCREEN["width"]
    page.emulate_media(media="screen")
    expect(page.locator("#settings")).to_be_hidden()
    assert page.evaluate(background) == dark


def test_page_becomes_a_pdf(visit: Opener) -> None:
    assert visit("failed").pdf(format="A4").startswith(b"%PDF-")


def test_without_javascript_verdict_and_tables_are_there(visit: Opener) -> None:
    page = visit("failed", java_script_enabled=False)
    assert page.locator("#verdict h2").inner_text() == "Failed"
    assert page.locator(".reasons li").first.is_visible()
    assert page.locator("#failing tbody tr:visible").count() == 24
    assert page.locator("noscript").is_visible()
    assert page.locator("#theme").is_hidden()
    page.locator("#plot-load summary").click()
    assert page.locator("#plot-load-table tbody tr").first.is_visible()
