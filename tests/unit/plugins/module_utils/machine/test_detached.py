"""The process of its own: told of its beginning, ended by nobody else's request, and never mistaken for another."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.kubestress.core.plugins.module_utils.machine import detached
from ansible_collections.kubestress.core.plugins.module_utils.machine.detached import DetachedError, Report, Started
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.machine.sync import wait_until

SECONDS = 30.0
HERE = Path(__file__).resolve().parents[5] / "plugins" / "module_utils"


@contextmanager
def ending(process: Process) -> Iterator[Process]:
    """Let nothing that a test started outlive it."""
    try:
        yield process
    finally:
        process.send(signal.SIGKILL)


async def until_told_to_stop(tell: Report, note: Path) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    tell({"session": os.getsid(0), "parent_before": os.getppid()})
    await stopped.wait()
    note.write_text("ended")


def test_it_lives_on_in_a_session_of_its_own_until_it_is_stopped(tmp_path: Path) -> None:
    note = tmp_path / "note"
    process, told = detached.start(lambda tell: until_told_to_stop(tell, note), "observation", timeout_seconds=SECONDS)
    with ending(process):
        assert told["session"] != os.getsid(0)
        assert process.pid != os.getpid()
        with pytest.raises(ChildProcessError):  # nobody has to wait for it
            os.waitpid(process.pid, os.WNOHANG)
        assert process.alive
        detached.stop(process, timeout_seconds=SECONDS)
        assert not process.alive
        assert note.read_text() == "ended"


def test_it_holds_no_file_of_the_task(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux tells the files of a process")
    with (tmp_path / "lock").open("w"):
        process, _told = detached.start(
            lambda tell: until_told_to_stop(tell, tmp_path / "note"), "observation", timeout_seconds=SECONDS
        )
    with ending(process):
        held = {os.readlink(entry) for entry in Path(f"/proc/{process.pid}/fd").iterdir()}
        assert str(tmp_path / "lock") not in held
        assert all(os.readlink(f"/proc/{process.pid}/fd/{number}") == os.devnull for number in (0, 1, 2))
        detached.stop(process, timeout_seconds=SECONDS)


async def refused(tell: Report) -> None:
    del tell
    raise Forbidden("pods is forbidden: User u cannot list pods")


async def faulty(tell: Report) -> None:
    del tell
    raise KeyError("metadata")


async def killed(tell: Report) -> None:
    del tell
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_keeps_it_from_beginning_is_the_tasks_error() -> None:
    with pytest.raises(DetachedError) as caught:
        detached.start(refused, "observation", timeout_seconds=SECONDS)
    assert str(caught.value) == "pods is forbidden: User u cannot list pods"
    with pytest.raises(DetachedError, match=r"a bug: (?s:.*)KeyError: 'metadata'"):
        detached.start(faulty, "observation", timeout_seconds=SECONDS)
    with pytest.raises(DetachedError, match="ended at once without an error message"):
        detached.start(killed, "observation", timeout_seconds=SECONDS)


def test_a_beginning_that_hangs_is_ended(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    async def hangs(tell: Report) -> None:
        del tell
        process = Process.of(os.getpid())
        assert process is not None
        process.save(note)
        await asyncio.Event().wait()

    with pytest.raises(DetachedError, match="the observation did not start within 1 s"):
        detached.start(hangs, "observation", timeout_seconds=1)
    left = Process.load(note)
    assert left is not None
    assert wait_until(lambda: not left.alive, timeout_seconds=SECONDS)


def test_a_process_that_took_over_the_number_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        detached.stop(Process(pid=stranger.pid, started="at another time"), timeout_seconds=1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def deaf(tell: Report) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell({})
    await asyncio.Event().wait()


def test_one_that_does_not_end_is_named() -> None:
    process, _told = detached.start(deaf, "observation", timeout_seconds=SECONDS)
    with ending(process), pytest.raises(DetachedError, match=f"process {process.pid} did not end within 0.2 s"):
        detached.stop(process, timeout_seconds=0.2)


def test_what_was_started_is_found_again(tmp_path: Path) -> None:
    file = tmp_path / "state"
    assert Started.load(file) is None
    started = Started(process=Process(pid=7, started="x:1"), path="/r/001-a.json", settings={"run_id": "r"})
    started.save(file)
    assert Started.load(file) == started
    file.write_text(json.dumps({"pid": 7}))
    with pytest.raises(DetachedError, match="does not tell of a background process"):
        Started.load(file)


@pytest.mark.parametrize(
    ("module", "work"),
    [("observe.observe", "observe.standalone"), ("storage_watch.storage_watch", "storage_watch.watching")],
)
def test_nothing_of_ours_is_imported_later(module: str, work: str) -> None:
    """Ansible removes the collection's code when the task is over: what is not imported by then never is."""
    code = (
        f"import sys, json; import ansible_collections.kubestress.core.plugins.module_utils.{module};"
        "print(json.dumps([name for name in sys.modules if '.module_utils.' in name]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=with_path())
    loaded = set(json.loads(done.stdout))
    prefix = "ansible_collections.kubestress.core.plugins.module_utils"
    ours = {name for name in loaded if name.startswith(prefix)}
    assert f"{prefix}.{work}" in ours
    later = {
        target for name in ours for target in late_imports(name, HERE / Path(*name.removeprefix(prefix).split(".")))
    }
    assert later - loaded == set()


def with_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def late_imports(name: str, path: Path) -> Iterator[str]:
    """Yield the full names of our own modules that the functions of a module import."""
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    tree = ast.parse(file.read_text())
    inside = {node for function in ast.walk(tree) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
              for node in ast.walk(function)}  # fmt: skip
    for node in inside:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield ".".join([*name.split(".")[: -node.level], *(node.module or "").split(".")])
