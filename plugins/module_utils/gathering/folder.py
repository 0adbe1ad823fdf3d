# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a gather: files inside of it and nowhere else, within bounds, and notes of what is missing."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn

from ..errors import ModuleFailed
from ..measure.recorder import now_rfc3339
from ..must_gather.notes import COLLECTING, COMPLETE, INCOMPLETE, MISSING, NAME, PARTIAL, SCHEMA
from .bounds import Bounds

#: What a part of a path may be. Names come from the API server and from kubelets, and either may be hostile.
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,252}")
#: Causes that are told apart, and things that each names.
_MAX_CAUSES = 100
_EXAMPLES = 5
_MAX_CAUSE = 300


class Cut(Exception):
    """A file that is longer than it may be; the text says by which bound."""


class Stopped(Exception):
    """Nothing more can be collected; the text says why."""


def is_safe(part: str) -> bool:
    """Whether a name can be one part of a path: no separator, no `..`, nothing hidden."""
    return bool(_SAFE.fullmatch(part))


class Folder:
    """The gather. Its files are readable by this user only, because logs may hold what others must not see.

    `COLLECTING` stands in its notes until `finish` is called: who kills us leaves a gather that says so.
    """

    def __init__(self, root: Path, bounds: Bounds, *, about: dict[str, Any]) -> None:
        self.root = root
        self.bounds = bounds
        self.files = 0
        self.objects: Counter[str] = Counter()
        self.logs = 0
        self.node_logs = 0
        self._about = about
        self._started = now_rfc3339()
        self._missing: dict[tuple[str, str], list[str]] = {}
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._details: BinaryIO | None = None

    @staticmethod
    def check_free(root: Path, *, option: str) -> None:
        """Raise ModuleFailed unless the folder is empty, or not there and can be made."""
        try:
            if root.is_dir():
                if any(root.iterdir()):
                    raise ModuleFailed(f"{option}: {root} is not empty; name a new folder")
            elif root.exists() or root.is_symlink():
                raise ModuleFailed(f"{option}: {root} is no folder; name a new one")
            above = next(parent for parent in (root, *root.parents) if parent.exists())
            if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
                why = "you may not write to it" if above.is_dir() else "it is no folder"
                raise ModuleFailed(f"{option}: {root} cannot be made in {above}: {why}")
        except OSError as error:
            raise ModuleFailed(f"{option}: {root} cannot be read: {error.strerror}") from error

    def create(self, *, option: str) -> None:
        """Make the folder with its first notes. Raises ModuleFailed."""
        self.check_free(self.root, option=option)
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write_notes(self.notes(COLLECTING))
        except OSError as error:
            raise ModuleFailed(f"{option}: {self.root} cannot be written: {error.strerror}") from error

    def file(self, *parts: str) -> File:
        """A file that is made when something is written to it. Raises ValueError for a part that no path may have."""
        for part in parts:
            if not is_safe(part):
                raise ValueError(f"{part[:80]!r} is no name for a file")
        return File(self, "/".join(parts))

    def miss(self, what: str, thing: str, cause: str) -> None:
        """Note that a thing could not be had, or not whole. `what` is its kind, such as "log of a pod"."""
        cause = " ".join(cause.split())[:_MAX_CAUSE]
        key = (what, cause)
        if key not in self._missing and len(self._missing) >= _MAX_CAUSES:
            key = (what, "other causes")
        self._numbers[key] += 1
        examples = self._missing.setdefault(key, [])
        if len(examples) < _EXAMPLES:
            examples.append(thing)
        line = json.dumps({"what": what, "thing": thing, "cause": cause}).encode() + b"\n"
        if self.bounds.grant(len(line), 0) < len(line):
            return  # counted all the same
        try:
            if self._details is None:
                self._details = self.opened(MISSING)
            self._details.write(line)
        except OSError as error:
            raise Stopped(f"{MISSING} cannot be written: {error.strerror}") from error

    @property
    def missing(self) -> list[dict[str, Any]]:
        """What is missing, by kind and cause, most frequent first: `what`, `cause`, `number`, `examples`."""
        return [
            {"what": what, "cause": cause, "number": number, "examples": self._missing[what, cause]}
            for (what, cause), number in self._numbers.most_common()
        ]

    @property
    def number_missing(self) -> int:
        """How many things are missing."""
        return self._numbers.total()

    def finish(self, stopped: str | None) -> dict[str, Any]:
        """Write the last notes and return them. `stopped`: why it ended early."""
        if self._details is not None:
            self._details.close()
        state = PARTIAL if stopped else INCOMPLETE if self._missing else COMPLETE
        notes = self.notes(state, stopped)
        try:
            self._write_notes(notes)
        except OSError as error:
            # The first notes still say that the gather is not whole, and what was read is there.
            why = f"{NAME} cannot be written: {error.strerror}"
            notes["stopped"] = f"{notes['stopped']}; {why}" if notes["stopped"] else why
            notes["state"] = PARTIAL
        return notes

    def refuse(self, wanted: int) -> NoReturn:
        """Raise for bytes that do not fit: Stopped if the gather is full, else Cut."""
        why = self.bounds.why_refused(wanted)
        raise Stopped(why) if self.bounds.refuses(wanted) else Cut(why)

    def notes(self, state: str, stopped: str | None = None) -> dict[str, Any]:
        """What `NAME` says."""
        return {
            "schema": SCHEMA,
            "state": state,
            "stopped": stopped,
            "started": self._started,
            "finished": None if state == COLLECTING else now_rfc3339(),
            **self._about,
            "files": self.files,
            "bytes": self.bounds.used_bytes,
            "objects": dict(self.objects),
            "pod_logs": self.logs,
            "node_logs": self.node_logs,
            "missing": self.missing,
        }

    def add_about(self, **about: Any) -> None:
        """More to say in the notes."""
        self._about.update(about)

    def _write_notes(self, notes: dict[str, Any]) -> None:
        path = self.root / NAME
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(notes, indent=2) + "\n")
        temporary.replace(path)

    def opened(self, name: str) -> BinaryIO:
        """A new file at a path inside the folder. Raises OSError."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A second one of the same name would be a kubelet's trick: what is there stays.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self.files += 1
        return open(descriptor, "w+b", buffering=0)


class File:
    """One file of a gather. A context manager; nothing is there until something is written."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self.name = name
        self.size = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> File:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Raises Cut at a bound, with what fits written, and Stopped if the disk does not take it."""
        granted = self._folder.bounds.grant(len(data), self.size)
        begun = self.size
        try:
            if granted and self._file is None:
                self._file = self._folder.opened(self.name)
            view = memoryview(data)[:granted]
            while view and self._file is not None:
                written = self._file.write(view)
                self.size += written
                view = view[written:]
        except OSError as error:
            self._folder.bounds.give_back(granted - (self.size - begun))
            raise Stopped(f"{self.name} cannot be written: {error.strerror}") from error
        if granted < len(data):
            self._folder.refuse(len(data) - granted)

    @property
    def room(self) -> int:
        """How many more bytes fit."""
        return self._folder.bounds.room(self.size)

    def shorten(self, number: int) -> None:
        """Take back the last bytes."""
        if self._file is not None and number:
            self.size -= number
            self._folder.bounds.give_back(number)
            self._file.seek(self.size)
            self._file.truncate()

    async def take(self, pieces: AsyncIterator[bytes]) -> bytes:
        """For `read` of Cluster.request: the answer goes to the file. Begins the file again if it is called again."""
        self.shorten(self.size)
        async for piece in pieces:
            self.write(piece)
        return b""
