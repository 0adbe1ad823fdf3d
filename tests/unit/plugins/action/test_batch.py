"""The action plugin reads the fragments' templates where the playbook runs, and leaves all else to the module."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.kubestress.core.plugins.action.batch import ActionModule
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import next_attempt
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils import plan_action
from helpers.actions import SILENT, act


def arguments(folder: Path, **given: Any) -> dict[str, Any]:
    """Return what the module would get, the templates being looked for in the folder."""

    class Plugin(ActionModule):
        def _find_needle(self, kind: str, name: str) -> str:
            assert kind == "templates"
            path = folder / name
            if not path.exists():
                raise AnsibleError(f"Could not find or access '{name}'")
            return str(path)

    templar = SimpleNamespace(template=lambda value: value)
    plugin = Plugin(SimpleNamespace(args=given), SimpleNamespace(), SimpleNamespace(), None, templar, None)
    return plugin.module_arguments({})


def test_a_templates_text_goes_with_it_unrendered(tmp_path: Path):
    text = "kind: {{ kind }}\n{% raw %}ünïcödé{% endraw %}\n"
    (tmp_path / "a.yml.j2").write_text(text, encoding="utf-8")
    definition = {"definition": {"kind": "x"}}
    steps: list[list[dict[str, Any]]] = [[{"template": "a.yml.j2", "count": 2}], [definition, {"template": "a.yml.j2"}]]
    found = arguments(tmp_path, run_id="r", fragments=[{"role": "one", "steps": steps}])

    assert found == {
        "run_id": "r",
        "fragments": [
            {
                "role": "one",
                "steps": [
                    [{"template": "a.yml.j2", "count": 2, "content": text}],
                    [definition, {"template": "a.yml.j2", "content": text}],
                ],
            }
        ],
    }
    assert "content" not in steps[0][0], "the task's own arguments were changed"


def test_a_template_that_is_not_found_is_named(tmp_path: Path):
    with pytest.raises(AnsibleActionFail, match=r"fragments: template none\.j2: Could not find"):
        arguments(tmp_path, fragments=[{"role": "one", "steps": [[{"template": "none.j2"}]]}])


@pytest.mark.parametrize(
    "fragments", ["text", None, [], ["text"], [{"role": "a"}], [{"steps": "text"}], [{"steps": ["text", ["text"]]}]]
)
def test_what_is_wrong_elsewhere_is_left_for_the_module_to_say(tmp_path: Path, fragments: Any):
    assert arguments(tmp_path, fragments=fragments) == {"fragments": fragments}


# -- what preflight found ----------------------------------------------------------------------------------------------


FOUND = {
    "rows": [{"name": "pods at peak"}],
    "table": ["title", "  pods at peak"],
    "tones": ["heading", "good"],
    "problems": [],
    "cautions": ["a warning"],
    "demand": {"pods_at_peak": 9},
    "existing": {"own": [], "allowed": []},
    "cluster": {"version": "v1.36.3"},
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(plan_action, "show_lines", lines.extend)
    return lines


def run(*, found: dict[str, Any], failed: bool = False, **where: Any) -> dict[str, Any]:
    arguments = {"run_id": "r1", **where.pop("arguments", {})}
    _given, result = act(
        ActionModule, arguments, execute=lambda **_options: {"failed": failed, "preflight": dict(found)}, **where
    )
    return result


def test_a_table_that_was_among_the_progress_is_not_shown_again(shown):
    result = run(found=FOUND)
    assert shown == []
    assert result["preflight"] == {name: value for name, value in FOUND.items() if name != "tones"}


@pytest.mark.parametrize("where", SILENT, ids=str)
def test_without_progress_it_is_shown_at_the_end_and_kept_with_the_run(shown, tmp_path, where):
    folder = next_attempt(tmp_path, "r1")
    folder.write_run({"schema": 1})
    run(found=FOUND, arguments={"results_dir": str(folder.attempt_dir)}, **where)
    assert [line.text for line in shown] == FOUND["table"]
    kept = folder.read_run()
    assert ("preflight" in kept) is not where.get("check_mode", False)


def test_a_folder_that_is_no_runs_is_left_alone(shown, tmp_path):
    result = run(found=FOUND, arguments={"results_dir": str(tmp_path)}, transport="ssh")
    assert not result["failed"]
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_returns_its_reasons_only_since_ansible_prints_all_of_it(shown):
    result = run(found={**FOUND, "problems": ["too many pods"]}, failed=True)
    assert result["preflight"] == {
        "problems": ["too many pods"],
        "cautions": ["a warning"],
        "existing": {"own": [], "allowed": []},
    }
