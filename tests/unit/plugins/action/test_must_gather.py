"""The action names the folder where the playbook runs, hands over the connection, and shows what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action import must_gather
from ansible_collections.kubestress.core.plugins.module_utils.results.table import PLAIN, WARN, Line
from helpers.actions import SILENT, act, check_progress, check_silence


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(must_gather, "show_lines", lines.extend)
    return lines


def test_progress() -> None:
    check_progress(must_gather.ActionModule)


@pytest.mark.parametrize("where", SILENT)
def test_silence(where: dict[str, Any]) -> None:
    check_silence(must_gather.ActionModule, where)


def test_connection() -> None:
    variables = {"kubestress_kubeconfig": "/k", "kubestress_context": "c"}
    given, _result = act(must_gather.ActionModule, {"context": "mine"}, task_vars=variables, check_mode=True)
    assert given["module_args"] == {"kubeconfig": "/k", "context": "mine"}


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    given, _result = act(must_gather.ActionModule, {"dest": "gather"}, check_mode=True)
    assert given["module_args"] == {"dest": str(tmp_path / "gather")}
    given, _result = act(must_gather.ActionModule, {"dest": "gather"}, transport="ssh")
    assert given["module_args"] == {"dest": "gather"}


@pytest.mark.parametrize(
    ("answer", "tones"),
    [
        ({"msg": "collected", "missing": [], "stopped": None}, [PLAIN]),
        ({"msg": "collected", "missing": [{"what": "log of a pod"}], "stopped": None}, [WARN]),
        ({"msg": "refused", "failed": True}, []),
    ],
)
def test_what_is_shown(answer: dict[str, Any], tones: list[str], shown: list[Line]) -> None:
    act(must_gather.ActionModule, {"dest": "/x"}, execute=lambda **_options: dict(answer))
    assert [line.tone for line in shown] == tones
