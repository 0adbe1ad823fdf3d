"""Files are written where they say something else, one after the other; check mode only says whether."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError
from ansible_collections.kubestress.core.plugins.plugin_utils.written_files import write_changed


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    texts = {"a": lambda: "one", "b": lambda: "two\udcff"}
    assert write_changed(folder, texts, check_mode=True)
    assert not folder.exists()
    assert write_changed(folder, texts, check_mode=False)
    before = (folder / "a").stat().st_mtime_ns, (folder / "b").read_bytes()
    assert not write_changed(folder, texts, check_mode=False)
    assert ((folder / "a").stat().st_mtime_ns, (folder / "b").read_bytes()) == before
    assert write_changed(folder, {**texts, "b": lambda: "three"}, check_mode=False)
    assert (folder / "b").read_text() == "three"


def test_one_that_cannot_be_made_loses_none_before_it(tmp_path: Path) -> None:
    def broken() -> str:
        raise KeyError("what")

    with pytest.raises(KeyError):
        write_changed(tmp_path, {"figures": lambda: "1", "page": broken}, check_mode=False)
    assert (tmp_path / "figures").read_text() == "1"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=r"cannot make the folder .*file/x: Not a directory"):
        write_changed(tmp_path / "file" / "x", {"a": lambda: ""}, check_mode=False)
