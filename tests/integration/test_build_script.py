"""The build script under a real cgroup: processes counted by the kernel, as a kubelet counts them."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "roles" / "build_jobs" / "files" / "build.sh"
# The seven phases at about a tenth of their length, compile longer, so that there are samples enough in it.
PHASES = (
    "environment:idle:100:200 dependencies:cpu:300:500 compile:compile:1500:2000 unit-tests:cpu:300:500 "
    "integration-tests:cpu:200:400 package:idle:100:200 publish:idle:100:200"
)
PHASE_NAMES = [entry.partition(":")[0] for entry in PHASES.split()]
FORK_FAILED = 75
SAMPLE_SECONDS = 0.01
NOBODY = 65534
SHELLS = {"busybox": ("busybox", "sh"), "dash": ("dash",)}


@dataclass(frozen=True)
class Cgroup:
    """One cgroup of our own. `max_file` is None where the pids controller is not ours to use."""

    folder: Path
    max_file: Path | None

    def processes(self) -> list[str]:
        """Return the ids of the live processes in it (one that ended is not listed, even before it is waited for)."""
        return (self.folder / "cgroup.procs").read_text().split()


@dataclass
class Build:
    """What one run of the script did."""

    rc: int = -1
    output: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    samples: list[int] = field(default_factory=list)
    #: When each sample was taken, in seconds from the start.
    times: list[float] = field(default_factory=list)

    @property
    def phases(self) -> list[str]:
        """Return the announced phases' names, in order."""
        words = [line.split() for line in self.output.splitlines()]
        return [line[3] for line in words if len(line) > 3 and line[1] == "phase"]


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    """Yield a cgroup of this test's own, of version 1 or 2, and remove it."""
    name = f"kubestress-test-{secrets.token_hex(4)}"
    root = next((root for root in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if _has_cgroups(root)), None)
    if root is None:
        pytest.skip("no cgroup file system at /sys/fs/cgroup")
    folder = root / name
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"a cgroup is needed to count processes in, and {root} refuses one: {error.strerror}")
    limit = folder / "pids.max"
    try:
        yield Cgroup(folder, limit if limit.exists() else None)
    finally:
        for process in (folder / "cgroup.procs").read_text().split():
            os.kill(int(process), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (folder / "cgroup.procs").read_text().split() and time.monotonic() < deadline:
            time.sleep(SAMPLE_SECONDS)
        folder.rmdir()


def _has_cgroups(root: Path) -> bool:
    return (root / "cgroup.procs").exists()


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return a shell's command line: the smallest ones that images have."""
    command = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (Debian package {command[0]}-static or {command[0]})")
    return command


def start(shell: tuple[str, ...], cgroup: Cgroup, **settings: str) -> subprocess.Popen[str]:
    """Start the script in the cgroup, as a pod's container does: inline, without root, with nothing else around."""
    env = {
        "PATH": os.environ["PATH"],
        "BUILD_PHASES": PHASES,
        "BUILD_PROCESSES": "72",
        "BUILD_CPU_WORKERS": "2",
        "BUILD_MEMORY_MIB": "0",
        "BUILD_SEED": "1",
        "NAMESPACE": "deploy-test-1",
        "JOB_NAME": "build-api-cache-1-2-3-s-1",
        "POD_NAME": "build-api-cache-1-2-3-s-1-0-x",
        "JOB_COMPLETION_INDEX": "0",
    } | settings
    join = f'echo 0 > {cgroup.folder}/cgroup.procs && exec setpriv --reuid={NOBODY} --clear-groups -- "$@"'
    command = ["sh", "-c", join, "join", *shell, "-c", SCRIPT.read_text()]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def watch(process: subprocess.Popen[str], cgroup: Cgroup, *, timeout_seconds: float = 240) -> Build:
    """Count the cgroup's processes until the script ends. Its output is small enough for the pipe to hold."""
    build, started = Build(), time.monotonic()
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        build.samples.append(len(cgroup.processes()))
        build.times.append(time.monotonic() - started)
        assert time.monotonic() - started < timeout_seconds, "the script does not end"
        time.sleep(SAMPLE_SECONDS)
    process.returncode = build.rc = os.waitstatus_to_exitcode(status)
    build.seconds = time.monotonic() - started
    build.cpu_seconds = usage.ru_utime + usage.ru_stime
    # A killed process leaves its cgroup a moment after its parent has gone on. One that stays would hold the pipe.
    while cgroup.processes():
        assert time.monotonic() - started < timeout_seconds + 30, "the script left processes behind"
        time.sleep(SAMPLE_SECONDS)
    assert process.stdout is not None
    build.output = process.stdout.read()
    process.stdout.close()
    return build


@pytest.mark.parametrize("processes", [60, 72, 85])
def test_exactly_the_asked_processes_live_through_the_compile_phase(shell, cgroup, processes):
    build = watch(start(shell, cgroup, BUILD_PROCESSES=str(processes)), cgroup)

    assert (build.rc, build.phases) == (0, PHASE_NAMES), build.output
    assert max(build.samples) == processes
    # At least 1.5 s of compile; half of that is left for a busy machine. Between the first and the last full sample
    # nothing ended and nothing was started.
    full = [number for number, sample in enumerate(build.samples) if sample == processes]
    assert build.times[full[-1]] - build.times[full[0]] >= 0.75
    assert set(build.samples[full[0] : full[-1] + 1]) == {processes}
    # Before it: the shell, its timer, at most one CPU worker, and a short-lived helper or two; then they only grow.
    begun = max(number for number, sample in enumerate(build.samples[: full[0]]) if sample <= 5)
    assert max(build.samples[: begun + 1]) <= 5
    growing = build.samples[begun : full[0]]
    assert all(after >= before - 2 for before, after in pairwise(growing))


def test_cpu_load_is_real_and_independent_of_the_process_count(shell, cgroup):
    idle = watch(start(shell, cgroup, BUILD_CPU_WORKERS="0"), cgroup)
    busy = watch(start(shell, cgroup, BUILD_CPU_WORKERS="2"), cgroup)

    assert max(idle.samples) == max(busy.samples) == 72
    assert idle.cpu_seconds < 1.5
    # One worker in the three cpu phases (0.8 s at least) and two in compile (1.5 s), of which a busy machine leaves
    # them little, but more than the processes themselves take; two cores' worth of the whole build is never exceeded.
    assert 2 * idle.cpu_seconds < busy.cpu_seconds < 2 * busy.seconds


def test_the_log_has_namespace_seconds_and_processes(shell, cgroup):
    build = watch(start(shell, cgroup, BUILD_PROCESSES="60"), cgroup)
    first, last = (build.output.splitlines()[number].partition(" ")[2] for number in (0, -1))
    job = "build build-api-cache-1-2-3-s-1 in deploy-test-1"
    assert first.startswith(f"{job}, pod build-api-cache-1-2-3-s-1-0-x, index 0: 7 phases")
    found = re.fullmatch(job + r" done: (\d+) s in all, at most (\d+) processes, 0 MiB held", last)
    assert found, last
    phases = sum(int(line.split()[-2]) for line in build.output.splitlines() if line.endswith(" ms")) / 1000
    assert phases - 1 <= int(found[1]) <= build.seconds + 1
    assert int(found[2]) == max(build.samples)


def test_memory_is_held_through_the_compile_phase_and_then_freed(shell, cgroup):
    phases = "compile:compile:800:800 package:idle:1500:1500"
    process = start(shell, cgroup, BUILD_PHASES=phases, BUILD_MEMORY_MIB="48", BUILD_CPU_WORKERS="0")
    resident = []
    deadline = time.monotonic() + 120
    while process.poll() is None:
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            resident.append(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024)
        time.sleep(SAMPLE_SECONDS)
    output, _nothing = process.communicate()
    assert process.returncode == 0, output
    assert 48 <= max(resident) <= 60
    assert resident[-1] < 30, "it is given back after the phase"


def test_lengths_come_from_the_seed_and_lie_in_their_ranges(shell, cgroup):
    def lengths(**settings: str) -> list[int]:
        quick = PHASES.replace("00:", "0:").replace("00 ", "0 ").removesuffix("0")
        build = watch(start(shell, cgroup, BUILD_PHASES=quick, **settings), cgroup)
        assert build.rc == 0, build.output
        found = [int(line.split()[-2]) for line in build.output.splitlines() if line.endswith(" ms")]
        ranges = [[int(bound) for bound in entry.split(":")[2:]] for entry in quick.split()]
        assert len(found) == len(ranges)
        assert all(low <= length <= high for length, (low, high) in zip(found, ranges, strict=True))
        return found

    first = lengths()
    assert lengths() == first
    others = [lengths(BUILD_SEED="2"), lengths(JOB_COMPLETION_INDEX="1"), lengths(NAMESPACE="deploy-test-2")]
    assert first not in others


def test_a_process_limit_shows_as_a_fork_failure(shell, cgroup):
    if cgroup.max_file is None:
        pytest.skip("the pids controller is not available in this cgroup, so no limit can be set")
    cgroup.max_file.write_text("40")
    build = watch(start(shell, cgroup), cgroup)

    assert build.rc == FORK_FAILED, build.output
    assert build.output.splitlines()[-1] == (
        "fork failed: resource temporarily unavailable: phase compile, starting a sleeper, "
        "with 40 of 72 processes started"
    )
    assert max(build.samples) <= 40


def test_a_limit_too_small_for_any_child_shows_as_a_fork_failure(shell, cgroup):
    if cgroup.max_file is None:
        pytest.skip("the pids controller is not available in this cgroup, so no limit can be set")
    cgroup.max_file.write_text("1")
    build = watch(start(shell, cgroup), cgroup)

    assert build.rc == FORK_FAILED, build.output
    assert "fork failed: resource temporarily unavailable: phase start" in build.output


def test_sigterm_ends_it_at_once_with_all_children(shell, cgroup):
    process = start(shell, cgroup, BUILD_PHASES="compile:compile:300000:300000")
    deadline = time.monotonic() + 120
    while len(cgroup.processes()) < 72:
        assert time.monotonic() < deadline, "the compile phase was not reached"
        time.sleep(SAMPLE_SECONDS)
    process.terminate()
    build = watch(process, cgroup, timeout_seconds=120)  # of the 300 that the phase would still last

    assert build.rc == 128 + signal.SIGTERM
    assert build.output.splitlines()[-1] == "terminated in phase compile"


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("BUILD_PROCESSES", "many", "refused: BUILD_PROCESSES is 'many'; a whole number is needed"),
        ("BUILD_CPU_WORKERS", "71", "refused: BUILD_CPU_WORKERS is 71; at most BUILD_PROCESSES - 2 = 70 fit"),
        ("BUILD_MEMORY_MIB", "1Gi", "refused: BUILD_MEMORY_MIB is '1Gi'; a whole number is needed"),
        ("BUILD_PHASES", "a:nap:1:1", "refused: BUILD_PHASES: load 'nap'; allowed are idle, cpu and compile"),
        ("BUILD_PHASES", "a:cpu:x:1", "refused: BUILD_PHASES, shortest length of a is 'x'; a whole number is needed"),
    ],
)
def test_unusable_settings_are_refused(shell, cgroup, setting, value, message):
    build = watch(start(shell, cgroup, **{setting: value}), cgroup)

    assert (build.rc, build.output.splitlines()[-1]) == (64, message)


def test_kubernetes_does_not_change_the_script():
    """A kubelet replaces $(NAME) of a container's own variables in args, and takes two dollar signs for one."""
    script = SCRIPT.read_text()

    assert "$$" not in script
    names = ("JOB_NAME", "NAMESPACE", "POD_NAME", "MAVEN_OPTS", "BUILD_TYPE", "JOB_COMPLETION_INDEX")
    assert not [name for name in names if f"$({name})" in script]
    assert not [mark for mark in ("{{", "{%", "{#") if mark in script], "Jinja would read it as its own"
