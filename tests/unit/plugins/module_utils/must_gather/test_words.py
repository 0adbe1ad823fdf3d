"""Lines with a word, found by the C library and by Python alike."""

from __future__ import annotations

import random

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.must_gather import words as room
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.words import Block

WORD = b"needle"


def lines_with(data: bytes, word: bytes, size: int) -> list[tuple[int, int]]:
    """Line by line, with nothing but slices."""
    found, start = [], 0
    for line in data[:size].split(b"\n"):
        if word in line:
            found.append((start, start + len(line)))
        start += len(line) + 1
    return found


@pytest.fixture(params=["C library", "Python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "Python":
        monkeypatch.setattr(room, "_C_LIBRARY", None)
    else:
        assert room._C_LIBRARY is not None, "CPython with ctypes has it"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", 0),
        (b"needle", 6),
        (b"a needle\nnothing\nneedle needle\n\nx needle", 40),
        # What lies behind the whole lines is not looked at, also if a word begins before it.
        (b"nothing\nneedle\n", 8),
        (b"nothing\nneedle\n", 11),
        # Zeros end a text for the C library.
        (b"a\0b\nneedle\n\0needle\n", 19),
        (b"nothing\n\0\nneedle\n", 17),
    ],
)
def test_lines_with_a_word(data: bytes, size: int) -> None:
    assert Block(data, size).lines_with(WORD) == lines_with(data, WORD, size)


@pytest.mark.usefixtures("way")
def test_random_blocks() -> None:
    numbers = random.Random(1)
    for _block in range(300):
        data = bytes(numbers.choices(b"needl\n", k=numbers.randrange(400)))
        size = numbers.randrange(len(data) + 1)
        for word in (WORD, b"ne", b"e", b"n\0"):
            assert Block(data, size).lines_with(word) == lines_with(data, word, size)
