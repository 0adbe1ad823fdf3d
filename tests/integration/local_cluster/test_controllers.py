"""JobSet beside the embedded control plane: switched on and off while it runs, and its JobSets run, fail and vanish."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.collection import CHECKOUT
from helpers.commands import Completed
from helpers.local_cluster import Driver
from helpers.waiting import until

HOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
FILES = CHECKOUT / "roles/local_cluster/files"
TEMPLATE = CHECKOUT / "roles/accelerator_jobs/templates/job_set.yml.j2"
#: The second JobSet of a namespace fails in both of its attempts.
CRASHING = "                kubestress.core/simulate: \"{{ 'crash' if index == 2 else 'complete' }}\"\n"
RUN: dict[str, Any] = {
    "profile": "defaults",
    "build_jobs_enabled": False,
    "namespaces_total": 1,
    "namespaces_prefix": "sets",
    "deployments_enabled": False,
    "statefulsets_enabled": False,
    "accelerator_jobs_enabled": True,
    "accelerator_jobs_kind": "jobset",
    "accelerator_jobs_count": 2,
    "accelerator_jobs_slices": 2,
    "accelerator_jobs_nodes": 2,
    "accelerator_jobs_duration": 1,
    "accelerator_jobs_restarts": 1,
    "accelerator_jobs_ttl": 1,
    "run_id": "sets",
}


@pytest.fixture(scope="module")
def with_job_sets(driver: Driver) -> Driver:
    """The cluster of these tests, with JobSets."""
    made = driver.ok(jobset=True)
    assert "jobset" in made["parts"]
    return driver


def names_of(own_kubectl: Callable[..., Any], what: str) -> set[str]:
    return {one["metadata"]["name"] for one in own_kubectl("get", what)["items"]}


def test_job_sets_run_fail_and_vanish_and_are_counted_once(
    with_job_sets: Driver,
    own_kubectl: Callable[..., Any],
    cluster_free_playbook: Callable[..., Completed],
    tmp_path: Path,
) -> None:
    before, mark, after = TEMPLATE.read_text().partition("              annotations:\n")
    template = tmp_path / "job_set.yml.j2"
    template.write_text(f"{before}{mark}{CRASHING}{after}")
    given = {**RUN, "run_results_dir": str(tmp_path), "accelerator_jobs_job_set_template": str(template)}
    cluster = {"K8S_AUTH_KUBECONFIG": str(with_job_sets.data_dir / "kubeconfig")}

    def attempt() -> dict[str, Any]:
        done = cluster_free_playbook("kubestress.core.stress", extra_vars=given, env=cluster)
        assert done.rc != 0, done.output
        summary = json.loads((tmp_path / "sets" / "summary.json").read_text())
        counted = summary["objects"]["JobSet"]
        assert (counted["ready"], counted["requested"]) == (1, 2), done.output
        assert "restarted 1 of 1 times" in done.output
        return summary

    first = attempt()
    text = json.dumps(first)
    assert "exit code 1" in text
    # Two slices of two nodes each; the failed one was tried twice.
    assert first["pods"]["succeeded"] == 4

    until(lambda: not own_kubectl("get", "jobsets", "-n", "sets-1")["items"], seconds=60)
    assert own_kubectl("get", "jobs", "-n", "sets-1")["items"] == []
    second = attempt()
    assert second["attempt"] == 2
    assert own_kubectl("get", "jobsets", "-n", "sets-1")["items"] == []


def test_it_is_switched_and_restarted_while_the_cluster_runs(
    with_job_sets: Driver, own_kubectl: Callable[..., Any]
) -> None:
    assert with_job_sets.ok(jobset=True)["changes"] == []
    pid = with_job_sets.ok(jobset=True)["parts"]["jobset"]["pid"]
    off = with_job_sets.ok(jobset=False)["changes"]
    assert off == ["end jobset", *(f"delete {what} kubestress-jobset" for what in HOOKS)]
    assert not any("kubestress-jobset" in names_of(own_kubectl, what) for what in HOOKS)
    assert "jobsets.jobset.x-k8s.io" in names_of(own_kubectl, "crds")
    assert with_job_sets.ok(jobset=False)["changes"] == []
    on = with_job_sets.ok(jobset=True)
    assert "start jobset" in on["changes"]
    assert on["parts"]["jobset"]["pid"] != pid
    assert all("kubestress-jobset" in names_of(own_kubectl, what) for what in HOOKS)


def test_what_is_shipped_is_of_the_pinned_module() -> None:
    """With the Go that would build the controller. Only descriptions of fields are left out."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on the PATH")
    command = [go, "mod", "download", "-json", "sigs.k8s.io/jobset"]
    done = subprocess.run(command, cwd=FILES / "go/jobset", capture_output=True, text=True, check=True, timeout=120)
    theirs = Path(json.loads(done.stdout)["Dir"]) / "config" / "components"

    definition = yaml.safe_load((theirs / "crd/bases/jobset.x-k8s.io_jobsets.yaml").read_text())
    shipped = json.loads((FILES / "crds/jobset/jobsets.jobset.x-k8s.io.json").read_text())
    assert without_descriptions(definition) == shipped

    ours = json.loads((FILES / "controllers/jobset.json").read_text())
    assert yaml.safe_load((theirs / "rbac/role.yaml").read_text())["rules"] == ours["rules"]
    for found in yaml.safe_load_all((theirs / "webhook/manifests.yaml").read_text()):
        short = found["kind"].removesuffix("WebhookConfiguration").lower()
        for patch in yaml.safe_load((theirs / f"webhook/patches/{short}-patch.yaml").read_text()):
            found["webhooks"][int(patch["path"].rpartition("/")[2])] = patch["value"]
        for webhook in found["webhooks"]:
            webhook["path"] = webhook.pop("clientConfig")["service"]["path"]
        assert found["webhooks"] == ours[found["kind"]]


def without_descriptions(value: Any) -> Any:
    """The same without the texts named description, which are not those of a field of that name."""
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key != "description" or not isinstance(one, str)}
        return {key: without_descriptions(one) for key, one in kept.items()}
    return [without_descriptions(one) for one in value] if isinstance(value, list) else value
