"""Work without an event loop that a signal ends, once."""

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine.interruptions import raise_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_raises_and_later_ones_do_nothing(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    ended: list[str] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            # What ends the work is not interrupted itself.
            os.kill(os.getpid(), signal.SIGTERM)
            ended.append("well")

    with pytest.raises(BlockingIOError, match=f"interrupted by {number.name}"), raise_on_signals(BlockingIOError):
        work()
    assert ended == ["well"]
    assert signal.getsignal(number) is before
