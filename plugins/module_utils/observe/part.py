# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a part of the observer has to be: one source of figures that is read beside a load."""

from __future__ import annotations

from typing import Any, Protocol


class Part(Protocol):
    """One source of figures. A fault in it is a warning in the observation, never the load's failure.

    The observer calls `begin`, lets `run` work until it cancels it, and calls `end`; `document` is asked at any time,
    also before `begin` is done and after a fault, for what a killed process is to leave behind.
    """

    #: What was left out and why, one line each, as a reader of the report is to see it.
    warnings: list[str]

    async def begin(self) -> None:
        """The reading before the load. It delays the load: one round of requests at most, no long answers awaited."""

    async def run(self) -> None:
        """Read again and again until cancelled. A part that needs nothing in between returns at once."""

    async def end(self) -> None:
        """The reading after the load. Called once, after `run` has ended, also where `begin` failed."""

    def document(self) -> dict[str, Any]:
        """Its keys of the observation, as JSON takes them: {"api_server": {…}}. Quick: no I/O."""
