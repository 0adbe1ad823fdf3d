# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small API client for setting up the cluster: a dozen requests on one connection.

The collection's own client (the folder `cluster`) needs libraries and 0.4 s to load; this needs only the standard
library.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import LocalClusterError

TIMEOUT_SECONDS = 10.0


class ApiError(LocalClusterError):
    """The server refused a request."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """Requests to one server, http or https. `token` is sent if given; `ca` is the only trusted authority."""

    def __init__(self, url: str, *, ca: Path | None = None, token: str | None = None) -> None:
        parts = urlsplit(url)
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=str(ca) if ca else None)
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        self._connection.close()

    def healthy(self, path: str) -> bool:
        """Whether a health endpoint answers 200; no answer counts as not healthy."""
        try:
            return self._send("GET", path)[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> Any:
        """The object at `path`, or None if there is none."""
        return self._json("GET", path, missing_ok=True)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Create an object."""
        return self._json("POST", path, body)

    def merge_patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change an object."""
        return self._json("PATCH", path, body, content_type="application/merge-patch+json")

    def delete(self, path: str) -> Any:
        """Delete an object, if it exists."""
        return self._json("DELETE", path, missing_ok=True)

    def _json(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        missing_ok: bool = False,
    ) -> Any:
        try:
            status, answer = self._send(method, path, body, content_type)
        except (OSError, http.client.HTTPException) as error:
            raise LocalClusterError(f"{method} {self.url}{path}: no answer: {error}") from error
        if status == http.client.NOT_FOUND and missing_ok:
            return None
        if status >= http.client.BAD_REQUEST:
            raise ApiError(f"{method} {self.url}{path}: {status}: {_reason(answer)}", status=status)
        return json.loads(answer)

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        headers = {**self._headers, **({"Content-Type": content_type} if body is not None else {})}
        payload = json.dumps(body).encode() if body is not None else None
        try:
            self._connection.request(method, path, body=payload, headers=headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            # Its state is unknown, so it cannot be used again.
            self._connection.close()
            raise


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")[:200]
