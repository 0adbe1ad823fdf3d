"""What is changed in this interpreter for a while: imports and the garbage collector, both as before afterwards."""

from __future__ import annotations

import gc
import importlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine.interpreter import (
    import_without_parents,
    rare_garbage_collection,
    skip_final_collection,
)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "heavylib" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "heavylib" / "__init__.py").write_text("LOADED = True\n")
    (package / "__init__.py").write_text("LOADED = True\n")
    (package / "wanted.py").write_text("VALUE = 42\n")
    (package / "dependent.py").write_text("from heavylib import LOADED\n")
    (package / "caller.py").write_text("from heavylib.inner.wanted import VALUE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "heavylib"]:
        del sys.modules[name]


@pytest.mark.usefixtures("library")
def test_packages_are_not_run_and_not_left_half_made() -> None:
    (wanted,) = import_without_parents(["heavylib.inner.wanted"], parents=["heavylib", "heavylib.inner"])
    assert wanted.VALUE == 42
    assert not [name for name in sys.modules if name.startswith("heavylib")]
    assert importlib.import_module("heavylib.inner").LOADED


@pytest.mark.usefixtures("library")
def test_where_a_package_is_needed_it_is_imported_as_usual() -> None:
    (dependent,) = import_without_parents(["heavylib.inner.dependent"], parents=["heavylib", "heavylib.inner"])
    assert dependent.LOADED


@pytest.mark.usefixtures("library")
def test_a_module_whose_one_name_nobody_calls_is_not_run_and_not_left_empty() -> None:
    unused = {"heavylib.inner.wanted": "VALUE"}
    (caller,) = import_without_parents(["heavylib.inner.caller"], parents=["heavylib", "heavylib.inner"], stubs=unused)
    assert caller.VALUE is None
    assert importlib.import_module("heavylib.inner.wanted").VALUE == 42


def test_what_is_missing_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        import_without_parents(["nosuchlibrary.part"], parents=["nosuchlibrary"])


def test_what_is_left_at_the_end_is_not_searched_again():
    try:
        skip_final_collection()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


LARGE_BLOCKS = """
import ctypes, sys
from ansible_collections.kubestress.core.plugins.module_utils.machine import interpreter

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

if sys.argv[1] == "returned":
    interpreter.return_large_blocks()
bytearray(1_000_000)
pinned, blocks = [], []
for number in range(100):
    blocks.append(bytearray(b"x") * 300_000)
    pinned.append(bytearray(1000))
held = resident()
del blocks
print(held - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what it changes is glibc's")
def test_large_blocks_go_back_to_the_system_though_small_ones_lie_between_them():
    def freed_bytes(how: str) -> int:
        command = [sys.executable, "-c", LARGE_BLOCKS, how]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return int(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)

    assert freed_bytes("kept") < 5_000_000
    assert freed_bytes("returned") > 25_000_000


def test_the_collector_is_as_before_also_after_a_failure():
    before = gc.get_threshold()
    assert gc.get_freeze_count() == 0
    with pytest.raises(ValueError, match="inside"), rare_garbage_collection():  # noqa: PT012  (what holds inside is the point)
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 1000
        assert gc.isenabled()
        raise ValueError("inside")
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
