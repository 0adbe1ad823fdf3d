# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiling the control plane into the cache: once per machine and version, however many ask at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..machine.locks import exclusive
from .errors import BuildError
from .toolchain import Toolchain, find_toolchain
from .upstreams import UPSTREAM_OF, Upstream

# (upstream, binaries, folder to put them into)
Builder = Callable[[Upstream, Sequence[str], Path], None]


def cached_path(cache_dir: Path, sources_dir: Path, binary: str) -> Path:
    """Where the cache keeps a binary of the pinned version, built or not."""
    version = UPSTREAM_OF[binary].version(sources_dir)
    return cache_dir / "bin" / f"{binary}-{version}" / binary


def ensure_built(cache_dir: Path, sources_dir: Path, binaries: Sequence[str], builder: Builder) -> list[str]:
    """Have `binaries` of one upstream in the cache; returns those that this call had to build.

    Safe when several processes ask at once: one builds, the others wait for it and then find the result. A binary
    appears in the cache complete or not at all.

    :raises BuildError: if it cannot be built or not be written.
    """
    upstream = UPSTREAM_OF[binaries[0]]
    try:
        with exclusive(cache_dir / "locks" / f"build-{upstream.folder}.lock"):
            missing = [name for name in binaries if not cached_path(cache_dir, sources_dir, name).exists()]
            if missing:
                _build_into_cache(cache_dir, sources_dir, missing, builder)
            return missing
    except OSError as error:
        raise BuildError(f"cannot write the cache {cache_dir}: {error.strerror or error}") from error


def _build_into_cache(cache_dir: Path, sources_dir: Path, missing: Sequence[str], builder: Builder) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=cache_dir) as temporary:
        builder(UPSTREAM_OF[missing[0]], missing, Path(temporary))
        for name in missing:
            target = cached_path(cache_dir, sources_dir, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(temporary) / name).replace(target)


class GoBuilder:
    """Builds with the Go compiler; looks for it only when there is something to build."""

    def __init__(self, *, cache_dir: Path, sources_dir: Path, timeout_seconds: int) -> None:
        self.cache_dir = cache_dir
        self.sources_dir = sources_dir
        self.timeout_seconds = timeout_seconds
        self._toolchain: Toolchain | None = None

    def __call__(self, upstream: Upstream, binaries: Sequence[str], folder: Path) -> None:
        """Compile `binaries` into `folder`.

        :raises BuildError: with the compiler's own words, and what to do about them.
        """
        if self._toolchain is None:
            self._toolchain = find_toolchain(self.cache_dir, timeout_seconds=self.timeout_seconds)
        environment = self._toolchain.environment(os.environ)
        source = upstream.go_mod(self.sources_dir).parent
        flags = upstream.linker_flags(upstream.version(self.sources_dir))
        command = [str(self._toolchain.go), "build", "-trimpath", "-ldflags", flags, "-o", f"{folder}{os.sep}"]
        # One call for all packages of a project: what they share is compiled once.
        packages = [upstream.packages[name] for name in binaries]
        self._run([*command, *packages], source=source, environment=environment, what=", ".join(binaries))
        for name in binaries:
            _rename_result(folder, upstream.packages[name], name)

    def _run(self, command: list[str], *, source: Path, environment: dict[str, str], what: str) -> None:
        try:
            done = subprocess.run(
                command,
                cwd=source,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.timeout_seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"building {what} took longer than build_timeout ({self.timeout_seconds} s)") from error
        if done.returncode != 0:
            raise BuildError(f"building {what} failed: {explain(done.stderr or done.stdout, self.cache_dir)}")


def _rename_result(folder: Path, package: str, name: str) -> None:
    """Go names a binary after its package's last element, or the one before a version: v3 of etcd is `server`."""
    parts = package.split("/")
    candidates = [name, parts[-1], parts[-2] if len(parts) > 1 else name]
    for candidate in candidates:
        if (folder / candidate).is_file():
            (folder / candidate).replace(folder / name)
            return
    raise BuildError(f"the compiler reported success but made no binary for {package} in {folder}")


def explain(output: str, cache_dir: Path) -> str:
    """One line from what the compiler printed, with a cure where the cause is a known one."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("go: downloading")]
    text = "\n".join(lines)
    last = lines[-1] if lines else "the compiler printed no reason"
    if "no space left on device" in text:
        free_mb = shutil.disk_usage(cache_dir).free // 1_000_000
        return f"the disk is full ({free_mb} MB free for {cache_dir}; a build needs about 4 GB, Go's caches included)"
    network = ("dial tcp", "no such host", "proxyconnect", "i/o timeout", "connection refused", "TLS handshake")
    for line in lines:
        if any(word in line for word in network):
            return (
                f"the Go module proxy cannot be reached: {line}; set GOPROXY, or name ready binaries with binaries_dir"
            )
    return last
