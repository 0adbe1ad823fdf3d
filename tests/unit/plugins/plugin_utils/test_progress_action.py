"""Lines that a module writes are shown while it works, and it works all the same where they can't be."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils import progress_action
from helpers.actions import act


class Screen:
    """What would be on the user's screen, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.grown = threading.Condition()

    def display(self, text: str, **_style: Any) -> None:
        with self.grown:
            self.lines.append(text)
            self.grown.notify_all()

    def wait_for(self, number: int) -> bool:
        with self.grown:
            return self.grown.wait_for(lambda: len(self.lines) >= number, timeout=60)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Return the screen in the place of Ansible's display."""
    screen = Screen()
    monkeypatch.setattr(progress_action, "display", screen)
    monkeypatch.setattr(progress_action, "_POLL_SECONDS", 0.005)
    return screen


def run(work: Any, *, async_val: int = 0, transport: str = "local", become: bool = False, check_mode: bool = False):
    """Run the plugin over a module that is `work(arguments)`."""

    def execute(*, module_args: dict[str, Any], wrap_async: bool, **_options: Any) -> dict[str, Any]:
        assert wrap_async is bool(async_val)
        return work(module_args)

    where: dict[str, Any] = {
        "async_val": async_val, "transport": transport, "become": become, "check_mode": check_mode
    }  # fmt: skip
    return act(progress_action.ProgressAction, {"a": 1}, execute=execute, **where)[1]


def test_lines_are_shown_while_the_module_still_works(screen: Screen):
    def work(arguments: dict[str, Any]) -> dict[str, Any]:
        path = Path(arguments["progress_file"])
        with path.open("a") as file:
            for number in (1, 2):
                file.write(f"[{number} s] half a ")
                file.flush()
                file.write("line\n")
                file.flush()
                assert screen.wait_for(number), "the line was not shown while the module worked"
            file.write("the last one\n")
        return {"changed": True}

    assert run(work)["changed"] is True
    assert screen.lines == ["  [1 s] half a line", "  [2 s] half a line", "  the last one"]


def test_a_module_that_fails_leaves_no_thread_and_no_file(screen: Screen):
    paths = []

    def work(arguments: dict[str, Any]) -> dict[str, Any]:
        paths.append(Path(arguments["progress_file"]))
        raise RuntimeError("it broke")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="it broke"):
        run(work)
    assert threading.active_count() == before
    assert not paths[0].parent.exists()


@pytest.mark.parametrize(
    "elsewhere", [{"async_val": 60}, {"transport": "ssh"}, {"become": True}, {"check_mode": True}], ids=str
)
def test_where_lines_cannot_be_had_the_module_gets_no_file(screen: Screen, elsewhere: dict[str, Any]):
    seen = []

    def work(arguments: dict[str, Any]) -> dict[str, Any]:
        seen.append(arguments)
        return {}

    run(work, **elsewhere)
    assert seen == [{"a": 1}]
    assert screen.lines == []
