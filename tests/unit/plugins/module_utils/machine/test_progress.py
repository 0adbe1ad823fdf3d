"""Progress lines: soon at first, ever rarer, bounded in number, honest about what is left."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine import progress as module
from ansible_collections.kubestress.core.plugins.module_utils.machine.progress import Progress


class Clock:
    """The time as the test says."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that the progress goes by."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def work(progress: Progress, clock: Clock, *, seconds: float, total: int) -> None:
    """Work evenly for so long, looking every tenth of a second at first and later less often."""
    step = max(0.1, seconds / 20_000)
    passed = 0.0
    while passed < seconds:
        passed += step
        clock.now += step
        done = min(total, int(total * passed / seconds))
        progress.show(done=done, failed=0, retries=0, unready=0)
    progress.show(done=total, failed=0, retries=0, unready=0, last=True)


@pytest.mark.parametrize(
    ("seconds", "least", "most"), [(1, 1, 1), (5, 2, 4), (60, 8, 20), (3600, 30, 80), (36_000, 50, 200)]
)
def test_the_number_of_lines_grows_far_slower_than_the_time(
    clock: Clock, tmp_path: Path, seconds: float, least: int, most: int
):
    path = tmp_path / "progress"
    work(Progress(path, total=10_000, what="objects"), clock, seconds=seconds, total=10_000)
    lines = path.read_text().splitlines()
    assert least <= len(lines) <= most
    assert "10000/10000 objects (100 %)" in lines[-1]


def test_a_line_tells_what_is_done_failed_waited_for_and_left(clock: Clock, tmp_path: Path):
    path = tmp_path / "progress"
    progress = Progress(path, total=200, what="objects")
    clock.now += 10
    progress.show(done=50, failed=2, retries=3, unready=4, detail="5 Jobs ended")
    (line,) = path.read_text().splitlines()
    assert line.startswith("[10 s] 50/200 objects (25 %), 5.0/s, 2 failed")
    for words in ("3 retries", "4 not ready", "5 Jobs ended", "30 s left"):
        assert words in line


def test_what_a_first_burst_would_leave_is_not_told(clock: Clock, tmp_path: Path):
    """A gate or a wait holds up the last objects, so that "0 s left" would be wrong for as long as that takes."""
    path = tmp_path / "progress"
    progress = Progress(path, total=44, what="objects")
    clock.now += 2
    progress.show(done=40, failed=0, retries=0, unready=0)
    assert "left" not in path.read_text()


def test_without_a_file_there_is_silence(clock: Clock):
    progress = Progress(None, total=1, what="objects")
    clock.now += 1000
    progress.show(done=1, failed=0, retries=0, unready=0, last=True)


def test_a_file_that_nobody_holds_is_abandoned(tmp_path: Path):
    path = tmp_path / "progress"
    progress = Progress(path, total=1, what="objects")
    with path.open("w") as shown:
        fcntl.flock(shown, fcntl.LOCK_EX)
        assert not progress.is_abandoned()
    assert progress.is_abandoned()
    path.unlink()
    assert progress.is_abandoned()


def test_where_nothing_is_shown_nothing_is_abandoned():
    assert not Progress(None, total=1, what="objects").is_abandoned()
