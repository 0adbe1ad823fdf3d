"""The action names folders where the playbook runs, and shows the builder's lines and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.action import image
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import SOURCES
from helpers.actions import act, check_progress


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(image, "show_lines", lines.extend)
    return lines


def test_progress() -> None:
    check_progress(image.ActionModule)


def test_folders_are_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    given, _result = act(image.ActionModule, {"context": "train", "name": "train"}, check_mode=True)
    assert given["module_args"] == {
        "context": str(tmp_path / "train"), "name": "train", "sources_dir": str(SOURCES),
    }  # fmt: skip
    elsewhere = {"context": "train", "sources_dir": "/mine"}
    given, _result = act(image.ActionModule, elsewhere, transport="ssh")
    assert given["module_args"] == elsewhere


def test_the_cluster_of_a_job_is_that_of_the_play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    variables = {"kubestress_kubeconfig": "config", "kubestress_context": "theirs"}
    given, _result = act(
        image.ActionModule, {"builder": "job", "job": {"context": "mine"}}, task_vars=variables, check_mode=True
    )
    assert given["module_args"]["job"] == {"kubeconfig": str(tmp_path / "config"), "context": "mine"}
    # A dictionary as text, as AWX gives it, is one; what is none is the module's to refuse.
    for text, expected in (
        ('{"context": "mine"}', {"kubeconfig": str(tmp_path / "config"), "context": "mine"}),
        ("namespace=builds", {"namespace": "builds", "kubeconfig": str(tmp_path / "config"), "context": "theirs"}),
        ("builds", "builds"),
    ):
        given, _result = act(image.ActionModule, {"builder": "job", "job": text}, task_vars=variables, check_mode=True)
        assert given["module_args"]["job"] == expected
    given, _result = act(image.ActionModule, {"builder": "layers"}, task_vars=variables, check_mode=True)
    assert "job" not in given["module_args"]


def test_another_machine_is_refused_in_one_line() -> None:
    with pytest.raises(AnsibleActionFail, match="image: runs where the playbook runs; use connection: local"):
        act(image.ActionModule, {"context": "train"}, transport="ssh")


@pytest.mark.parametrize(
    ("answer", "lines"),
    [({"msg": "pushed: x"}, ["pushed: x"]), ({"msg": "refused", "failed": True}, [])],
)
def test_what_is_shown(answer: dict[str, Any], lines: list[str], shown: list[Line]) -> None:
    act(image.ActionModule, {"context": "/x"}, execute=lambda **_options: dict(answer))
    assert [line.text for line in shown] == lines
