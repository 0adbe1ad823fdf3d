"""Where settings come from, and that text counts as what it says: real ansible-playbook runs, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import RUN_SETTINGS

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Settle the run
      ansible.builtin.import_role:
        name: kubestress.core.run
        rolespec_validate: false
    - name: Show it to the test
      ansible.builtin.copy:
        content: "{{ {'settings': kubestress_settings, 'run': kubestress_run} | to_json }}"
        dest: "{{ shown_file }}"
        mode: "0600"
"""
#: Old environment variable -> (text in it, role variable, its value).
ENVIRONMENT = {
    "TOTAL_NAMESPACES": ("3", "namespaces_total", 3),
    "NAMESPACE_PARALLEL": ("4", "namespaces_parallel", 4),
    "NAMESPACE_PREFIX": ("mine", "namespaces_prefix", "mine"),
    "NAMESPACE_READY_TIMEOUT": ("61", "namespaces_ready_timeout", 61),
    "DEPLOYMENTS_PER_NS": ("5", "deployments_per_namespace", 5),
    "DEPLOYMENT_READY_TIMEOUT": ("601", "deployments_ready_timeout", 601),
    "SERVICE_ENABLED": ("true", "deployments_service_enabled", True),
    "CURL_TEST_ENABLED": ("True", "connectivity_enabled", True),
    "CURL_TEST_INTERVAL": ("31", "connectivity_interval", 31),
    "CURL_TEST_COUNT": ("11", "connectivity_count", 11),
    "STATEFULSET_ENABLED": ("false", "statefulsets_enabled", False),
    "STATEFULSET_REPLICAS": ("2", "statefulsets_replicas", 2),
    "STATEFULSETS_PER_NS": ("6", "statefulsets_per_namespace", 6),
    "BUILD_JOB_ENABLED": ("yes", "build_jobs_enabled", True),
    "BUILDS_PER_NS": ("12", "build_jobs_completions", 12),
    "BUILD_PARALLELISM": ("7", "build_jobs_parallelism", 7),
    "BUILD_TIMEOUT": ("901", "build_jobs_timeout", 901),
    "MAX_CONCURRENT_OPERATIONS": ("51", "run_max_concurrent", 51),
    "CLEANUP_ON_COMPLETION": ("1", "cleanup_on_completion", True),
    "LOG_FILE": ("the.log", "run_log_file", "the.log"),
    "LOG_LEVEL": ("warning", "run_log_level", "WARNING"),
}

Shown = dict[str, Any]


@pytest.fixture
def settle(cluster_free_playbook, tmp_path: Path) -> Callable[..., Shown]:
    """Return a function that settles a run and returns the facts kubestress_settings and kubestress_run."""
    playbook, shown = tmp_path / "settle.yml", tmp_path / "shown.json"
    playbook.write_text(PLAYBOOK)

    def run(*arguments: str, **options: Any) -> Shown:
        done = cluster_free_playbook(playbook, *arguments, "-e", f"shown_file={shown}", cwd=tmp_path, **options)
        assert done.rc == 0, done.output
        return json.loads(shown.read_text())

    return run


def test_precedence_extra_var_inventory_environment_profile_default(settle, tmp_path: Path) -> None:
    inventory = {
        "all": {
            "hosts": {
                "localhost": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                }
            },
            "vars": {"namespaces_total": 4, "namespaces_parallel": "5", "run_seed": "{{ 2 + 1 }}"},
        }
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory))
    environment = {
        "TOTAL_NAMESPACES": "3",
        "NAMESPACE_PARALLEL": "3",
        "BUILD_PARALLELISM": "4",
        "BUILDS_PER_NS": "",
        "STATEFULSET_ENABLED": "false",
    }
    arguments = ("-i", "inventory.yml", "-e", "profile=safe", "-e", "namespaces_total=6", "-e", "build_jobs_ttl=")
    settings = settle(*arguments, env=environment)["settings"]
    assert settings["namespaces_total"] == 6, "an extra var wins over all"
    assert settings["namespaces_parallel"] == 5, "the inventory wins over the environment"
    assert settings["run_seed"] == 3, "the inventory's templates are resolved"
    assert settings["build_jobs_parallelism"] == 4, "the environment wins over the profile"
    assert settings["build_jobs_completions"] == 10, "the profile stands where the environment is empty"
    assert settings["statefulsets_enabled"] is False
    assert settings["build_jobs_ttl"] == 300, "an empty extra var is none"


def test_environment_wins_over_a_profile_for_the_number_of_namespaces(settle) -> None:
    shown = settle("-e", "profile=safe", env={"TOTAL_NAMESPACES": "3"})
    assert shown["settings"]["namespaces_total"] == 3
    assert shown["run"]["profile"] == "safe"


def test_every_old_environment_variable_is_honoured(settle, tmp_path: Path) -> None:
    settings = settle(env={name: text for name, (text, _variable, _value) in ENVIRONMENT.items()})["settings"]
    for name, (_text, variable, value) in ENVIRONMENT.items():
        assert settings[variable] == value, name
        assert type(settings[variable]) is type(value), name


def test_no_environment_variable_is_left_out_here() -> None:
    honoured = {setting.environment: setting.name for setting in RUN_SETTINGS.values() if setting.environment}
    assert honoured == {name: variable for name, (_text, variable, _value) in ENVIRONMENT.items()}


def test_a_survey_that_is_left_empty_changes_nothing(settle) -> None:
    """AWX sends every question of a survey, those left open as empty text."""
    empty = dict.fromkeys(RUN_SETTINGS, "")
    plain, surveyed = settle(), settle("-e", json.dumps({**empty, "profile": "", "kubestress_kubeconfig": ""}))
    assert surveyed["run"]["settings_hash"] == plain["run"]["settings_hash"]
    assert {**surveyed["settings"], "run_id": ""} == {**plain["settings"], "run_id": ""}


