"""The playbook stress and those of the profiles, whole, on a real API server."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

KINDS = ("configmaps", "secrets", "deployments.apps", "statefulsets.apps", "services", "jobs.batch")
# Names of task variables that others use, and that ours once had.
USED_ELSEWHERE: dict[str, Any] = {
    **dict.fromkeys(("fragment", "service", "script", "derived", "deployment", "reasons", "openshift"), "x"),
    "number": 3,
    "stored_first": [],
    "state": "absent",
}
PROFILES = ("smoke", "safe", "conservative", "moderate", "observed", "high", "high_volume", "danger", "reproduce")


def objects_of(kubectl: Any, run_id: str) -> Counter[str]:
    """Count what kubectl finds with the run's label; what controllers made of it has an owner and is not counted."""
    selector = ("-l", f"kubestress.core/run-id={run_id}")
    items = kubectl("get", ",".join(KINDS), "-A", *selector)["items"] + kubectl("get", "namespaces", *selector)["items"]
    return Counter(item["kind"] for item in items if not item["metadata"].get("ownerReferences"))


@pytest.mark.slow
def test_a_whole_run_then_the_same_again_then_with_cleanup(
    ansible_playbook, kubectl, run_id: str, prefix: str, tmp_path: Path
) -> None:
    settings = {"run_id": run_id, "namespaces_prefix": prefix, "build_jobs_ttl": 3600, "namespaces_total": "1"}
    summary_path = tmp_path / "kubestress-results" / run_id / "summary.json"

    def run(**changes: Any) -> dict[str, Any]:
        done = ansible_playbook("kubestress.core.smoke", extra_vars=settings | changes, cwd=tmp_path)
        assert done.rc == 0, done.output
        assert f"results   {summary_path}" in done.stdout
        return json.loads(summary_path.read_text())

    first = run()
    assert (first["verdict"], first["profile"], first["attempt"]) == ("passed", "smoke", 1)
    created = {kind: counts["created"] for kind, counts in first["objects"].items()}
    assert created == objects_of(kubectl, run_id)
    assert (first["jobs"]["complete"], first["jobs"]["failed"]) == (4, 0)
    pods = kubectl("get", "pods", "-n", f"{prefix}-1", "-l", "type=build-job")["items"]
    assert first["pods"]["succeeded"] == sum(pod["status"]["phase"] == "Succeeded" for pod in pods) == 8
    network = first["network_operations"]
    simulated = "all nodes are simulated: no network plug-in works for their pods"
    assert (network["sources"], network["cause"]) == ({}, simulated)

    again = run()
    assert (again["verdict"], again["attempt"]) == ("passed", 2)
    assert {kind: counts["unchanged"] for kind, counts in again["objects"].items()} == created
    assert sum(counts["created"] for counts in again["objects"].values()) == 0
    assert again["settings_hash"] == first["settings_hash"]

    assert run(cleanup_on_completion="true")["verdict"] == "passed"
    assert objects_of(kubectl, run_id) == Counter()
    assert json.loads((tmp_path / f"kubestress-results/{run_id}/attempts/1/summary.json").read_text()) == first


@pytest.mark.slow
def test_names_that_anybody_may_use_change_nothing(
    ansible_playbook, kubectl, run_id: str, prefix: str, tmp_path: Path
) -> None:
    """Extra vars win over variables of tasks, so tasks have names of their own."""
    settings = {"run_id": run_id, "namespaces_prefix": prefix, "namespaces_total": 1, "deployments_per_namespace": 1}
    settings["deployments_service_enabled"] = True
    done = ansible_playbook("kubestress.core.smoke", extra_vars=settings | USED_ELSEWHERE, cwd=tmp_path)
    assert done.rc == 0, done.output
    expected = {"Namespace": 1, "ConfigMap": 2, "Secret": 2, "Deployment": 1, "Service": 2, "StatefulSet": 1, "Job": 4}
    assert objects_of(kubectl, run_id) == Counter(expected)


