# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build says while it works: in a file, and where the playbook runs as lines of progress."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from ..machine.progress import Progress
from ..text import duration_text

#: Longest line that is shown; the file has all of it.
_MAX_LINE = 400
#: Colours and cursor movements of a terminal.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
HIDDEN = "***"


class Interrupted(BaseException):
    """The play was interrupted; whoever catches it ends what it began. The text says by what."""


class Log:
    """`path` gets everything, `progress_file` what is shown; None shows nothing. Secrets get into neither."""

    def __init__(self, path: Path, progress_file: Path | None) -> None:
        self.path = path
        self._progress_file = progress_file
        self._progress = Progress(progress_file, total=0, what="")
        self._started = time.monotonic()
        self._secrets: list[str] = []
        # Names of files need not be text.
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace")

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    def raise_if_abandoned(self) -> None:
        """Raises Interrupted if the playbook is gone, so that nobody waits for the image."""
        if self._progress.is_abandoned():
            raise Interrupted("the playbook is gone")

    def hide(self, secret: str) -> None:
        """Never write or show this text."""
        if secret:
            self._secrets.append(secret)

    def hidden(self, text: str) -> str:
        """A text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def say(self, text: str) -> None:
        """A line of our own: what is done now."""
        self._write([f"[{duration_text(round(self.seconds))}] {text}"])

    def add(self, lines: Iterable[str]) -> None:
        """Lines of the builder."""
        self._write(lines)

    def _write(self, lines: Iterable[str]) -> None:
        texts = [self.hidden(line) for line in lines]
        self._file.writelines(f"{text}\n" for text in texts)
        self._file.flush()
        if self._progress_file is not None:
            with self._progress_file.open("a", encoding="utf-8") as file:
                file.writelines(f"{shown(text)}\n" for text in texts)


def shown(text: str) -> str:
    """A line of a program as one that may be shown: no control characters, and not too long."""
    text = _ESCAPES.sub("", text).replace("\t", "  ").rstrip()
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]}…"
