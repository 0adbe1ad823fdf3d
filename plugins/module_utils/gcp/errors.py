# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of talking to Google Cloud; each message is one line, and none holds a key or a token.

GcpError
 ├── BadOption         an option is missing, or its value cannot be used; nothing was sent
 ├── NoCredentials     there are no credentials, or nobody gives a token for them
 └── ServiceRefused    a service answered with an error
      └── Unanswered   it did not answer
"""

from __future__ import annotations

from ..errors import KubestressError

#: Longest text of a service that is shown.
_MAX_TEXT = 300


class GcpError(KubestressError):
    """The text names the option or the service, and the cause."""


class BadOption(GcpError):
    """An option is missing, or its value cannot be used; nothing was sent."""


class NoCredentials(GcpError):
    """There are no credentials, they cannot be read, or nobody gives a token for them."""


class ServiceRefused(GcpError):
    """A service answered with an error; `status` is that of HTTP, 0 if it did not answer."""

    def __init__(self, message: str, *, status: int, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds

    @property
    def is_transient(self) -> bool:
        """Whether the same request may be answered later."""
        return self.status in (0, 408, 429, 500, 502, 503, 504)


class Unanswered(ServiceRefused):
    """It did not answer: no connection, or no answer in time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=0)


def plain(text: object) -> str:
    """What a service has said as one line that may be shown: no control characters, of bounded length."""
    words = " ".join(str(text)[: 4 * _MAX_TEXT].split())
    words = "".join(character if character.isprintable() else "?" for character in words)
    return words if len(words) <= _MAX_TEXT else f"{words[:_MAX_TEXT]}…"
