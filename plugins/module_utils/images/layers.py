# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder `layers`: the files of a folder as one layer on a base image, pushed by crane. Nothing is run."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from .context import WORKDIR, write_layer
from .crane import Crane
from .errors import BadOption, BuildFailed
from .log import Log
from .names import ImageName
from .rehearsal import rehearsing
from .request import Built, Request

_LAYER = "layer.tar"
_IMAGE = "image.tar"
_COMPLETE = "complete.tar"


class Layers:
    """Builds on a base in its registry without fetching it, or of nothing but the files."""

    def __init__(self, crane: Crane) -> None:
        self._crane = crane

    def build(self, request: Request, log: Log) -> Built:
        """Push the image. Raises ImageError, and Interrupted.

        The same files on the same base give the same digest, so that a second run changes nothing.
        """
        name = str(request.image)
        before = self._crane.digest_of(name)
        digest = self._pushed(request, log)
        is_new = digest != before
        log.say(f"{'pushed' if is_new else 'unchanged:'} {name}@{digest}")
        return Built(digest, is_new)

    def foresee(self, request: Request, log: Log) -> Built:
        """What `build` would do, with nothing sent to the image's registry. Raises ImageError, and Interrupted."""
        before = self._crane.digest_of(str(request.image))
        with rehearsing() as host:
            digest = self._pushed(replace(request, image=ImageName(host, request.image.path, "rehearsal")), log)
        return Built(digest, digest != before)

    def _pushed(self, request: Request, log: Log) -> str:
        with tempfile.TemporaryDirectory(prefix="kubestress-image-") as made:
            folder = Path(made)
            layer = write_layer(request.context, folder / _LAYER)
            log.say(f"layer {layer.digest[:19]}: {request.context.text}, in {WORKDIR}")
            return self._on_base(request, folder, log) if request.base else self._alone(request, folder, log)

    def _on_base(self, request: Request, folder: Path, log: Log) -> str:
        config = self._crane.config_of(request.base, platform=request.platform)
        has = "/".join(filter(None, (config.get("os"), config.get("architecture"))))
        # An image without a list of platforms is given for any.
        if has != "/".join(request.platform.split("/")[:2]):
            raise BadOption("base", f"{request.base} is for {has or 'no platform'}, not for {request.platform}")
        log.say(f"base {request.base} for {has}")
        options = ["--platform", request.platform, "--append", _LAYER, "--workdir", WORKDIR]
        # It asks the registry for the base's manifest and copies its layers inside the registry where that is possible.
        printed = self._crane.run(
            "mutate", request.base, *options, "--tag", str(request.image), about=str(request.image), folder=folder
        )
        return _digest(printed)

    def _alone(self, request: Request, folder: Path, log: Log) -> str:
        log.say("no base: the image has these files only")
        name = str(request.image)
        # Made here first: the name must not stand for an image without its platform, not even for a moment.
        self._crane.run(
            "append", "--new_layer", _LAYER, "--new_tag", name, "--output", _IMAGE, about=name, folder=folder
        )
        complete(folder / _IMAGE, folder / _COMPLETE, platform=request.platform)
        return _digest(self._crane.run("push", _COMPLETE, name, about=name, folder=folder))


def complete(given: Path, target: Path, *, platform: str) -> None:
    """Copy an image in a file, with its platform and working directory, which `crane append` has no options for.

    The file is one of `docker save`: manifest.json names the configuration, which is named by its digest.
    """
    with tarfile.open(given) as archive, tarfile.open(target, "w") as changed:
        (manifest,) = json.load(_file(archive, "manifest.json"))
        system, architecture, *variant = platform.split("/")
        config: dict[str, Any] = json.load(_file(archive, manifest["Config"]))
        config |= {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        config["config"] = {**(config.get("config") or {}), "WorkingDir": WORKDIR}
        text = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
        name = f"sha256:{hashlib.sha256(text).hexdigest()}"
        for path, content in (("manifest.json", json.dumps([{**manifest, "Config": name}]).encode()), (name, text)):
            info = tarfile.TarInfo(path)
            info.size = len(content)
            changed.addfile(info, io.BytesIO(content))
        for layer in dict.fromkeys(manifest["Layers"]):
            # Copied as a stream: it may be larger than the memory.
            changed.addfile(archive.getmember(layer), _file(archive, layer))


def _file(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise BuildFailed(f"{name} in the image that crane made is no file")
    return file


def _digest(printed: str) -> str:
    """The digest at the end of what crane prints, NAME@DIGEST."""
    _name, at, digest = printed.strip().rpartition("@")
    if not at:
        raise BuildFailed(f"crane printed no digest but {printed.strip()[:200]!r}")
    return digest
