"""The writer: pages while the playbook lives, a last one when it is gone, and what it does where it cannot write."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process, pids
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import STILL_AT_WORK
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import (
    ResultsError,
    RunFolder,
    next_attempt,
    write_json,
)
from ansible_collections.kubestress.core.plugins.plugin_utils.live.process import STATE_FILE, begin, end
from ansible_collections.kubestress.core.plugins.plugin_utils.live.writer import Subject, Writer
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog
from helpers.example_batches import RUN, batch
from helpers.waiting import until

AT_WORK = batch(finished=None, aborted=STILL_AT_WORK)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = next_attempt(tmp_path, "r1")
    made.write_run(RUN)
    return made


@pytest.fixture
def playbook() -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that stands for a playbook."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def alive(process: subprocess.Popen[bytes]) -> Process:
    found = Process.of(process.pid)
    assert found is not None
    return found


class Pauses:
    """Sleeps for no time, and calls what is to happen in the n-th of the writer's pauses."""

    def __init__(self, **happens) -> None:
        self.seconds: list[float] = []
        self._happens = {int(number.removeprefix("at_")): call for number, call in happens.items()}

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) in self._happens:
            self._happens[len(self.seconds)]()
        assert len(self.seconds) < 100_000


def writer(folder: RunFolder, playbook: subprocess.Popen[bytes], pauses: Pauses | None = None) -> Writer:
    subject = Subject(folder=folder, playbook=alive(playbook), report_command="make the report")
    return Writer(subject, RunLog(path=folder.log_file, least="INFO"), sleep=pauses or time.sleep)


def page(folder: RunFolder) -> str:
    text = (folder.root / "report.html").read_text()
    assert (folder.attempt_dir / "report.html").read_text() == text
    return text


def test_before_and_during_the_load(folder: RunFolder, playbook: subprocess.Popen[bytes]):
    one = writer(folder, playbook)
    one.write(10)
    assert "the load has not begun" in page(folder)
    write_json(folder.batches_dir / "001-x.json", AT_WORK)
    one.write(10)
    assert "34 of 34 objects stored" in page(folder)
    assert "The load has ended" not in page(folder)
    write_json(folder.batches_dir / "001-x.json", batch())
    one.write(10)
    assert "The load has ended; the report is being made." in page(folder)
    assert not (folder.root / "summary.json").exists()


def test_once_the_playbook_is_gone_it_waits_for_the_batch_and_writes_how_the_run_was_left(
    folder: RunFolder, playbook: subprocess.Popen[bytes]
):
    path = folder.batches_dir / "001-x.json"
    write_json(path, AT_WORK)
    (folder.attempt_dir / STATE_FILE).write_text("{}")

    def killed() -> None:
        playbook.kill()
        playbook.wait()

    pauses = Pauses(at_1=killed, at_3=lambda: write_json(path, batch(aborted="the playbook is gone")))
    writer(folder, playbook, pauses).run()
    text = page(folder)
    assert "<title>aborted: " in text
    assert "the playbook is gone" in text
    assert "The playbook ended before it made its report" in text
    assert "make the report" in text
    assert 'id="live-pause"' not in text
    assert len(pauses.seconds) == 3
    assert not (folder.attempt_dir / STATE_FILE).exists()


def test_a_batch_that_was_killed_as_well_is_not_waited_for(folder: RunFolder, playbook: subprocess.Popen[bytes]):
    path = folder.batches_dir / "001-x.json"
    write_json(path, AT_WORK)
    os.utime(path, (time.time() - 60, time.time() - 60))
    one = writer(folder, playbook)
    playbook.kill()
    playbook.wait()
    one.run()
    assert "the batch did not finish" in page(folder)


def test_what_cannot_be_written_is_in_the_log_once_and_tried_again(
    folder: RunFolder, playbook: subprocess.Popen[bytes]
):
    (folder.root / "report.html").mkdir()
    one = writer(folder, playbook)
    one._try(lambda: one.write(10))
    one._try(lambda: one.write(10))
    (line,) = folder.log_file.read_text().splitlines()
    assert "WARNING report_live: cannot write" in line
    (folder.root / "report.html").rmdir()
    one._try(lambda: one.write(10))
    assert "Running" in page(folder)


