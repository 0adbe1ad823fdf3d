"""Run a command under test in a small environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "scripts"))

import devenv  # noqa: E402  (the line above is what makes it importable)

# What a command gets of the surrounding environment: no setting of the collection, no cluster, nobody's ansible.cfg.
PASSED_VARIABLES = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "KUBESTRESS_CACHE", "VIRTUAL_ENV")
# How this machine reaches package registries, and the control-plane programs it may have already.
PASSED_PREFIXES = ("GO", "PIP_", "SSL_", "KUBEBUILDER_")
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Completed:
    """What a command did: its exit code and everything it printed."""

    rc: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Return both streams, for a message or for a search that does not care which one."""
        return self.stdout + self.stderr


def command_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a small environment for a command under test: the tools and this collection, nothing of the user's."""
    passed = (name for name in os.environ if name in PASSED_VARIABLES or name.startswith(PASSED_PREFIXES))
    env = {name: os.environ[name] for name in passed}
    env |= {
        "ANSIBLE_COLLECTIONS_PATH": str(devenv.collections_dir()),
        "ANSIBLE_CONFIG": str(devenv.ANSIBLE_CONFIG),
        "ANSIBLE_NOCOLOR": "true",
        # Ansible expands ~ by the user's name and its async wrapper by HOME; with a HOME of one's own they differ.
        "ANSIBLE_ASYNC_DIR": str(Path.home() / ".ansible_async"),
    }
    if "utf" not in (env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "").lower():
        env["LC_ALL"] = "C.UTF-8"
    return env | dict(extra or {})


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Completed:
    """Run the command with command_environment(env); whoever calls it judges the exit code."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=command_environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    return Completed(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)
