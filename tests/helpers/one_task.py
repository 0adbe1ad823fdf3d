"""Run one module in its own playbook and return its result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from helpers.commands import Completed


def returned(
    ansible_playbook: Callable[..., Completed], folder: Path, module: str, options: dict[str, Any], *arguments: str
) -> tuple[int, dict[str, Any]]:
    """(exit code of the play, the task's result). The play's files go to `folder`, `arguments` to ansible-playbook."""
    result = folder / "result.json"
    tasks = [
        {module: options, "register": "answer", "ignore_errors": True},
        {
            "ansible.builtin.copy": {"content": "{{ answer | to_json }}", "dest": str(result), "mode": "0644"},
            "check_mode": False,
            "diff": False,
        },
        {"ansible.builtin.fail": {"msg": "{{ answer.msg }}"}, "when": "answer is failed"},
    ]
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": tasks,
    }
    book = folder / "play.yml"
    book.write_text(yaml.safe_dump([play]))
    result.unlink(missing_ok=True)
    done = ansible_playbook(book, *arguments)
    assert result.exists(), done.output
    return done.rc, json.loads(result.read_text())
