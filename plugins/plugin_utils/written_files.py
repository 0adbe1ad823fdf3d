# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files made from a document: written only where they say something else, so that a second time changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError, write_text


def write_changed(folder: Path, texts: Mapping[str, Callable[[], str]], *, check_mode: bool) -> bool:
    """Write the files that are not there or say something else; whether there is any. Check mode writes none.

    They are made one after the other: a later one that cannot be made does not lose those before it. The folder is
    made if necessary. Raises ResultsError.
    """
    changed = False
    for name, make in texts.items():
        text = make()
        if _is_written(folder / name, text):
            continue
        changed = True
        if not check_mode:
            _make(folder)
            write_text(folder / name, text)
    return changed


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def _is_written(path: Path, text: str) -> bool:
    """Whether the file says that already."""
    try:
        return path.read_bytes() == text.encode(errors="replace")
    except OSError:
        return False  # writing it tells what is wrong
