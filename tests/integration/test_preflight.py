"""kubestress.core.preflight, as module and role, on a real API server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import Completed

Preflight = Callable[..., Completed]


TASK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.include_role:
        name: kubestress.core.run
    - ansible.builtin.include_role:
        name: kubestress.core.run
        tasks_from: plan
    - kubestress.core.preflight: "{{ asked | combine(options) }}"
      vars:
        asked:
          run_id: "{{ kubestress_run.run_id }}"
          namespace_prefix: "{{ kubestress_settings.namespaces_prefix }}"
          namespace_total: "{{ kubestress_settings.namespaces_total }}"
          existing_namespaces: "{{ kubestress_settings.namespaces_existing }}"
          fragments: "{{ kubestress_plan }}"
      register: answer
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{ answer | to_json }}"
        dest: "{{ kept }}"
        mode: "0644"
      check_mode: false
    - ansible.builtin.fail:
        msg: "{{ answer.msg }}"
      when: answer is failed
"""


@pytest.fixture
def preflight(tmp_path: Path, ansible_playbook: Any, run_id: str, prefix: str) -> Preflight:
    """Return a function that runs the module on the roles' plan of changed settings, and with options.

    What the task returned lies in result.json of the test's folder.
    """
    book = tmp_path / "play.yml"
    book.write_text(TASK)

    def run_preflight(*arguments: str, changed: dict[str, Any] | None = None, **options: Any) -> Completed:
        variables = {
            "run_id": run_id,
            "run_results_dir": str(tmp_path / "results"),
            "namespaces_prefix": prefix,
            "namespaces_total": 2,
            "build_jobs_enabled": True,
            **(changed or {}),
            "options": options,
            "kept": str(tmp_path / "result.json"),
        }
        done: Completed = ansible_playbook(book, *arguments, extra_vars=variables)
        return done

    return run_preflight


