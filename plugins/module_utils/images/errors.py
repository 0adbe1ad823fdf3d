# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of building images; each message is one line that a user can act on.

ImageError
 ├── BadOption     an option is missing, or its value cannot be used; nothing was built or sent
 ├── BuildFailed   a builder ran and ended badly
 └── Refused       a service or a registry does not let us, or cannot be reached
"""

from __future__ import annotations

from ..errors import KubestressError


class ImageError(KubestressError):
    """The text names the option, the image or the service, and the cause. It never holds a key or a token."""


class BadOption(ImageError):
    """An option is missing, or its value cannot be used; nothing was built or sent."""

    def __init__(self, option: str, rest: str) -> None:
        super().__init__(f"{option}: {rest}")


class BuildFailed(ImageError):
    """A builder ran and ended badly. `log_file` has what it wrote, if it wrote anything."""

    def __init__(self, message: str, *, log_file: str = "") -> None:
        super().__init__(message)
        self.log_file = log_file


class Refused(ImageError):
    """A service or a registry does not let us, or cannot be reached."""
