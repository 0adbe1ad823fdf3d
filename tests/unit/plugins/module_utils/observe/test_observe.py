"""What the module observe refuses before anything is started, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.machine.detached import Started
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.observe.observe import run_module
from ansible_collections.kubestress.core.plugins.modules.observe import ARGUMENTS

NOWHERE = "http://127.0.0.1:9"


def observe(results_dir: Path, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    given = {"run_id": "r", "results_dir": str(results_dir), "host": NOWHERE, **options}
    validated = ArgumentSpecValidator(ARGUMENTS).validate(given)
    assert not validated.error_messages, validated.error_messages
    return run_module(validated.validated_parameters, check_mode=check_mode)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"run_id": "no spaces"}, "run_id: 'no spaces'; allowed are letters, digits"),
        ({"name": "Upper"}, "name: 'Upper'; allowed are lower-case letters"),
        ({"name": "../up"}, "name: '../up'; allowed"),
        ({"namespaces": ["a", "a/b"]}, "namespaces: 'a/b'; allowed"),
        ({"api_interval": 0.1}, "api_interval: 0.1 is not allowed; it must be 1 to 3,600, or 0 for only"),
        ({"node_interval": 9999}, "node_interval: 9999.0 is not allowed; it must be 1 to 3,600, or 0 for never"),
        ({"max_seconds": 0}, "max_seconds: 0.0 is not allowed; it must be 1 to 2,592,000"),
    ],
)
@pytest.mark.parametrize("state", ["started", "stopped"])
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, state: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ModuleFailed) as caught:
        observe(tmp_path, state=state, **options)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_was_started_there_is_nothing_to_stop(tmp_path: Path) -> None:
    answer = observe(tmp_path / "none", state="stopped")
    assert (answer["changed"], answer["running"], answer["observation_path"]) == (False, False, None)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModuleFailed, match=r"results_dir: .*/file"):
        observe(tmp_path / "file")


def test_a_process_that_is_gone_leaves_its_file_and_a_warning(tmp_path: Path) -> None:
    (tmp_path / "observations").mkdir()
    file = tmp_path / "observations" / "001-observe.json"
    file.write_text('{"finished": null, "pods": {"succeeded": 2, "startup_histogram": {}}, "series": []}')
    state = tmp_path / "observations" / ".observe.process"
    Started(process=Process(pid=1, started="another boot"), path=str(file), settings={}).save(state)
    answer = observe(tmp_path, state="stopped")
    assert answer["changed"] is False
    assert answer["observation"] == {"finished": None, "pods": {"succeeded": 2}}
    (warning,) = answer["warnings"]
    assert "the observing process had ended before" in warning