def answer(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
    return found


def namespace(name: str, **labels: str) -> str:
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    return json.dumps(document)


@pytest.fixture
def make(kubectl: Any) -> Iterator[Callable[[str], Any]]:
    """Return a function that creates an object from JSON; what it made is deleted afterwards."""
    made: list[str] = []

    def create(document: str) -> Any:
        kubectl("create", "-f", "-", stdin=document)
        made.append(document)

    yield create
    for document in reversed(made):
        kubectl("delete", "--wait=false", "-f", "-", stdin=document)


def test_a_run_that_fits_passes_changes_nothing_and_shows_both_sides(preflight, tmp_path, kubectl):
    nodes = kubectl("get", "nodes")["items"]
    done = preflight(profile="safe")
    assert done.rc == 0, done.output
    found = answer(tmp_path)
    rows = {row["name"]: row for row in found["rows"]}
    assert not found["changed"]
    assert found["problems"] == []
    assert found["cluster"]["nodes"]["total"] == len(nodes)
    assert found["cluster"]["version"] == kubectl("get", "--raw", "/version").split('"gitVersion": "')[1].split('"')[0]
    slots = sum(int(node["status"]["allocatable"]["pods"]) for node in nodes)
    running = [pod for pod in kubectl("get", "pods", "-A")["items"] if pod["status"].get("phase") == "Running"]
    # Others may work on this cluster between the two looks.
    assert 0 < rows["pods at peak"]["offered"] <= slots
    assert rows["pods at peak"]["offered"] == pytest.approx(slots - len(running), abs=slots // 5)
    assert rows["pods at peak"]["needed"] == 2 * 9
    for line in found["table"]:
        assert line in done.stdout
        assert len(line) <= 100


def test_simulated_nodes_are_no_data_for_processes(preflight, tmp_path):
    assert preflight().rc == 0
    rows = {row["name"]: row for row in answer(tmp_path)["rows"]}
    for name in ("processes on a node", "processes in a pod of build_jobs"):
        assert (rows[name]["verdict"], rows[name]["offered"]) == ("no data", None)
        assert "simulated nodes run no processes" in rows[name]["note"]


def test_over_a_limit_stops_with_a_line_each_unless_accepted(preflight, tmp_path, kubectl, prefix):
    changed = {"build_jobs_requests": {"cpu": "100000", "memory": "64Mi"}, "build_jobs_limits": {}}
    done = preflight(changed=changed)
    assert done.rc != 0
    too_large, problem = answer(tmp_path)["problems"]
    assert too_large.startswith("pods of build_jobs that find a node: ")
    assert "lower build_jobs_requests (100,000 cores" in too_large
    assert problem.startswith("CPU requests at peak: 600,000.06 needed, ")
    assert "namespaces_total=2" in problem
    assert problem.endswith("or set preflight_accept_over_limit=true")
    assert answer(tmp_path)["msg"].startswith("preflight: 2 reasons not to start: (1) pods of build_jobs that find")
    names = [item["metadata"]["name"] for item in kubectl("get", "namespaces")["items"]]
    assert [name for name in names if name.startswith(prefix)] == []
    assert preflight(changed=changed, accept_over_limit=True).rc == 0
    assert answer(tmp_path)["cautions"][1].startswith("CPU requests at peak")


def test_check_mode_shows_the_same_table(preflight, tmp_path):
    assert preflight().rc == 0
    table = answer(tmp_path)["table"]
    assert preflight("--check").rc == 0
    kept = [line for line in table if "pods at peak" not in line and "spread" not in line and "memory" not in line]
    assert [line for line in answer(tmp_path)["table"] if line in kept] == kept


def test_a_risky_profile_needs_consent_and_says_what_it_would_do(preflight, tmp_path):
    changed = {"namespaces_total": 4, "build_jobs_active_per_namespace": 0}
    risky = {"profile": "reproduce", "risk": "it breaks the cluster"}
    done = preflight(changed=changed, **risky)
    assert done.rc != 0
    (problem,) = answer(tmp_path)["problems"]
    assert problem.startswith(
        "profile reproduce: it breaks the cluster. It would run up to 240 pods of build_jobs at once"
    )
    assert "17,280 processes" in problem
    assert problem.endswith("Set preflight_accept_risk=true if you want that")
    assert preflight(changed=changed, accept_risk=True, **risky).rc == 0
    assert preflight("--check", changed=changed, **risky).rc == 0


def test_namespaces_of_others_are_refused_and_our_own_are_not(preflight, tmp_path, make, run_id, prefix):
    owned = {"app.kubernetes.io/managed-by": "kubestress"}
    make(namespace(f"{prefix}-1", **owned, **{"kubestress.core/run-id": "somebody-else"}))
    make(namespace(f"{prefix}-2"))
    make(namespace(f"{prefix}-3", **owned, **{"kubestress.core/run-id": run_id}))
    assert preflight(changed={"namespaces_total": 3}).rc != 0
    strangers, theirs = answer(tmp_path)["problems"]
    assert f"namespace {prefix}-2 exists and carries no run id" in strangers
    assert f"namespace {prefix}-1 belongs to run somebody-else" in theirs
    assert "kubestress.core.cleanup -e run_id=somebody-else" in theirs
    listed = [f"{prefix}-1", f"{prefix}-2"]
    assert preflight(changed={"namespaces_total": 3, "namespaces_existing": listed}).rc == 0
    assert answer(tmp_path)["existing"] == {"own": [f"{prefix}-3"], "allowed": listed}


def test_an_exhausted_quota_of_an_existing_namespace_is_named(preflight, tmp_path, make, kubectl, prefix):
    make(namespace(f"{prefix}-1"))
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": f"{prefix}-1"},
        "spec": {"hard": {"pods": "4", "secrets": "1000", "requests.cpu": "100m"}},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(quota))
    assert preflight(changed={"namespaces_existing": [f"{prefix}-1"]}).rc != 0
    problems = answer(tmp_path)["problems"]
    assert [problem.split(":")[0] for problem in problems] == [
        f"quota {prefix}-1/small pods",
        f"quota {prefix}-1/small requests.cpu",
    ]
    assert "9 needed, 4 offered: raise the quota" in problems[0]


@pytest.fixture
def limited_user(make: Callable[[str], Any], run_id: str) -> str:
    """Return a user who may do some of what a run needs, and look at namespaces only."""
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "pods", "serviceaccounts"], "verbs": ["*"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]},
    ]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": run_id}}
    make(json.dumps({**role, "rules": rules}))
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": run_id}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": run_id}]
    make(json.dumps({**role, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": subjects}))
    return run_id


def test_missing_permissions_are_all_named_at_once(preflight, tmp_path, limited_user):
    changed = {"deployments_per_namespace": 0}
    assert preflight(changed=changed, impersonate_user=limited_user).rc != 0
    (problem,) = answer(tmp_path)["problems"]
    assert problem == (
        "missing permissions: create services, get services, list services, watch services, create statefulsets.apps, "
        "get statefulsets.apps, list statefulsets.apps, watch statefulsets.apps, create jobs.batch: grant them to the "
        "user of this connection"
    )
    rows = {row["name"]: row for row in answer(tmp_path)["rows"]}
    assert rows["pods at peak"]["verdict"] == "no data"
    assert "nodes is forbidden" in rows["pods at peak"]["note"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes_sampled": 5000}, "preflight: nodes_sampled: 5000"),
        ({"read_budget": 0}, "preflight: read_budget: 0"),
        ({"fragments": []}, "preflight: fragments: the list is empty"),
    ],
)
def test_bad_input_is_one_line(preflight, tmp_path, options, message):
    assert preflight(**options).rc != 0
    found = answer(tmp_path)["msg"]
    assert found.startswith(message)
    assert "\n" not in found


def test_an_unreachable_server_is_told_quickly_in_one_line(preflight, tmp_path):
    began = time.monotonic()
    assert preflight(host="https://127.0.0.1:1", validate_certs=False).rc != 0
    assert time.monotonic() - began < 90, "not after the 120 s of retry_deadline"
    message = answer(tmp_path)["msg"]
    assert message.startswith("preflight: the API server cannot be reached: https://127.0.0.1:1")
    assert "\n" not in message


# --- the role --------------------------------------------------------------------------------------------------------

ROLE = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  roles:
    - role: kubestress.core.preflight
"""

PLAN = """
  tasks:
    - kubestress.core.batch:
        run_id: "{{ kubestress_run.run_id }}"
        namespace_prefix: "{{ kubestress_settings.namespaces_prefix }}"
        namespace_total: "{{ kubestress_settings.namespaces_total }}"
        fragments: "{{ kubestress_plan }}"
      check_mode: true
      register: planned
    - ansible.builtin.copy:
        content: "{{ {'planned': planned.objects, 'announced': preflight_result.demand.objects} | to_json }}"
        dest: "{{ kept }}"
        mode: "0644"
"""


def run_role(tmp_path: Path, ansible_playbook: Any, text: str, *arguments: str, **variables: Any) -> Completed:
    book = tmp_path / "role.yml"
    book.write_text(text)
    extra = {"run_results_dir": str(tmp_path / "results"), **variables}
    done: Completed = ansible_playbook(book, *arguments, extra_vars=extra)
    return done


def test_the_role_keeps_what_it_found_with_the_run(tmp_path, ansible_playbook, run_id, prefix):
    chosen = {"run_id": run_id, "namespaces_prefix": prefix, "namespaces_total": 3, "profile": "safe"}
    done = run_role(tmp_path, ansible_playbook, ROLE, **chosen)
    assert done.rc == 0, done.output
    run = json.loads((tmp_path / "results" / run_id / "run.json").read_text())
    assert run["cluster"]["version"].startswith("v")
    assert run["preflight"]["demand"]["fragments"][-1]["pods_at_peak"] == 9
    assert f"preflight of run {run_id}, profile safe" in done.stdout


def test_the_role_in_check_mode_writes_nothing(tmp_path, ansible_playbook, run_id, prefix):
    done = run_role(tmp_path, ansible_playbook, ROLE, "--check", run_id=run_id, namespaces_prefix=prefix)
    assert done.rc == 0, done.output
    assert f"preflight of run {run_id}" in done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("profile", ["high_volume", "danger", "reproduce"])
def test_profiles_that_can_break_a_cluster_ask_first(tmp_path, ansible_playbook, run_id, prefix, profile):
    chosen = {"run_id": run_id, "namespaces_prefix": prefix, "profile": profile}
    refused = run_role(tmp_path, ansible_playbook, ROLE, **chosen)
    assert refused.rc != 0
    assert f"profile {profile}: " in refused.output
    assert "Set preflight_accept_risk=true if you want that" in refused.output
    accepted = run_role(tmp_path, ansible_playbook, ROLE, **chosen, preflight_accept_risk=True)
    assert accepted.rc == 0, accepted.output


def test_what_is_announced_is_what_the_plan_sends(tmp_path, ansible_playbook, run_id, prefix):
    chosen = {
        "run_id": run_id,
        "namespaces_prefix": prefix,
        "namespaces_total": 3,
        "deployments_per_namespace": 2,
        "deployments_service_enabled": True,
        "connectivity_enabled": True,
        "statefulsets_per_namespace": 2,
        "build_jobs_enabled": True,
        "build_jobs_per_namespace": 5,
        "kept": str(tmp_path / "kept.json"),
    }
    done = run_role(tmp_path, ansible_playbook, ROLE + PLAN, **chosen)
    assert done.rc == 0, done.output
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept["announced"] == {kind: row["requested"] for kind, row in kept["planned"].items()}
