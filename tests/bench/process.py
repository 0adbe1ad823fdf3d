"""Time and memory of a complete `ansible-playbook` and of its module processes, as Ansible runs them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Replaces the modules' interpreter and records what each module process used. The kernel counts a process's memory from
# its fork on, so the parent must be small: a bare Python is a fifth of a module.
_WRAPPER = """\
#!{shell}
exec {python} -I -S {script} {python} {log} "$@"
"""
_SCRIPT = """\
import json, os, sys, time
python, log, *arguments = sys.argv[1:]
began = time.time()
child = os.posix_spawn(python, [python, *arguments], os.environ)
_pid, status, usage = os.wait4(child, 0)
line = {"began": began, "seconds": time.time() - began, "peak_rss_bytes": usage.ru_maxrss * 1024,
        "cpu_seconds": usage.ru_utime + usage.ru_stime, "arguments": arguments}
with open(log, "a") as file:
    file.write(json.dumps(line) + "\\n")
sys.exit(os.waitstatus_to_exitcode(status))
"""


class PlaybookFailedError(Exception):
    """The playbook failed; the message is its output."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module process. `began` is seconds since 1970."""

    began: float
    seconds: float
    peak_rss_bytes: int
    cpu_seconds: float
    arguments: list[str]

    @property
    def name(self) -> str:
        """The module's name: Ansible runs it from a file AnsiballZ_NAME.py."""
        return Path(self.arguments[0]).stem.removeprefix("AnsiballZ_")


@dataclass(frozen=True, kw_only=True)
class Playbook:
    """A complete run: seconds of `ansible-playbook`, and its module processes in order."""

    seconds: float
    began: float
    modules: list[Module]
    output: str


def run(arguments: Sequence[str], *, folder: Path, env: Mapping[str, str]) -> Playbook:
    """Run `ansible-playbook` with these arguments in the folder, which also gets the records.

    Raises PlaybookFailedError.
    """
    log = folder / "modules.jsonl"
    wrapper, script = folder / "python", folder / "wrapper.py"
    script.write_text(_SCRIPT)
    words = {"shell": "/bin/sh", "python": sys.executable, "script": script, "log": log}
    wrapper.write_text(_WRAPPER.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
    wrapper.chmod(0o755)
    command = ["ansible-playbook", *arguments, "-e", f"ansible_python_interpreter={wrapper}"]
    began, clock = time.time(), time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=600
    )
    seconds = time.monotonic() - clock
    if done.returncode != 0:
        raise PlaybookFailedError(
            f"{shlex.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}"
        )
    notes = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return Playbook(seconds=seconds, began=began, modules=[Module(**note) for note in notes], output=done.stdout)


def batch_playbook(folder: Path, *, arguments: Mapping[str, Any]) -> Path:
    """Write a playbook of one task, the module batch with these arguments; return its path."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"name": "One batch", "kubestress.core.batch": dict(arguments)}],
    }
    path = folder / "batch.yml"
    path.write_text(json.dumps([play]))
    return path
