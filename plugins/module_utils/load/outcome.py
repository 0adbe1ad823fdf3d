# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One operation and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .lanes import Unit

Result = Literal["created", "unchanged", "patched", "deleted", "failed"]


@dataclass(slots=True)
class Operation:
    """One object to create, patch or delete. `namespace` is the one it is for, also for a Namespace itself."""

    api_version: str
    kind: str
    namespace: str
    name: str
    body: bytes
    role: str
    unit: Unit
    #: Set when something that this object needs has failed: then it is not sent, and this says why.
    skipped_because: str | None = None


@dataclass(slots=True)
class Outcome:
    """What became of an operation; exactly one per operation.

    `seconds` is the time of the request that was answered, without pauses and earlier attempts; 0 where nothing was
    sent. `reason` is a stable word for counting, `message` the whole text; both are empty but for failures.
    """

    operation: Operation
    result: Result
    attempts: int = 0
    seconds: float = 0.0
    reason: str = ""
    message: str = ""
