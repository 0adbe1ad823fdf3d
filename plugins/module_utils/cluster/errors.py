# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with an API server, as one family.

ClusterError
 ├── ConfigurationError    the connection options or the kubeconfig cannot be used
 ├── TransientError        worth another try: 429, 500, 502, 503, 504, connection, timeout, etcd leader change
 └── PermanentError        the same request will fail again
      ├── TrustError       the server's certificate is not trusted
      ├── Unauthorized     401
      ├── Forbidden        403
      │    └── QuotaExceeded
      ├── NotFound         404
      ├── AlreadyExists    409, on create
      ├── Conflict         409, on update
      ├── Gone             410, the resource version is too old
      └── Invalid          400, 405, 415, 422

Foreign exceptions are mapped to these in one place (client.py), so no other room needs to know aiohttp.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import KubestressError


class ClusterError(KubestressError):
    """Root of the family.

    `status` is the HTTP status, or None where no answer came. `reason` is a short stable word for counting:
    the Kubernetes Status reason where there is one, else the name of the class. `attempts` is how many requests were
    made for the operation that ended so. `maybe_done_before`: an earlier attempt may have been carried out although
    its answer was lost.
    """

    attempts = 1
    maybe_done_before = False

    def __init__(self, message: str, *, status: int | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason or type(self).__name__


class ConfigurationError(ClusterError):
    """The options, the kubeconfig or a Python library are not usable; nothing was sent."""


class TransientError(ClusterError):
    """A later try of the same request may succeed.

    `cause` is what retries are counted under: "429", "500", "502", "503", "504", "connection", "timeout",
    "etcd", "conflict" or "quota" (not counted yet). `retry_after_seconds` is the server's wish, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: str,
        retry_after_seconds: float | None = None,
        status: int | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, status=status, reason=reason)
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds


class PermanentError(ClusterError):
    """The same request would fail again."""


class TrustError(PermanentError):
    """TLS: the certificate of the server, or ours, was refused."""


class Unauthorized(PermanentError):
    """401: no or wrong credentials."""


class Forbidden(PermanentError):
    """403: RBAC or an admission plug-in said no."""


class QuotaExceeded(Forbidden):
    """403: a ResourceQuota of the namespace is used up."""


class NotFound(PermanentError):
    """404."""


class AlreadyExists(PermanentError):
    """409 on create."""


class Conflict(PermanentError):
    """409 on update or delete: a precondition no longer holds."""


class Gone(PermanentError):
    """410: the resource version asked for is compacted; list again."""


class Invalid(PermanentError):
    """400, 405, 415 or 422: the request itself is wrong."""


def failure_cause(error: Exception, method: str) -> str | None:
    """What a failed attempt is counted under; None for answers that only tell what is there.

    These are 409 for an object that exists already, and 404 for one that was looked for or was to be deleted.
    """
    if isinstance(error, TransientError):
        return error.cause
    if isinstance(error, AlreadyExists) or (isinstance(error, NotFound) and method in ("GET", "DELETE")):
        return None
    if isinstance(error, ClusterError):
        return str(error.status) if error.status is not None else error.reason
    return type(error).__name__


_TRANSIENT_STATUS = frozenset({429, 500, 502, 503, 504})
_PERMANENT_BY_STATUS: dict[int, type[PermanentError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    410: Gone,
    415: Invalid,
    422: Invalid,
}
_ETCD_SIGNS = ("etcdserver: leader changed", "etcdserver: request timed out", "etcdserver: no leader")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        # The date form of the header is allowed by HTTP, but no API server sends it.
        return None


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) and document.get("kind") == "Status" else {}


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> ClusterError:
    """The error for an answer with a status of 400 or more."""
    document = _status_document(body)
    message = document.get("message") or body[:300].decode("utf-8", "replace").strip() or f"HTTP {status}"
    reason = document.get("reason") or None
    if any(sign in message for sign in _ETCD_SIGNS):
        return TransientError(message, cause="etcd", status=status, reason=reason)
    if status in _TRANSIENT_STATUS:
        return TransientError(
            message, cause=str(status), retry_after_seconds=_retry_after(headers), status=status, reason=reason
        )
    if status == 409:
        if reason == "AlreadyExists":
            return AlreadyExists(message, status=status, reason=reason)
        if "resourcequotas" in message:
            # The quota's own counter was written by somebody else meanwhile; the object itself is not in conflict.
            return TransientError(message, cause="conflict", status=status, reason=reason)
        return Conflict(message, status=status, reason=reason)
    if status == 403 and "status unknown for quota" in message:
        # A quota that was just made: its controller has not counted yet what is there.
        return TransientError(message, cause="quota", status=status, reason=reason)
    if status == 403 and "exceeded quota" in message:
        return QuotaExceeded(message, status=status, reason="QuotaExceeded")
    kind = _PERMANENT_BY_STATUS.get(status, PermanentError)
    return kind(message, status=status, reason=reason)
