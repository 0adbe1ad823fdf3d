"""The action: what it returns and writes, in each of its modes, and that it writes nothing when it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible.template
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.kubestress.core.plugins.action import settings as action
from ansible_collections.kubestress.core.plugins.module_utils.syntax import is_dns_label


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the action on variables, with their results folder under tmp_path."""
    extra_vars: dict[str, Any] = {}
    monkeypatch.setattr(action, "load_extra_vars", lambda _loader: extra_vars)
    monkeypatch.chdir(tmp_path)

    def run_action(variables: dict[str, Any], *, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
        loader = DataLoader()
        task_vars = {"run_results_dir": str(tmp_path / "results"), **variables}
        task = SimpleNamespace(
            args=arguments, async_val=0, check_mode=check_mode, diff=False, action="kubestress.core.settings"
        )
        connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
        templar = Templar(loader=loader, variables=task_vars)
        return action.ActionModule(task, connection, SimpleNamespace(), loader, templar, None).run(task_vars=task_vars)

    return run_action


def test_new_run(run, tmp_path):
    result = run({"profile": "safe", "namespaces_total": "3", "run_id": ""})
    assert not result.get("failed"), result
    assert result["changed"] is True
    assert result["settings"]["namespaces_total"] == 3
    assert result["settings"]["deployments_per_namespace"] == 3
    assert is_dns_label(result["run"]["run_id"])
    assert result["settings"]["run_id"] == result["run"]["run_id"]
    root = tmp_path / "results" / result["run"]["run_id"]
    assert result["run"]["results_dir"] == str(root)
    assert result["run"]["attempt_dir"] == str(root / "attempts" / "1")
    document = json.loads((root / "run.json").read_text())
    assert {name: document[name] for name in ("schema", "run_id", "attempt", "profile", "settings_hash")} == {
        "schema": 1,
        "run_id": result["run"]["run_id"],
        "attempt": 1,
        "profile": "safe",
        "settings_hash": result["run"]["settings_hash"],
    }
    assert document["settings"] == result["settings"]
    assert set(document["versions"]) == {"ansible", "collection", "python"}
    assert f"run {result['run']['run_id']}, attempt 1, profile safe" in (root / "attempts/1/run.log").read_text()


def test_the_same_run_id_again_is_the_next_attempt(run):
    assert [run({"run_id": "r"})["run"]["attempt"] for _time in range(3)] == [1, 2, 3]


def test_no_id_twice(run):
    assert run({})["run"]["run_id"] != run({})["run"]["run_id"]


def test_check_mode_writes_nothing(run, tmp_path):
    result = run({"run_id": "r"}, check_mode=True)
    assert (result["changed"], result["run"]["attempt"]) == (False, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({"namespaces_total": "abc"}, ["namespaces_total: 'abc' is not a whole number"]),
        ({"profile": "sfae"}, ["profile: 'sfae' is unknown; did you mean safe?"]),
        ({"run_profile_required": True}, ["profile: none is given"]),
        (
            {"namespaces_total": 0, "run_id": "A", "deployments_replica": 1},
            [
                "3 settings are refused, and nothing was created:",
                "namespaces_total: 0 is not allowed",
                "run_id: 'A' is not allowed",
                "deployments_replica: no role of kubestress.core has such a variable; did you mean deployments_",
            ],
        ),
    ],
)
def test_refused(run, tmp_path, variables, lines):
    result = run(variables)
    assert result["failed"] is True
    told = result["msg"].splitlines()
    assert len(told) == len(lines)
    assert all(line.startswith(expected) for line, expected in zip(told, lines, strict=True))
    assert list(tmp_path.iterdir()) == []


def test_error_in_the_users_template_names_the_variable(run):
    trust = getattr(ansible.template, "trust_as_template", str)  # before 2.19 all text is a template
    result = run({"build_jobs_ttl": trust("{{ nope }}"), "profile": "safe"})
    assert result["msg"].startswith("build_jobs_ttl: ")
    assert "nope" in result["msg"]
    assert run({"profile": trust("{{ nope }}")})["msg"].startswith("profile: ")


def test_results_folder_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").touch()
    result = run({"run_results_dir": str(tmp_path / "file"), "run_id": "r"})
    assert result["failed"] is True
    assert result["msg"].startswith(f"cannot create the results folder {tmp_path}/file/r: ")


def test_log_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").touch()
    result = run({"run_log_file": str(tmp_path / "file" / "log")})
    assert result["msg"].startswith(f"run_log_file: cannot write {tmp_path}/file/log: ")


def test_current_goes_on_with_other_settings(run):
    first = run({"run_id": "r"}, attempt="current")
    again = run({"kubestress_run": first["run"], "deployments_replicas": 2}, attempt="current")
    assert again["settings"]["run_id"] == "r"
    assert {**again["run"], "settings_hash": ""} == {**first["run"], "settings_hash": ""}
    assert again["run"]["settings_hash"] != first["run"]["settings_hash"]
    other = run({"kubestress_run": first["run"], "run_id": "s"}, attempt="current")
    assert (other["run"]["run_id"], other["run"]["attempt"]) == ("s", 1)


