# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of the API client, and how HTTP answers become exceptions.

ClusterError
 ├── ConfigurationError    the connection options or the kubeconfig cannot be used
 ├── TransientError        may succeed when retried: 429, 500, 502, 503, 504, connection, timeout, etcd leader change,
 │    │                    an answer that is incomplete or not the API server's (proof.py)
 │    └── Unreachable      nobody has answered for so long that nothing is sent any more (reachability.py)
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

Exceptions of aiohttp are turned into these in one place (client.py), so that no other folder needs to know aiohttp.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import KubestressError

_TRANSIENT_STATUS = frozenset({429, 500, 502, 503, 504})
_ETCD_SIGNS = ("etcdserver: leader changed", "etcdserver: request timed out", "etcdserver: no leader")

_NOT_READY = "not yet ready to handle request"


class ClusterError(KubestressError):
    """Base class.

    `status` is the HTTP status, or None if there was no answer. `reason` is a short stable word to count by: the
    reason of the Kubernetes Status, or else the name of the class. `attempts` is how many requests the operation took.
    `maybe_done_before`: an earlier attempt may have been carried out although its answer was lost.
    """

    attempts = 1
    maybe_done_before = False

    def __init__(self, message: str, *, status: int | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason or type(self).__name__


class ConfigurationError(ClusterError):
    """The options, the kubeconfig or a Python library cannot be used; nothing was sent."""


class TransientError(ClusterError):
    """The same request may succeed later.

    `cause` is what retries are counted by: "429", "500", "502", "503", "504", "connection", "timeout", "etcd",
    "conflict", "quota" (its usage is not known yet), "starting" (the server is not ready yet), "interrupted" (the body
    is no whole JSON) or "foreign" (something that is no API server has answered). `retry_after_seconds` is what the
    server asked for, or None.
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


class Unreachable(TransientError):
    """An outage has lasted longer than is allowed. `cause` is that of the failure by which it began."""


class PermanentError(ClusterError):
    """The same request would fail again."""


class TrustError(PermanentError):
    """TLS: the server's certificate or ours was refused."""


class Unauthorized(PermanentError):
    """401: credentials are missing or wrong."""


class Forbidden(PermanentError):
    """403: refused by RBAC or an admission plug-in."""


def name_namespaces(refusal: Forbidden, options: str) -> Forbidden:
    """The refusal of the whole cluster, with the options by which a user of some namespaces names these."""
    text = f"{refusal}; a user with rights in some namespaces only names them in {options}"
    return Forbidden(text, status=refusal.status, reason=refusal.reason)


class QuotaExceeded(Forbidden):
    """403: a ResourceQuota of the namespace is used up."""


class NotFound(PermanentError):
    """404."""


class AlreadyExists(PermanentError):
    """409 on create."""


class Conflict(PermanentError):
    """409 on update or delete: a precondition no longer holds."""


class Gone(PermanentError):
    """410: the resource version has been compacted; list again."""


class Invalid(PermanentError):
    """400, 405, 415 or 422: the request itself is wrong."""


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


def failure_cause(error: Exception, method: str) -> str | None:
    """The cause by which a failed attempt is counted; None for answers that are no failure.

    These are 409 for an object that exists already, 404 on GET and DELETE, and 403 on GET: whoever may not read is told
    so in words, and looks where reading is allowed.
    """
    if isinstance(error, TransientError):
        return error.cause
    if isinstance(error, AlreadyExists) or (isinstance(error, NotFound) and method in ("GET", "DELETE")):
        return None
    if isinstance(error, Forbidden) and method == "GET":
        return None
    if isinstance(error, ClusterError):
        return str(error.status) if error.status is not None else error.reason
    return type(error).__name__


def is_retried(status: int) -> bool:
    """Whether an answer of this status is retried, whatever its body says."""
    return status in _TRANSIENT_STATUS


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> ClusterError:
    """The exception for an answer with an error status."""
    document = _status_document(body)
    message = document.get("message") or body[:300].decode("utf-8", "replace").strip() or f"HTTP {status}"
    reason = document.get("reason") or None
    if any(sign in message for sign in _ETCD_SIGNS):
        return TransientError(message, cause="etcd", status=status, reason=reason)
    if is_retried(status):
        return TransientError(
            message, cause=str(status), retry_after_seconds=_retry_after(headers), status=status, reason=reason
        )
    if status == 409:
        if reason == "AlreadyExists":
            return AlreadyExists(message, status=status, reason=reason)
        if "resourcequotas" in message:
            # The quota's usage was updated concurrently; the object itself is not in conflict.
            return TransientError(message, cause="conflict", status=status, reason=reason)
        return Conflict(message, status=status, reason=reason)
    if status == 403 and "status unknown for quota" in message:
        # A new quota: its controller has not computed the usage yet.
        return TransientError(message, cause="quota", status=status, reason=reason)
    if status == 403 and _NOT_READY in message:
        # Right after its start, when admission has not read what it needs.
        return TransientError(message, cause="starting", status=status, reason=reason)
    if status == 403 and "exceeded quota" in message:
        return QuotaExceeded(message, status=status, reason="QuotaExceeded")
    kind = _PERMANENT_BY_STATUS.get(status, PermanentError)
    return kind(message, status=status, reason=reason)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        # HTTP also allows a date, but no API server sends one.
        return None


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) and document.get("kind") == "Status" else {}


def cluster_error(error: Exception) -> ClusterError:
    """The error, or of a group the first one. Raises it if it is none of a cluster."""
    if isinstance(error, ExceptionGroup):
        return cluster_error(error.exceptions[0])
    if not isinstance(error, ClusterError):
        raise error
    return error
