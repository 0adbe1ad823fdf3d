"""Fixtures of the tests against a real control plane and in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers import browser as browsers
from playwright.sync_api import Browser, sync_playwright


# Not for the session: its event loop would be in the way of other tests' own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Yield a real browser."""
    path = browsers.find()
    if path is None:
        pytest.skip(f"no browser: {browsers.MISSING}")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()