def test_latest_is_the_attempt_that_is_there(run, tmp_path):
    made = [run({"run_id": "r", "profile": "safe"}) for _time in range(2)][-1]
    latest = run({"run_id": "r"}, attempt="latest")
    assert latest["run"] == made["run"]
    assert latest["changed"] is False
    assert sorted(path.name for path in (tmp_path / "results" / "r" / "attempts").iterdir()) == ["1", "2"]
    assert run({"run_id": "none"}, attempt="latest")["msg"] == f"run_id: there is no run 'none' in {tmp_path}/results"
    assert run({}, attempt="latest")["msg"].startswith("run_id: none is given")


def test_without_an_attempt_there_is_an_id_and_nothing_is_written(run, tmp_path):
    named = run({"run_id": "r", "profile": "safe"}, attempt="none")
    assert (named["changed"], named["run"]["run_id"], named["run"]["attempt"]) == (False, "r", 0)
    assert {named["run"][name] for name in ("results_dir", "attempt_dir", "log_file")} == {""}
    assert is_dns_label(run({}, attempt="none")["run"]["run_id"])
    assert not (tmp_path / "results").exists()
    # A role that loads the cluster after all begins an attempt.
    begun = run({"kubestress_run": named["run"], "run_id": "r"}, attempt="current")
    assert begun["run"]["attempt"] == 1


def test_environment_and_profile_count(run, monkeypatch):
    monkeypatch.setenv("TOTAL_NAMESPACES", "4")
    settings = run({"profile": "safe"})["settings"]
    assert (settings["namespaces_total"], settings["namespaces_parallel"]) == (4, 10)
    assert settings["build_jobs_completions"] == 10
    monkeypatch.setenv("TOTAL_NAMESPACES", "x")
    assert "(from the environment variable TOTAL_NAMESPACES;" in run({"profile": "safe"})["msg"]


def test_what_the_environment_gives_is_listed_at_the_start_and_in_the_log(run, monkeypatch, capsys):
    monkeypatch.setenv("TOTAL_NAMESPACES", "4")
    monkeypatch.setenv("LOG_LEVEL", "warn")
    monkeypatch.setenv("NAMESPACE_PREFIX", "unused")
    first = run({"namespaces_prefix": "mine"})
    line = "from the environment: LOG_LEVEL (run_log_level: WARNING), TOTAL_NAMESPACES (namespaces_total: 4)"
    assert capsys.readouterr().out.count(line) == 1
    monkeypatch.delenv("LOG_LEVEL")
    logged = run({"run_id": "r"})
    assert "TOTAL_NAMESPACES (namespaces_total: 4)" in Path(logged["run"]["log_file"]).read_text()
    capsys.readouterr()
    run({"kubestress_run": first["run"]}, attempt="current")
    assert "from the environment" not in capsys.readouterr().out, "only once for each run"


@pytest.mark.parametrize("where", ["variable", "profile"])
def test_a_switch_leaves_the_environment_out(run, monkeypatch, capsys, tmp_path, where):
    monkeypatch.setenv("TOTAL_NAMESPACES", "x")
    (tmp_path / "mine.yml").write_text("run_environment: 'no'\nnamespaces_parallel: 2\n")
    given = {"run_environment": "false"} if where == "variable" else {"profile": "mine.yml"}
    assert run(given)["settings"]["namespaces_total"] == 100
    assert "from the environment" not in capsys.readouterr().out
    assert run({"run_environment": "maybe"})["msg"].startswith("run_environment: 'maybe' is not true or false")


def test_a_role_alone_opens_no_run(run, tmp_path):
    result = run({"run_id": "r", "cleanup_timeout": "30"}, role="cleanup")
    assert (result["changed"], result["settings"]["cleanup_timeout"]) == (False, 30)
    assert "run" not in result
    assert list(tmp_path.iterdir()) == []
    assert run({"cleanup_timeout": "30"}, role="cleanup")["msg"].startswith("run_id: none is given")


def test_secrets_of_a_role_are_checked_and_not_told(run):
    key = "1-abcSECRET"
    result = run({"storage_truenas": f'{{"url": "wss://nas", "api_key": "{key}"}}'}, role="storage")
    assert not result.get("failed"), result
    assert result["settings"]["storage_min_age"] == "24h"
    assert "storage_truenas" not in result["settings"]
    assert key not in str(result)
    refused = run({"storage_truenas": f"{key}, and more"}, role="storage")
    assert refused["msg"] == "storage_truenas: its value is not names with values (a dictionary, or its JSON)"


def test_a_playbook_has_defaults_of_its_own_that_everything_else_wins_over(run, monkeypatch):
    own = {"namespaces_total": 1, "accelerator_jobs_enabled": True, "build_jobs_per_namespace": 7, "run_id": "mine"}
    monkeypatch.setenv("TOTAL_NAMESPACES", "5")
    given = {"profile": "safe", "accelerator_jobs_enabled": "false"}
    settings = run(given, attempt="none", defaults=own)["settings"]
    assert (settings["namespaces_total"], settings["accelerator_jobs_enabled"]) == (5, False)
    assert settings["build_jobs_per_namespace"] == 20  # the profile's
    assert settings["run_id"] == "mine"
    monkeypatch.delenv("TOTAL_NAMESPACES")
    assert run({}, attempt="none", defaults=own)["settings"]["namespaces_total"] == 1
