"""A module without its packages' own code, and what stays behind: nothing."""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine.interpreter import import_light, leave_cycles


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
    (wanted,) = import_light(["heavylib.inner.wanted"], without=["heavylib", "heavylib.inner"])
    assert wanted.VALUE == 42
    assert not [name for name in sys.modules if name.startswith("heavylib")]
    assert importlib.import_module("heavylib.inner").LOADED


@pytest.mark.usefixtures("library")
def test_where_a_package_is_needed_it_is_imported_as_usual() -> None:
    (dependent,) = import_light(["heavylib.inner.dependent"], without=["heavylib", "heavylib.inner"])
    assert dependent.LOADED


@pytest.mark.usefixtures("library")
def test_a_module_whose_one_name_nobody_calls_is_not_run_and_not_left_empty() -> None:
    unused = {"heavylib.inner.wanted": "VALUE"}
    (caller,) = import_light(["heavylib.inner.caller"], without=["heavylib", "heavylib.inner"], unused=unused)
    assert caller.VALUE is None
    assert importlib.import_module("heavylib.inner.wanted").VALUE == 42


def test_what_is_missing_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        import_light(["nosuchlibrary.part"], without=["nosuchlibrary"])


def test_what_is_left_at_the_end_is_not_searched_again():
    try:
        leave_cycles()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
