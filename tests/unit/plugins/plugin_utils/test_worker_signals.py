"""Handlers of SIGINT and SIGTERM wait for a step of another thread, which gets no signals itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.worker_signals import WholeSteps, threads_without_signals

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Yield what a handler of both signals writes down, as Ansible's would end the process."""
    heard: list[str] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        heard.append(signal.Signals(number).name)

    before = [(number, signal.signal(number, handle)) for number in BOTH]
    yield heard
    for number, handler in before:
        signal.signal(number, handler)


def test_a_thread_that_is_started_inside_blocks_what_its_process_does_not() -> None:
    blocked: list[set[int]] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    thread = threading.Thread(target=lambda: blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    with threads_without_signals():
        thread.start()
    thread.join()
    assert set(BOTH) <= blocked[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_a_signal_waits_for_the_end_of_a_step_and_no_other_step_begins(heard: list[str]) -> None:
    steps, begun = WholeSteps(), threading.Event()

    def step() -> None:
        begun.set()
        # The handler marks the interruption first, then waits for this.
        while not steps._is_interrupted:
            threading.Event().wait(0.001)
        heard.append("the step ends")

    def work() -> None:
        steps.do(step)
        steps.do(lambda: heard.append("another step"))

    thread = threading.Thread(target=work)
    with steps.kept_whole():
        thread.start()
        assert begun.wait(5)
        signal.raise_signal(signal.SIGINT)
        # Ansible sends the other one too, which may come while the first is handled.
        signal.raise_signal(signal.SIGTERM)
        thread.join()
    assert heard == ["the step ends", "SIGINT", "SIGTERM"]


def test_a_step_that_does_not_end_holds_a_signal_up_for_some_seconds_only(
    heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "ansible_collections.kubestress.core.plugins.plugin_utils.worker_signals"
    monkeypatch.setattr(f"{module}._FINISH_SECONDS", 0.01)
    steps, begun, over = WholeSteps(), threading.Event(), threading.Event()

    def stay() -> None:
        begun.set()
        assert over.wait(5)

    thread = threading.Thread(target=steps.do, args=(stay,))
    with steps.kept_whole():
        thread.start()
        assert begun.wait(5)
        signal.raise_signal(signal.SIGTERM)
        assert heard == ["SIGTERM"]
        over.set()
        thread.join()


def test_handlers_are_as_before_afterwards_and_what_is_no_function_stays(heard: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with WholeSteps().kept_whole():
        assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert [signal.getsignal(number) for number in BOTH] == [signal.SIG_IGN, before]
    assert heard == []


def test_another_thread_than_the_first_changes_no_handler(heard: list[str]) -> None:
    found: list[object] = []
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        with WholeSteps().kept_whole():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (found, heard) == ([before], [])
