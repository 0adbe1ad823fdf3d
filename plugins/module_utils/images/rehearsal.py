# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry on loopback that keeps nothing: what is pushed to it has the digest that it would have elsewhere.

It says of every layer that it is there already, so that none is sent, nor fetched from where the base is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LOOPBACK = "127.0.0.1"


@contextmanager
def rehearsing() -> Iterator[str]:
    """Run it; yields HOST:PORT, which begins the names of its images."""
    server = ThreadingHTTPServer((_LOOPBACK, 0), _Registry)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{_LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Registry(BaseHTTPRequestHandler):
    """As much of the OCI distribution API as a push asks for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Is this a registry? It is."""
        self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        """All layers are there, and no image."""
        self._answer(200 if "/blobs/" in self.path else 404)

    def do_PUT(self) -> None:
        """An image's manifest, which is thanked for and dropped."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(201 if "/manifests/" in self.path else 405)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing on standard error."""
