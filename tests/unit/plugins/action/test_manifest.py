"""The action writes the objects as YAML, and says how many there are; it asks no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.action import manifest
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from helpers.actions import act

CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c-{{ index }}"},
    "data": {"a": "0o7", "b": "é"},
}
PLAN: dict[str, Any] = {
    "run_id": "r1",
    "namespace_prefix": "n",
    "namespace_total": "2",
    "fragments": [{"role": "config", "count": "3", "steps": [[{"definition": CONFIG}]]}],
}


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(manifest, "show_lines", lines.extend)
    return lines


def run(**options: Any) -> dict[str, Any]:
    given, result = act(
        manifest.ActionModule, PLAN | options, task_vars={"kubestress_kubeconfig": "/nowhere"}, check_mode=True
    )
    assert given == {}, "a module was run"
    return result


def test_written_also_in_check_mode_and_once(tmp_path: Path, shown: list[Line]) -> None:
    path = tmp_path / "new" / "out.yml"
    result = run(dest=str(path), notes=["Not built.", "two\nlines"])
    assert (result["changed"], result["dest"], result["objects"]) == (True, str(path), {"ConfigMap": 6})
    text = path.read_text()
    assert text.startswith("# Run r1.\n# Not built.\n# two\n# lines\n---\n")
    documents = list(yaml.safe_load_all(text))
    assert [document["metadata"]["namespace"] for document in documents] == ["n-1"] * 3 + ["n-2"] * 3
    assert documents[0]["data"] == {"a": "0o7", "b": "é"}
    # A number to readers of YAML 1.2, if nobody quotes it.
    assert 'a: "0o7"' in text
    assert shown[0].text == f"  manifest  6 ConfigMap of run r1, in {path}"
    assert not run(dest=str(path), notes=["Not built.", "two\nlines"])["changed"]


def test_a_file_that_is_no_manifest_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "train.yml"
    path.write_text("accelerator_jobs_type: v5e\n")
    result = run(dest=str(path))
    assert result["msg"] == (
        f"manifest: dest: {path} is there, and is no manifest of a run; name another file, or remove it"
    )
    assert path.read_text() == "accelerator_jobs_type: v5e\n"
    path.write_text("")
    assert run(dest=str(path))["changed"]
    # One of another run.
    assert run(dest=str(path), run_id="r2")["changed"]


def test_without_a_file_it_is_only_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: list[Line]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run()["objects"] == {"ConfigMap": 6}
    assert shown[0].text == "  manifest  6 ConfigMap of run r1, not written, since no file is named"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"dest": "{folder}"}, "manifest: dest: {folder} is a folder; name a file in it"),
        ({"dest": "{folder}/file/x.yml"}, "manifest: dest: cannot make the folder {folder}/file"),
        ({"namespace_prefix": "A"}, "manifest: namespace_prefix: 'A-1' is no namespace's name"),
        ({"run_id": "a b"}, "manifest: run_id: 'a b' is not allowed"),
        ({"fragments": []}, "manifest: fragments: the list is empty"),
    ],
)
def test_refused_in_one_line(options: dict[str, Any], line: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    given = {
        name: value.format(folder=tmp_path) if isinstance(value, str) else value for name, value in options.items()
    }
    result = run(**given)
    assert result["failed"]
    assert result["msg"].startswith(line.format(folder=tmp_path))
    assert "\n" not in result["msg"]
