"""The surveys that we ship ask for variables there are, offer what they take, and bound them as the check does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.convert import converted
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import RUN_SETTINGS
from ansible_collections.kubestress.core.plugins.plugin_utils.setting_files import profile_names

AWX = Path(__file__).resolve().parents[2] / "examples" / "awx"
QUESTIONS = [
    pytest.param(question, id=f"{path.stem}-{question['variable']}")
    for path in sorted(AWX.glob("survey-*.json"))
    for question in json.loads(path.read_text())["spec"]
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_question(question: dict) -> None:
    name = question["variable"]
    if name == "profile":
        assert sorted(question["choices"]) == profile_names()
        return
    setting = RUN_SETTINGS[name]
    for choice in question.get("choices", []):
        assert converted(setting, choice) is not None
    if question["type"] in ("integer", "float"):
        assert (question["min"], question["max"]) == (setting.allowed.low, setting.allowed.high)
        assert {"integer": "int", "float": "float"}[question["type"]] == setting.type


@pytest.mark.parametrize("playbook", ["stress", "cleanup"])
def test_project_playbook_imports_ours(playbook: str) -> None:
    text = (AWX / "README.md").read_text().partition(f"`{playbook}.yml`:\n\n```yaml\n")[2].partition("```")[0]
    (play,) = yaml.safe_load(text)
    assert play["ansible.builtin.import_playbook"] == f"kubestress.core.{playbook}"
    assert (AWX.parents[1] / "playbooks" / f"{playbook}.yml").exists()
