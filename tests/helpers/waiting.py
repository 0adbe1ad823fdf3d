"""Wait for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_PAUSE_SECONDS = 0.1


def until(look: Callable[[], Any], *, seconds: float = 120) -> Any:
    """Poll until the answer is true and return it; fail the test if that takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s; the last answer was {found!r}"
        time.sleep(_PAUSE_SECONDS)
    return found
