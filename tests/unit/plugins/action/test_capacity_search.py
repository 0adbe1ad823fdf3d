"""The action from the first task to the last, on files of runs; and what it refuses before there is any."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.kubestress.core.plugins.action import capacity_search as action
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils.search_files import OWNER_FILE
from helpers import example_page

Act = Callable[..., dict[str, Any]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def show(found: list[Line]) -> None:
        lines.extend(line.text for line in found)

    monkeypatch.setattr(action, "show_lines", show)
    return lines


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> Act:
    """A function that runs the action on variables; those of `extra` are extra vars."""
    extra_vars: dict[str, Any] = {}
    monkeypatch.setattr(action, "load_extra_vars", lambda _loader: extra_vars)

    def run_action(
        state: str, variables: dict[str, Any] | None = None, *, check_mode: bool = False, **arguments: Any
    ) -> dict[str, Any]:
        extra_vars.clear()
        extra_vars.update(variables or {})
        loader = DataLoader()
        task_vars = {"run_results_dir": str(tmp_path), "profile": "smoke", **extra_vars}
        task = SimpleNamespace(
            args={"state": state, **arguments},
            async_val=0,
            check_mode=check_mode,
            diff=False,
            action="kubestress.core.capacity_search",
        )
        connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
        templar = Templar(loader=loader, variables=task_vars)
        return action.ActionModule(task, connection, SimpleNamespace(), loader, templar, None).run(task_vars=task_vars)

    return run_action


def write_run(folder: Path, run_id: str, *, verdict: str = "passed", run: dict[str, Any] | None = None) -> None:
    """The files of a run that the role would have made."""
    attempt = folder / run_id / "attempts" / "1"
    (attempt / "batches").mkdir(parents=True)
    summary = example_page.summary_document(run_id=run_id, verdict=verdict, reasons=["Job: 1 of 4 failed"])
    summary["pods"] |= {"failed": 0, "causes": {}}
    summary["nodes"] = None
    if verdict == "failed":
        summary["pods"] |= {"failed": 2, "causes": {"OOMKilled": 2}}
    (attempt / "summary.json").write_text(json.dumps(summary))
    (attempt / "run.json").write_text(json.dumps(run or example_page.run_document(run_id=run_id)))
    if run is None:
        batch = {"schema": 1, "started": summary["started"], "finished": summary["finished"]}
        (attempt / "batches" / "1.json").write_text(json.dumps(batch))


def test_from_the_first_task_to_the_last(act: Act, tmp_path: Path, shown: list[str]) -> None:
    given = {"capacity_id": "s1", "capacity_steps": "3,5", "capacity_settle": "7"}
    found = act("begun", given)
    assert (found["next"]["run_id"], found["rounds"], found["changed"]) == ("s1-3", 2, True)
    assert found["next"]["values"] == {
        "run_id": "s1-3",
        "cleanup_on_completion": False,
        "namespaces_prefix": "deploy-test-3",
        "build_jobs_parallelism": 3,
    }
    assert shown[0].startswith("── capacity s1: build_jobs_parallelism 3 ──")
    assert 'http-equiv="refresh"' in (tmp_path / "capacity-s1" / "capacity.html").read_text()

    write_run(tmp_path, "s1-3")
    assert act("judged", given, capacity_id="s1", run_id="s1-3")["settle"] == 7
    assert act("closed", given, capacity_id="s1", run_id="s1-3")["next"]["run_id"] == "s1-5"
    write_run(tmp_path, "s1-5", verdict="failed")
    assert act("judged", given, capacity_id="s1", run_id="s1-5")["settle"] == 0, "nothing comes after it"
    assert act("closed", given, capacity_id="s1", run_id="s1-5")["next"] is None

    ended = act("ended", given, capacity_id="s1")
    assert (ended["answered"], ended["highest_safe"], ended["broke_at"]) == (True, 3, 5)
    assert ended["cause"].startswith("2 failed pods (2 × OOMKilled); 0 are allowed; the run failed: Job: 1 of 4 failed")
    assert ended["ansible_stats"]["data"]["kubestress_capacity"]["highest_safe"] == 3
    assert 'http-equiv="refresh"' not in (tmp_path / "capacity-s1" / "capacity.html").read_text()

    again = act("begun", given)
    assert (again["next"], again["rounds"], again["changed"], again["answered"]) == (None, 0, False, True)


def test_a_run_that_preflight_refused(act: Act, tmp_path: Path) -> None:
    given = {"capacity_id": "s1", "capacity_steps": "3,5"}
    act("begun", given)
    preflight = {"problems": ["pods at peak: 50 needed, 40 offered"], "rows": []}
    write_run(tmp_path, "s1-3", verdict="aborted", run=example_page.run_document(preflight=preflight))
    act("judged", given, capacity_id="s1", run_id="s1-3")
    found = act("closed", given, capacity_id="s1", run_id="s1-3")
    assert (found["next"], found["answered"]) == (None, False)
    assert found["message"] == "preflight refused 3. pods at peak: 50 needed, 40 offered"


def test_a_run_that_was_not_measured(act: Act, tmp_path: Path) -> None:
    given = {"capacity_id": "s1", "capacity_steps": "3,5"}
    act("begun", given)
    write_run(tmp_path, "s1-3", verdict="aborted", run=example_page.run_document(run_id="s1-3"))
    act("judged", given, capacity_id="s1", run_id="s1-3")
    found = act("closed", given, capacity_id="s1", run_id="s1-3")
    assert (found["next"], found["answered"], found["steps"][0]["verdict"]) == (None, False, "unknown")


def test_what_ended_the_play_is_kept(act: Act, tmp_path: Path) -> None:
    given = {"capacity_id": "s1"}
    act("begun", given)
    found = act("broken_off", given, capacity_id="s1", error="cleanup: namespaces are still there")
    assert found["message"] == "the search is not finished. cleanup: namespaces are still there"
    assert json.loads((tmp_path / "capacity-s1" / "capacity.json").read_text())["state"] == "broken off"
    assert act("begun", given)["next"]["clean_first"] is True


def test_check_mode_writes_nothing_and_names_every_run(act: Act, tmp_path: Path, shown: list[str]) -> None:
    found = act("begun", {"capacity_id": "s1", "capacity_runs": 2}, check_mode=True)
    assert [one["run_id"] for one in found["plan"]] == [
        "s1-3", "s1-3-r2", "s1-5", "s1-5-r2", "s1-8", "s1-8-r2", "s1-10", "s1-10-r2",
    ]  # fmt: skip
    checks = [{"run_id": "s1-3", "label": "3", "error": "", "preflight": {}}]
    act("planned", {"capacity_id": "s1"}, capacity_id="s1", checks=checks, check_mode=True)
    assert any("check mode: nothing is created" in line for line in shown)
    assert list(tmp_path.iterdir()) == []


def test_a_new_search_has_a_name_of_its_own(act: Act) -> None:
    assert act("begun")["capacity_id"] != act("begun")["capacity_id"]


def test_namespaces_that_are_listed_keep_their_names(act: Act) -> None:
    found = act("begun", {"namespaces_names": "team-a,team-b"})
    assert "namespaces_prefix" not in found["next"]["values"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"capacity_steps": "3,many"}, "capacity_steps: entry 2, 'many', is not a whole number"),
        ({"capacity_steps": []}, "capacity_steps: there is none"),
        (
            {"capacity_steps": '[{"namespaces_total": 0}]'},
            "capacity_steps: entry 1: namespaces_total: 0 is not allowed",
        ),
        ({"capacity_knob": "build_jobs_paralelism"}, "capacity_knob: 'build_jobs_paralelism' is a variable of no role"),
        ({"capacity_runs": "0"}, "capacity_runs: 0 is not allowed; it must be 1 to 100"),
        ({"capacity_stepps": "3"}, "capacity_stepps: no role of kubestress.core has such a variable; did you mean"),
        ({"run_id": "mine"}, "run_id: a search gives each of its runs an id of its own; capacity_id names the search"),
        ({"build_jobs_parallelism": 4}, "build_jobs_parallelism: 4 is given, and it is what the steps of the search"),
        ({"namespaces_total": "x"}, "namespaces_total: 'x' is not a whole number"),
        ({"namespaces_prefix": "a" * 60}, "namespaces_prefix: '" + "a" * 60 + "-3' is 62 characters long"),
        (
            {
                "capacity_knob": "build_jobs_active_per_namespace",
                "capacity_steps": "1,9",
                "build_jobs_per_namespace": 4,
            },
            "build_jobs_active_per_namespace: 9 is more than build_jobs_per_namespace, 4; 1 to 4, or 0 for all (from",
        ),
        (
            {"capacity_knob": "namespaces_total", "capacity_steps": "1", "namespaces_names": "a"},
            "capacity_knob: namespaces_total has no effect where namespaces_names lists the namespaces",
        ),
        ({"run_profile_required": True, "profile": ""}, "profile: none is given; -e profile=NAME with one of"),
    ],
)
def test_refused_in_one_line_before_anything_is_written(
    act: Act, tmp_path: Path, given: dict[str, Any], told: str
) -> None:
    found = act("begun", given)
    assert found["failed"] is True
    assert told in found["msg"]
    assert "\n" not in found["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_search_with_another_load_is_refused(act: Act) -> None:
    act("begun", {"capacity_id": "s1"})
    found = act("begun", {"capacity_id": "s1", "namespaces_total": 7})
    assert found["msg"].startswith("capacity_id: the search s1 began with other settings of the load")


def test_a_search_that_another_playbook_still_runs_is_refused(act: Act, tmp_path: Path) -> None:
    """The other playbook is a process of its own, which has noted itself as the search's."""
    act("begun", {"capacity_id": "s1"})
    before = (tmp_path / "capacity-s1" / "capacity.json").read_bytes()
    with subprocess.Popen(["sleep", "600"]) as other:
        process = Process.of(other.pid)
        assert process is not None
        process.save(tmp_path / "capacity-s1" / OWNER_FILE)
        found = act("begun", {"capacity_id": "s1"})
        assert found["msg"] == (
            f"capacity_id: the search s1 is still run by another playbook, process {other.pid}; let it end, or give "
            "this one another capacity_id"
        )
        assert (tmp_path / "capacity-s1" / "capacity.json").read_bytes() == before
        assert "failed" not in act("begun", {"capacity_id": "s1"}, check_mode=True)
        other.kill()
    assert "failed" not in act("begun", {"capacity_id": "s1"})


def test_a_folder_that_cannot_be_written_to_is_named(act: Act, tmp_path: Path) -> None:
    folder = tmp_path / "capacity-s1"
    (folder / f"{OWNER_FILE}.lock").mkdir(parents=True)
    assert act("begun", {"capacity_id": "s1"})["msg"] == f"cannot write to the results folder {folder}: Is a directory"


def test_a_file_that_vanished_is_named(act: Act, tmp_path: Path) -> None:
    found = act("ended", capacity_id="gone")
    assert found["msg"] == (
        f"{tmp_path / 'capacity-gone' / 'capacity.json'} is gone; something else removed it during the search"
    )