def test_a_folder_that_somebody_removes_ends_it(folder: RunFolder, playbook: subprocess.Popen[bytes]):
    one = writer(folder, playbook)
    for path in sorted(folder.attempt_dir.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.attempt_dir.rmdir()
    one.run()
    assert playbook.poll() is None


def test_a_page_that_takes_long_is_written_less_often(folder: RunFolder, playbook: subprocess.Popen[bytes]):
    one = writer(folder, playbook)
    assert one._pause(0.01) == 2
    one._began -= 60
    assert [one._pause(used) for used in (0.01, 0.2, 1.0)] == [10, 20, 100]


# --- beginning it ----------------------------------------------------------------------------------------------------


def begun_in_a_worker(folder: RunFolder, answers: Any) -> None:
    """Begin it as Ansible's worker does, and answer with its pid, or with the problem."""
    try:
        process = begin(folder, log_file=str(folder.log_file), log_level="INFO", report_command="make the report")
    except ResultsError as error:
        answers.put(str(error))
    else:
        answers.put(process.pid if process else None)


def command_line(pid: int) -> bytes:
    """Return the command of a process, nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def in_a_worker(folder: RunFolder) -> Any:
    forking = multiprocessing.get_context("fork")
    answers = forking.Queue()
    worker = forking.Process(target=begun_in_a_worker, args=(folder, answers))
    worker.start()
    answer = answers.get(timeout=60)
    worker.join()
    return answer


def test_without_a_worker_there_is_no_playbook_to_end_it(folder: RunFolder):
    assert begin(folder, log_file=str(folder.log_file), log_level="INFO", report_command="") is None
    assert not (folder.attempt_dir / STATE_FILE).exists()


def test_begun_in_a_worker_it_writes_until_the_playbooks_report(folder: RunFolder):
    pid = in_a_worker(folder)
    process = Process.of(pid)
    assert process is not None
    until((folder.root / "report.html").exists)
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    end(folder)
    assert not process.alive
    assert "Running" in page(folder)


def test_what_no_report_could_end_is_not_left_behind(folder: RunFolder):
    (folder.attempt_dir / STATE_FILE).mkdir()
    assert "cannot write" in in_a_worker(folder)
    until(lambda: not any(bytes(folder.root) in command_line(pid) for pid in pids()))


# --- ending it -------------------------------------------------------------------------------------------------------


def state(folder: RunFolder, process: subprocess.Popen[bytes], playbook: Process) -> None:
    one = alive(process)
    write_json(
        folder.attempt_dir / STATE_FILE,
        {
            "process": {"pid": one.pid, "started": one.started},
            "playbook": {"pid": playbook.pid, "started": playbook.started},
        },
    )


def test_the_report_of_its_own_playbook_ends_it(folder: RunFolder, playbook: subprocess.Popen[bytes]):
    own = Process.of(os.getpid())
    assert own is not None
    state(folder, playbook, own)
    half = folder.root / f".report.html.{playbook.pid}.tmp"
    half.write_text("<html>")
    end(folder)
    assert playbook.wait(timeout=120) < 0
    assert not half.exists()
    assert not (folder.attempt_dir / STATE_FILE).exists()
    end(folder)  # there is none any more


def test_the_report_of_another_playbook_ends_it_only_where_its_own_is_gone(
    folder: RunFolder, playbook: subprocess.Popen[bytes]
):
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        state(folder, playbook, alive(owner))
        end(folder)
        assert playbook.poll() is None
    finally:
        owner.kill()
        owner.communicate()
    end(folder)
    assert playbook.wait(timeout=120) < 0


def test_a_file_of_something_else_is_refused(folder: RunFolder):
    (folder.attempt_dir / STATE_FILE).write_text('{"process": 1}')
    with pytest.raises(ResultsError, match="was not written by a run"):
        end(folder)