def test_all_values_as_text_are_the_same_as_typed(settle) -> None:
    """As a survey, a form or `-e name=value` give them."""
    texts = {
        name: str(setting.default)
        for name, setting in RUN_SETTINGS.items()
        if setting.type in ("int", "float", "bool") and setting.default is not None
    }
    structures = {
        "run_tolerations": json.dumps([{"key": "build", "operator": "Exists", "tolerationSeconds": "30"}]),
        "run_node_selector": json.dumps({"pool": "stress"}),
        "run_image_pull_secrets": "one, two",
        "deployments_requests": '{"cpu": "5m"}',
    }
    settings = settle("-e", json.dumps(texts | structures))["settings"]
    assert {name: settings[name] for name in texts} == {name: RUN_SETTINGS[name].default for name in texts}
    assert settings["run_tolerations"] == [{"key": "build", "operator": "Exists", "tolerationSeconds": 30}]
    assert settings["run_node_selector"] == {"pool": "stress"}
    assert settings["run_image_pull_secrets"] == ["one", "two"]
    assert settings["deployments_requests"] == {"cpu": "5m"}


def test_a_profile_of_the_users_own_beside_where_he_stands(settle, tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("namespaces_total: 8\nrun_node_selector: {pool: stress}\n")
    shown = settle("-e", "profile=mine.yml")
    assert shown["settings"]["namespaces_total"] == 8
    assert shown["settings"]["run_node_selector"] == {"pool": "stress"}
    assert shown["run"]["profile"] == "mine"


HOSTS = """
a run_id=run-a namespaces_prefix=load-a ansible_connection=local
b run_id=run-b namespaces_prefix=load-b ansible_connection=local
"""


@pytest.mark.parametrize("role", ["run", "namespaces", "preflight", "observe"])
def test_a_play_of_two_hosts_with_settings_of_their_own_is_refused(
    cluster_free_playbook, tmp_path: Path, role: str
) -> None:
    (tmp_path / "hosts.ini").write_text(HOSTS)
    playbook = tmp_path / "hosts.yml"
    playbook.write_text(f"- hosts: all\n  gather_facts: false\n  roles: [kubestress.core.{role}]\n")
    done = cluster_free_playbook(playbook, "-i", "hosts.ini", cwd=tmp_path)
    assert done.rc != 0
    told = " ".join(done.output.split())
    assert "this play has 2 hosts (a, b), and each of them would make the objects of a run; a run has one host" in told
    assert not (tmp_path / "kubestress-results").exists()


def test_each_of_two_hosts_has_its_own_run_in_a_play_of_its_own(cluster_free_playbook, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(HOSTS)
    playbook = tmp_path / "hosts.yml"
    playbook.write_text("".join(f"""
- hosts: {host}
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {{name: kubestress.core.run}}
    - ansible.builtin.debug:
        msg: "{{{{ kubestress_run.run_id }}}} in {{{{ kubestress_settings.namespaces_prefix }}}}"
""" for host in "ab"))  # fmt: skip
    done = cluster_free_playbook(playbook, "-i", "hosts.ini", cwd=tmp_path)
    assert done.rc == 0, done.output
    assert '"msg": "run-a in load-a"' in done.stdout
    assert '"msg": "run-b in load-b"' in done.stdout
    assert sorted(path.name for path in (tmp_path / "kubestress-results").iterdir()) == ["run-a", "run-b"]


def test_roles_side_by_side_are_one_run_each_with_its_own_variables(cluster_free_playbook, tmp_path: Path) -> None:
    """A variable given to the second role of a play counts, although the first one has fixed the run."""
    playbook = tmp_path / "roles.yml"
    playbook.write_text("""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: kubestress.core.run, tasks_from: current}
      vars: {namespaces_total: 2}
    - ansible.builtin.debug: {msg: "{{ kubestress_run.run_id }}/{{ kubestress_settings.namespaces_total }}"}
    - ansible.builtin.include_role: {name: kubestress.core.run, tasks_from: current}
      vars: {namespaces_total: 5}
    - ansible.builtin.debug: {msg: "{{ kubestress_run.run_id }}/{{ kubestress_settings.namespaces_total }}"}
""")
    done = cluster_free_playbook(playbook, "-e", "run_id=one", cwd=tmp_path)
    assert done.rc == 0, done.output
    assert '"msg": "one/2"' in done.stdout
    assert '"msg": "one/5"' in done.stdout
    assert [path.name for path in (tmp_path / "kubestress-results/one/attempts").iterdir()] == ["1"]
    assert json.loads((tmp_path / "kubestress-results/one/run.json").read_text())["settings"]["namespaces_total"] == 5


def test_the_action_alone_in_check_mode_writes_nothing(cluster_free_playbook, tmp_path: Path) -> None:
    playbook = tmp_path / "check" / "settings.yml"
    playbook.parent.mkdir()
    playbook.write_text("""
- hosts: localhost
  gather_facts: false
  tasks:
    - kubestress.core.settings:
      register: checked
    - ansible.builtin.debug: {msg: "{{ checked.run.attempt }}/{{ checked.settings.namespaces_total }}"}
""")
    done = cluster_free_playbook(playbook, "--check", "-e", "profile=high", cwd=tmp_path)
    assert done.rc == 0, done.output
    assert '"msg": "1/3"' in done.stdout
    assert "changed=0" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["check"]