def test_what_the_tasks_set_themselves_is_refused(ansible_playbook, run_id: str, tmp_path: Path) -> None:
    variables = {"run_id": run_id, "kubestress_plan": [], "run_batch": {}}
    done = ansible_playbook("kubestress.core.smoke", "--check", extra_vars=variables, cwd=tmp_path)
    assert done.rc == 2, done.output
    assert "kubestress_plan: set by kubestress.core itself" in done.output
    assert "run_batch: set by kubestress.core itself" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_check_mode_of_each_profile_ends_with_the_table(
    ansible_playbook, kubectl, run_id: str, prefix: str, tmp_path: Path, profile: str
) -> None:
    variables = {"run_id": run_id, "namespaces_prefix": prefix, "preflight_accept_over_limit": True}
    done = ansible_playbook(f"kubestress.core.{profile}", "--check", extra_vars=variables, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert f"preflight of run {run_id}, profile {profile}," in done.stdout
    assert objects_of(kubectl, run_id) == Counter()
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_reported_cleaned_up_and_told_last(
    ansible_playbook, kubectl, run_id: str, prefix: str, tmp_path: Path
) -> None:
    """Pods that fit nowhere: accepted over the limit, so the run goes on, and fails for what it shows."""
    variables = {
        "run_id": run_id,
        "namespaces_prefix": prefix,
        "namespaces_total": 1,
        "deployments_per_namespace": 1,
        "deployments_ready_timeout": 3,
        "statefulsets_enabled": False,
        "build_jobs_enabled": False,
        "run_node_selector": {"there-is": "none"},
        "preflight_accept_over_limit": True,
        "cleanup_on_completion": True,
        "reasons": ["somebody else's"],
    }
    done = ansible_playbook("kubestress.core.smoke", extra_vars=variables, cwd=tmp_path)
    assert done.rc == 2, done.output
    last = done.stdout.split("TASK [")[-1]
    assert "somebody else" not in last
    assert last.startswith("kubestress.core.run : Fail unless all went as the profile promised]")
    assert '"msg": "failed: ' in last
    assert f"{prefix}-1" in last
    summary = json.loads((tmp_path / "kubestress-results" / run_id / "summary.json").read_text())
    assert summary["verdict"] == "failed"
    assert summary["objects"]["Deployment"] == {
        "requested": 1, "created": 1, "patched": 0, "deleted": 0, "unchanged": 0, "failed": 0,
        "ready": 0, "not_ready": 1,
    }  # fmt: skip
    assert objects_of(kubectl, run_id) == Counter(), "cleanup was asked for"


@pytest.mark.parametrize("profile", ["high_volume", "danger", "reproduce"])
def test_without_consent_nothing_starts(
    ansible_playbook, kubectl, run_id, prefix, tmp_path: Path, profile: str
) -> None:
    variables = {"run_id": run_id, "namespaces_prefix": prefix}
    done = ansible_playbook(f"kubestress.core.{profile}", extra_vars=variables, cwd=tmp_path)
    assert done.rc == 2, done.output
    assert f"profile {profile}: " in done.output
    assert "Set preflight_accept_risk=true" in done.output
    assert objects_of(kubectl, run_id) == Counter()
    summary = json.loads((tmp_path / "kubestress-results" / run_id / "summary.json").read_text())
    assert summary["verdict"] == "aborted"


def test_an_unreachable_cluster_is_told_in_one_line(cluster_free_playbook, tmp_path: Path) -> None:
    """By variables, which win over what the environment says; the reason of the preflight is the reason of the run."""
    connection = ("-e", "kubestress_host=https://127.0.0.1:1", "-e", "kubestress_api_key=none")
    arguments = ("-e", "run_id=nowhere", *connection)
    done = cluster_free_playbook("kubestress.core.smoke", *arguments, cwd=tmp_path, env={"K8S_AUTH_KUBECONFIG": ""})
    assert done.rc == 2, done.output
    assert "https://127.0.0.1:1" in done.stdout.split("TASK [")[-1]
    summary = json.loads((tmp_path / "kubestress-results/nowhere/summary.json").read_text())
    assert summary["verdict"] == "aborted"
    assert "https://127.0.0.1:1" in summary["reasons"][0]


BROKEN = {
    "undefined": ("kind: {{ nonsense_variable }}\n", "nonsense_variable"),
    "not_yaml": ("apiVersion: v1\nkind: [\n", "not_yaml.yml.j2"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_of_the_users_is_named_before_anything_is_made(
    ansible_playbook, kubectl, run_id: str, prefix: str, tmp_path: Path, name: str
) -> None:
    text, told = BROKEN[name]
    template = tmp_path / f"{name}.yml.j2"
    template.write_text(text)
    variables = {"run_id": run_id, "namespaces_prefix": prefix, "deployments_template": str(template)}
    done = ansible_playbook("kubestress.core.smoke", extra_vars=variables, cwd=tmp_path)
    assert done.rc == 2, done.output
    last = done.stdout.split("TASK [")[-1]
    assert told in last
    assert template.name in last
    assert objects_of(kubectl, run_id) == Counter()


def test_report_again_from_what_is_there(ansible_playbook, run_id: str, prefix: str, tmp_path: Path) -> None:
    variables = {
        "run_id": run_id,
        "namespaces_prefix": prefix,
        "namespaces_total": 1,
        "deployments_enabled": False,
        "statefulsets_enabled": False,
        "build_jobs_enabled": False,
    }
    first = ansible_playbook("kubestress.core.smoke", extra_vars=variables, cwd=tmp_path)
    assert first.rc == 0, first.output
    path = tmp_path / "kubestress-results" / run_id / "summary.json"
    summary = json.loads(path.read_text())
    path.unlink()
    # Without a profile, as one writes it who has only the id.
    again = ansible_playbook("kubestress.core.stress", "--tags", "report", "-e", f"run_id={run_id}", cwd=tmp_path)
    assert again.rc == 0, again.output
    made = json.loads(path.read_text())
    assert made["attempt"] == 1
    assert made["objects"] == summary["objects"]


def test_tags_preflight_and_cleanup_begin_no_attempt(ansible_playbook, kubectl, run_id, prefix, tmp_path: Path) -> None:
    variables = {"run_id": run_id, "namespaces_prefix": prefix, "namespaces_total": 1, "build_jobs_enabled": False}
    made = ansible_playbook("kubestress.core.smoke", extra_vars=variables, cwd=tmp_path)
    assert made.rc == 0, made.output
    root = tmp_path / "kubestress-results" / run_id

    def files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in root.rglob("*")}

    before, stored = files(), objects_of(kubectl, run_id)
    assert stored
    done = ansible_playbook("kubestress.core.smoke", "--tags", "preflight", extra_vars=variables, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert f"preflight of run {run_id}" in done.stdout
    assert (files(), objects_of(kubectl, run_id)) == (before, stored)

    nameless = ansible_playbook("kubestress.core.smoke", "--tags", "cleanup", cwd=tmp_path)
    assert nameless.rc != 0
    assert "run_id: none is given; name one, as in -e run_id=" in nameless.output
    looked = ansible_playbook(
        "kubestress.core.stress", "--tags", "cleanup", "--check", "-e", f"run_id={run_id}", cwd=tmp_path
    )
    assert looked.rc == 0, looked.output
    assert (files(), objects_of(kubectl, run_id)) == (before, stored)

    gone = ansible_playbook("kubestress.core.stress", "--tags", "cleanup", "-e", f"run_id={run_id}", cwd=tmp_path)
    assert gone.rc == 0, gone.output
    assert (files(), objects_of(kubectl, run_id)) == (before, Counter())
    assert sorted(path.name for path in (tmp_path / "kubestress-results").iterdir()) == [run_id]
