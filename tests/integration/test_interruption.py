"""Ctrl-C and SIGTERM reach the worker of Ansible that runs a long module, whatever our thread there is doing.

No cluster: a module that writes lines of progress without end takes the place of a batch, under the same action.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.commands import command_environment
from helpers.processes import descendants, described, kill_tree
from helpers.waiting import until

ACTION = """
from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction


class ActionModule(ProgressAction):
    pass
"""
# It would end by itself, should nobody end it.
MODULE = """
import os
import time

from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"pid_file": {"type": "path"}, "progress_file": {"type": "path"}})
with open(module.params["pid_file"] + ".tmp", "w") as file:
    file.write(str(os.getpid()))
os.replace(module.params["pid_file"] + ".tmp", module.params["pid_file"])
with open(module.params["progress_file"], "a") as file:
    for _moment in range(1200):
        file.writelines(f"line {number}\\n" for number in range(100))
        file.flush()
        time.sleep(0.1)
module.exit_json()
"""
BOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - chatty:
        pid_file: "{{ pid_file }}"
"""


@dataclass(frozen=True)
class AtWork:
    """A playbook whose module writes lines: its process, the worker that Ansible forked, and the module's process."""

    playbook: subprocess.Popen[bytes]
    worker: int
    module: int
    screen: Path

    @property
    def showing(self) -> int:
        """The thread of the worker that shows the lines."""
        (found,) = {int(path.name) for path in Path(f"/proc/{self.worker}/task").iterdir()} - {self.worker}
        return found


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended, as one has that its parent does not ask for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[AtWork]:
    """Yield a playbook in the middle of its module."""
    for path, text in {"action_plugins": ACTION, "library": MODULE}.items():
        (tmp_path / path).mkdir()
        (tmp_path / path / "chatty.py").write_text(text)
    (tmp_path / "book.yml").write_text(BOOK)
    pid_file, screen = tmp_path / "pid", tmp_path / "screen.txt"
    with screen.open("w") as file:
        playbook = subprocess.Popen(
            ["ansible-playbook", "book.yml", "-e", json.dumps({"pid_file": str(pid_file)})],
            env=command_environment(),
            cwd=tmp_path,
            stdout=file,
            stderr=file,
        )
    below: list[int] = []
    try:
        until(lambda: pid_file.exists() or playbook.poll() is not None, seconds=180)
        assert playbook.poll() is None, screen.read_text()
        below += descendants(playbook.pid)
        yield AtWork(playbook, worker=below[0], module=int(pid_file.read_text()), screen=screen)
    finally:
        kill_tree(playbook)
        for pid in filter(is_running, below):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_the_thread_that_shows_lines_keeps_no_signal_from_the_worker(at_work: AtWork, number: signal.Signals) -> None:
    """The kernel may choose any thread: the first, unless a signal before this one has yet to wake it.

    Python's handler runs in the first one only, which would wait for the module's end without having been woken.
    """
    # With the id of a thread, kill(2) sends to the process too, and the kernel asks that thread first.
    os.kill(at_work.showing, number)
    until(lambda: not is_running(at_work.worker) and not is_running(at_work.module), seconds=90)


def test_ctrl_c_while_a_line_is_on_its_way_ends_the_playbook(at_work: AtWork) -> None:
    """All processes share the lock of Ansible's queue. Who ends while he holds it leaves the playbook waiting."""
    at_work.playbook.send_signal(signal.SIGSTOP)
    # Nobody empties the queue now; once it is full, the thread waits in the middle of a line.
    wait_channel = Path(f"/proc/{at_work.worker}/task/{at_work.showing}/wchan")
    until(lambda: "pipe" in wait_channel.read_text(), seconds=90)
    os.kill(at_work.worker, signal.SIGINT)
    at_work.playbook.send_signal(signal.SIGINT)
    at_work.playbook.send_signal(signal.SIGCONT)
    try:
        code = at_work.playbook.wait(timeout=90)
    except subprocess.TimeoutExpired:
        pytest.fail(f"it goes on:\n{described(at_work.playbook.pid)}")
    assert code == 99, at_work.screen.read_text()[-2000:]
    assert "User interrupted execution" in at_work.screen.read_text()
    until(lambda: not is_running(at_work.worker) and not is_running(at_work.module), seconds=90)
