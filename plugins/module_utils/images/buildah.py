# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder `buildah`: that program runs the Dockerfile on this machine and pushes the image."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .context import MTIME, write_folder
from .crane import Crane
from .errors import BadOption, BuildFailed, Refused
from .ignore import FILE
from .log import Log
from .program import run_program
from .request import BUILDAH, Built, Request

_VARIABLE, _LOGINS = "DOCKER_CONFIG", "config.json"
#: The lines that a failure's message has.
_LAST_LINES = 2


def find_buildah(folder: Path | None, environ: Mapping[str, str]) -> Path:
    """The program, in `folder` or on PATH. Raises BadOption."""
    if folder is not None and (folder / BUILDAH).is_file():
        return folder / BUILDAH
    found = shutil.which(BUILDAH, path=environ.get("PATH"))
    if found is None:
        raise BadOption(
            "builder", f"{BUILDAH} is not on PATH; install it (package buildah), or use layers, which needs no program"
        )
    return Path(found)


class Buildah:
    """Runs the program. `crane` says what the name stood for before; `environment` is the program's whole one."""

    def __init__(self, program: Path, crane: Crane, *, environment: Mapping[str, str], timeout_seconds: float) -> None:
        self._program = program
        self._timeout_seconds = timeout_seconds
        self._crane = crane
        logins = Path(folder) / _LOGINS if (folder := environment.get(_VARIABLE)) else None
        self._logins = logins if logins and logins.is_file() else None
        # The program refuses to begin where the variable names a folder without the file.
        self._environment = {key: value for key, value in environment.items() if key != _VARIABLE}

    def build(self, request: Request, log: Log) -> Built:
        """Build and push. Raises ImageError, and Interrupted.

        Without a RUN in the Dockerfile the same files give the same digest; one may do something else each time.
        """
        name = str(request.image)
        before = self._before(name, log)
        with tempfile.TemporaryDirectory(prefix="kubestress-image-") as made:
            folder = Path(made)
            staged = write_folder(request.context, folder / "context")
            options = ["--platform", request.platform, "--timestamp", str(MTIME)]
            options += ["--file", str(staged / request.dockerfile)]
            rules = request.context.root / FILE
            if rules.is_file():
                # They say also what COPY leaves out of what has to be there, such as the Dockerfile.
                options += ["--ignorefile", str(rules)]
            log.say(f"{self._program} builds {request.dockerfile}")
            self._run(["bud", *options, *self._trust(request), "--tag", name, str(staged)], name, log)
            digest_file = folder / "digest"
            log.say(f"pushing {name}")
            target = [name, f"docker://{name}"]
            self._run(["push", "--digestfile", str(digest_file), *self._trust(request), *target], name, log)
            digest = digest_file.read_text(encoding="utf-8").strip()
        is_new = digest != before
        log.say(f"{'pushed' if is_new else 'unchanged:'} {name}@{digest}")
        return Built(digest, is_new)

    def _before(self, name: str, log: Log) -> str | None:
        try:
            return self._crane.digest_of(name)
        except Refused as error:
            # The program has logins of its own.
            log.say(f"what {name} stands for is not known: {error}")
            return None

    def _trust(self, request: Request) -> list[str]:
        options = ["--authfile", str(self._logins)] if self._logins else []
        if request.insecure or request.image.host.partition(":")[0] in ("localhost", "127.0.0.1"):
            options.append("--tls-verify=false")
        return options

    def _run(self, arguments: list[str], name: str, log: Log) -> None:
        done = run_program(
            [self._program, *arguments],
            about=name,
            log=log,
            environment=self._environment,
            show=lambda line: log.add([line]),
            show_all=True,
            seconds=self._timeout_seconds,
        )
        if done.code != 0:
            said = " / ".join(done.said[-_LAST_LINES:]) or "it said nothing"
            raise BuildFailed(f"{name}: {BUILDAH} {arguments[0]} ended with {done.code}: {log.hidden(said)}")
