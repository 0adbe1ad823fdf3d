# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that somebody may want to end early: signals that call a function, and work that can be cut short."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT call `stop` with a reason instead of ending the process."""
    loop = asyncio.get_running_loop()
    caught = (signal.SIGTERM, signal.SIGINT)
    for number in caught:
        loop.add_signal_handler(number, stop, f"interrupted by {number.name}")
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def raise_on_signals(error: Callable[[str], BaseException]) -> Iterator[None]:
    """While the block runs, the first SIGTERM or SIGINT raises what `error` makes of a reason; later ones do nothing.

    For code without an event loop, in the main thread.
    """
    raised = False

    def handle(number: int, _frame: object) -> None:
        nonlocal raised
        # What ends the work must not be interrupted itself.
        if not raised:
            raised = True
            raise error(f"interrupted by {signal.Signals(number).name}")

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def unless(stopped: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do some work, but cancel it when the event is set. Raises what the work raises."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
    finally:
        doing.cancel()
        stopping.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)
