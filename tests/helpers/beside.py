"""Something that happens while the test's own thread works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(act: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread while the batch works in this one, which alone gets signals."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()
    assert errors == []
