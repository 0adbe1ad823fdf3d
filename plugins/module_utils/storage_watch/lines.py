# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""events.jsonl: what happened, one JSON object a line, each line written at once and whole.

Fields are in docs/storage-watch.schema.json. The file is added to; when it is too long, it takes the place of
`events.1.jsonl` and a new one begins, so that a watch of months fills no disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..measure.recorder import now_rfc3339
from ..results.folder import ResultsError

SCHEMA = 1
_MAX_BYTES = 64 * 1024 * 1024
#: Lines that are kept before they are written.
_FLUSH_BYTES = 64 * 1024


class Lines:
    """Adds lines to a file. Raises ResultsError where it cannot be written."""

    def __init__(self, path: Path, *, max_bytes: int = _MAX_BYTES) -> None:
        from msgspec import json

        self._encode = json.encode
        self._path = path
        self._max_bytes = max_bytes
        self._kept = bytearray()
        self._file = -1
        self._open()

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._size = os.fstat(self._file).st_size
            # What a kill has left of a line is one of its own, so that the next one is whole.
            if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
                os.ftruncate(self._file, self._last_end())
                self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise self._failed(error) from error

    def _last_end(self) -> int:
        """Behind the last whole line."""
        end = self._size
        while end > 0:
            begin = max(0, end - _FLUSH_BYTES)
            found = os.pread(self._file, end - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0

    def add(self, type_: str, /, **fields: Any) -> None:
        """Add a line of this type. It is written with others, at the latest by `flush`."""
        self._kept += self._encode({"time": now_rfc3339(), "type": type_, **fields})
        self._kept += b"\n"
        if len(self._kept) > _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if not self._kept:
            return
        try:
            rest = memoryview(bytes(self._kept))
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self._size += len(self._kept)
            self._kept.clear()
            if self._size > self._max_bytes:
                os.close(self._file)
                self._path.replace(self._path.with_suffix(f".1{self._path.suffix}"))
                self._open()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Write what is kept, and close the file."""
        self.flush()
        os.close(self._file)

    def _failed(self, error: OSError) -> ResultsError:
        return ResultsError(f"cannot write {self._path}: {error.strerror or error}")
