# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a collected gather says of itself: how far it came, and what is missing in it and why.

Written by `gathering`, read by the analysis, which says it beside its figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from .lines import Stream

#: What was collected, in which bounds, and what is missing, counted by cause.
NAME = "gather.json"
#: Each single thing that is missing, one per line.
MISSING = "missing.jsonl"
SCHEMA = 1
#: `state`: all was read; some was refused or cut; it was stopped early; it is being collected, or that was killed.
COMPLETE, INCOMPLETE, PARTIAL, COLLECTING = "complete", "incomplete", "partial", "collecting"
_MAX_BYTES = 4 * 1024 * 1024
_BLOCK = 64 * 1024
_TOLD = 20


def is_note(file: str) -> bool:
    """Whether a file of a gather, by its path, is one of these: the causes in it are no lines of a log."""
    path = PurePosixPath(file)
    return path.name in (NAME, MISSING) and len(path.parts) <= 2


def warnings_in(file: str, stream: Stream) -> list[str]:
    """What the analysis has to say about the gather; nothing of a file that is not `NAME`."""
    if PurePosixPath(file).name != NAME:
        return []
    text = b""
    while len(text) <= _MAX_BYTES and (block := stream.read(_BLOCK)):
        text += block
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        return [f"{file} is no whole JSON document: what is missing in this gather is not known"]
    return _warnings(notes) if isinstance(notes, Mapping) else []


def _warnings(notes: Mapping[str, Any]) -> list[str]:
    lines = []
    state = notes.get("state")
    if state == COLLECTING:
        lines.append("this gather is partial: its collection was killed, or has not ended yet")
    elif state == PARTIAL:
        lines.append(f"this gather is partial: {_shown(notes.get('stopped'))}")
    missing = notes.get("missing")
    rows = [row for row in missing if isinstance(row, Mapping)] if isinstance(missing, list) else []
    lines += [
        f"not in this gather: {_shown(row.get('number'))} × {_shown(row.get('what'))}: {_shown(row.get('cause'))}"
        for row in rows[:_TOLD]
    ]
    if len(rows) > _TOLD:
        lines.append(f"not in this gather: {len(rows) - _TOLD} more causes in {NAME}")
    return lines


def _shown(value: Any) -> str:
    return " ".join(str(value).split())[:300]
