"""Every playbook as a ServiceAccount that has rights in two namespaces, just those that preflight has printed."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.commands import Completed

OBSERVING = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - kubestress.core.observe: &options
        state: started
        run_id: "{{ run_id }}"
        results_dir: "{{ folder }}"
        namespaces: "{{ namespaces_names }}"
        node_interval: 1
    - kubestress.core.wait:
        run_id: "{{ run_id }}"
        namespaces: "{{ namespaces_names }}"
        kinds:
          - {api_version: apps/v1, kind: Deployment, count: 2}
        wait_timeout: 300
    - kubestress.core.observe:
        <<: *options
        state: stopped
      register: stopped
    - ansible.builtin.copy:
        content: "{{ stopped.observation | to_json }}"
        dest: "{{ folder }}/observation.json"
        mode: "0644"
"""


@pytest.fixture
def teams(kubectl: Any, prefix: str) -> Iterator[list[str]]:
    """Yield two namespaces that exist, each with somebody else's ConfigMap, and a ServiceAccount in the first."""
    names = [f"{prefix}-a", f"{prefix}-b"]
    for name in names:
        kubectl("create", "namespace", name)
        kubectl("create", "configmap", "theirs", "-n", name)
    kubectl("create", "serviceaccount", "load", "-n", names[0])
    yield names
    kubectl("delete", "namespaces", *names, "--wait=false")


class Account:
    """Runs playbooks as the ServiceAccount, in a folder of its own."""

    def __init__(self, folder: Path, kubeconfig: Path, playbook: Any, variables: Mapping[str, Any]) -> None:
        self.folder = folder
        self._kubeconfig = kubeconfig
        self._playbook = playbook
        self._variables = variables

    def run(self, playbook: str | Path, *arguments: str, **variables: Any) -> Completed:
        env = {"K8S_AUTH_KUBECONFIG": str(self._kubeconfig)}
        given = {**self._variables, **variables}
        done: Completed = self._playbook(playbook, *arguments, extra_vars=given, env=env, cwd=self.folder)
        return done


@pytest.fixture
def account(
    tmp_path: Path, teams: list[str], kubectl: Any, kubeconfig: Path, ansible_playbook: Any, run_id: str
) -> Any:
    """Return the account that has no rights yet."""
    config = yaml.safe_load(kubeconfig.read_text())
    token = kubectl("create", "token", "load", "-n", teams[0], "--duration=1h")["status"]["token"]
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
    mine = tmp_path / "account.kubeconfig"
    mine.write_text(yaml.safe_dump(config))
    variables = {"run_id": run_id, "namespaces_names": teams, "namespaces_existing": teams}
    return Account(tmp_path, mine, ansible_playbook, variables)


def labelled(kubectl: Any, run_id: str, kinds: str = "deployments,jobs,services,secrets,configmaps,pods") -> list[Any]:
    return list(kubectl("get", kinds, "-A", "-l", f"kubestress.core/run-id={run_id}")["items"])


def page_text(account: Account, run_id: str) -> str:
    return html.unescape((account.folder / "kubestress-results" / run_id / "report.html").read_text())


NOT_SEEN = {
    "API server": "the user may not get /metrics",
    "kubelets": "the user may not get nodes/proxy",
    "events": "the user may not list and watch events in all namespaces, nor in each of the run's",
}


@pytest.mark.slow
def test_with_the_printed_roles_an_account_of_two_namespaces_does_it_all(
    account: Account, teams: list[str], kubectl: Any, run_id: str
) -> None:
    # Nothing is allowed yet: all that is missing is told, and the Roles are printed all the same.
    refused = account.run("kubestress.core.smoke", "--check", preflight_rbac_out="rights.yml")
    assert refused.rc != 0
    told = " ".join(refused.output.split())
    assert "missing permissions: create configmaps, get configmaps" in told
    assert f"watch jobs.batch (in {teams[0]}, {teams[1]}): grant them" in told
    assert "create namespaces" not in told
    roles = list(yaml.safe_load_all((account.folder / "rights.yml").read_text()))
    assert {one["kind"] for one in roles} == {"Role", "RoleBinding"}
    assert {one["metadata"]["namespace"] for one in roles} == set(teams)
    kubectl("apply", "-f", str(account.folder / "rights.yml"))

    done = account.run("kubestress.core.smoke")
    assert done.rc == 0, done.output
    told = " ".join(done.output.split())
    for unseen in ("nodes is forbidden", "namespaces is forbidden", "resourcequotas is forbidden"):
        assert unseen in told
    assert {item["metadata"]["namespace"] for item in labelled(kubectl, run_id)} == set(teams)
    check_summary(account, run_id)

    observing = account.folder / "observing.yml"
    observing.write_text(OBSERVING)
    watched = account.run(observing, folder=str(account.folder))
    assert watched.rc == 0, watched.output
    observation = json.loads((account.folder / "observation.json").read_text())
    assert observation["api_server"]["cause"] == NOT_SEEN["API server"]
    assert observation["events"]["cause"] == NOT_SEEN["events"]
    assert observation["warnings"] == []

    reported = account.run("kubestress.core.report")
    assert reported.rc == 0, reported.output
    check_summary(account, run_id)

    listed = account.run("kubestress.core.runs", run_id="")
    assert listed.rc == 0, listed.output
    assert f"{run_id} " in listed.output

    cleaned = account.run("kubestress.core.cleanup")
    assert cleaned.rc == 0, cleaned.output
    assert "70 of 70 objects of run" in cleaned.output
    assert labelled(kubectl, run_id) == []
    for name in teams:
        assert kubectl("get", "namespace", name)["status"]["phase"] == "Active"
        assert kubectl("get", "configmap", "theirs", "-n", name)


