"""The action takes the document as a file where the module runs here, and writes what is made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action import storage_info
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.storage import FORMATS
from ansible_collections.kubestress.core.plugins.plugin_utils.storage_files import FILES
from helpers import example_storage as example
from helpers.actions import act, check_connection
from jsonschema import Draft202012Validator, FormatChecker

SCHEMA = json.loads((Path(__file__).resolve().parents[4] / "docs" / "storage.schema.json").read_text())
ALL = ["storage.json", "findings.csv", "claims.csv", "storage.yaml", "metrics.prom", "storage.html"]


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(storage_info, "show_lines", lines.extend)
    return lines


def scan(*, module_args: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """What the module does: of its long lists it returns the first rows, and the file has all."""
    document = example.busy()
    top = int(module_args.get("top", 100))
    result = {**document, "findings": document["findings"][:top], "usage": document["usage"][:top], "changed": False}
    result["warnings"] = document["warnings"]
    if "dest" in module_args:
        path = Path(module_args["dest"]) / "storage.json"
        path.write_text(json.dumps(document))
        result["files"] = [str(path)]
    return {"files": [], "msg": "10 claims", **result}


def test_each_format_has_its_files() -> None:
    assert sorted(FILES) == sorted(FORMATS)


@pytest.mark.parametrize("made", [example.tidy, example.busy, example.hostile, lambda: example.large(50)])
def test_examples_are_what_the_schema_says(made: Any) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(made())


@pytest.mark.parametrize("where", [{}, {"transport": "ssh"}, {"become": True}], ids=["here", "elsewhere", "become"])
def test_files_table_and_problems(tmp_path: Path, shown: list[Line], where: dict[str, Any]) -> None:
    dest = tmp_path / "a" / "b"
    arguments = {"dest": str(dest), "formats": "json,csv,yaml,metrics,html", "top": 2, "namespaces": ["shop"]}
    given, result = act(storage_info.ActionModule, arguments, execute=scan, **where)
    assert given["module_args"]["namespaces"] == ["shop"]
    assert not {"metrics_per_object"} & given["module_args"].keys()
    assert given["module_args"].get("dest") != str(dest)
    assert result["files"] == [str(dest / name) for name in ALL]
    assert sorted(path.name for path in dest.iterdir()) == sorted(ALL)
    assert json.loads((dest / "storage.json").read_text()) == example.busy()
    assert len(result["findings"]) == len(result["usage"]) == 2
    assert result["changed"] is False
    assert list(result["failures"]) == ["orphans", "incomplete", "over_threshold"]
    assert result["message"].startswith("6 orphans of 301 GiB")
    assert [line.text for line in shown] == result["table"]
    assert any(f"page       {dest}/storage.html" in line for line in result["table"])
    scratch = given["module_args"].get("dest")
    assert scratch is None or not Path(scratch).exists(), "what the module wrote is gone"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"truenas": {"apikey": "SECRET"}}, "truenas: 'apikey' is no option of it; allowed are url, username, api_key"),
        ({"truenas": '{"url": "https://b", "key": "SECRET"}'}, "truenas: 'key' is no option of it; allowed are url"),
        ({"truenas": "SECRET"}, "truenas: its value is not names with values (a dictionary, or its JSON)"),
        (
            {"other_clusters": [{"token": "SECRET"}]},
            "other_clusters: 'token' is no option of it; allowed are kubeconfig",
        ),
        ({"other_clusters": ["SECRET"]}, "other_clusters: its value is not names with values"),
    ],
)
def test_a_mistyped_name_of_a_secret_does_not_show_it(option: dict[str, Any], said: str) -> None:
    given, result = act(storage_info.ActionModule, option, execute=scan)
    assert given == {}, "the module is not run"
    assert result["failed"] is True
    assert result["msg"].startswith(said)
    assert "SECRET" not in str(result)


def test_known_names_of_a_box_and_of_clusters_go_to_the_module() -> None:
    box = {"url": "https://b", "username": "u", "api_key": "k", "volume_parents": ["tank/v"]}
    clusters = [{"context": "x", "verify_ssl": "no"}]
    given, _result = act(storage_info.ActionModule, {"truenas": box, "other_clusters": clusters}, execute=scan)
    assert (given["module_args"]["truenas"], given["module_args"]["other_clusters"]) == (box, clusters)


def test_only_the_formats_that_are_asked_for(tmp_path: Path) -> None:
    arguments = {"dest": str(tmp_path), "formats": ["metrics"], "metrics_per_object": True}
    _given, result = act(storage_info.ActionModule, arguments, execute=scan)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.prom"]
    assert "claim_used_bytes" in (tmp_path / "metrics.prom").read_text()
    assert not any("page " in line for line in result["table"])


def test_without_dest_nothing_is_written() -> None:
    given, result = act(storage_info.ActionModule, {"min_age": "7d"}, execute=scan)
    assert given["module_args"] == {"min_age": "7d"}
    assert (result["changed"], result["files"]) == (False, [])
    assert result["table"]


def test_check_mode_writes_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    dest = tmp_path / "none"
    given, result = act(storage_info.ActionModule, {"dest": str(dest)}, execute=scan, check_mode=True)
    assert given["module_args"] == {}
    assert result["changed"] is False
    wanted = "storage.json, findings.csv, claims.csv, metrics.prom, storage.html"
    assert result["msg"] == f"check mode: would write {wanted} to {dest}"
    assert not dest.exists()


def test_strict_failure_keeps_what_was_found(tmp_path: Path, shown: list[Line]) -> None:
    def strict(**options: Any) -> dict[str, Any]:
        return {**scan(**options), "failed": True, "msg": "strict: not complete: usage"}

    _given, result = act(storage_info.ActionModule, {"dest": str(tmp_path), "strict": True}, execute=strict)
    assert (result["failed"], result["msg"]) == (True, "strict: not complete: usage")
    assert (tmp_path / "storage.json").exists()
    assert shown


def test_failure_of_the_module_is_the_tasks(tmp_path: Path) -> None:
    failed = {"failed": True, "msg": "host: cannot be reached"}
    arguments = {"dest": str(tmp_path / "none")}
    _given, result = act(storage_info.ActionModule, arguments, execute=lambda **_options: failed)
    assert (result["failed"], result["msg"]) == (True, "host: cannot be reached")
    assert not (tmp_path / "none").exists()


def test_wrong_format_is_refused_before_anything_is_asked() -> None:
    given, result = act(storage_info.ActionModule, {"dest": "/x", "formats": "json,pdf"}, execute=scan)
    assert given == {}
    assert result["failed"]
    assert "value of formats must be one or more of: json, csv, yaml, metrics, html" in result["msg"]
    assert "pdf" in result["msg"]


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _given, result = act(storage_info.ActionModule, {"dest": str(tmp_path / "file" / "x")}, execute=scan)
    assert result["failed"]
    assert result["msg"].startswith("dest (storage_dest): ")
    assert "\n" not in result["msg"]


def test_connection_of_the_play() -> None:
    check_connection(storage_info.ActionModule)


@pytest.mark.parametrize("async_val", [0, 60])
def test_it_may_run_in_the_background(async_val: int) -> None:
    given, _result = act(storage_info.ActionModule, {"min_age": "7d"}, async_val=async_val)
    assert given["wrap_async"] is bool(async_val)
    assert given["module_args"] == {"min_age": "7d"}


def test_files_cannot_be_written_in_the_background() -> None:
    given, result = act(storage_info.ActionModule, {"dest": "/x"}, execute=scan, async_val=60)
    assert given == {}
    assert result["failed"]
    assert result["msg"] == "dest: /x is given beside async, and files are made from the module's answer; leave one out"
