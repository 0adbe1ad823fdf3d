# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the control plane's programs on this machine, and build those that are missing."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .build import Builder, cached_path, ensure_built
from .errors import BuildError
from .upstreams import KUBERNETES, UPSTREAM_OF, UPSTREAMS, numbers_of

# A client that may differ by one version, and a program for pods with its own versions.
OUTSIDE_SKEW = ("kubectl", "agnhost")
# How a program is asked for its version, if not by --version.
VERSION_ARGUMENTS = {"kubectl": ["version", "--client"], "crane": ["version"]}


@dataclass(frozen=True)
class Binary:
    """A program that runs on this machine. `source` is binaries_dir, KUBEBUILDER_ASSETS, PATH, cache or built."""

    name: str
    path: Path
    version: str
    source: str


def find_binaries(
    names: Sequence[str],
    *,
    sources_dir: Path,
    cache_dir: Path,
    binaries_dir: Path | None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Binary]:
    """The programs among `names` that exist, by name. Builds and writes nothing.

    Search order: `binaries_dir`, the folder in KUBEBUILDER_ASSETS, the PATH, the cache. From KUBEBUILDER_ASSETS and
    PATH only the pinned minor version is used; in `binaries_dir` any version that runs.
    """
    environ = os.environ if environ is None else environ
    found = {}
    for name in names:
        for source, path in _candidates(name, sources_dir, cache_dir, binaries_dir, environ):
            version = version_of(name, path)
            if version and (source in ("binaries_dir", "cache") or _is_compatible(name, version, sources_dir)):
                found[name] = Binary(name, path, version, source)
                break
            if source == "binaries_dir":
                raise BuildError(f"{path} in binaries_dir does not run on this machine or does not print its version")
    return found


def provide_binaries(
    names: Sequence[str],
    *,
    sources_dir: Path,
    cache_dir: Path,
    binaries_dir: Path | None,
    builder: Builder,
) -> dict[str, Binary]:
    """All of `names`; those not found are built.

    :raises BuildError: if one can neither be found nor built, or if their versions do not match.
    """
    found = find_binaries(names, sources_dir=sources_dir, cache_dir=cache_dir, binaries_dir=binaries_dir)
    for upstream in UPSTREAMS:
        missing = [name for name in names if UPSTREAM_OF[name] is upstream and name not in found]
        if not missing:
            continue
        built = ensure_built(cache_dir, sources_dir, missing, builder)
        for name in missing:
            path = cached_path(cache_dir, sources_dir, name)
            version = version_of(name, path)
            if version is None:
                raise BuildError(f"{path} does not run on this machine; remove it to have it built again")
            found[name] = Binary(name, path, version, "built" if name in built else "cache")
    check_skew(found)
    return found


def check_skew(binaries: Mapping[str, Binary]) -> None:
    """Refuse Kubernetes programs of different minor versions, which the version skew policy does not support.

    :raises BuildError: naming the programs, their versions and where they came from.
    """
    parts = [item for name, item in binaries.items() if UPSTREAM_OF[name] is KUBERNETES and name not in OUTSIDE_SKEW]
    if len({(numbers_of(item.version) or ())[:2] for item in parts}) > 1:
        listed = ", ".join(f"{item.name} {item.version} ({item.source})" for item in parts)
        raise BuildError(
            f"the Kubernetes programs are of different versions: {listed}; put all of one version into binaries_dir"
        )


def version_of(name: str, path: Path) -> str | None:
    """The version that a program prints, such as `1.36.3`; None if it does not run."""
    upstream = UPSTREAM_OF[name]
    arguments = VERSION_ARGUMENTS.get(name, ["--version"]) if upstream.prints_version else ["--help"]
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (done.stdout or done.stderr) if upstream.prints_version else _noted_version(path, upstream.module)
    numbers = numbers_of(text)
    return ".".join(map(str, numbers)) if done.returncode == 0 and numbers else None


def _noted_version(path: Path, module: str) -> str:
    """The version of a module that Go's compiler noted in a program (`go version -m`), or nothing."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = re.search(rb"\n(?:mod|dep)\t" + re.escape(module.encode()) + rb"\t(v[\w.+-]+)", content)
        return found.group(1).decode() if found else ""


def _candidates(
    name: str, sources_dir: Path, cache_dir: Path, binaries_dir: Path | None, environ: Mapping[str, str]
) -> Iterator[tuple[str, Path]]:
    assets = environ.get("KUBEBUILDER_ASSETS")
    folders = [("binaries_dir", binaries_dir), ("KUBEBUILDER_ASSETS", Path(assets) if assets else None)]
    for source, folder in folders:
        if folder and (folder / name).is_file():
            yield source, folder / name
    on_path = shutil.which(name, path=environ.get("PATH"))
    if on_path:
        yield "PATH", Path(on_path)
    cached = cached_path(cache_dir, sources_dir, name)
    if cached.is_file():
        yield "cache", cached


def _is_compatible(name: str, version: str, sources_dir: Path) -> bool:
    """Whether major and minor version are the pinned ones; kubectl may differ by one, as the skew policy allows."""
    have, want = numbers_of(version), numbers_of(UPSTREAM_OF[name].version(sources_dir))
    if have is None or want is None or have[0] != want[0]:
        return False
    return abs(have[1] - want[1]) <= (1 if name == "kubectl" else 0)
