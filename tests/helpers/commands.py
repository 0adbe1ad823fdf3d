"""Run a command under test in a small, clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "scripts"))

import devenv  # noqa: E402  (the line above is what makes it importable)

# Variables that a command inherits: no setting of the collection, no cluster, no user's ansible.cfg.
PASSED_VARIABLES = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "KUBESTRESS_CACHE", "VIRTUAL_ENV")
# Access to package registries, and control-plane programs that the machine may already have.
PASSED_PREFIXES = ("GO", "PIP_", "SSL_", "KUBEBUILDER_")
TIMEOUT_SECONDS = 800


@dataclass(frozen=True)
class Completed:
    """The exit code and the output of a command."""

    rc: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Return both streams, for a message or for a search in either."""
        return self.stdout + self.stderr


def command_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a small environment for a command under test: the tools and this collection, no user settings."""
    passed = (name for name in os.environ if name in PASSED_VARIABLES or name.startswith(PASSED_PREFIXES))
    env = {name: os.environ[name] for name in passed}
    env |= {
        "ANSIBLE_COLLECTIONS_PATH": str(devenv.collections_dir()),
        "ANSIBLE_CONFIG": str(devenv.ANSIBLE_CONFIG),
        "ANSIBLE_NOCOLOR": "true",
        # Ansible expands ~ by the user's name, its async wrapper by HOME; with another HOME they would differ.
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
    """Run the command with command_environment(env); the caller checks the exit code."""
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


def started_playbook(
    playbook: str, variables: Mapping[str, Any], *, kubeconfig: Path, cwd: Path
) -> subprocess.Popen[bytes]:
    """Start a playbook that a test stops or kills in the middle; what it prints is lost. The caller ends it."""
    return subprocess.Popen(
        ["ansible-playbook", playbook, "-e", json.dumps(variables)],
        env=command_environment({"K8S_AUTH_KUBECONFIG": str(kubeconfig)}),
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
