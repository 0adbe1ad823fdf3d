# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries, by the program crane: what an image is, and pushing one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ImageError, Refused
from .log import Log
from .program import run_program

_NOTHING_THERE = ("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "404 Not Found")
#: Longest piece of an answer that a message has.
_MAX_SAID = 600
_NO_REGISTRY = "that is not a registry's answer; is the host right, or is a proxy in between?"
_LOG_IN = "log in with `docker login` or `crane auth login`, or give credentials_file for one of Google's"
_NOT_ALLOWED = "the account may not do that there"
#: What begins each of its lines.
_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")
#: What a registry's answer means -> what to do. The first that fits.
_HINTS = {
    "server gave HTTP response to HTTPS client": "it speaks no TLS; set registry_insecure=true if that is meant",
    "certificate signed by unknown authority": (
        "set SSL_CERT_FILE to its issuer's certificate, or registry_insecure=true"
    ),
    "no child with platform": "give another platform, or a base that is built for this one",
    "UNAUTHORIZED": _LOG_IN,
    "status code 401": _LOG_IN,
    "DENIED": _NOT_ALLOWED,
    "status code 403": _NOT_ALLOWED,
    "no such host": "is the name right?",
    "did not include Docker-Content-Digest": _NO_REGISTRY,
    "invalid character '<'": _NO_REGISTRY,
    "<html": _NO_REGISTRY,
    "connection refused": "does the registry run?",
    "unexpected EOF": "the connection was cut",
}


class Crane:
    """Runs the program. `environment` is the whole one; `insecure` allows HTTP and any certificate.

    A registry may never answer, which the program waits for: `timeout_seconds` is the longest that each call may take.
    """

    def __init__(
        self,
        program: Path,
        *,
        environment: Mapping[str, str],
        insecure: bool,
        log: Log,
        timeout_seconds: float = math.inf,
    ) -> None:
        self._program = program
        self._environment = environment
        self._options = ["--insecure"] if insecure else []
        self._log = log
        self._timeout_seconds = timeout_seconds

    def digest_of(self, image: str) -> str | None:
        """The digest that a name stands for in its registry; None if there is none. Raises Refused."""
        try:
            return self.run("digest", image, about=image, quiet=True).strip()
        except Refused as error:
            if any(word in str(error) for word in _NOTHING_THERE):
                return None
            raise

    def config_of(self, image: str, *, platform: str) -> dict[str, Any]:
        """An image's configuration. Raises Refused."""
        config: dict[str, Any] = json.loads(self.run("config", image, "--platform", platform, about=image, quiet=True))
        return config

    def removed(self, tag: str, digest: str, *, seconds: float) -> str:
        """Remove an image that is ours alone, by both its names; why it is still there, empty if it is not.

        Some registries take only the tag, some only the digest, some the digest once there is no tag, many neither.
        """
        said = []
        for name in (tag, digest):
            try:
                self.run("delete", name, about=name, quiet=True, seconds=seconds)
            except ImageError as error:
                said.append(str(error))
        try:
            return said[0] if said and self.digest_of(tag) is not None else ""
        except ImageError as error:
            return str(error)

    def run(
        self,
        command: str,
        *arguments: str,
        about: str,
        folder: Path | None = None,
        quiet: bool = False,
        seconds: float = math.inf,
    ) -> str:
        """What the program prints. `about` is the image that messages name.

        :raises Refused: with what the registry said and what to do about it.
        :raises BuildFailed: if it cannot be started, or has not ended after so many seconds.
        :raises Interrupted: if the playbook is gone.
        """

        def show(line: str) -> None:
            if not quiet and not line.startswith("Error: "):
                self._log.add([_STAMP.sub("", line)])

        done = run_program(
            [self._program, command, *arguments, *self._options],
            about=about,
            log=self._log,
            environment=self._environment,
            folder=folder,
            show=show,
            seconds=min(seconds, self._timeout_seconds),
        )
        if done.code != 0:
            raise Refused(f"{about}: {self._log.hidden(_explained(done.said, done.code))}")
        return done.printed


def _explained(lines: list[str], code: int) -> str:
    # An error may have several lines, such as those of a page that a proxy answers with.
    first = max((number for number, line in enumerate(lines) if line.startswith("Error: ")), default=len(lines) - 1)
    said = " ".join(" ".join(lines[max(first, 0) :]).removeprefix("Error: ").split())[:_MAX_SAID]
    said = said or f"crane ended with {code} and said nothing"
    hint = next((hint for words, hint in _HINTS.items() if words in said), "")
    return f"{said} ({hint})" if hint else said
