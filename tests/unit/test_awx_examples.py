"""The surveys that we ship ask for variables there are, offer what they take, and bound them as the check does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.convert import converted
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES, SETTINGS
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
    setting = SETTINGS[name]
    for choice in question.get("choices", []):
        assert converted(setting, choice) is not None
    if setting.choices and setting.type != "list":
        assert question["choices"] == list(setting.choices)
    if question["default"] != "":
        assert converted(setting, question["default"]) is not None
    assert bool(question.get("choices")) == (question["type"] == "multiplechoice")
    if question["type"] in ("integer", "float"):
        allowed = setting.allowed
        least = allowed.low if allowed.special is None else min(allowed.low, allowed.special)
        assert (question["min"], question["max"]) == (least, allowed.high)
        assert {"integer": "int", "float": "float"}[question["type"]] == setting.type


#: What no answer to a survey can be of use for: secrets, and what only other tasks read.
NOT_ASKED = {"storage_top"}


@pytest.mark.parametrize(
    ("survey", "role", "entry"),
    [
        ("stress", "guard", "main"),
        ("capacity", "capacity", "main"),
        ("accelerator-run", "accelerator_run", "main"),
        ("storage", "storage", "main"),
        ("storage-watch", "storage", "watch"),
    ],
)
def test_survey_asks_for_each_variable_of_its_role_once(survey: str, role: str, entry: str) -> None:
    asked = [one["variable"] for one in json.loads((AWX / f"survey-{survey}.json").read_text())["spec"]]
    assert len(asked) == len(set(asked))
    (settings,) = (each.settings for each in ROLES[role].entries if each.name == entry)
    wanted = {setting.name for setting in settings if not setting.secret} - NOT_ASKED
    assert wanted <= set(asked)


@pytest.mark.parametrize("playbook", ["stress", "cleanup", "capacity", "accelerator_run", "storage", "storage_watch"])
def test_project_playbook_imports_ours(playbook: str) -> None:
    text = (AWX / "README.md").read_text().partition(f"`{playbook}.yml`:\n\n```yaml\n")[2].partition("```")[0]
    (play,) = yaml.safe_load(text)
    assert play["ansible.builtin.import_playbook"] == f"kubestress.core.{playbook}"
    assert (AWX.parents[1] / "playbooks" / f"{playbook}.yml").exists()
