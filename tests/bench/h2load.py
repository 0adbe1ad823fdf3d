"""h2load of nghttp2 as the yardstick: how many creations the server handles with the least client work."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.plane import Plane

# 40 in flight saturate the server; on 2 processors, more connections or streams gave no more creations.
CONNECTIONS = 4
STREAMS = 10
_FINISHED = re.compile(r"finished in ([0-9.]+)(us|ms|s), ([0-9.]+) req/s")
_CODES = re.compile(r"status codes: ([0-9]+) 2xx")


class H2loadError(Exception):
    """h2load is missing, or not every request created an object."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """The result of h2load: `objects` stored, and `rate` per second."""

    objects: int
    rate: float


def create(plane: Plane, *, path: str, body: dict, count: int) -> Load:
    """Post the body `count` times; its metadata has a generateName. Raises H2loadError."""
    program = shutil.which("h2load")
    if program is None:
        raise H2loadError("h2load is missing: install nghttp2-client (Debian's name), or leave this part out")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "body.json"
        file.write_text(json.dumps(body))
        command = [program, f"--requests={count}", f"--clients={CONNECTIONS}", f"--max-concurrent-streams={STREAMS}"]
        command += [f"--data={file}", "--header=content-type: application/json"]
        command += [f"--header=authorization: Bearer {plane.token}", plane.server + path]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return parsed(done.stdout + done.stderr, wanted=count)


def parsed(output: str, *, wanted: int) -> Load:
    """The figures in h2load's output. Raises H2loadError."""
    finished, codes = _FINISHED.search(output), _CODES.search(output)
    if not finished or not codes or int(codes[1]) != wanted:
        raise H2loadError(f"h2load did not create {wanted} objects:\n{output.strip()[-2000:]}")
    return Load(objects=wanted, rate=float(finished[3]))
