"""Simulated time: an event loop whose clock jumps to the next timer when nothing else is left to do.

An hour of waiting takes as long as the code that runs in it. Only for code that goes by the loop's clock and timers;
nothing may wait for another process, a thread or a socket.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NothingLeftError(Exception):
    """Every task waits, and no timer is set: in real time this would hang for ever."""


class _JumpingSelector(selectors.DefaultSelector):
    """Does not block, but moves the loop's clock on by as much as it was asked to wait."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise NothingLeftError("every task waits, and no timer is set")
        if not ready and timeout:
            self._advance(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 0 and only moves when all tasks wait."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self._advance))

    def time(self) -> float:
        return self._now

    def _advance(self, seconds: float) -> None:
        self._now += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in simulated time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Let an asynchronous test run in simulated time."""

    @functools.wraps(test)
    def wrapper(*arguments: Any, **keywords: Any) -> None:
        async def main() -> None:
            await test(*arguments, **keywords)

        run(main())

    return wrapper