def check_summary(account: Account, run_id: str) -> None:
    """The run has passed, and what could not be seen is no data, with the cause, in the summary and on the page."""
    summary = json.loads((account.folder / "kubestress-results" / run_id / "summary.json").read_text())
    assert summary["verdict"] == "passed"
    assert summary["jobs"]["complete"] == 8
    assert {row["errors"] for verb in summary["requests"].values() for row in verb.values()} == {0}
    statements = {one["about"]: one for one in summary["validity"]["statements"]}
    for about, cause in NOT_SEEN.items():
        assert statements[about]["state"] == "no data"
        assert cause in statements[about]["text"]
        assert cause in page_text(account, run_id)
    assert summary["skew"]["estimate_ms"] is not None


@pytest.mark.slow
def test_one_right_less_is_missed_before_anything_is_created(
    account: Account, teams: list[str], kubectl: Any, run_id: str
) -> None:
    """The Roles are no more than what is needed: each of their permissions is asked for, in each namespace."""
    assert account.run("kubestress.core.smoke", "--check", preflight_rbac_out="rights.yml").rc != 0
    roles = list(yaml.safe_load_all((account.folder / "rights.yml").read_text()))
    last = next(one for one in reversed(roles) if (one["kind"], one["metadata"]["name"]) == ("Role", "kubestress-run"))
    last["rules"][0]["verbs"].remove("create")
    (account.folder / "rights.yml").write_text(yaml.safe_dump_all(roles))
    kubectl("apply", "-f", str(account.folder / "rights.yml"))
    done = account.run("kubestress.core.smoke")
    assert done.rc != 0
    resources = ", ".join(f"create {resource}" for resource in last["rules"][0]["resources"])
    assert f"missing permissions: {resources} (in {teams[1]}): grant them" in " ".join(done.output.split())
    assert labelled(kubectl, run_id) == []


@pytest.mark.slow
def test_a_run_that_makes_its_namespaces_gets_cluster_roles(
    account: Account, kubectl: Any, run_id: str, prefix: str
) -> None:
    """Printed by an administrator for the account, which then runs with them and cleans up all that it made."""
    own = {"namespaces_names": [f"{prefix}-x", f"{prefix}-y"], "namespaces_existing": []}
    refused = account.run("kubestress.core.smoke", "--check", preflight_rbac_out="rights.yml", **own)
    assert refused.rc != 0
    assert "create namespaces" in refused.output
    roles = list(yaml.safe_load_all((account.folder / "rights.yml").read_text()))
    assert {one["kind"] for one in roles} == {"ClusterRole", "ClusterRoleBinding"}
    for one in roles:
        one["metadata"]["name"] += f"-{prefix}"
        if "roleRef" in one:
            one["roleRef"]["name"] += f"-{prefix}"
    (account.folder / "rights.yml").write_text(yaml.safe_dump_all(roles))
    kubectl("apply", "-f", str(account.folder / "rights.yml"))
    try:
        done = account.run("kubestress.core.smoke", cleanup_on_completion=True, **own)
        assert done.rc == 0, done.output
        names = {each["metadata"]["name"] for each in kubectl("get", "namespaces")["items"]}
        assert not names & set(own["namespaces_names"])
        assert labelled(kubectl, run_id) == []
    finally:
        kubectl("delete", "-f", str(account.folder / "rights.yml"))


def test_accelerator_jobs_of_an_account_that_sees_no_nodes(
    account: Account, teams: list[str], kubectl: Any, run_id: str, tmp_path: Path
) -> None:
    """What is missing is told with the classes that lie in no namespace; nodes cannot be seen, and a job runs."""
    own = {
        f"{role}_enabled": role == "accelerator_jobs" for role in ("deployments", "statefulsets", "accelerator_jobs")
    }
    jobs = {**own, "profile": "defaults", "build_jobs_enabled": False, "accelerator_jobs_duration": 1}
    printed = {"preflight_rbac_out": "rights.yml", "preflight_rbac_account": f"{teams[0]}/load"}
    refused = account.run("kubestress.core.stress", accelerator_jobs_priority_classes="true", **jobs)
    told = " ".join(refused.output.split())
    assert refused.rc != 0
    assert "create jobs.batch" in told
    assert "create priorityclasses.scheduling.k8s.io" in told

    account.run("kubestress.core.stress", "--check", **jobs, **printed)
    kubectl("apply", "-f", str(tmp_path / "rights.yml"))
    done = account.run("kubestress.core.stress", **jobs)
    assert done.rc == 0, done.output
    pods = [one for one in labelled(kubectl, run_id, "pods") if one["metadata"]["namespace"] in teams]
    assert [pod["status"]["phase"] for pod in pods] == ["Succeeded", "Succeeded"]
    assert "nodes is forbidden" in done.output
