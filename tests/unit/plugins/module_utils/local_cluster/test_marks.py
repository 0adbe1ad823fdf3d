"""A cluster's processes are found by the mark in their environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.ports import (
    MARKER_VARIABLE,
    marked,
    marker_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import HAS_PROC

FOREVER = "import signal; print(1, flush=True); signal.pause()"


@pytest.mark.skipif(not HAS_PROC, reason="other processes' environment can only be read from /proc")
def test_marked_processes_are_found_without_a_file(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FOREVER], env={**os.environ, MARKER_VARIABLE: mark}, stdout=subprocess.PIPE
        )
        for mark in (str(tmp_path), f"{tmp_path}-other")
    ]
    try:
        for child in started:
            assert child.stdout.readline() == b"1\n"
        assert [found.pid for found in marked(str(tmp_path))] == [started[0].pid]
        assert marker_of(started[0].pid) == str(tmp_path)
    finally:
        for child in started:
            child.kill()
            child.communicate()
