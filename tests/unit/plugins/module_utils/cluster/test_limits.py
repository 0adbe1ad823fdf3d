"""Each limit proved by a spy: never exceeded, reached, and given back however a request ends."""

from __future__ import annotations

import asyncio

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.limits import InFlight, Limits, Rate
from helpers.virtual_time import in_virtual_time


def now() -> float:
    """The event loop's clock."""
    return asyncio.get_running_loop().time()


class Spy:
    """Counts who is inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = self.entered = 0

    def __enter__(self) -> None:
        self.inside += 1
        self.entered += 1
        self.most = max(self.most, self.inside)

    def __exit__(self, *_error: object) -> None:
        self.inside -= 1


@pytest.mark.parametrize("maximum", [1, 2, 7, 50])
async def test_no_more_than_the_maximum_are_in_flight_and_that_many_are(maximum: int):
    limits, spy = Limits(max_in_flight=maximum), Spy()

    async def send(number: int) -> None:
        async with limits:
            with spy:
                await asyncio.sleep(0)
                if number % 3 == 0:
                    raise ConnectionError("it failed")

    answers = await asyncio.gather(*(send(number) for number in range(200)), return_exceptions=True)
    assert spy.most == maximum
    assert spy.entered == 200
    assert sum(isinstance(answer, ConnectionError) for answer in answers) == 67


async def test_places_come_back_when_requests_fail_or_are_cancelled_inside_or_while_they_wait():
    limits, spy = Limits(max_in_flight=3, per_second=1000, burst=1), Spy()

    async def send() -> None:
        async with limits:
            with spy:
                await asyncio.sleep(60)

    for _round in range(5):
        tasks = [asyncio.create_task(send()) for _ in range(10)]
        await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(60):
        async with limits, limits, limits:
            assert limits.in_flight._free.locked()
    assert 0 < spy.most <= 3


@pytest.mark.parametrize(
    ("per_second", "burst", "starts", "seconds"),
    [(10, 1, 21, 2.0), (10, 5, 25, 2.0), (0.5, 1, 3, 4.0), (1000, 1000, 3000, 2.0), (2.5, 10, 10, 0.0)],
)
@in_virtual_time
async def test_a_rate_allows_its_burst_at_once_and_then_one_at_a_time(
    per_second: float, burst: int, starts: int, seconds: float
):
    rate = Rate(per_second=per_second, burst=burst)
    began = now()
    for _ in range(starts):
        await rate.wait()
    assert now() - began == pytest.approx(seconds)


@in_virtual_time
async def test_no_window_of_time_ever_sees_more_than_the_rate_and_one_burst():
    import random

    draw = random.Random(2)
    rate = Rate(per_second=20, burst=4)
    starts = []
    for _ in range(400):
        await rate.wait()
        starts.append(now())
        await asyncio.sleep(draw.expovariate(25))
    for width in (0.05, 0.5, 1.0, 5.0):
        most = max(sum(1 for other in starts if first <= other < first + width) for first in starts)
        assert most <= 4 + 20 * width + 1e-6, width


@in_virtual_time
async def test_a_quiet_time_saves_up_no_more_than_the_burst():
    rate = Rate(per_second=10, burst=3)
    await rate.wait()
    await asyncio.sleep(3600)
    began = now()
    for _ in range(4):
        await rate.wait()
    assert now() - began == pytest.approx(0.1)


@in_virtual_time
async def test_a_rate_holds_over_all_who_share_it():
    limits = Limits(max_in_flight=50, per_second=10, burst=1)

    async def send() -> None:
        async with limits:
            pass

    began = now()
    await asyncio.gather(*(send() for _ in range(31)))
    assert now() - began >= 3.0 - 1e-6


def test_without_a_rate_nothing_waits():
    limits = Limits(max_in_flight=5)
    assert limits.rate is None
    assert limits.waited_seconds() == {"in_flight": 0.0, "rate": 0.0}


@in_virtual_time
async def test_the_time_that_requests_wait_for_the_rate_is_summed_over_all_of_them():
    rate = Rate(per_second=10, burst=3)
    for _ in range(5):
        await rate.wait()
    assert rate.waited_seconds == pytest.approx(0.2)


@in_virtual_time
async def test_the_time_that_requests_wait_for_a_place_is_summed_over_all_of_them():
    limits = Limits(max_in_flight=1)

    async def send() -> None:
        async with limits:
            pass

    async with limits:
        waiting = [asyncio.create_task(send()) for _ in range(3)]
        await asyncio.sleep(2.0)
        waiting[2].cancel()
        await asyncio.sleep(1.0)
    await asyncio.gather(*waiting, return_exceptions=True)
    assert limits.waited_seconds() == {"in_flight": 8.0, "rate": 0.0}


@pytest.mark.parametrize(
    "make", [lambda: InFlight(0), lambda: Rate(per_second=0, burst=1), lambda: Rate(per_second=1, burst=0)]
)
def test_limits_that_would_let_nothing_through_are_refused(make):
    with pytest.raises(ValueError, match=r"must be allowed|a rate needs"):
        make()
