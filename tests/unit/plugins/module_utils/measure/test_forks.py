"""Words of programs that could not start another, as they were seen, and words that only look like it."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.events import fork_failure

BUILD = """\
2026-01-15T07:39:47Z phase 3/7 compile (compile): 7846 ms
/bin/sh: can't fork: Resource temporarily unavailable
fork failed: resource temporarily unavailable: phase compile, starting a sleeper, with 33 of 72 processes started
"""


@pytest.mark.parametrize(
    "text",
    [
        "/bin/sh: can't fork: Resource temporarily unavailable",
        "/bin/sh: 1: Cannot fork",
        "bash: fork: retry: Resource temporarily unavailable",
        "-bash: fork: Resource temporarily unavailable",
        "netplugin failed with no error message: fork/exec /opt/cni/bin/bridge: resource temporarily unavailable",
        "mount failed: fork/exec /usr/bin/mount: resource temporarily unavailable",
        "runtime: failed to create new OS thread (have 12 already; errno=11)",
        "runtime/cgo: pthread_create failed: Resource temporarily unavailable",
        "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory",
        "RuntimeError: can't start new thread",
    ],
)
def test_told(text: str) -> None:
    assert fork_failure(f"before\n  {text} \nafter") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fork/exec /opt/cni/bin/bridge: no such file or directory",
        "read tcp 10.0.0.1:80: resource temporarily unavailable",
        "forked 72 processes",
        "OOMKilled",
    ],
)
def test_not_told(text: str) -> None:
    assert fork_failure(text) == ""


def test_of_several_lines_the_last_is_told() -> None:
    assert fork_failure(BUILD) == BUILD.splitlines()[-1]
