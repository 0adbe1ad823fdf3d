# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder `cloud_build`: Google Cloud Build runs the Dockerfile; by REST, so that no gcloud is needed."""

from __future__ import annotations

import re
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..gcp.errors import GcpError, plain
from ..gcp.session import Session
from ..text import text_of
from .cloud_storage import Storage, Stored, bucket_of
from .context import write_source
from .errors import BadOption, BuildFailed, Refused
from .log import Interrupted, Log
from .request import Built, Request

STORAGE_URL = "https://storage.googleapis.com"
CLOUD_BUILD_URL = "https://cloudbuild.googleapis.com"
#: What runs the Dockerfile there.
_DOCKER = "gcr.io/cloud-builders/docker"
_GOING_ON = ("PENDING", "QUEUED", "WORKING")
_SUCCESS = "SUCCESS"
#: Between two looks at a build, as Cloud Build's own tools have it.
_POLL_SECONDS = 1.0
#: A build that waits for a worker longer than this expires.
_QUEUE_SECONDS = 3600
#: Beyond what the service itself ends a build after.
_SLACK_SECONDS = 300.0
#: How long cancelling is tried, while somebody may be waiting for the play to end.
_CANCEL_SECONDS = 10.0
#: The lines of the log that a failure's message has.
_LAST_LINES = 3
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_BUCKET_RULE = "allowed are 3 to 222 lower-case letters, digits and . _ -"
_LOCATION = re.compile(r"[A-Za-z]+[0-9]*(?:-[A-Za-z0-9]+)*")
_LOCATION_RULE = "allowed is a location such as europe-west4 or EU"


@dataclass(frozen=True)
class Places:
    """Where things are. Empty: the bucket of Cloud Build's own tools, the service's default, and builds anywhere."""

    bucket: str = ""
    bucket_location: str = ""
    location: str = ""


def places(given: Mapping[str, Any]) -> Places:
    """The option `cloud_build`. Raises BadOption."""
    texts = {key: str(given.get(key) or "").strip() for key in ("bucket", "bucket_location", "location")}
    texts["bucket"] = texts["bucket"].removeprefix("gs://").rstrip("/")
    rules = ((_BUCKET, _BUCKET_RULE), (_LOCATION, _LOCATION_RULE), (_LOCATION, _LOCATION_RULE))
    for (key, text), (pattern, rule) in zip(texts.items(), rules, strict=True):
        if text and not pattern.fullmatch(text):
            raise BadOption(f"cloud_build.{key}", f"{text[:200]!r}; {rule}")
    return Places(texts["bucket"], texts["bucket_location"], texts["location"].lower())


