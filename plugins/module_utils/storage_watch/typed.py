# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lists of a scan are watched: only the fields that a scan reads are decoded, of events as of pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NotRequired, TypedDict, get_args, get_type_hints

from ..cluster.decoding import decoder
from ..cluster.proof import Unproven
from ..cluster.watch import DOCUMENTS, Event, Form, NoEvent, event_of
from ..libraries import MSGSPEC, MissingLibrary
from ..storage.reading import Listed
from ..storage.structs import KeyPage


class _Place(TypedDict):
    name: NotRequired[str]
    namespace: NotRequired[str]
    resourceVersion: NotRequired[str]


class _Placed(TypedDict):
    metadata: _Place


class _Line(TypedDict):
    """Any line of a watch that is about an object, or a bookmark."""

    type: str
    object: _Placed


def form_of(listed: Listed) -> Form:
    """The form of a list; its events' objects are of the type that the list's page has as items."""
    return _form(listed.page)


def keys_form() -> Form:
    """A form for objects of which only their places matter."""
    return _form(KeyPage)


def key_of(item: Any) -> tuple[str, str]:
    """(namespace, name) of a decoded object."""
    metadata = item["metadata"] if isinstance(item, dict) else item.metadata
    if isinstance(metadata, dict):
        return metadata.get("namespace", ""), metadata["name"]
    return getattr(metadata, "namespace", ""), metadata.name


def _form(page: type) -> Form:
    """Raises MissingLibrary."""
    try:
        from msgspec import defstruct
    except ImportError as error:
        raise MissingLibrary([MSGSPEC], error) from error
    (items, *_none) = get_args(get_type_hints(page)["items"])
    (item,) = get_args(items)
    decode_page: Callable[[bytes], Any] = decoder(page)
    decode_line = decoder(_Line)
    decode_object: Callable[[bytes], Any] = decoder(defstruct("Line", [("object", item)], gc=False))

    def page_of(body: bytes) -> dict[str, Any]:
        found = decode_page(body)
        if not found.kind.endswith("List"):
            raise Unproven("a list was asked for")
        if not found.metadata.version:
            raise Unproven("the list has no resource version")
        metadata = {"resourceVersion": found.metadata.version, "continue": found.metadata.next_page}
        return {"metadata": metadata, "items": found.items}

    def typed_event_of(line: bytes) -> Event:
        try:
            head = decode_line(line)
        except Unproven:
            return event_of(line)  # which tells an error from a line that is none of ours
        metadata = head["object"]["metadata"]
        version = metadata.get("resourceVersion", "")
        if head["type"] not in ("ADDED", "MODIFIED", "DELETED") or not version or "name" not in metadata:
            return event_of(line)
        try:
            return Event(head["type"], decode_object(line).object, version=version)
        except Unproven as error:
            raise NoEvent from error

    return dataclasses.replace(DOCUMENTS, page=page_of, event=typed_event_of, key=key_of)
