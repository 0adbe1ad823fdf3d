"""The action plugin reads the fragments' templates where the playbook runs, and leaves all else to the module."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.kubestress.core.plugins.action.batch import ActionModule


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
