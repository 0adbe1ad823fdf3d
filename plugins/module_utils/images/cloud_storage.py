# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cloud Storage, as far as Cloud Build needs it: a bucket of the project, uploads, and objects that grow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..gcp.errors import GcpError, ServiceRefused
from ..gcp.session import Session
from ..text import text_of

#: Up to this size an object is sent as one request.
RESUMABLE_BYTES = 8 * 1024 * 1024
#: A multiple of 256 KiB, as the service wants it.
_PIECE_BYTES = 8 * 1024 * 1024
_FORBIDDEN, _NOT_FOUND, _CONFLICT = 403, 404, 409
#: An upload whose service does not answer is given up after this.
_PATIENCE_SECONDS = 120.0
#: After a piece of which nothing has arrived.
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Stored:
    """An object; `generation` says which of those that had its name."""

    bucket: str
    name: str
    generation: str


class Storage:
    """`url` is the service's base address. `look` is called between pieces and may raise."""

    def __init__(self, session: Session, url: str, *, look: Callable[[], None]) -> None:
        self._session = session
        self._url = url
        self._look = look

    def ensure_bucket(self, name: str, *, project: str, location: str = "", must_be_own: bool = True) -> bool:
        """Make sure that there is the bucket; whether it was made, in `location` if that is given.

        :raises GcpError: with `must_be_own` also if it is another project's, where our files must not go. Without it, a
            bucket that may not be looked at is taken to be there, because writing into it needs another right.
        """
        made = False
        about = f"bucket {name}"
        try:
            self._asked("GET", self._bucket(name), about=about)
        except ServiceRefused as error:
            if error.status == _FORBIDDEN and not must_be_own:
                return False
            if error.status != _NOT_FOUND:
                raise
            made = self._make(name, project=project, location=location, about=about)
        if not must_be_own:
            return made
        # Names of buckets are the whole world's, and it says only the number of the project that has one.
        query = {"project": project, "prefix": name, "fields": "items(name)"}
        listed = self._session.document(
            self._asked("GET", f"{self._url}/storage/v1/b", about=about, params=query), about=about
        )
        if name not in {item.get("name") for item in listed.get("items") or ()}:
            raise GcpError(f"{about} is not one of project {project}; files of yours are not put there")
        return made

    def upload(self, file: Path, *, bucket: str, name: str) -> Stored:
        """Store a file. Raises GcpError."""
        about = f"upload to gs://{bucket}/{name}"
        size = file.stat().st_size
        if size <= RESUMABLE_BYTES:
            url = f"{self._url}/upload/storage/v1/b/{quote(bucket, safe='')}/o"
            query = {"uploadType": "media", "name": name}
            data, headers = file.read_bytes(), {"Content-Type": "application/gzip"}
            response = self._later(
                lambda: self._call("POST", url, about=about, params=query, data=data, headers=headers)
            )
        else:
            response = self._in_pieces(file, size, bucket=bucket, name=name, about=about)
        found = self._session.document(response, about=about)
        if int(found.get("size", -1)) != size or not found.get("generation"):
            raise GcpError(f"{about}: {found.get('size')} of {size} bytes were stored")
        return Stored(bucket, name, str(found["generation"]))

    def read_from(self, bucket: str, name: str, offset: int) -> bytes:
        """What an object has from there on; nothing if there is none yet, or nothing new. Raises GcpError."""
        url = f"{self._bucket(bucket)}/o/{quote(name, safe='')}"
        response = self._call(
            "GET",
            url,
            about=f"gs://{bucket}/{name}",
            params={"alt": "media"},
            headers={"Range": f"bytes={offset}-"},
            accept=(200, 206, 404, 416),
        )
        if response.status_code in (404, 416):
            return b""
        # One that does not know ranges sends all of it.
        content: bytes = response.content
        return content if response.status_code == 206 else content[offset:]

    def patient(self, work: Callable[[], Any], *, until: float) -> Any:
        """Do something here again while the service says that it may work later. Raises what it raised last."""
        return self._session.later(work, until=until, look=self._look)

    def _make(self, name: str, *, project: str, location: str, about: str) -> bool:
        try:
            url = f"{self._url}/storage/v1/b"
            wanted = {"name": name, **({"location": location} if location else {})}
            self._call("POST", url, about=about, params={"project": project}, json=wanted)
        except ServiceRefused as error:
            # Somebody else made it just now, or has it without letting us see it; the list tells.
            if error.status != _CONFLICT:
                # Such as a policy of the organisation about where data may be: HTTP 412.
                cure = "name one with cloud_build.bucket, or where it may be with cloud_build.bucket_location"
                raise GcpError(f"{error}; it cannot be made: {cure}") from error
            return False
        return True

    def _in_pieces(self, file: Path, size: int, *, bucket: str, name: str, about: str) -> Any:
        url = f"{self._url}/upload/storage/v1/b/{quote(bucket, safe='')}/o"
        query = {"uploadType": "resumable", "name": name}
        headers = {"X-Upload-Content-Type": "application/gzip", "X-Upload-Content-Length": str(size)}
        begun = self._later(lambda: self._call("POST", url, about=about, params=query, json={}, headers=headers))
        place = begun.headers.get("Location", "")
        if urlsplit(place)[:2] != urlsplit(self._url)[:2]:
            raise GcpError(f"{about}: it is to be sent to another host than {self._url}, which is not done")
        offset, until = 0, time.monotonic() + _PATIENCE_SECONDS
        with file.open("rb") as source:
            while True:
                self._look()
                source.seek(offset)
                piece = source.read(_PIECE_BYTES)
                response = self._piece(place, piece, offset=offset, size=size, about=about)
                if response.status_code != 308:
                    return response
                # What it has may be less than what was sent.
                before, offset = offset, _end_of(response.headers.get("Range"))
                if offset > before:
                    until = time.monotonic() + _PATIENCE_SECONDS
                elif time.monotonic() > until:
                    waited = text_of(_PATIENCE_SECONDS, "seconds")
                    raise GcpError(f"{about}: {offset} of {size} bytes have arrived, and no more for {waited}")
                else:
                    time.sleep(_PAUSE_SECONDS)

    def _piece(self, place: str, piece: bytes, *, offset: int, size: int, about: str) -> Any:
        accept = (200, 201, 308)
        headers = {"Content-Range": f"bytes {offset}-{offset + len(piece) - 1}/{size}"}
        try:
            return self._call("PUT", place, about=about, data=piece, headers=headers, accept=accept)
        except ServiceRefused as error:
            if not error.is_transient:
                raise
        # How much of it has arrived, it says itself.
        asked = {"Content-Range": f"bytes */{size}"}
        return self._later(lambda: self._call("PUT", place, about=about, data=b"", headers=asked, accept=accept))

    def _later(self, work: Callable[[], Any]) -> Any:
        return self.patient(work, until=time.monotonic() + _PATIENCE_SECONDS)

    def _asked(self, method: str, url: str, **options: Any) -> Any:
        # A service that is busy is asked later; one that is not there is told at once.
        return self._session.later(
            lambda: self._call(method, url, **options),
            until=time.monotonic() + _PATIENCE_SECONDS,
            look=self._look,
            unanswered=False,
        )

    def _bucket(self, name: str) -> str:
        return f"{self._url}/storage/v1/b/{quote(name, safe='')}"

    def _call(self, method: str, url: str, **options: Any) -> Any:
        return self._session.call(method, url, **options)


def bucket_of(project: str) -> str:
    """The bucket that Cloud Build's own tools use for a project's sources."""
    return f"{project.replace(':', '_').replace('.', '_')}_cloudbuild"


def _end_of(text: str | None) -> int:
    """How many bytes have arrived, from a header such as `bytes=0-524287`; no header is none."""
    last = (text or "").rpartition("-")[2]
    return int(last) + 1 if last.isdigit() else 0
