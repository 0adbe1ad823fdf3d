# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container images that the roles use by default, built from a static busybox and Kubernetes' agnhost.

They have the names of the public images, so that the same defaults work on any cluster, but contain only the programs
that the roles use.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import LocalClusterError
from .nodes import ARCHITECTURES

BUSYBOX_IMAGE = "registry.k8s.io/e2e-test-images/busybox:1.36.1-1"
AGNHOST_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"
# Keeps a pod's namespaces; kubelet and containerd must use the same.
PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1"

ACCOUNTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
FOLDERS = {"/tmp": 0o1777, "/root": 0o700, "/home": 0o755, "/var": 0o755, "/var/tmp": 0o1777}
# Applets that the roles' scripts use and the public images have, but not every busybox.
REPLACED = ("cksum",)
# The largest number of seconds that busybox's sleep accepts: 68 years.
FOREVER = "2147483647"

EPOCH = "1970-01-01T00:00:00Z"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
# Not compressed: it is read once, on the same machine.
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, kw_only=True)
class Image:
    """The content of an image, by absolute path.

    `files` are programs, `texts` small files with their content, `links` symbolic links with their target, and
    `folders` folders with their mode. `architecture` is Go's name for it.
    """

    name: str
    architecture: str
    files: Mapping[str, Path]
    command: Sequence[str]
    entrypoint: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, int] = field(default_factory=dict)


def image_set(*, busybox: Path, agnhost: Path, scripts: Path) -> list[Image]:
    """The images.

    :param scripts: the folder of scripts that replace applets missing from this machine's busybox.
    :raises LocalClusterError: if busybox does not list its applets.
    """
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    known = applets(busybox)
    links = {f"/bin/{applet}": "busybox" for applet in known}
    shell = {"/bin/busybox": busybox} | {
        f"/bin/{applet}": scripts / f"{applet}.sh" for applet in REPLACED if applet not in known
    }
    return [
        Image(
            name=BUSYBOX_IMAGE,
            architecture=architecture,
            files=shell,
            links=links,
            texts=ACCOUNTS,
            folders=FOLDERS,
            command=["sh"],
        ),
        Image(
            name=AGNHOST_IMAGE,
            architecture=architecture,
            files={**shell, "/agnhost": agnhost},
            links=links,
            texts=ACCOUNTS,
            folders=FOLDERS,
            entrypoint=["/agnhost"],
            command=["pause"],
        ),
        # One process of half a megabyte. Unlike the public one it does not reap the processes of pods with a shared
        # process namespace.
        Image(
            name=PAUSE_IMAGE,
            architecture=architecture,
            files={"/pause/busybox": busybox},
            command=["/pause/busybox", "sleep", FOREVER],
        ),
    ]


def applets(busybox: Path) -> list[str]:
    """The applets of a busybox."""
    answer = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=False, timeout=30)
    names = [name for name in answer.stdout.split() if name != "busybox"]
    if answer.returncode != 0 or "sh" not in names:
        raise LocalClusterError(f"{busybox} --list printed no applets: {answer.stderr.strip() or answer.stdout[:200]}")
    return names


def write_archive(image: Image, path: Path) -> str:
    """Write the image as an OCI archive for `ctr images import`; returns the manifest's digest.

    The layer goes through a file beside `path`, because it may be too large for memory.
    """
    layer = path.with_suffix(".layer")
    try:
        _write_layer(image, layer)
        layer_digest = _digest_of_file(layer)
        config = _json(_config(image, layer_digest))
        manifest = _json(_manifest(config, layer_digest, layer.stat().st_size))
        index = _json(_index(image.name, manifest))
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _add(archive, "index.json", index)
            for blob in (manifest, config):
                _add(archive, _blob(_digest(blob)), blob)
            with layer.open("rb") as stream:
                archive.addfile(_entry(_blob(layer_digest), size=layer.stat().st_size), stream)
    finally:
        layer.unlink(missing_ok=True)
    return _digest(manifest)


def _write_layer(image: Image, path: Path) -> None:
    folders = {parent: 0o755 for name in (*image.files, *image.links, *image.texts) for parent in _parents(name)}
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as layer:
        for name, mode in sorted((folders | dict(image.folders)).items()):
            layer.addfile(_entry(name.lstrip("/"), kind=tarfile.DIRTYPE, mode=mode))
        for name, text in sorted(image.texts.items()):
            _add(layer, name.lstrip("/"), text.encode())
        for name, source in sorted(image.files.items()):
            with source.open("rb") as stream:
                layer.addfile(_entry(name.lstrip("/"), mode=0o755, size=source.stat().st_size), stream)
        for name, target in sorted(image.links.items()):
            layer.addfile(_entry(name.lstrip("/"), kind=tarfile.SYMTYPE, mode=0o777, target=target))


def _parents(name: str) -> list[str]:
    return [str(parent) for parent in Path(name).parents if str(parent) != "/"]


def _entry(
    name: str, *, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, size: int = 0, target: str = ""
) -> tarfile.TarInfo:
    """A tar entry without time or owner, so that archives are reproducible."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, size, target
    return entry


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_entry(name, size=len(content)), io.BytesIO(content))


def _config(image: Image, layer_digest: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Cmd": list(image.command),
        "WorkingDir": "/",
    }
    if image.entrypoint:
        settings["Entrypoint"] = list(image.entrypoint)
    return {
        "created": EPOCH,
        "architecture": image.architecture,
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created": EPOCH, "created_by": "kubestress.core.local_cluster"}],
    }


def _manifest(config: bytes, layer_digest: str, layer_size: int) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": _digest(config), "size": len(config)},
        "layers": [{"mediaType": LAYER_TYPE, "digest": layer_digest, "size": layer_size}],
    }


def _index(name: str, manifest: bytes) -> dict[str, Any]:
    described = {
        "mediaType": MANIFEST_TYPE,
        "digest": _digest(manifest),
        "size": len(manifest),
        # containerd reads the full name from the first, other tools the tag from the second.
        "annotations": {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        },
    }
    return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [described]}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
