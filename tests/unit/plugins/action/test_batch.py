"""The action plugin reads the fragments' templates where the playbook runs, and leaves all else to the module."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context
from ansible.errors import AnsibleActionFail, AnsibleFileNotFound
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.kubestress.core.plugins.action import batch as batch_action
from ansible_collections.kubestress.core.plugins.action.batch import ActionModule
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import STILL_AT_WORK
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import next_attempt, read_json, write_json
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
                raise AnsibleFileNotFound(file_name=name, paths=[str(path)])
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
    with pytest.raises(AnsibleActionFail, match=r"fragments: template none\.j2: there is no such file") as caught:
        arguments(tmp_path, fragments=[{"role": "one", "steps": [[{"template": "none.j2"}]]}])
    places = [tmp_path / "none.j2", Path.cwd() / "templates" / "none.j2", Path.cwd() / "none.j2"]
    assert str(caught.value).endswith("looked for " + ", ".join(str(place) for place in places))


def test_a_template_is_found_beside_the_users_playbook_and_where_they_stand(tmp_path: Path, monkeypatch):
    stands, playbooks = tmp_path / "stands", tmp_path / "playbooks"
    for folder in (stands, playbooks / "templates"):
        folder.mkdir(parents=True)
    (playbooks / "site.yml").touch()
    (playbooks / "templates" / "a.j2").write_text("beside the playbook")
    (stands / "b.j2").write_text("where the user stands")
    monkeypatch.chdir(stands)
    given = ImmutableDict(args=("kubestress.core.stress", str(playbooks / "site.yml")))
    monkeypatch.setattr(context, "CLIARGS", given)
    steps = [[{"template": "a.j2"}, {"template": "b.j2"}]]
    found = arguments(tmp_path / "nowhere", fragments=[{"role": "one", "steps": steps}])
    contents = [item["content"] for item in found["fragments"][0]["steps"][0]]
    assert contents == ["beside the playbook", "where the user stands"]


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


@pytest.mark.parametrize("there", [False, True])
def test_the_folder_of_a_run_has_to_be_on_the_host_that_writes_there(monkeypatch, shown, tmp_path, there):
    folder = next_attempt(tmp_path, "r1")
    folder.write_run({"schema": 1})
    looked = []

    def stat(self, path, _variables, **_options):
        looked.append(path)
        return {"exists": there}

    monkeypatch.setattr(ActionModule, "_execute_remote_stat", stat)
    arguments = {"results_dir": str(folder.attempt_dir)}
    if there:
        assert not run(found=FOUND, arguments=arguments, transport="ssh")["failed"]
    else:
        with pytest.raises(AnsibleActionFail, match=f"results_dir: {folder.attempt_dir} is not on the host"):
            run(found=FOUND, arguments=arguments, transport="ssh")
    assert looked == [f"{folder.attempt_dir}/run.json"]


@pytest.mark.parametrize("where", SILENT, ids=str)
def test_without_progress_it_is_shown_at_the_end_and_kept_with_the_run(monkeypatch, shown, tmp_path, where):
    monkeypatch.setattr(ActionModule, "_execute_remote_stat", lambda *_arguments, **_options: {"exists": True})
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


def test_what_run_json_has_is_not_returned_by_a_task_that_fails(shown, tmp_path):
    folder = next_attempt(tmp_path, "r1")
    folder.write_run({"schema": 1})
    refused = {**FOUND, "problems": ["x" * 900] * 20}
    result = run(found=refused, failed=True, arguments={"results_dir": str(folder.attempt_dir)})
    assert "preflight" not in result


def test_how_to_report_and_clean_up_is_shown_before_the_load(monkeypatch):
    lines: list[Line] = []
    monkeypatch.setattr(batch_action, "show_lines", lambda shown, *, at_once: lines.extend(shown if at_once else ()))
    play: dict[str, Any] = {"kubestress_run": {"run_id": "r1", "log_file": ""}, "kubestress_context": "here"}
    play["kubestress_settings"] = {"run_results_dir": "kubestress-results"}
    act(ActionModule, {"run_id": "r1"}, task_vars=play, check_mode=True)
    act(ActionModule, {"run_id": "r1"})
    assert lines == []
    act(ActionModule, {"run_id": "r1"}, task_vars=play)
    assert [line.text for line in lines] == [
        "  run r1; should it be interrupted:",
        "  report    ansible-playbook kubestress.core.report -e run_id=r1",
        "  clean up  ansible-playbook kubestress.core.cleanup -e run_id=r1 -e kubestress_context=here",
    ]


def test_the_result_of_a_failed_task_is_short_where_files_have_the_rest(shown, tmp_path):
    rows = [{"name": f"web-{number}", "message": "x" * 9000, "attempts": 1} for number in range(20)]

    def execute(**_options: Any) -> dict[str, Any]:
        found = {"failed": True, "first_failures": list(rows), "not_ready": [{"name": "web-1", "cause": "y" * 9000}]}
        pods = {"failed": 2, "startup": {"job": {"total": "x" * 9000}}, "worst": ["x" * 9000]}
        return {**found, "pods": pods, "requests": {"create": {"Job": "x" * 9000}}}

    _given, short = act(ActionModule, {"run_id": "r1", "results_dir": str(tmp_path)}, execute=execute)
    assert [row["name"] for row in short["first_failures"]] == [f"web-{number}" for number in range(5)]
    assert short["pods"] == {"failed": 2}
    assert len(str(short)) < 3000
    _given, whole = act(ActionModule, {"run_id": "r1"}, execute=execute)
    assert whole["first_failures"] == rows
    assert whole["pods"].keys() == {"failed", "startup", "worst"}


# -- a batch whose process was killed ----------------------------------------------------------------------------------

KILLED = {"failed": True, "msg": "Module result deserialization failed.", "module_stdout": "", "rc": 137}
#: How its cause begins.
CAUSE = "the module's process was killed by SIGKILL (exit code 137)"


def killed(folder: Path | None, *, wrote: bool = True, **where: Any) -> dict[str, Any]:
    """Return the result of a batch that was killed, after it wrote a snapshot into its folder."""

    def execute(**_options: Any) -> dict[str, Any]:
        if folder is not None and wrote:
            snapshot = {"schema": 1, "finished": None, "aborted": STILL_AT_WORK, "objects": {"Job": {"created": 3}}}
            write_json(folder / "batches" / "002-jobs.json", snapshot)
        return dict(KILLED)

    arguments = {"results_dir": str(folder)} if folder else {}
    return act(ActionModule, arguments, execute=execute, **where)[1]


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Return a results folder with the measurements of an earlier batch that was cut short as well."""
    (tmp_path / "batches").mkdir()
    write_json(tmp_path / "batches" / "001-configs.json", {"schema": 1, "finished": None, "aborted": STILL_AT_WORK})
    return tmp_path


