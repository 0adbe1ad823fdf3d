# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`oc adm must-gather`: its command, its connection, and the bounds in which it runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .bounds import MIB, Bounds

#: Options that a kubeconfig is made of; where only the first two are given, oc reads what we read.
_OF_FILE = frozenset({"kubeconfig", "context"})
_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 15.0
_LAST_BYTES = 4096
#: What `--timeout` bounds is the gathering in the cluster; copying from there comes after it.
_SHARE_OF_GATHERING = 2 / 3
LOG = "oc-must-gather.log"


class OcError(Exception):
    """oc did not gather, or not all; the text says why."""


def find() -> str | None:
    """The path of oc, if there is one on PATH."""
    return shutil.which("oc")


def command(oc: str, dest: Path, *, since_seconds: int, timeout_seconds: float) -> list[str]:
    """What is run. `--since` needs oc and a cluster of 4.16 or newer."""
    since = [f"--since={since_seconds}s"] if since_seconds else []
    return [oc, "adm", "must-gather", f"--dest-dir={dest}", f"--timeout={max(1, int(timeout_seconds))}s", *since]


@contextlib.contextmanager
def environment(options: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The environment of oc, with a kubeconfig for the module's connection. No credential stands in a command line.

    Raises OcError for a connection that cannot be written as a kubeconfig.
    """
    given = {name: value for name, value in options.items() if value not in (None, "", [])}
    env = {name: value for name, value in os.environ.items() if not name.startswith("K8S_AUTH_")}
    path = given.get("kubeconfig")
    if set(given) <= _OF_FILE and not isinstance(path, dict) and "context" not in given:
        if path:
            env["KUBECONFIG"] = os.pathsep.join(os.path.expanduser(part) for part in str(path).split(os.pathsep))
        yield env
        return
    with tempfile.TemporaryDirectory(prefix="kubestress-") as folder:
        files = [os.path.join(folder, "kubeconfig")]
        Path(files[0]).write_text(json.dumps(_kubeconfig(given)))  # the folder is this user's alone
        if path and not isinstance(path, dict):
            # The first file that names the current context wins.
            files += [os.path.expanduser(part) for part in str(path).split(os.pathsep)]
        elif not path and "host" not in given:
            files += [os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")]
        env["KUBECONFIG"] = os.pathsep.join(files)
        yield env


def _kubeconfig(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options as a kubeconfig. Raises OcError."""
    if set(given) <= _OF_FILE:
        document = dict(given["kubeconfig"]) if isinstance(given.get("kubeconfig"), dict) else {"kind": "Config"}
        return {**document, "apiVersion": "v1", **({"current-context": given["context"]} if "context" in given else {})}
    beside = sorted(_OF_FILE & set(given))
    if beside or "host" not in given:
        others = ", ".join(sorted(set(given) - _OF_FILE))
        raise OcError(f"oc is not run, because {others} beside a kubeconfig cannot be handed to it")
    if "proxy_headers" in given or "no_proxy" in given:
        raise OcError("oc is not run, because proxy_headers and no_proxy cannot be handed to it")
    cluster: dict[str, Any] = {"server": given["host"]}
    user: dict[str, Any] = {}
    for option, part, key in (
        ("ca_cert", cluster, "certificate-authority"),
        ("proxy", cluster, "proxy-url"),
        ("api_key", user, "token"),
        ("username", user, "username"),
        ("password", user, "password"),
        ("client_cert", user, "client-certificate"),
        ("client_key", user, "client-key"),
        ("impersonate_user", user, "as"),
        ("impersonate_groups", user, "as-groups"),
    ):
        if option in given:
            is_path = option in ("ca_cert", "client_cert", "client_key")
            part[key] = os.path.abspath(os.path.expanduser(given[option])) if is_path else given[option]
    if given.get("validate_certs") is False:
        cluster["insecure-skip-tls-verify"] = True
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "c", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "current-context": "c",
    }


async def gather(oc: str, dest: Path, bounds: Bounds, *, env: Mapping[str, str], since: int, seconds: float) -> None:
    """Run oc until it ends, with its output in `LOG`. What it writes counts in the bounds.

    Ended with all its processes where it takes too long, writes too much, or we are cancelled. Raises OcError.
    """
    call = command(oc, dest, since_seconds=since, timeout_seconds=seconds * _SHARE_OF_GATHERING)
    with (dest / LOG).open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *call, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
        )
        ended = asyncio.ensure_future(process.wait())
        try:
            async with asyncio.timeout(seconds):
                while not ended.done():
                    await asyncio.wait({ended}, timeout=_LOOK_SECONDS)
                    if size_of(dest) > bounds.total_bytes:
                        raise OcError(f"oc adm must-gather was ended at the limit of {bounds.total_bytes // MIB:,} MiB")
        except TimeoutError as error:
            raise OcError(f"oc adm must-gather was ended after {seconds:g} s") from error
        finally:
            await _end(process, ended)
            bounds.used_bytes += size_of(dest)
    if process.returncode:
        raise OcError(f"oc adm must-gather ended with exit code {process.returncode}: {_last_line(dest / LOG)}")


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Future[int]) -> None:
    """End oc and what it has started. It removes its namespace on SIGTERM, for which it gets a moment."""
    if ended.done():
        return
    try:
        _signal(process, signal.SIGTERM)
        await asyncio.wait({ended}, timeout=_GRACE_SECONDS)
    finally:
        # Also where our own time is over while it ends.
        _signal(process, signal.SIGKILL)


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for where, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def namespaces_in(folder: Path) -> frozenset[str]:
    """The namespaces that oc's gather has: folders in NAMESPACE/ at its root or one folder down."""
    found: set[str] = set()
    for place in (folder, *(one for one in folder.iterdir() if one.is_dir())):
        with contextlib.suppress(OSError):
            found |= {one.name for one in (place / "namespaces").iterdir() if one.is_dir()}
    return frozenset(found)


def has_masters_journals(folder: Path) -> bool:
    """Whether oc's gather has the journals of control-plane nodes."""
    return any(folder.glob("*/host_service_logs/masters/*"))


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError as error:
        return str(error)
    return lines[-1][:300] if lines else "it said nothing"
