# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a gather may hold, in all and in one file. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(kw_only=True)
class Bounds:
    """Bytes; what was granted and not written is given back."""

    total_bytes: int
    file_bytes: int
    used_bytes: int = 0

    def grant(self, wanted: int, in_file: int) -> int:
        """How many of `wanted` more bytes a file that has `in_file` may write; they count as used."""
        granted = min(wanted, self.room(in_file))
        self.used_bytes += granted
        return granted

    def give_back(self, number: int) -> None:
        """A file that is begun again does not count twice."""
        self.used_bytes -= number

    def room(self, in_file: int) -> int:
        """How many more bytes a file that has `in_file` may write."""
        return max(0, min(self.file_bytes - in_file, self.total_bytes - self.used_bytes))

    def why_refused(self, wanted: int) -> str:
        """Which bound refuses so many more bytes: the gather's own, if it does, else a file's."""
        if self.refuses(wanted):
            return f"the gather's limit of {self.total_bytes // MIB:,} MiB is reached"
        return f"cut at the limit of {self.file_bytes // MIB:,} MiB a file"

    def refuses(self, wanted: int) -> bool:
        """Whether so many more bytes are too many for the gather as a whole."""
        return self.used_bytes + wanted > self.total_bytes

    @property
    def is_used_up(self) -> bool:
        """Whether not a byte more fits."""
        return self.refuses(1)