def test_the_last_measurements_of_a_killed_batch_say_why_they_are_the_last(earlier: Path) -> None:
    result = killed(earlier)
    assert result["aborted"].startswith(CAUSE)
    assert result["msg"].startswith(f"kubestress.core.batch: {CAUSE}")
    assert result["msg"].endswith(
        f"; its files are in {earlier}, its measurements up to its last snapshot in batches/002-jobs.json"
    )
    kept = read_json(earlier / "batches" / "002-jobs.json")
    assert (kept["aborted"], kept["finished"]) == (result["aborted"], None)
    assert kept["objects"] == {"Job": {"created": 3}}
    assert read_json(earlier / "batches" / "001-configs.json")["aborted"] == STILL_AT_WORK


def test_a_batch_that_was_killed_before_it_wrote_anything(earlier: Path) -> None:
    message = killed(earlier, wrote=False)["msg"]
    assert message.endswith(f"; its files are in {earlier}, its measurements not written yet")


def test_a_killed_batch_without_a_folder() -> None:
    assert killed(None)["msg"].endswith("; without results_dir, nothing that it measured is left")


def test_the_files_of_a_batch_on_another_host_are_named_and_not_looked_for_here(earlier: Path) -> None:
    message = killed(earlier, wrote=False, transport="ssh")["msg"]
    assert message.endswith(f"; what it measured is in {earlier} on the host that it ran on")


def test_measurements_that_cannot_be_marked_do_not_hide_the_death(earlier: Path) -> None:
    def execute(**_options: Any) -> dict[str, Any]:
        (earlier / "batches" / "002-jobs.json").write_text("{")
        return dict(KILLED)

    message = act(ActionModule, {"results_dir": str(earlier)}, execute=execute)[1]["msg"]
    assert CAUSE in message
    assert "002-jobs.json is not valid JSON" in message
