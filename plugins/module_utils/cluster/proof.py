# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proves that an answer is the API server's, and what is said of one that is not.

A success counts only if its body proves it. Between us and the API server there may be a proxy that answers 200 with a
login page, or with nothing. The functions for `decode` of Cluster.request() raise Unproven, and the client makes of it
a TransientError: such an answer is retried like one that was lost, because the request may have been carried out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import TransientError, is_retried

#: How an answer to a creation begins. The API server writes the metadata of all kinds in this order.
_STORED = re.compile(
    rb'\{"kind":"[^"\\]+","apiVersion":"[^"\\]+","metadata":\{"name":"([^"\\]+)",'
    rb'(?:"namespace":"([^"\\]+)",)?"uid":"([^"\\]+)","resourceVersion":"([^"\\]+)"'
)
#: What an API server says of a path that it does not serve, such as the group of a CRD that is gone.
_NO_SUCH_PATH = b"404 page not found"

#: What the API server says of itself when it can do its work, etcd included; everybody may ask.
READY_PATH, _READY = "/readyz", b"ok"


class Unproven(ValueError):
    """A body does not prove that the API server has answered."""


def document_of(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Unproven if it is anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unproven(str(error)) from error
    if not isinstance(document, dict):
        raise Unproven("a JSON object was asked for")
    return document


def page_of(body: bytes) -> dict[str, Any]:
    """One page of a list: metadata, and objects that have metadata. Raises Unproven."""
    page = document_of(body)
    items = page.get("items", "missing")
    if not isinstance(page.get("metadata"), dict) or not isinstance(items, list | None):
        raise Unproven("a list was asked for")
    for item in items or ():
        if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
            raise Unproven("the list holds something that is no object")
    return page


def list_of(body: bytes) -> dict[str, Any]:
    """One page of a list by which something may be deleted: its kind says list, and all its objects have names.

    Raises Unproven.
    """
    page = page_of(body)
    if not str(page.get("kind", "")).endswith("List"):
        raise Unproven("a list was asked for")
    if not all(isinstance(item["metadata"].get("name"), str) for item in page["items"] or ()):
        raise Unproven("the list holds an object without a name")
    return page


def accepted_by(accepts: Callable[[Any], bool], what: str) -> Callable[[bytes], dict[str, Any]]:
    """A function for `decode` that takes the documents that `accepts` takes; `what` names them in the error."""

    def decode(body: bytes) -> dict[str, Any]:
        document = document_of(body)
        if not accepts(document):
            raise Unproven(f"{what} was asked for")
        return document

    return decode


def versioned_page_of(body: bytes) -> dict[str, Any]:
    """One page of a list after which a watch can begin. Raises Unproven."""
    page = page_of(body)
    if not isinstance(page["metadata"].get("resourceVersion"), str):
        raise Unproven("the list has no resource version")
    return page


def object_of(body: bytes) -> dict[str, Any]:
    """An object that is stored: its metadata has name and uid. Raises Unproven."""
    document = document_of(body)
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name") or not metadata.get("uid"):
        raise Unproven("an object with name and uid was asked for")
    return document


def prove_stored(name: str, namespace: str, body: bytes) -> tuple[str, str]:
    """Uid and version of the object of this name (`namespace`: "" for cluster-wide kinds). Raises Unproven.

    This is done for every object that is created. A search takes a third of the time that parsing needs; what the
    search does not recognize, such as the answer of a server that knows no PartialObjectMetadata, is parsed.
    """
    begin = _STORED.match(body)
    if begin is not None and body.endswith((b"}\n", b"}")):
        found = (begin[1].decode(), (begin[2] or b"").decode())
        stored = (begin[3].decode(), begin[4].decode())
    else:
        metadata = object_of(body)["metadata"]
        found = (metadata["name"], metadata.get("namespace") or "")
        stored = (metadata["uid"], metadata.get("resourceVersion") or "")
    if found != (name, namespace):
        raise Unproven(f"it is about {'/'.join(filter(None, reversed(found)))}")
    return stored


def prove_deletion(body: bytes) -> None:
    """The body is a Status of success, or what was deleted. Raises Unproven."""
    document = document_of(body)
    if document.get("kind") == "Status" and document.get("status") == "Success":
        return
    if not document.get("kind") or not isinstance(document.get("metadata"), dict):
        raise Unproven("a Status or what was deleted was asked for")


def prove_ready(body: bytes) -> None:
    """The body is what the API server says when it is ready. Raises Unproven."""
    if body.strip() != _READY:
        raise Unproven(f"{_READY.decode()!r} was asked for")


def prove_version(body: bytes) -> None:
    """The body is the version of an API server. Raises Unproven."""
    if "gitVersion" not in document_of(body):
        raise Unproven("a version was asked for")


def is_foreign(status: int, body: bytes, *, must_prove: bool) -> bool:
    """Whether an answer of 300 or more is not the API server's.

    It never redirects, and never writes HTML. 401 is left to the renewal of credentials, and what is retried anyway
    needs no other name. `must_prove`: a 404 counts as "there is no such object" only if the API server says so.
    """
    if status < 400:
        return True
    if status == 401 or is_retried(status):
        return False
    text = body.strip()
    if text.startswith(b"<"):
        return True
    return must_prove and status == 404 and text != _NO_SUCH_PATH and not _is_status(text)


def _is_status(text: bytes) -> bool:
    try:
        return document_of(text).get("kind") == "Status"
    except Unproven:
        return False


def foreign(asked: str, status: int, headers: Mapping[str, str], why: str = "") -> TransientError:
    """The error for an answer of something that is no API server. `asked`: address, method and path."""
    to = headers.get("Location", "").partition("?")[0]
    details = [f"HTTP {status}" + (f" to {to}" if to else ""), headers.get("Content-Type") or "no content type"]
    return TransientError(
        f"{asked} was answered by something that is no API server ({', '.join(details)}){why and ': ' + why}",
        cause="foreign",
        status=status,
        reason="NoApiServer",
    )


def unread(asked: str, status: int, headers: Mapping[str, str], body: bytes, error: Unproven) -> TransientError:
    """The error for a success whose body proves nothing. `asked`: address, method and path."""
    if not body.lstrip().startswith(b"{") or not isinstance(error.__cause__, ValueError):
        return foreign(asked, status, headers, str(error) if body.strip() else "the answer is empty")
    return TransientError(
        f"{asked}: the answer is no whole JSON document (HTTP {status}, {len(body):,} bytes): {error}",
        cause="interrupted",
        status=status,
        reason="InterruptedAnswer",
    )
