# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What failed in a batch, written down as it happens: an operation, a pod, or an object that never became ready."""

from __future__ import annotations

from ..measure.pods import FailedPod
from ..measure.recorder import Recorder
from ..measure.service_checks import words_of
from .object_states import Key
from .scheduler import Outcome

_VERBS = {"present": "create", "patched": "patch", "absent": "delete"}


class FailureLog:
    """Records what failed: an operation, a pod, or an object that never became ready."""

    def __init__(self, recorder: Recorder, *, state: str) -> None:
        self._recorder = recorder
        self._verb = _VERBS[state]

    def operation(self, outcome: Outcome) -> None:
        """An operation that failed."""
        operation = outcome.operation
        self._recorder.failed_operation(kind=operation.kind)
        self._recorder.failure(
            operation=self._verb,
            kind=operation.kind,
            namespace=operation.namespace,
            name=operation.name,
            role=operation.role,
            reason=outcome.reason,
            message=outcome.message,
            attempts=outcome.attempts,
        )

    def pod(self, pod: FailedPod, role: str) -> None:
        """A pod that failed."""
        self._record("run", "Pod", (pod.namespace, pod.name), role, pod.reason, words_of(pod.message))

    def not_ready(self, kind: str, key: Key, role: str, cause: str) -> None:
        """An object that will not be ready."""
        self._record("become ready", kind, key, role, "NotReady", cause)

    def missing(self, kind: str, key: Key, role: str, cause: str) -> None:
        """An object that was stored, and is not there at the end."""
        self._record("become ready", kind, key, role, "Missing", cause)

    def _record(self, operation: str, kind: str, key: Key, role: str, reason: str, message: str) -> None:
        self._recorder.failure(
            operation=operation,
            kind=kind,
            namespace=key[0],
            name=key[1],
            role=role,
            reason=reason,
            message=message,
            attempts=0,
        )
