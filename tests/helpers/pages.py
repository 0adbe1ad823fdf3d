"""Pages in a real browser: open one, hear its complaints, find what keeps people out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

SCREEN = {"width": 1280, "height": 840}


class Complaints:
    """What a page must not do: ask for anything but itself, write to the console, raise."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.found: list[str] = []
        self._address = address
        context.route("**/*", self._answer)
        context.on("console", lambda message: self.found.append(f"console: {message.text}"))
        context.on("weberror", lambda error: self.found.append(f"error: {error.error}"))
        context.on("dialog", lambda dialog: self.found.append(f"dialog: {dialog.message}"))

    def _answer(self, route: Any) -> None:
        if route.request.url.split("#")[0] == self._address:
            route.continue_()
        else:
            self.found.append(f"request: {route.request.url}")
            route.abort()


@contextmanager
def opened(chromium: Browser, path: Path, **options: Any) -> Iterator[Page]:
    """A page of a file; nothing may be asked for or complained of while the block runs."""
    context = chromium.new_context(viewport=SCREEN, **options)  # type: ignore[arg-type]
    try:
        context.set_default_timeout(120_000)
        complaints = Complaints(context, path.as_uri())
        page = context.new_page()
        page.goto(path.as_uri())
        yield page
    finally:
        context.close()
    assert complaints.found == []


def barriers(page: Page) -> list[str]:
    """A line for each rule of axe that is broken seriously, with the first element that does."""
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]}"
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
