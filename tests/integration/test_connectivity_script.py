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
def check(applets: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts the check of Services at these addresses."""

    def start(*addresses: str, port: int, **settings: object) -> subprocess.Popen[str]:
        env = {"PATH": str(applets), "NAMESPACE": "deploy-test-1", "CHECK_PORT": str(port)}
        env |= {f"DEPLOYMENT_{number}_SERVICE_HOST": address for number, address in enumerate(addresses, start=1)}
        chosen = {"services": len(addresses), "count": 3, "interval_seconds": 0, "timeout_seconds": 1,
                  "warm_up_seconds": 1, "resolve": "address"} | settings  # fmt: skip
        env |= {f"CHECK_{name.upper()}": str(value) for name, value in chosen.items()}
        command = [str(applets / "sh"), "-c", SCRIPT.read_text()]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Return the exit code and the lines without timestamps, seconds counted as N: a second may turn meanwhile."""
    output, _nothing = process.communicate(timeout=60)
    lines = [line.partition(" ")[2] for line in output.splitlines()]
    return process.returncode, [re.sub(r"answer after \d+ s", "answer after N s", line) for line in lines]


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
        "6 requests, 0 failed",
    ]


def test_a_service_that_nobody_serves_fails_with_its_name_and_cause(check):
    with serving(ADDRESSES[0]) as port:
        rc, lines = ended(check(ADDRESSES[0], NOBODY_HOME, port=port))

    assert rc == 1
    assert lines[-1] == "6 requests, 3 failed: deployment-2"
    assert f"deployment-2 at {NOBODY_HOME}: no first answer after N s" in "\n".join(lines)
    assert len([line for line in lines if line.startswith("round ") and "refused" in line]) == 3


def test_a_wrong_status_is_a_failure_of_that_round_only(check):
    """The warm-up takes the first answer, so the second one is round 1's and the third one round 2's."""
    with serving(ADDRESSES[0], status=lambda number: 503 if number == 3 else 200) as port:
        rc, lines = ended(check(ADDRESSES[0], port=port))

    assert rc == 1
    assert lines[2].rstrip() == f"round 2: deployment-1 at {ADDRESSES[0]}: answered HTTP/1.0 503 Service Unavailable"
    assert lines[-1] == "3 requests, 1 failed: deployment-1"


def test_failures_of_the_warm_up_do_not_count(check):
    with serving(ADDRESSES[0], status=lambda number: 503 if number == 1 else 200) as port:
        rc, lines = ended(check(ADDRESSES[0], port=port, warm_up_seconds=10))

    assert (rc, lines[-1]) == (0, "3 requests, 0 failed")
    assert lines[1] == f"deployment-1 at {ADDRESSES[0]}: first answer after N s"


def test_a_server_that_never_answers_ends_in_a_timeout(check):
    """A listening socket whose connections nobody takes."""
    import socket

    with socket.create_server((SILENT, 0)) as silent:
        began = time.monotonic()
        rc, lines = ended(check(SILENT, port=silent.getsockname()[1], count=1, warm_up_seconds=0))

    assert rc == 1
    assert "no answer within 1 s" in lines[-2]
    assert time.monotonic() - began < 15


def test_a_service_made_after_the_pod_is_said_to_be_missing(check):
    with serving(ADDRESSES[0]) as port:
        rc, lines = ended(check(ADDRESSES[0], port=port, services=2, count=1, warm_up_seconds=0))

    assert rc == 1
    assert "the pod has no variable DEPLOYMENT_2_SERVICE_HOST" in "\n".join(lines)


def test_sigterm_ends_it_at_once(check):
    with serving(ADDRESSES[0]) as port:
        process = check(ADDRESSES[0], port=port, interval_seconds=60)
        for line in process.stdout:
            if "first answer" in line:
                break
        deadline = time.monotonic() + 20
        while not children(process.pid, named="sleep"):
            assert time.monotonic() < deadline, "the check never paused"
            time.sleep(0.01)
        process.terminate()
        rc, _lines = ended(process)

    assert rc == 128 + signal.SIGTERM


def children(pid: int, *, named: str) -> list[str]:
    """Return the child processes that run this command."""
    ids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        child
        for child in ids
        if os.path.exists(f"/proc/{child}") and named in Path(f"/proc/{child}/cmdline").read_text()
    ]
