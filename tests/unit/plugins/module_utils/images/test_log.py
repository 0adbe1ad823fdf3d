"""What a build says: in a file whole, in the playbook's output as lines that may be shown, secrets in neither."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.images.log import Interrupted, Log, shown


def test_lines_go_to_the_file_and_to_the_output(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    with Log(tmp_path / "log", progress) as log:
        log.hide("ya29.secret")
        log.hide("")
        log.say("begins")
        log.add(["token ya29.secret here", "\x1b[1mbold\x1b[0m\tand a bell\x07"])
    assert (tmp_path / "log").read_text() == "[0 s] begins\ntoken *** here\n\x1b[1mbold\x1b[0m\tand a bell\x07\n"
    assert progress.read_text() == "[0 s] begins\ntoken *** here\nbold  and a bell?\n"


def test_a_long_line_is_cut_where_it_is_shown() -> None:
    assert shown("x" * 500) == "x" * 400 + "…"


def test_nobody_waits_any_more(tmp_path: Path) -> None:
    """Who shows the lines holds a lock on the file, however he ends."""
    progress = tmp_path / "progress"
    progress.touch()
    with Log(tmp_path / "log", progress) as log, progress.open() as shower:
        fcntl.flock(shower, fcntl.LOCK_EX)
        log.raise_if_abandoned()
        fcntl.flock(shower, fcntl.LOCK_UN)
        with pytest.raises(Interrupted, match="the playbook is gone"):
            log.raise_if_abandoned()
    with Log(tmp_path / "log", None) as silent:
        silent.raise_if_abandoned()
