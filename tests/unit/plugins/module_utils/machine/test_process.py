"""A pid alone is never trusted: it is the process only with the moment that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process, terminate

FOREVER = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen]]:
    started: list[subprocess.Popen] = []
    yield started
    for child in started:
        child.kill()
        child.wait()


def launch(children, code=FOREVER, **options):
    child = subprocess.Popen([sys.executable, "-c", code], **options)
    children.append(child)
    return child


def process_of(child) -> Process:
    found = Process.of(child.pid)
    assert found is not None
    return found


def test_a_process_is_found_again_from_its_file(children, tmp_path):
    child = launch(children)
    process_of(child).save(tmp_path / "part.json")
    assert Process.load(tmp_path / "part.json") == process_of(child)
    assert process_of(child).alive


def test_a_reused_pid_is_somebody_else_and_is_left_alone(children):
    stranger = launch(children)
    ours = Process(stranger.pid, started="an earlier moment")
    assert not ours.alive
    terminate([ours], grace_seconds=0)
    assert stranger.poll() is None


def test_an_ended_child_that_nobody_collected_does_not_count_as_alive(children):
    child = launch(children, "pass")
    known = Process.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert known is None or not known.alive


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": "x", "started": "y"}'])
def test_a_damaged_file_is_no_process(tmp_path, content):
    path = tmp_path / "part.json"
    path.write_text(content)
    assert Process.load(path) is None


def test_no_file_is_no_process(tmp_path):
    assert Process.load(tmp_path / "none.json") is None


def test_terminate_asks_first(children):
    child = launch(children)
    terminate([process_of(child)], grace_seconds=10)
    assert Process.of(child.pid) is None


def test_terminate_kills_what_does_not_listen(children):
    child = launch(children, STUBBORN, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    known = process_of(child)
    known.send(signal.SIGTERM)
    assert known.alive
    terminate([known], grace_seconds=0.1)
    assert not known.alive
