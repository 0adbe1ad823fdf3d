# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs of life while a long task works: a file of short lines that the action plug-in shows as they come."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from ..text import duration_text

#: Seconds between lines: often at first, when a wrong run is best stopped, then ever less often, so that a run of ten
#: hours shows about 150 lines and AWX is not flooded.
_FIRST_PAUSE_SECONDS = 2.0
_LAST_PAUSE_SECONDS = 300.0
_GROWTH = 1.15


class Progress:
    """`path` None is silence. `total` is the number of operations, `wanted` that of objects to become ready."""

    def __init__(self, path: Path | None, *, total: int, what: str) -> None:
        self._path = path
        #: May grow while the work is being discovered.
        self.total = total
        self._what = what
        self._started = time.monotonic()
        self._pause = _FIRST_PAUSE_SECONDS
        self._next = self._started + self._pause
        self._last = (self._started, 0)

    @property
    def seconds_to_next(self) -> float:
        """Until the next line is due; long where none is ever shown."""
        return max(0.0, self._next - time.monotonic()) if self._path is not None else _LAST_PAUSE_SECONDS

    def is_abandoned(self) -> bool:
        """Whether nobody shows the lines any more: who does holds a lock on the file, however he ends.

        Never where there is no file, that is with another connection than a local one, or with `async`.
        """
        if self._path is None:
            return False
        try:
            with self._path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            pass
        return True

    def show(self, *, done: int, failed: int, retries: int, unready: int, detail: str = "", last: bool = False) -> None:
        """Write a line if one is due, or if it is the last."""
        now = time.monotonic()
        if self._path is None or (now < self._next and not last):
            return
        self._pause = min(_LAST_PAUSE_SECONDS, self._pause * _GROWTH)
        self._next = now + self._pause
        # The rate since the last line: a gate lets the first members through at once, and the rest ever so slowly.
        before, done_before = self._last
        rate = (done - done_before) / (now - before) if now > before else 0.0
        self._last = (now, done)
        elapsed = now - self._started
        text = self._line(
            done=done, failed=failed, retries=retries, unready=unready, detail=detail, elapsed=elapsed, rate=rate
        )
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def _line(
        self, *, done: int, failed: int, retries: int, unready: int, detail: str, elapsed: float, rate: float
    ) -> str:
        share = f" ({100 * done // self.total} %)" if self.total else ""
        parts = [f"{done}/{self.total} {self._what}{share}", f"{rate:.{0 if rate >= 10 else 1}f}/s", f"{failed} failed"]
        if retries:
            parts.append(f"{retries} retries")
        if unready:
            parts.append(f"{unready} not ready yet")
        if detail:
            parts.append(detail)
        # Less than a second is the rate of a first burst, before a gate or a wait holds up the rest.
        if rate and done < self.total and (left := round((self.total - done) / rate)):
            parts.append(f"about {duration_text(left)} left")
        return f"[{duration_text(round(elapsed))}] " + ", ".join(parts)


#: Begins a line of a table and parts its tone from its text; no line of progress has it.
_TONE = "\x1f"


def write_table(path: Path | None, lines: Iterable[tuple[str, str]]) -> None:
    """Add a table's lines, as (text, tone), to the file whose lines are shown."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{_TONE}{tone}{_TONE}{text}\n" for text, tone in lines)


def untoned(line: str) -> tuple[str, str]:
    """(tone, text) of a line of the file; the tone of a line of progress is empty."""
    if not line.startswith(_TONE):
        return "", line
    _empty, tone, text = line.split(_TONE, 2)
    return tone, text


@contextlib.asynccontextmanager
async def shown(progress: Progress, show: Callable[[], None]) -> AsyncIterator[None]:
    """Call `show`, which calls progress.show, whenever a line is due, until the block ends."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(progress.seconds_to_next + 0.01)
            show()

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
