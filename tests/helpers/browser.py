"""The system's Chromium, for tests of the report page."""

from __future__ import annotations

import shutil

#: Names of Chromium on PATH, by distribution.
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = f"none of {', '.join(NAMES)} is on PATH (Debian package chromium)"


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)