class CloudBuild:
    """Builds in a project. The addresses are those of the services, without a slash at the end."""

    def __init__(
        self,
        session: Session,
        *,
        project: str,
        storage_url: str,
        build_url: str,
        timeout_seconds: int,
        where: Places = Places(),
    ) -> None:
        self._session = session
        self._project = project
        self._storage_url = storage_url
        self._where = where
        parent = f"projects/{quote(project, safe=':')}" + (f"/locations/{where.location}" if where.location else "")
        self._builds_url = f"{build_url}/v1/{parent}/builds"
        self._timeout_seconds = timeout_seconds

    def build(self, request: Request, log: Log) -> Built:
        """Upload the context, have it built and pushed, and show the log while it grows.

        Each build is a new one, so that the image is new too.

        :raises ImageError: with how the build ended, or what was refused.
        :raises Interrupted: if the play was interrupted; then the build is cancelled.
        """
        try:
            source, storage = self._uploaded(request, log)
            # Between the request and its answer nobody knows the build that would have to be cancelled.
            with _uninterrupted():
                build = self._begun(request, source)
            identity = str(build["id"])
            log.say(f"build {identity}: {build.get('logUrl') or 'no address of its log'}")
            growing = _GrowingLog(build, identity, storage, log)
            try:
                ended = self._ended(identity, growing, log)
            except Interrupted as error:
                raise Interrupted(f"{error}; {self._cancelled(identity, log)}") from error
            except BaseException:
                self._cancelled(identity, log)
                raise
        except GcpError as error:
            raise Refused(str(error)) from error
        if ended.get("status") != _SUCCESS:
            raise BuildFailed(_failure(f"build {identity}", ended, growing.last))
        return Built(_digest(ended, request), is_new=True)

    def _uploaded(self, request: Request, log: Log) -> tuple[Stored, Storage]:
        storage = Storage(self._session, self._storage_url, look=log.raise_if_abandoned)
        default, location = bucket_of(self._project), self._where.bucket_location
        bucket = self._where.bucket or default
        # Anybody can take the name that a project's bucket has by default. Another one that the user names is meant.
        if storage.ensure_bucket(bucket, project=self._project, location=location, must_be_own=bucket == default):
            log.say(f"made the bucket {bucket}{f' in {location}' if location else ''}")
        with tempfile.TemporaryDirectory(prefix="kubestress-image-") as made:
            archive = write_source(request.context, Path(made) / "source.tgz")
            size = text_of(archive.path.stat().st_size, "bytes")
            name = f"source/{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex}.tgz"
            log.say(f"uploading {request.context.text}, {size} compressed, to gs://{bucket}/{name}")
            return storage.upload(archive.path, bucket=bucket, name=name), storage

    def _begun(self, request: Request, source: Stored) -> dict[str, Any]:
        image = str(request.image)
        wanted = {
            "source": {
                "storageSource": {"bucket": source.bucket, "object": source.name, "generation": source.generation}
            },
            "steps": [{"name": _DOCKER, "args": ["build", "-f", request.dockerfile, "-t", image, "."]}],
            "images": [image],
            "timeout": f"{self._timeout_seconds}s",
            "queueTtl": f"{_QUEUE_SECONDS}s",
            "logsBucket": f"gs://{source.bucket}",
            "options": {"logging": "GCS_ONLY"},
        }
        about = f"Cloud Build in project {self._project}"
        answer = self._session.document(
            self._session.call("POST", self._builds_url, about=about, json=wanted), about=about
        )
        build = (answer.get("metadata") or {}).get("build") or {}
        if not build.get("id"):
            raise GcpError(f"{about}: the answer names no build")
        return dict(build)

    def _ended(self, identity: str, growing: _GrowingLog, log: Log) -> dict[str, Any]:
        """The build when it has ended. Raises BuildFailed if it does not end, GcpError and Interrupted."""
        about = f"build {identity}"
        until = time.monotonic() + self._timeout_seconds + _QUEUE_SECONDS + _SLACK_SECONDS
        state = ""
        while True:
            found = self._session.document(
                self._session.later(
                    lambda: self._session.call("GET", f"{self._builds_url}/{quote(identity, safe='')}", about=about),
                    until=until,
                    look=log.raise_if_abandoned,
                ),
                about=about,
            )
            before, state = state, str(found.get("status") or "")
            if state != before:
                log.say(f"{about} is {plain(state) or 'of no state'}")
            growing.read(until)
            if state not in _GOING_ON:
                growing.end()
                return found
            if time.monotonic() > until:
                raise BuildFailed(f"{about} is {state} after {text_of(self._timeout_seconds, 'seconds')} and more")
            log.raise_if_abandoned()
            time.sleep(_POLL_SECONDS)

    def _cancelled(self, identity: str, log: Log) -> str:
        """Cancel a build that may still go on, and say what came of it."""
        about = f"build {identity}"
        url = f"{self._builds_url}/{quote(identity, safe='')}:cancel"
        try:
            self._session.later(
                # One that has ended is not to be cancelled any more.
                lambda: self._session.call("POST", url, about=about, json={}, accept=(200, 400, 404, 409)),
                until=time.monotonic() + _CANCEL_SECONDS,
                look=lambda: None,
            )
            text = f"{about} was cancelled"
        except GcpError as error:
            text = f"{about} could not be cancelled and may go on: {error}"
        log.say(text)
        return text


class _GrowingLog:
    """Shows what the log of a build has gained; `last` are its last lines."""

    def __init__(self, build: dict[str, Any], identity: str, storage: Storage, log: Log) -> None:
        bucket, _slash, folder = str(build.get("logsBucket") or "").removeprefix("gs://").partition("/")
        self._bucket = bucket
        self._name = f"{folder}/log-{identity}.txt" if folder else f"log-{identity}.txt"
        self._storage = storage
        self._log = log
        self._offset = 0
        self._rest = b""
        self.last: list[str] = []
        # A policy of the organisation may keep logs out of buckets.
        logging = (build.get("options") or {}).get("logging")
        if not bucket or logging in ("CLOUD_LOGGING_ONLY", "NONE"):
            self._bucket = ""
            log.say("the log is not in a bucket, so that it cannot be shown here")

    def read(self, until: float) -> None:
        """Show whole new lines. A log that may not be read is told once; it hinders no build."""
        if not self._bucket:
            return
        try:
            new: bytes = self._storage.patient(
                lambda: self._storage.read_from(self._bucket, self._name, self._offset), until=until
            )
        except GcpError as error:
            self._bucket = ""
            self._log.say(f"the log cannot be shown: {error}")
            return
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        self._show(lines)

    def end(self) -> None:
        """Show what has no end of a line."""
        if self._rest:
            self._show([self._rest])

    def _show(self, lines: list[bytes]) -> None:
        texts = [line.decode(errors="replace").rstrip("\r") for line in lines]
        self._log.add(texts)
        self.last = [*self.last, *filter(str.strip, texts)][-_LAST_LINES:]


def _failure(about: str, build: dict[str, Any], last: list[str]) -> str:
    why = build.get("failureInfo") or {}
    parts = [f"{about} ended as {plain(build.get('status')) or 'nothing'}"]
    parts += [plain(text) for text in (why.get("detail"), build.get("statusDetail")) if text]
    if last:
        parts.append(f"its log ends with: {plain(' / '.join(last))}")
    if build.get("logUrl"):
        parts.append(plain(build["logUrl"]))
    return "; ".join(dict.fromkeys(parts))


def _digest(build: dict[str, Any], request: Request) -> str:
    images = (build.get("results") or {}).get("images") or ()
    for image in images:
        if image.get("name") == str(request.image) and image.get("digest"):
            return str(image["digest"])
    raise BuildFailed(f"build {build.get('id')} ended well, but its results have no {request.image}")


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold signals back during the block; they come right after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
