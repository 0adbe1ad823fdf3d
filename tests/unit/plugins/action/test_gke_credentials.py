"""The action names files where the playbook runs, and keeps the token out of the output."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.action import gke_credentials
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from helpers.actions import act


def test_files_and_what_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines: list[Line] = []
    monkeypatch.setattr(gke_credentials, "show_lines", lines.extend)
    monkeypatch.chdir(tmp_path)
    answer = {"api_key": "secret", "msg": "wrote it"}
    given, result = act(
        gke_credentials.ActionModule,
        {"kubeconfig": "config", "name": "c"},
        execute=lambda **_options: dict(answer),
        # The cluster that the play uses has nothing to do with it.
        task_vars={"kubestress_kubeconfig": "/k"},
    )
    assert given["module_args"] == {"kubeconfig": str(tmp_path / "config"), "name": "c"}
    assert (result["api_key"], result["_ansible_no_log"]) == ("secret", True)
    assert [line.text for line in lines] == ["wrote it"]


def test_a_failure_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gke_credentials, "show_lines", lambda lines: pytest.fail(str(lines)))
    _given, result = act(
        gke_credentials.ActionModule, {"name": "c"}, execute=lambda **_options: {"failed": True, "msg": "why"}
    )
    assert "_ansible_no_log" not in result
