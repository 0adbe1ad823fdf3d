# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pod a JobSet failed by. Its own condition names a Job only, and its pods go with that Job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..readiness.causes import JOB_SET_UID
from ..readiness.state import Readiness, State, failed
from .pod_status import is_disturbed

_RESTART = "jobset.sigs.k8s.io/restart-attempt"


class JobSetFailures:
    """The first pod that failed in the newest attempt of each JobSet; the others are stopped because of it."""

    def __init__(self) -> None:
        #: By the JobSet's uid: the attempt, and what happened to the pod.
        self._first: dict[str, tuple[int, str]] = {}

    def take(self, pod: Mapping[str, Any], reason: str) -> None:
        """Take in a pod that has failed. Pods of anything else, and those that were deleted or evicted, don't count."""
        labels = pod["metadata"].get("labels") or {}
        uid = labels.get(JOB_SET_UID)
        if not uid or is_disturbed(pod):
            return
        # A user's template or another controller may have put anything there.
        restart = str(labels.get(_RESTART) or "")
        attempt = int(restart) if restart.isdecimal() else 0
        known = self._first.get(uid)
        if known is None or attempt > known[0]:
            self._first[uid] = (attempt, f"pod {pod['metadata']['name']} failed: {reason}")

    def explained(self, job_set: Mapping[str, Any], answer: Readiness) -> Readiness:
        """How a JobSet has ended, with the pod that it failed by if that was seen; it is forgotten then."""
        _attempt, words = self._first.pop(job_set["metadata"]["uid"], (0, ""))
        return failed(f"{answer.cause}; {words}") if words and answer.state is State.FAILED else answer
