# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a text tells that no process or thread could be started, for there was no number left. Pure.

Such texts are the end of a container's output (its status holds it where terminationMessagePolicy is
FallbackToLogsOnError), a kubelet's own reason, and the messages of Events.
"""

from __future__ import annotations

import re

#: What a failed pod is counted under.
FORK_FAILED = "fork failed"
# The words of shells (busybox and dash, bash), of Go programs (the kubelet, containerd, runc, CNI plug-ins), of the C
# library, of Java and of Python. EAGAIN alone would be wrong: reading from a socket fails with it, too.
_TELLS = re.compile(
    r"can(?:'t|not) fork"
    r"|fork failed"
    r"|\bfork: (?:retry: )?resource temporarily unavailable"
    r"|fork/exec [^:]*: resource temporarily unavailable"
    r"|failed to create new os thread"
    r"|pthread_create failed"
    r"|unable to create (?:new )?native thread"
    r"|can't start new thread",
    re.IGNORECASE,
)


def fork_failure(text: str) -> str:
    """The last line of the text that tells so, which knows most of it; empty if none does."""
    lower = text.lower()
    if "fork" not in lower and "thread" not in lower:
        return ""  # nearly every Event, of which a storm brings thousands a second
    return next((line.strip() for line in reversed(text.splitlines()) if _TELLS.search(line)), "")
