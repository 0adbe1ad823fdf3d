"""A registry in front of a real one that misbehaves as it is told, on loopback."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Odd:
    """One answer instead of the real one. `cut` answers the real one and hangs up after so many bytes of it.

    `hangs` does not answer while the registry runs.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = -1
    hangs: bool = False


class OddRegistry:
    """`host` begins the names of its images. `odd` is a pattern of `METHOD PATH` -> the answer, the first that fits.

    `seen` has what came: (METHOD PATH, the header Authorization).
    """

    def __init__(self, real: str = "") -> None:
        self.real = real
        self.host = ""
        self.odd: dict[str, Odd] = {}
        self.seen: list[tuple[str, str]] = []


@contextmanager
def odd_registry(real: str = "") -> Iterator[OddRegistry]:
    """Run one in front of the registry at HOST:PORT."""
    told, ended = OddRegistry(real), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = f"{self.command} {self.path}"
            told.seen.append((asked, self.headers.get("Authorization", "")))
            odd = next((odd for pattern, odd in told.odd.items() if re.match(pattern, asked)), None)
            if odd is not None and odd.hangs:
                ended.wait()
                return
            if odd is not None and odd.cut < 0:
                self._send(odd.status, dict(odd.headers), odd.body, len(odd.body))
                return
            upstream = http.client.HTTPConnection(told.real)
            kept = {name: value for name, value in self.headers.items() if name not in ("Host", "Accept-Encoding")}
            upstream.request(self.command, self.path, body, {**kept, "Host": told.real})
            answer = upstream.getresponse()
            content = answer.read()
            headers = {
                name: value.replace(told.real, told.host) for name, value in answer.getheaders()
                if name not in ("Content-Length", "Transfer-Encoding", "Date", "Server")
            }  # fmt: skip
            length = int(answer.getheader("Content-Length") or len(content))
            upstream.close()
            self._send(answer.status, headers, content if odd is None else content[: odd.cut], length)
            self.close_connection = odd is not None

        def _send(self, status: int, headers: Mapping[str, str], body: bytes, length: int) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 (the names of http.server)

        def log_message(self, *_arguments: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
