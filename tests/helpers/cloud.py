"""A stand-in for Google Cloud on loopback: tokens, Cloud Storage, Cloud Build and the API of GKE.

It keeps what it is sent and checks it: the signature of a service account, tokens, generations, ranges. A build really
builds and pushes. Faults are attributes, set before or while it runs.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from helpers.cloud_docker import StepError, build_and_push
from helpers.registry import Registry

PROJECT = "my-project"
ACCOUNT = f"builder@{PROJECT}.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: The states of a build, one for each time that somebody looks.
WALK = ("PENDING", "QUEUED", "WORKING", "WORKING", "WORKING")


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


@dataclass
class Answer:
    """One answer; a dict is sent as JSON."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Build:
    """One build. `walk` are the states that are still to come."""

    document: dict[str, Any]
    walk: list[str]
    location: str = ""
    looks: int = 0

    @property
    def log_name(self) -> str:
        return f"log-{self.document['id']}.txt"


class Cloud:
    """`url` is the base address of all its services.

    Faults: `refused` is path prefix -> (status, message) of every request there; `busy` is how many of the next
    requests of a build are answered with 429; `ends` is a build's last state, `failure` its failureInfo; `stays` keeps
    it WORKING; `silent_log` has no log while it goes on; `log_refused` is the status of reading it; `uses_per_token`
    ends a token after so many requests; `allowed_locations` are those where buckets may be made (default: US); `short`
    is how many bytes of a piece of an upload arrive, and `lost` how many pieces are answered with 503; of none anything
    arrives if `deaf`. With `echoes`, errors and logs say back the token that they were asked with, or what was sent for
    one. `tired` are the next requests that are answered with 503, by how they begin.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry
        self.url = ""
        self.key = _key()
        self.tokens: dict[str, int] = {}
        self.requests: list[str] = []
        self.answers: Counter[int] = Counter()
        self.buckets: dict[str, str] = {}
        self.locations: dict[str, str] = {}
        self.allowed_locations: tuple[str, ...] = ()
        self.objects: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.builds: dict[str, Build] = {}
        self.clusters: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.cancelled: list[str] = []
        self.refused: dict[str, tuple[int, str]] = {}
        self.busy = 0
        self.ends = "SUCCESS"
        self.failure: dict[str, str] = {}
        self.stays = False
        self.silent_log = False
        self.log_refused = 0
        self.logging = ""
        self.uses_per_token = 10**6
        self.short = self.lost = 0
        self.deaf = self.echoes = False
        self.tired: list[str] = []
        self._uploads: dict[str, tuple[str, str, bytearray, int]] = {}
        self._lock = threading.RLock()

    # --- what a user has ----------------------------------------------------------------------------------------------

    def key_file(self, folder: Path, **changes: Any) -> Path:
        """Write the key of a service account that this stand-in knows."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        info = {
            "type": "service_account", "project_id": PROJECT, "private_key_id": "0a1b", "private_key": pem,
            "client_email": ACCOUNT, "client_id": "1", "token_uri": f"{self.url}/token",
        }  # fmt: skip
        path = folder / "key.json"
        path.write_text(json.dumps({**info, **changes}))
        return path

    def secrets(self) -> list[str]:
        """What no output may ever hold: all tokens, and pieces of the key."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        return [*self.tokens, *pem.splitlines()[1:4]]

    # --- requests -----------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Any request."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        path = unquote(parts.path)
        with self._lock:
            self.requests.append(f"{method} {path}")
            try:
                if path == "/token":
                    return self._token(body)
                self._check_token(headers)
                for prefix in self.tired:
                    if f"{method} {path}".startswith(prefix):
                        self.tired.remove(prefix)
                        raise Refusal(503, "Please try again.")
                for prefix, (status, message) in self.refused.items():
                    if f"{method} {path}".startswith(prefix):
                        raise Refusal(status, message)
                return self._service(method, path, parts.path, query, headers, body)
            except Refusal as error:
                self.answers[error.status] += 1
                said = f"{'x' * 280} {headers.get('Authorization')} {error}" if self.echoes else str(error)
                document = {"error": {"code": error.status, "message": said, "status": "REFUSED"}}
                return Answer(document, error.status, error.headers)

    def _service(
        self, method: str, path: str, raw: str, query: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if raw.startswith(("/storage/v1/b", "/upload/storage/v1/b")):
            return self._storage(method, raw, query, headers, body)
        if found := re.fullmatch(r"/v1/projects/([^/]+)(/locations/[^/]+)?/builds", path):
            return self._create_build(found[1], found[2] or "", json.loads(body))
        if found := re.fullmatch(r"/v1/projects/([^/]+)(/locations/[^/]+)?/builds/([^/:]+)(:cancel)?", path):
            # A build in a location is found there only.
            if self._build(found[3]).location != (found[2] or ""):
                raise Refusal(404, f"build {found[3]} not found")
            return self._cancel(found[3]) if found[4] else self._look(found[3])
        if found := re.fullmatch(r"/v1/projects/([^/]+)/locations/([^/]+)/clusters/([^/]+)", path):
            key = (found[1], found[2], found[3])
            if key not in self.clusters:
                raise Refusal(404, f"Not found: {path.removeprefix('/v1/')}.")
            return Answer(self.clusters[key])
        raise Refusal(404, f"nothing at {path}")

    def _token(self, body: bytes) -> Answer:
        """A token for a JWT that the account's key has signed; RFC 7523."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        try:
            assert form["grant_type"] == GRANT
            signed, _dot, signature = form["assertion"].rpartition(".")
            self.key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(_decoded(signed.partition(".")[2]))
            assert (claims["iss"], claims["aud"]) == (ACCOUNT, AUDIENCE)
            assert SCOPE in claims["scope"].split()
            assert claims["iat"] - 300 <= time.time() <= claims["exp"]
        except (InvalidSignature, AssertionError, KeyError, ValueError):
            said = body.decode() if self.echoes else "Invalid JWT Signature."
            return Answer({"error": "invalid_grant", "error_description": said}, 400)
        token = f"ya29.{secrets.token_urlsafe(40)}"
        self.tokens[token] = self.uses_per_token
        return Answer({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def _check_token(self, headers: Mapping[str, str]) -> None:
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0) <= 0:
            raise Refusal(401, "Request had invalid authentication credentials.")
        self.tokens[token] -= 1

    # --- Cloud Storage ------------------------------------------------------------------------------------------------

    def _storage(self, method: str, raw: str, query: dict[str, str], headers: Mapping[str, str], body: bytes) -> Answer:
        parts = [unquote(part) for part in raw.partition("/storage/v1/b")[2].strip("/").split("/") if part]
        if not parts and method == "GET":
            names = [name for name, owner in self.buckets.items() if owner == query["project"]]
            found = [{"name": name} for name in sorted(names) if name.startswith(query.get("prefix", ""))]
            return Answer({"items": found} if found else {})
        if not parts:
            wanted = json.loads(body)
            name, location = wanted["name"], wanted.get("location", "US")
            if self.allowed_locations and location not in self.allowed_locations:
                raise Refusal(412, f"'{location.lower()}' violates constraint 'constraints/gcp.resourceLocations'")
            if name in self.buckets:
                raise Refusal(409, "The requested bucket name is not available.")
            self.buckets[name], self.locations[name] = query["project"], location
            return Answer({"name": name})
        if parts[0] not in self.buckets:
            raise Refusal(404, "The specified bucket does not exist.")
        if len(parts) == 1:
            return Answer({"name": parts[0], "projectNumber": "1"})
        if raw.startswith("/upload/"):
            return self._upload(method, parts[0], query, headers, body)
        return self._read(parts[0], parts[2], query, headers)

    def _upload(
        self, method: str, bucket: str, query: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if query["uploadType"] == "media":
            return self._store(bucket, query["name"], body)
        if method == "POST":
            number = secrets.token_hex(4)
            self._uploads[number] = bucket, query["name"], bytearray(), int(headers["X-Upload-Content-Length"])
            place = f"{self.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={number}"
            return Answer(headers={"Location": place})
        _bucket, name, had, size = self._uploads[query["upload_id"]]
        sent, _slash, whole = headers["Content-Range"].removeprefix("bytes ").partition("/")
        assert int(whole) == size
        if sent != "*":
            begin, end = map(int, sent.split("-"))
            assert (begin, end - begin + 1) == (len(had), len(body))
            assert end + 1 == size or len(body) % 2**18 == 0
            # Whole blocks only, as the service keeps them.
            if self.deaf:
                raise Refusal(503, "We encountered an internal error. Please try again.")
            had += body[: self.short] if self.short else body
            self.short = 0
            if self.lost:
                self.lost -= 1
                raise Refusal(503, "We encountered an internal error. Please try again.")
        if len(had) == size:
            return self._store(bucket, name, bytes(had))
        return Answer(status=308, headers={"Range": f"bytes=0-{len(had) - 1}"} if had else {})

    def _store(self, bucket: str, name: str, content: bytes) -> Answer:
        generation = str(time.time_ns() // 1000)
        self.objects[bucket, name] = content, generation
        return Answer({"bucket": bucket, "name": name, "generation": generation, "size": str(len(content))})

    def _read(self, bucket: str, name: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        assert query["alt"] == "media"
        if name.startswith("log-") and self.log_refused:
            raise Refusal(self.log_refused, "does not have storage.objects.get access")
        if (bucket, name) not in self.objects:
            raise Refusal(404, "No such object")
        content = self.objects[bucket, name][0]
        begin = int(headers["Range"].removeprefix("bytes=").rstrip("-"))
        if begin >= len(content):
            raise Refusal(416, "The requested range cannot be satisfied.")
        return Answer(content[begin:], 206)

    # --- Cloud Build --------------------------------------------------------------------------------------------------

    def _create_build(self, project: str, location: str, wanted: dict[str, Any]) -> Answer:
        identity = secrets.token_hex(8)
        document = {
            **wanted, "id": identity, "projectId": project, "status": "QUEUED",
            "logUrl": f"https://console.example/builds/{identity}",
        }  # fmt: skip
        if self.logging:
            document["options"] = {"logging": self.logging}
        self.builds[identity] = Build(document, [*WALK, self.ends], location)
        return Answer({"name": f"operations/build/{identity}", "metadata": {"build": document}, "done": False})

    def _build(self, identity: str) -> Build:
        if identity not in self.builds:
            raise Refusal(404, f"build {identity} not found")
        return self.builds[identity]

    def _look(self, identity: str) -> Answer:
        if self.busy:
            self.busy -= 1
            raise Refusal(429, "Quota exceeded for quota metric 'Build and Operation Get requests'")
        build = self._build(identity)
        build.looks += 1
        if self.stays and len(build.walk) == 2:
            build.walk.insert(0, "WORKING")
        if build.walk:
            state = build.walk.pop(0)
            build.document["status"] = state
            # The second time of three has nothing new.
            if state == "WORKING" and not self.silent_log and len(build.walk) != 2:
                self._log(build, f"looked at {build.looks} times\nhalf a ")
            if not build.walk:
                self._end(build)
        return Answer(build.document)

    def _end(self, build: Build) -> None:
        document = build.document
        if self.echoes:
            self._log(build, "".join(f"asked with {token}\n" for token in self.tokens))
        if document["status"] == "SUCCESS":
            try:
                self._run(build)
            except (StepError, AssertionError) as error:
                document |= {"status": "FAILURE", "failureInfo": {"type": "USER_BUILD_STEP", "detail": str(error)}}
                self._log(build, f"ERROR: {error}\n")
            return
        document["failureInfo"] = self.failure
        self._log(build, f"ERROR: {document['status']}\nand no newline at the end")

    def _run(self, build: Build) -> None:
        (step,) = build.document["steps"]
        assert step["name"] == "gcr.io/cloud-builders/docker"
        verb, *options = step["args"]
        assert (verb, options[0], options[2], options[4]) == ("build", "-f", "-t", ".")
        source = build.document["source"]["storageSource"]
        content, generation = self.objects[source["bucket"], source["object"]]
        assert source["generation"] == generation
        assert self.registry is not None
        digest = build_and_push(
            content, dockerfile=options[1], image=options[3], registry=self.registry,
            say=lambda line: self._log(build, f"{line}\n"),
        )  # fmt: skip
        build.document["results"] = {"images": [{"name": options[3], "digest": digest}]}

    def _log(self, build: Build, text: str) -> None:
        bucket = build.document["logsBucket"].removeprefix("gs://")
        content = self.objects.get((bucket, build.log_name), (b"", ""))[0]
        self.objects[bucket, build.log_name] = content + text.encode(), "1"

    def _cancel(self, identity: str) -> Answer:
        build = self._build(identity)
        if not build.walk:
            raise Refusal(400, "cannot cancel a build that has ended")
        build.walk = []
        build.document["status"] = "CANCELLED"
        self.cancelled.append(identity)
        return Answer(build.document)


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    # One for all, because it takes longer to make than most tests.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def running(cloud: Cloud) -> Iterator[Cloud]:
    """Run it in threads of its own; `url` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = cloud.answer(self.command, self.path, self.headers, body)
            is_json = isinstance(answer.body, dict)
            content = json.dumps(answer.body).encode() if is_json else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json" if is_json else "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _any  # noqa: N815 (the names that http.server looks for)

        def log_message(self, *_arguments: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cloud.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="cloud")
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
