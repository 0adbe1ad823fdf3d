# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting on one machine: for a lock that another process holds, or for a condition."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path` during the block; waits while another process holds it.

    The file is not removed: a process that waits for it would then lock a file that no other process can open.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float, poll_seconds: float = _POLL_SECONDS) -> bool:
    """Whether `condition` became true in time; it is checked at least once."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll_seconds)
    return True
