"""Which answer of an API server is worth another try, and which is final."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PermanentError,
    QuotaExceeded,
    TransientError,
    Unauthorized,
    from_response,
)


@dataclass(frozen=True)
class Answer:
    """A status and Kubernetes Status document, the class it becomes, and for transient ones the cause counted."""

    status: int
    expected: type[ClusterError]
    reason: str = ""
    message: str = "no"
    cause: str | None = None

    def __str__(self) -> str:
        return f"{self.status}-{self.reason or self.message}"


ANSWERS = (
    Answer(400, Invalid, "BadRequest"),
    Answer(401, Unauthorized, "Unauthorized"),
    Answer(402, PermanentError),
    Answer(403, Forbidden, "Forbidden"),
    Answer(403, QuotaExceeded, "Forbidden", 'configmaps "a" is forbidden: exceeded quota: q, requested: configmaps=1'),
    Answer(403, TransientError, "Forbidden", 'pods "a" is forbidden: status unknown for quota: q', "quota"),
    Answer(404, NotFound, "NotFound"),
    Answer(405, Invalid, "MethodNotAllowed"),
    Answer(409, AlreadyExists, "AlreadyExists"),
    Answer(409, Conflict, "Conflict"),
    Answer(409, TransientError, "Conflict", 'Operation cannot be fulfilled on resourcequotas "q"', "conflict"),
    Answer(410, Gone, "Expired"),
    Answer(415, Invalid, "UnsupportedMediaType"),
    Answer(422, Invalid, "Invalid"),
    Answer(429, TransientError, "TooManyRequests", cause="429"),
    Answer(500, TransientError, "InternalError", cause="500"),
    Answer(500, TransientError, "", "etcdserver: leader changed", "etcd"),
    Answer(500, TransientError, "", "etcdserver: request timed out", "etcd"),
    Answer(500, TransientError, "", "rpc error: etcdserver: no leader", "etcd"),
    Answer(501, PermanentError),
    Answer(502, TransientError, cause="502"),
    Answer(503, TransientError, "ServiceUnavailable", cause="503"),
    Answer(504, TransientError, "Timeout", cause="504"),
    Answer(302, PermanentError),
)


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_every_answer_has_its_class(answer: Answer):
    body = json.dumps({"kind": "Status", "reason": answer.reason, "message": answer.message}).encode()
    error = from_response(answer.status, {}, body)

    assert type(error) is answer.expected
    assert error.status == answer.status
    assert str(error) == answer.message
    assert getattr(error, "cause", None) == answer.cause


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0", 0.0), ("-3", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)]
)
def test_retry_after_is_read_where_it_is_a_number(header: str | None, seconds: float | None):
    error = from_response(429, {"Retry-After": header} if header else {}, b"")
    assert isinstance(error, TransientError)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b"", "HTTP 502"),
        (b"[1]", "[1]"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 5000, "x" * 300),
    ],
)
def test_answers_of_something_else_on_the_way_stay_readable(body: bytes, text: str):
    assert str(from_response(502, {}, body)) == text
