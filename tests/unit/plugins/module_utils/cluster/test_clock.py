"""A clock that is held: it stands still as long as anybody holds it, and timeouts go by it."""

from __future__ import annotations

import asyncio

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.clock import HeldClock, timeout_by
from helpers.virtual_time import in_virtual_time


@in_virtual_time
async def test_it_stands_still_while_anybody_holds_it():
    clock = HeldClock()
    await asyncio.sleep(10)
    clock.hold("one")
    await asyncio.sleep(5)
    clock.hold("other")
    await asyncio.sleep(5)
    clock.let_go("one")
    await asyncio.sleep(5)
    assert (clock.time(), clock.is_held, clock.stood_still_seconds) == (10, True, 15)
    clock.let_go("other")
    clock.let_go("nobody")
    await asyncio.sleep(3)
    assert (clock.time(), clock.is_held, clock.stood_still_seconds) == (13, False, 15)


@in_virtual_time
async def test_it_can_be_held_from_an_earlier_moment_on_but_no_second_is_taken_twice():
    clock = HeldClock()
    await asyncio.sleep(10)
    clock.hold("one", since=7)
    await asyncio.sleep(1)
    clock.hold("other", since=4)
    assert clock.time() == 4
    clock.let_go("one")
    clock.let_go("other")
    clock.hold("one", since=2)  # it stood still until now, so it cannot have run since then
    await asyncio.sleep(1)
    clock.let_go("one")
    assert (clock.time(), clock.stood_still_seconds) == (4, 8)


@in_virtual_time
async def test_a_timeout_does_not_run_on_while_the_clock_is_held():
    clock, loop = HeldClock(), asyncio.get_running_loop()
    loop.call_at(3, clock.hold, "one")
    loop.call_at(63, clock.let_go, "one")
    with pytest.raises(TimeoutError):
        async with timeout_by(clock, 10):
            await asyncio.sleep(1000)
    assert 70 <= loop.time() < 71


@in_virtual_time
async def test_a_timeout_that_is_not_reached_leaves_nothing_behind():
    clock, loop = HeldClock(), asyncio.get_running_loop()
    async with timeout_by(clock, 10):
        await asyncio.sleep(9)
    await asyncio.sleep(100)
    assert loop.time() == 109
