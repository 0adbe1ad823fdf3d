"""What the module refuses before anything begins, in one line; and its file of lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.machine.detached import Started
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.lines import Lines
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.storage_watch import run_module
from ansible_collections.kubestress.core.plugins.modules.storage_watch import ARGUMENTS


def watch(dest: Path, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    given = {"dest": str(dest), "host": "http://127.0.0.1:9", **options}
    validated = ArgumentSpecValidator(ARGUMENTS).validate(given)
    assert not validated.error_messages, validated.error_messages
    return run_module(validated.validated_parameters, check_mode=check_mode)


@pytest.mark.parametrize("state", ["started", "foreground"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"http_address": "localhost"}, "http_address: 'localhost'; allowed are IP addresses, such as 127.0.0.1"),
        ({"http_port": 65_536}, "http_port: 65536 is not allowed; it must be 1 to 65,535, or 0 for none"),
        ({"metrics_file": "/x/y.txt"}, "metrics_file: '/x/y.txt'; allowed are names that end with .prom"),
        ({"metrics_interval": 0}, "metrics_interval: 0.0 is not allowed; it must be 0.1 to 3,600"),
        ({"resync_interval": -1}, "resync_interval: -1.0 is not allowed; it must be 1 to 86,400"),
        ({"max_events": -1}, "max_events: -1 is not allowed"),
        ({"max_seconds": float("nan")}, "max_seconds: nan is not allowed"),
        ({"min_age": "soon"}, "min_age: 'soon'; allowed is"),
        ({"namespaces": ["A"]}, "namespaces: 'A'; allowed are"),
        ({"dest": ""}, "dest: is empty"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, state: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ModuleFailed) as caught:
        watch(**{"dest": tmp_path, "state": state, **options})
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_in_the_foreground_something_has_to_end_it(tmp_path: Path) -> None:
    with pytest.raises(ModuleFailed, match="one of them has to end the watch"):
        watch(tmp_path, state="foreground", max_seconds=0)


def test_without_prometheus_client_its_absence_is_told_and_only_if_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ModuleFailed, match=r"prometheus_client.*To install: .*'prometheus-client>=0.22.0,<1'"):
        watch(tmp_path, state="foreground", http_port=9105)
    with pytest.raises(ModuleFailed, match="the API server cannot be reached"):
        watch(tmp_path, state="foreground")


def test_an_address_that_others_can_reach_is_a_warning(tmp_path: Path) -> None:
    (warning,) = watch(tmp_path, state="stopped", http_port=9105, http_address="0.0.0.0")["warnings"]
    assert warning.startswith("http_address: 0.0.0.0 is not a loopback address")
    assert watch(tmp_path, state="stopped", http_port=9105, http_address="::1")["warnings"] == []


def test_of_one_that_was_killed_it_is_said(tmp_path: Path) -> None:
    assert watch(tmp_path / "none", state="stopped")["changed"] is False
    assert not (tmp_path / "none").exists()
    gone = Started(process=Process(pid=1, started="another time"), path="x", settings={})
    gone.save(tmp_path / ".storage_watch.process")
    answer = watch(tmp_path, state="stopped")
    assert (answer["changed"], answer["watch"]) == (False, None)
    assert "the watching process had ended before" in answer["warnings"][0]


def test_lines_are_whole_after_a_kill_and_the_file_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"type":"object"}\n{"type":"find')
    lines = Lines(file, max_bytes=1_000)
    lines.add("part", part="pods", text="<b>\n")
    lines.close()
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["type"] for line in found] == ["object", "part"]

    lines = Lines(file, max_bytes=1_000)
    for number in range(50):
        lines.add("object", name=f"n-{number}")
        lines.flush()
    lines.close()
    before = (tmp_path / "events.1.jsonl").read_text().splitlines()
    names = [json.loads(line)["name"] for line in [*before, *file.read_text().splitlines()] if "name" in line]
    assert names[-1] == "n-49"
    assert len(names) >= 10
    assert file.stat().st_size <= 1_100


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match=r"cannot write .*/file/events.jsonl: "):
        Lines(tmp_path / "file" / "events.jsonl")
