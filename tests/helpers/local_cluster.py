"""Run the module kubestress.core.local_cluster, and inspect its processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.commands import command_environment

MODULE = "kubestress.core.local_cluster"


@dataclass
class Result:
    """The module's result, whether it failed, and Ansible's output including warnings."""

    failed: bool
    values: dict[str, Any]
    output: str

    @property
    def message(self) -> str:
        """The one-line failure message."""
        return self.values.get("msg", "")

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass
class Driver:
    """Runs the module with the options that all tests of one cluster share."""

    options: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return Path(self.options["data_dir"])

    def start(self, **changes: Any) -> subprocess.Popen[str]:
        """Start a call without waiting for it."""
        options = json.dumps({**self.options, **changes})
        check = ["--check"] if self.environment.get("CHECK") else []
        python = f"ansible_python_interpreter={sys.executable}"
        command = ["ansible", "localhost", "-c", "local", "-e", python, "-m", MODULE, "-a", options, *check]
        passed = {name: os.environ[name] for name in ("KUBEBUILDER_ASSETS",) if name in os.environ}
        extra = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal"}
        env = command_environment({**passed, **extra, **self.environment})
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @staticmethod
    def finish(process: subprocess.Popen[str]) -> Result:
        """Wait for a call and read what it returned."""
        output, _nothing = process.communicate(timeout=800)
        assert "=> {" in output, output
        text = output[output.index("=> {") + 3 :]
        values, _end = json.JSONDecoder().raw_decode(text)
        return Result(failed=process.returncode != 0, values=values, output=output)

    def __call__(self, **changes: Any) -> Result:
        return self.finish(self.start(**changes))

    def ok(self, **changes: Any) -> Result:
        """Run it; it must succeed."""
        result = self(**changes)
        assert not result.failed, result.message
        return result

    def failure(self, **changes: Any) -> str:
        """Run it; it must fail. Returns the message, which is one line."""
        result = self(**changes)
        assert result.failed, result.values
        assert "\n" not in result.message, result.message
        assert "Traceback" not in result.message
        return result.message


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines, by pid, of processes that have the folder in their command line or environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if state not in "ZX" and str(folder) in command + environment:
            found[int(entry.name)] = command
    return found
