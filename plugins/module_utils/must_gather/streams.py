# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed streams, opened by their first bytes. Bounded: what expands without end is refused."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any

from .lines import Stream

GZIP, XZ, ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
#: What expands to more than that many times its size is no log: logs reach 100, and a bomb of zeros 1,000 and more.
MAX_RATIO = 400
#: From how many bytes on the ratio is looked at: a short text of one letter expands a lot, and does no harm.
_RATIO_FROM = 64 * 1024 * 1024
#: A decompressor's own memory: xz -9 needs 65 MiB.
_MAX_MEMORY = 100 * 1024 * 1024
_BLOCK = 128 * 1024


class Unreadable(Exception):
    """A stream that ends too early, is broken, or is refused; the text says which."""


class Peeked:
    """A stream whose beginning can be looked at."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._head = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay unread; fewer at the end."""
        while len(self._head) < size and (more := self._stream.read(size - len(self._head))):
            self._head += more
        return self._head

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._stream.read(size)


def decompressed(stream: Peeked) -> Decompressed | None:
    """The stream behind one layer of compression; None if it has none. Raises Unreadable without a library for it."""
    head = stream.peek(len(XZ))
    for magic, name, make in ((GZIP, "gzip", _Gzip), (XZ, "xz", _xz), (ZSTD, "zstd", _zstd)):
        if head.startswith(magic):
            return Decompressed(stream, make, name=name)
    return None


class _Gzip:
    """zlib's decompressor with the names of lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _xz() -> Any:
    try:
        lzma = importlib.import_module("lzma")
    except ImportError as error:
        raise Unreadable("this Python has no lzma; unpack it with: xz -d FILE") from error
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_MEMORY)


def _zstd() -> Any:
    try:
        return importlib.import_module("compression.zstd").ZstdDecompressor()
    except ImportError as error:
        raise Unreadable("zstd needs Python 3.14 or newer; unpack it with: zstd -d FILE") from error


class Decompressed:
    """The content of a compressed stream of one part or several. Raises Unreadable where it ends too early."""

    def __init__(self, stream: Stream, make: Callable[[], Any], *, name: str) -> None:
        self._stream = stream
        self._make = make
        self._name = name
        self._inner = make()
        self._pending = b""
        self._taken = 0
        self._given = 0
        #: Between two parts the stream may end.
        self._between = False

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises Unreadable."""
        while True:
            if self._between:
                rest = self._pending or self._more()
                if not rest.strip(b"\0"):
                    return b""
                self._inner, self._pending, self._between = self._make(), rest, False
            data = b""
            if self._inner.needs_input:
                data = self._pending or self._more()
                self._pending = b""
                if not data:
                    raise Unreadable(f"the {self._name} data ends too early")
            made = self._decompress(data, size)
            if self._inner.eof:
                self._pending, self._between = self._inner.unused_data, True
            if made:
                return made

    def _more(self) -> bytes:
        data = self._stream.read(_BLOCK)
        self._taken += len(data)
        return data

    def _decompress(self, data: bytes, size: int) -> bytes:
        try:
            made: bytes = self._inner.decompress(data, size)
        except MemoryError as error:
            raise Unreadable(f"needs more than {_MAX_MEMORY // 1024**2} MiB of memory to decompress") from error
        except Exception as error:
            # Each library has an error of its own, and each means the same.
            raise Unreadable(f"the {self._name} data is broken: {error}") from error
        self._given += len(made)
        if self._given > _RATIO_FROM and self._given > MAX_RATIO * self._taken:
            raise Unreadable(f"expands to more than {MAX_RATIO} times its size, as no log does; the rest is not read")
        return made
