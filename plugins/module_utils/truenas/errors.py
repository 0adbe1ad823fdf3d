# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of reading a TrueNAS, and what of its words may be shown.

BoxError
 ├── BadOption       an option cannot be used; nothing was sent
 ├── NotServed       the box does not speak this transport, or does not know this method
 ├── LoginRefused    the box does not let us in
 ├── CallRefused     one call was refused: rights, arguments, a fault of the box
 └── Broken          no answer, no connection, or an answer of another form
"""

from __future__ import annotations

from ..errors import KubestressError

#: Longest text of a box that is shown: its errors can hold whole tracebacks.
_MAX_TEXT = 300


class BoxError(KubestressError):
    """The text names the box, or the option, and the cause. It never holds the API key."""


class BadOption(BoxError):
    """An option is missing, or its value cannot be used; nothing was sent."""


class NotServed(BoxError):
    """Nobody answers to this transport or to this method there; another one may be tried."""


class LoginRefused(BoxError):
    """The box does not accept the API key, or asks for something that a key cannot give."""


class CallRefused(BoxError):
    """One call was refused. `busy`: there were too many calls at once, so that it may be repeated."""

    def __init__(self, message: str, *, busy: bool = False) -> None:
        super().__init__(message)
        self.busy = busy


class Broken(BoxError):
    """The connection failed or ended, an answer did not come in time, or it has another form."""


def plain(text: object, *, secret: str = "") -> str:
    """What a box has said as one line that may be shown: no control characters, of bounded length, without `secret`."""
    words = str(text)
    if secret:
        # Before anything is cut off or replaced, since part of a key is a secret too.
        words = words.replace(secret, "***")
    words = " ".join(words[: 4 * _MAX_TEXT].split())
    words = "".join(character if character.isprintable() else "?" for character in words)
    return words if len(words) <= _MAX_TEXT else f"{words[:_MAX_TEXT]}…"
