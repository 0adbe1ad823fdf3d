"""A real registry on loopback: crane's own, on disk."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import devenv
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.binaries import provide_binaries
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.build import GoBuilder

from helpers.commands import run
from helpers.waiting import until

SOURCES = devenv.CHECKOUT / "roles" / "local_cluster" / "files"
_LISTENING = re.compile(r"serving on port (\d+)")


def crane_program() -> Path:
    """Return the path of crane; it is built if this machine has none, which takes a quarter of a minute."""
    cache = devenv.cache_dir()
    builder = GoBuilder(cache_dir=cache, sources_dir=SOURCES, timeout_seconds=280)
    options = {"sources_dir": SOURCES, "cache_dir": cache, "binaries_dir": None}
    return provide_binaries(["crane"], builder=builder, **options)["crane"].path


@dataclass
class Registry:
    """`host` is what begins the names of its images. `log` is a line for each request."""

    host: str
    program: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    def crane(self, *arguments: str) -> str:
        """Run crane, independently of our own code, and return what it prints."""
        done = run(self.program, *arguments, env=self.environment)
        assert done.rc == 0, done.output
        return done.stdout

    def requests(self) -> list[str]:
        """The requests so far, such as `PUT /v2/train/manifests/latest`."""
        return re.findall(r"(?:GET|HEAD|PUT|POST|PATCH|DELETE) /v2/\S*", self.log.read_text())

    def base(self, folder: Path, *, architecture: str = "amd64") -> str:
        """Push an image with one file that belongs to nobody's context, and return its name."""
        name = f"{self.host}/base:{architecture}"
        with tarfile.open(folder / "base.tar", "w") as layer:
            info = tarfile.TarInfo("etc/base")
            info.size = 5
            layer.addfile(info, io.BytesIO(b"base\n"))
        self.crane("append", "-f", str(folder / "base.tar"), "-t", name)
        self.crane("mutate", name, "-t", name, "--set-platform", f"linux/{architecture}", "--env", "BASE=yes")
        return name

    def tools(self, folder: Path, script: str, text: str) -> str:
        """Push an image with this machine's static busybox and a script of that name on PATH, and return its name."""
        busybox = Path(shutil.which("busybox") or "")
        with tarfile.open(folder / "tools.tar", "w") as layer:
            layer.add(busybox, "bin/busybox")
            for name in ("sh", "cp", "id", "ls", "sleep"):
                info = tarfile.TarInfo(f"bin/{name}")
                info.type, info.linkname = tarfile.SYMTYPE, "busybox"
                layer.addfile(info)
            info = tarfile.TarInfo(f"bin/{script}")
            content = f"#!/bin/sh\n{text}".encode()
            info.size, info.mode = len(content), 0o755
            layer.addfile(info, io.BytesIO(content))
        name = f"{self.host}/tools"
        self.crane("append", "-f", str(folder / "tools.tar"), "-t", name)
        self.crane("mutate", name, "-t", name, "--set-platform", "linux/amd64")
        return name

    def digests(self, repository: str) -> dict[str, str]:
        """The digests of all tags of a repository."""
        name = f"{self.host}/{repository}"
        return {tag: self.crane("digest", f"{name}:{tag}").strip() for tag in self.crane("ls", name).split()}


@contextmanager
def serving(folder: Path, *, address: str = "127.0.0.1") -> Iterator[Registry]:
    """Yield a registry that keeps its images in a folder. It speaks plain HTTP."""
    program = crane_program()
    disk, log = folder / "registry", folder / "registry.log"
    disk.mkdir()
    with log.open("w") as out:
        process = subprocess.Popen(
            [program, "registry", "serve", "--address", f"{address}:0", "--disk", disk],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )
    try:
        found = until(lambda: _LISTENING.search(log.read_text()) or process.poll() is not None)
        assert isinstance(found, re.Match), log.read_text()
        # Nobody's logins.
        yield Registry(f"{address}:{found.group(1)}", program, log, {"DOCKER_CONFIG": str(folder)})
    finally:
        process.terminate()
        process.wait(10)
