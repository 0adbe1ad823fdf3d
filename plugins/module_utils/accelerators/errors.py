# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error of this room."""

from __future__ import annotations

from ..errors import KubestressError


class AcceleratorError(KubestressError, ValueError):
    """A type, topology, machine or count that cannot be. `option` is which of them, and the text begins with it."""

    def __init__(self, option: str, text: str) -> None:
        super().__init__(f"{option}: {text}")
        self.option = option
