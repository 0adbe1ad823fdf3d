"""The observer: what its parts read is in the file at any time, and nothing that fails in them reaches the load."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.kubestress.core.plugins.module_utils.observe import observer as room
from ansible_collections.kubestress.core.plugins.module_utils.observe.arguments import Intervals
from ansible_collections.kubestress.core.plugins.module_utils.observe.observer import ObservationFile, Observer, bounded
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError


class Reading:
    """A part that notes its steps; `faults` names the steps that fail, and with what."""

    def __init__(self, key: str = "reading", **faults: Exception) -> None:
        self.key = key
        self.faults = faults
        self.steps: list[str] = []
        self.warnings: list[str] = []
        self.rounds = asyncio.Event()

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.faults:
            raise self.faults[name]

    async def begin(self) -> None:
        self._step("begin")

    async def run(self) -> None:
        self._step("run")
        self.rounds.set()
        await asyncio.Event().wait()

    async def end(self) -> None:
        self._step("end")

    def document(self) -> dict[str, Any]:
        if "document" in self.faults:
            raise self.faults["document"]
        return {self.key: {"steps": list(self.steps)}}


class Hanging(Reading):
    """A part whose first reading never comes."""

    async def begin(self) -> None:
        await asyncio.Event().wait()


def observer(tmp_path: Path, *parts: Any, wanted: bool = True) -> tuple[Observer, Path]:
    file = ObservationFile(tmp_path, "load")
    made = Observer(parts, run_id="r", name="load", intervals=Intervals(), file=file if wanted else None)
    return made, file.path


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


async def test_the_file_has_the_readings_before_while_and_after(tmp_path: Path) -> None:
    part, other = Reading(), Reading("other")
    made, path = observer(tmp_path, part, other)
    async with made.beside():
        first = read(path)
        assert first["finished"] is None
        assert first["reading"] == {"steps": ["begin"]}
        await part.rounds.wait()
    last = read(path)
    assert last["finished"] is not None
    assert last["reading"] == {"steps": ["begin", "run", "end"]} == last["other"]
    assert (last["schema"], last["run_id"], last["name"]) == (1, "r", "load")
    assert last["interval"] == {"api_seconds": 15.0, "node_seconds": 5.0}
    assert last["warnings"] == []


async def test_a_killed_process_leaves_what_was_written_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_WRITE_SECONDS", 0.01)
    part = Reading()
    made, path = observer(tmp_path, part)
    async with made.beside(), asyncio.timeout(120):
        await part.rounds.wait()
        while "run" not in read(path)["reading"]["steps"]:
            await asyncio.sleep(0.01)
        assert read(path)["finished"] is None


@pytest.mark.parametrize("step", ["begin", "run", "end", "document"])
async def test_a_fault_in_a_part_is_a_warning_and_the_others_go_on(tmp_path: Path, step: str) -> None:
    broken, sound = Reading("broken", **{step: KeyError("gauge")}), Reading("sound")
    made, path = observer(tmp_path, broken, sound)
    async with made.beside():
        await sound.rounds.wait()
    document = read(path)
    assert document["sound"] == {"steps": ["begin", "run", "end"]}
    (warning,) = document["warnings"]
    assert f"Reading.{step} failed" in warning
    assert "KeyError('gauge')" in warning
    assert made.warnings == [warning]


async def test_a_refusal_is_told_in_the_servers_words(tmp_path: Path) -> None:
    made, path = observer(tmp_path, Reading(begin=Forbidden("u may not get /metrics")))
    async with made.beside():
        pass
    (warning,) = read(path)["warnings"]
    assert warning.endswith(": u may not get /metrics")


async def test_a_part_that_hangs_does_not_hold_up_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_EDGE_SECONDS", 0.05)
    made, path = observer(tmp_path, Hanging())
    async with asyncio.timeout(120), made.beside():
        pass
    (warning,) = read(path)["warnings"]
    assert "no answer within 0.05 s" in warning


async def test_the_loads_own_failure_stays_its_own_and_the_end_is_read_all_the_same(tmp_path: Path) -> None:
    part = Reading()
    made, path = observer(tmp_path, part)
    with pytest.raises(ZeroDivisionError):
        async with made.beside():
            raise ZeroDivisionError
    assert read(path)["reading"]["steps"][-1] == "end"


async def test_without_a_file_nothing_is_asked(tmp_path: Path) -> None:
    part = Reading()
    made, path = observer(tmp_path, part, wanted=False)
    async with made.beside():
        pass
    assert part.steps == []
    assert not path.exists()


async def test_a_full_disk_is_said_once(tmp_path: Path) -> None:
    made, path = observer(tmp_path, Reading())
    path.mkdir()  # no document can take the place of a folder
    async with made.beside():
        made.write()
    (warning,) = made.warnings
    assert str(path) in warning


def test_files_are_numbered_after_those_that_are_there(tmp_path: Path) -> None:
    first = ObservationFile(tmp_path, "a")
    first.write({})
    second = ObservationFile(tmp_path, "a")
    assert [first.path.name, second.path.name] == ["001-a.json", "002-a.json"]
    second.write({})
    first.path.unlink()
    assert ObservationFile(tmp_path, "b").path.name == "003-b.json"


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        (
            "api_interval",
            0.5,
            "api_interval: 0.5 is not allowed; it must be 1 to 3,600, or 0 for only before and after",
        ),
        ("node_interval", -1.0, "node_interval: -1.0 is not allowed; it must be 1 to 3,600, or 0 for never"),
    ],
)
def test_intervals_out_of_range_are_refused(option: str, value: float, told: str) -> None:
    options = {"api_interval": 15.0, "node_interval": 0.0, "events": True, option: value}
    with pytest.raises(SettingError) as caught:
        Intervals.of(options, prefix="observe.")
    assert str(caught.value) == f"observe.{told}"


def test_what_goes_back_to_ansible_has_no_series_and_few_rows() -> None:
    document = {"sli": [{"verb": "GET", "buckets": {"1": 2}}] * 50, "series": {"t": [1]}, "skew": None}
    assert bounded(document) == {"sli": [{"verb": "GET"}] * 10, "skew": None}
