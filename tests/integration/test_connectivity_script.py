"""The connectivity check against real HTTP servers on loopback addresses, which stand for the Services."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.service_checks import (
    BOUNDS_S,
    PHASES,
    Told,
    told_in,
)

SCRIPT = Path(__file__).resolve().parents[2] / "roles" / "connectivity" / "files" / "check.sh"
APPLETS = ("sh", "nc", "timeout", "date", "sleep")
# One port for all Services, each at its own address, as in a cluster.
ADDRESSES = ("127.83.0.1", "127.83.0.2")
SILENT, NOBODY_HOME = "127.83.0.3", "127.83.0.9"


@contextmanager
def serving(address: str, *, port: int = 0, status: Callable[[int], int] = lambda _number: 200) -> Iterator[int]:
    """Serve HTTP at an address, answering the nth request with status(n); yield the port."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(status(len(seen)))
            self.end_headers()
            self.wfile.write(b"a-pod")

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((address, port), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def applets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with busybox's commands and nothing else, as a small image has them."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed (Debian package busybox-static)")
    folder = tmp_path_factory.mktemp("applets")
    for name in APPLETS:
        (folder / name).symlink_to(busybox)
    return folder


@pytest.fixture
def message(tmp_path: Path) -> Path:
    """Return the path of the file that stands for the container's termination message."""
    return tmp_path / "termination-log"


@pytest.fixture
def curl(tmp_path: Path) -> Path:
    """Return a folder with curl alone."""
    found = shutil.which("curl")
    if found is None:
        pytest.skip("curl is not installed")
    folder = tmp_path / "curl"
    folder.mkdir()
    (folder / "curl").symlink_to(found)
    return folder


@pytest.fixture
def check(applets: Path, message: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts the check of Services at these addresses; `more` is a folder with more commands."""

    def start(*addresses: str, port: int, more: Path | None = None, **settings: object) -> subprocess.Popen[str]:
        env = {"PATH": f"{applets}:{more}" if more else str(applets), "NAMESPACE": "deploy-test-1"}
        env |= {"CHECK_PORT": str(port), "CHECK_MESSAGE_FILE": str(message), "http_proxy": "http://127.83.0.9:1"}
        env |= {f"DEPLOYMENT_{number}_SERVICE_HOST": address for number, address in enumerate(addresses, start=1)}
        chosen = {"services": len(addresses), "count": 3, "interval_seconds": 0, "timeout_seconds": 30,
                  "warm_up_seconds": 30, "resolve": "address"} | settings  # fmt: skip
        env |= {f"CHECK_{name.upper()}": str(value) for name, value in chosen.items()}
        command = [str(applets / "sh"), "-c", SCRIPT.read_text()]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


def finished(process: subprocess.Popen[str]) -> tuple[int, list[str], Told | None]:
    """Return the exit code, the lines without timestamps and times, and what the last line tells of all requests."""
    output, _nothing = process.communicate(timeout=240)
    *lines, last = output.splitlines()
    lines = [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", "", line) for line in lines]
    # A second may turn meanwhile.
    lines = [re.sub(r"answer after \d+ s", "answer after N s", line) for line in lines]
    return process.returncode, [re.sub(r"\d+\.\d{6} s", "T s", line) for line in lines], told_in(last)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Return the exit code and the lines, as `finished` does."""
    rc, lines, _told = finished(process)
    return rc, lines


def test_every_service_is_requested_in_every_round(check):
    with ExitStack() as servers:
        port = servers.enter_context(serving(ADDRESSES[0]))
        servers.enter_context(serving(ADDRESSES[1], port=port))
        rc, lines = ended(check(*ADDRESSES, port=port))

    assert rc == 0, lines
    assert lines == [
        "3 rounds over 2 Services in deploy-test-1, by address",
        f"deployment-1 at {ADDRESSES[0]}: first answer after N s",
        f"deployment-2 at {ADDRESSES[1]}: first answer after N s",
        *(
            f"round {number}: deployment-{service} at {address}: code 200, total T s"
            for number in (1, 2, 3)
            for service, address in enumerate(ADDRESSES, start=1)
        ),
        "6 requests, 0 failed",
    ]


def test_a_service_that_nobody_serves_fails_with_its_name_and_cause(check):
    with serving(ADDRESSES[0]) as port:
        rc, lines = ended(check(ADDRESSES[0], NOBODY_HOME, port=port, warm_up_seconds=1))

    assert rc == 1
    assert lines[-1] == "6 requests, 3 failed: deployment-2"
    assert f"deployment-2 at {NOBODY_HOME}: no first answer after N s" in "\n".join(lines)
    assert len([line for line in lines if line.startswith("round ") and "refused (exit 1) (code none" in line]) == 3


def test_a_wrong_status_is_a_failure_of_that_round_only(check):
    """The warm-up takes the first answer, so the second one is round 1's and the third one round 2's."""
    with serving(ADDRESSES[0], status=lambda number: 503 if number == 3 else 200) as port:
        rc, lines = ended(check(ADDRESSES[0], port=port))

    assert rc == 1
    failure = f"round 2: deployment-1 at {ADDRESSES[0]}: answered HTTP/1.0 503 Service Unavailable"
    assert lines[3] == f"{failure} (code 503, total T s)"
    assert lines[-2] == failure
    assert lines[-1] == "3 requests, 1 failed: deployment-1"


def test_failures_of_the_warm_up_do_not_count(check):
    with serving(ADDRESSES[0], status=lambda number: 503 if number == 1 else 200) as port:
        rc, lines = ended(check(ADDRESSES[0], port=port, warm_up_seconds=30))

    assert (rc, lines[-1]) == (0, "3 requests, 0 failed")
    assert lines[1] == f"deployment-1 at {ADDRESSES[0]}: first answer after N s"


def test_a_server_that_never_answers_ends_in_a_timeout(check):
    """A listening socket whose connections nobody takes."""
    import socket

    with socket.create_server((SILENT, 0)) as silent:
        began = time.monotonic()
        rc, lines = ended(check(SILENT, port=silent.getsockname()[1], count=1, warm_up_seconds=0, timeout_seconds=1))

    assert rc == 1
    assert "no answer within 1 s" in lines[-2]
    assert time.monotonic() - began < 120


def test_a_service_made_after_the_pod_is_said_to_be_missing(check):
    with serving(ADDRESSES[0]) as port:
        rc, lines = ended(check(ADDRESSES[0], port=port, services=2, count=1, warm_up_seconds=0))

    assert rc == 1
    assert "the pod has no variable DEPLOYMENT_2_SERVICE_HOST" in "\n".join(lines)


def test_sigterm_ends_it_at_once(check, message: Path):
    with serving(ADDRESSES[0]) as port:
        process = check(ADDRESSES[0], port=port, interval_seconds=60)
        for line in process.stdout:
            if "first answer" in line:
                break
        deadline = time.monotonic() + 120
        while not children(process.pid, named="sleep"):
            assert time.monotonic() < deadline, "the check never paused"
            time.sleep(0.01)
        process.terminate()
        rc, lines, told = finished(process)

    assert rc == 128 + signal.SIGTERM
    assert lines[-1] == "terminated after 1 requests, 0 failures"
    assert (told.requests, told.codes) == (1, {"200": 1})
    assert message.read_text().splitlines()[0] == lines[-1]


def test_times_come_to_the_pod_status(check, message: Path):
    with serving(ADDRESSES[0]) as port:
        rc, lines, told = finished(check(ADDRESSES[0], port=port))

    assert rc == 0, lines
    assert told is not None
    assert (told.requests, told.failed, told.codes) == (3, 0, {"200": 3})
    assert {phase: sum(numbers) for phase, numbers in told.phases.items()} == {"total": 3}
    assert sum(told.phases["total"][: BOUNDS_S.index(0.01)]) == 0, "finer than the clock"
    assert told_in(message.read_text()) == told


def test_without_a_message_the_end_of_the_output_has_the_times(check, message: Path):
    message.mkdir()
    with serving(ADDRESSES[0]) as port:
        rc, lines, told = finished(check(ADDRESSES[0], port=port))

    assert rc == 0
    assert "the termination message could not be written" in lines
    assert (told.requests, lines[-1]) == (3, "3 requests, 0 failed")


def test_with_curl_each_phase_is_measured(check, message: Path, curl: Path):
    with serving(ADDRESSES[0]) as port:
        rc, lines, told = finished(check(ADDRESSES[0], port=port, more=curl))

    assert rc == 0, lines
    times = "code 200, connect T s, first byte T s, total T s"
    assert lines[2] == f"round 1: deployment-1 at {ADDRESSES[0]}: {times}"
    # An address is not looked up.
    assert {phase: sum(numbers) for phase, numbers in told.phases.items()} == {
        "connect": 3,
        "first_byte": 3,
        "total": 3,
    }
    assert told_in(message.read_text()) == told


def test_with_curl_and_names_the_lookup_is_measured_too(check, curl: Path):
    """The name is known to curl alone: its place is taken by a script that tells it."""
    with serving(ADDRESSES[0]) as port:
        real, known = (curl / "curl").readlink(), f"deployment-1.deploy-test-1.svc:{port}:{ADDRESSES[0]}"
        (curl / "curl").unlink()
        (curl / "curl").write_text(f'#!/bin/sh\nexec {real} --resolve {known} "$@"\n')
        (curl / "curl").chmod(0o755)
        rc, lines, told = finished(check(ADDRESSES[0], port=port, more=curl, resolve="dns"))

    assert rc == 0, lines
    assert ": code 200, name lookup T s, connect T s, first byte T s, total T s" in lines[2]
    assert {phase: sum(numbers) for phase, numbers in told.phases.items()} == dict.fromkeys(PHASES, 3)


def test_with_curl_failures_have_their_codes_and_causes(check, message: Path, curl: Path):
    with serving(ADDRESSES[0], status=lambda number: 503 if number == 3 else 200) as port:
        rc, lines, told = finished(check(ADDRESSES[0], NOBODY_HOME, port=port, more=curl, warm_up_seconds=0))

    assert rc == 1
    assert (told.requests, told.failed, told.codes) == (6, 4, {"200": 2, "503": 1, "none": 3})
    assert sum(told.phases["total"]) == 3
    assert f"round 2: deployment-1 at {ADDRESSES[0]}: answered HTTP 503" in lines[-5:]
    assert re.search(r"curl: \(7\) .* \(exit 7\)$", lines[-2])
    assert len([line for line in lines if line.endswith(" (exit 7) (code none, total T s)")]) == 3
    assert lines[-1] == "6 requests, 4 failed: deployment-2 deployment-1"
    *words, last = message.read_text().splitlines()
    assert words == lines[-5:]
    assert told_in(last) == told


def test_with_curl_a_server_that_never_answers_ends_in_a_timeout(check, curl: Path):
    import socket

    with socket.create_server((SILENT, 0)) as silent:
        port = silent.getsockname()[1]
        rc, lines, told = finished(check(SILENT, port=port, more=curl, count=1, warm_up_seconds=0, timeout_seconds=1))

    assert rc == 1
    assert "no answer within 1 s" in lines[-2]
    assert (told.codes, told.phases) == ({"none": 1}, {})


def test_an_answer_cannot_pose_as_times(check):
    """What is told last counts, and of an answer only its first line is repeated."""
    import socket

    forged = b"nonsense\nkubestress-timings-1 requests=9 failed=0 codes= name_lookup=- connect=- first_byte=- total=-\n"

    def answer(server: socket.socket) -> None:
        for _request in range(2):
            connection, _address = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(forged)

    with socket.create_server((ADDRESSES[0], 0)) as server:
        thread = Thread(target=answer, args=(server,))
        thread.start()
        rc, lines, told = finished(check(ADDRESSES[0], port=server.getsockname()[1], count=1, warm_up_seconds=0))
        thread.join()

    assert rc == 1
    assert (told.requests, told.failed, told.codes) == (1, 1, {"none": 1})
    assert not [line for line in lines if line.startswith("kubestress-timings")]


def test_many_codes_and_failures_fit_into_a_message(check, message: Path):
    """The kubelet takes 4,096 bytes."""
    with serving(ADDRESSES[0], status=lambda number: 200 if number == 1 else 500 + number) as port:
        rc, _lines, told = finished(check(ADDRESSES[0], port=port, count=60))

    assert rc == 1
    assert (told.requests, told.failed, told.codes["other"], len(told.codes)) == (60, 60, 40, 21)
    assert len(message.read_bytes()) < 2048
    *words, last = message.read_text().splitlines()
    assert [line.partition(":")[0] for line in words[:-1]] == [f"round {number}" for number in (1, 2, 3, 4, 60)]
    assert words[-1] == "60 requests, 60 failed: deployment-1"
    assert told_in(last) == told


def children(pid: int, *, named: str) -> list[str]:
    """Return the child processes that run this command. A shell's own children begin with the text of its script."""
    ids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        child
        for child in ids
        if os.path.exists(f"/proc/{child}") and Path(f"/proc/{child}/cmdline").read_text().split("\0")[0] == named
    ]
