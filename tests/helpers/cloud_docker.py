"""What Cloud Build's docker step does, for Dockerfiles of FROM, COPY, WORKDIR and CMD: layers, pushed to a registry."""

from __future__ import annotations

import io
import json
import posixpath
import shlex
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from helpers.registry import Registry


class StepError(Exception):
    """What the step prints last."""


def build_and_push(
    source: bytes, *, dockerfile: str, image: str, registry: Registry, say: Callable[[str], None]
) -> str:
    """Build the image of a compressed archive, push it, and return the digest that the registry has for it."""
    with tarfile.open(fileobj=io.BytesIO(source), mode="r:gz") as archive, tempfile.TemporaryDirectory() as folder:
        archive.extractall(folder, filter="tar")
        root = Path(folder)
        if not (root / dockerfile).is_file():
            raise StepError(f"unable to evaluate symlinks in Dockerfile path: {dockerfile}: no such file")
        return _Build(root, image, registry, say).run((root / dockerfile).read_text())


class _Build:
    def __init__(self, root: Path, image: str, registry: Registry, say: Callable[[str], None]) -> None:
        self.root, self.image, self.registry, self.say = root, image, registry, say
        self.base, self.workdir = "", "/"
        self.command: list[str] = []
        self.layers: list[Path] = []

    def run(self, text: str) -> str:
        lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
        for number, line in enumerate(lines, 1):
            self.say(f"Step {number}/{len(lines)} : {line}")
            word, _space, rest = line.partition(" ")
            try:
                {"FROM": self._from, "COPY": self._copy, "WORKDIR": self._workdir, "CMD": self._cmd}[word](rest)
            except KeyError:
                raise StepError(f"this stand-in runs no {word}") from None
        self._push()
        digest = self.registry.crane("digest", self.image).strip()
        self.say(f"latest: digest: {digest}")
        return digest

    def _from(self, rest: str) -> None:
        self.base = "" if rest == "scratch" else rest

    def _workdir(self, rest: str) -> None:
        self.workdir = posixpath.join(self.workdir, rest)

    def _cmd(self, rest: str) -> None:
        self.command = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]

    def _copy(self, rest: str) -> None:
        *sources, target = shlex.split(rest)
        path = self.root.parent / f"{self.root.name}-{len(self.layers)}.tar"
        with tarfile.open(path, "w") as layer:
            for name in sources:
                source = self.root / name
                if not source.exists():
                    raise StepError(f"COPY failed: file not found in build context: {name}")
                into = posixpath.normpath(posixpath.join(self.workdir, target)).strip("/")
                layer.add(source, arcname=into if source.is_dir() else posixpath.join(into, source.name))
        self.layers.append(path)

    def _push(self) -> None:
        base = ["--base", self.base] if self.base else []
        layers = [option for layer in self.layers for option in ("-f", str(layer))]
        self.registry.crane("append", *base, *layers, "-t", self.image)
        command = ["--cmd", ",".join(self.command)] if self.command else []
        self.registry.crane("mutate", self.image, "-t", self.image, "--workdir", self.workdir, *command)
        for layer in self.layers:
            layer.unlink()
