"""JobSet and Kueue beside the embedded control plane: switched on and off while it runs, and each does its work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
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


def test_they_are_switched_and_restarted_while_the_cluster_runs(
    with_job_sets: Driver, own_kubectl: Callable[..., Any]
) -> None:
    both = with_job_sets.ok(jobset=True, kueue=True)
    assert "start kueue" in both["changes"]
    assert with_job_sets.ok(jobset=True, kueue=True)["changes"] == []
    # One that has ended is named and started again.
    os.kill(both["parts"]["jobset"]["pid"], signal.SIGKILL)
    until(lambda: not Path(f"/proc/{both['parts']['jobset']['pid']}").exists())
    again = with_job_sets.ok(jobset=True, kueue=True)
    assert again["changes"] == ["start jobset"]
    assert "jobset was no longer running" in again.output
    assert again["parts"]["jobset"]["pid"] != both["parts"]["jobset"]["pid"]
    assert again["parts"]["kueue"]["pid"] == both["parts"]["kueue"]["pid"]

    off = with_job_sets.ok(jobset=False, kueue=True)["changes"]
    assert off == ["end jobset", *(f"delete {what} kubestress-jobset" for what in HOOKS)]
    for what in HOOKS:
        assert {"kubestress-kueue"} == names_of(own_kubectl, what)
    assert {"jobsets.jobset.x-k8s.io", "workloads.kueue.x-k8s.io"} <= names_of(own_kubectl, "crds")
    assert with_job_sets.ok(jobset=False, kueue=True)["changes"] == []
    assert "start jobset" in with_job_sets.ok(jobset=True, kueue=True)["changes"]


# --- Kueue ------------------------------------------------------------------------------------------------------------

QUOTA = 2
LOW, HIGH = 4, 2


def queues(*, held: bool) -> list[dict[str, Any]]:
    flavor = {"name": "default", "resources": [{"name": "cpu", "nominalQuota": QUOTA}]}
    spec = {
        "namespaceSelector": {},
        "queueingStrategy": "BestEffortFIFO",
        "resourceGroups": [{"coveredResources": ["cpu"], "flavors": [flavor]}],
        "stopPolicy": "Hold" if held else "None",
    }
    version = "kueue.x-k8s.io/v1beta2"
    return [
        {"apiVersion": version, "kind": "ResourceFlavor", "metadata": {"name": "default"}},
        {"apiVersion": version, "kind": "ClusterQueue", "metadata": {"name": "shared"}, "spec": spec},
        {
            "apiVersion": version,
            "kind": "LocalQueue",
            "metadata": {"name": "team", "namespace": "default"},
            "spec": {"clusterQueue": "shared"},
        },
    ]


def queued_job(name: str, priority: str) -> dict[str, Any]:
    resources = {"requests": {"cpu": "1"}}
    spec = {
        "restartPolicy": "Never",
        "priorityClassName": priority,
        "containers": [{"name": "main", "image": "none", "resources": resources}],
    }
    template = {"metadata": {"annotations": {"kubestress.core/simulate-duration": "1s"}}, "spec": spec}
    labels = {"kueue.x-k8s.io/queue-name": "team"}
    job = {"suspend": True, "backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": job}


def priority(name: str, value: int) -> dict[str, Any]:
    return {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value}


def is_true(workload: dict[str, Any], kind: str) -> bool:
    conditions = workload.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def test_kueue_admits_no_more_than_the_quota_and_the_high_priority_first(
    with_job_sets: Driver, own_kubectl: Callable[..., Any], kubectl_path: str, tmp_path: Path
) -> None:
    with_job_sets.ok(jobset=True, kueue=True)

    def send(verb: str, objects: list[dict[str, Any]]) -> None:
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        own_kubectl(verb, "-f", "-", stdin=given, parse=False)

    jobs = [queued_job(f"low-{one}", "low") for one in range(LOW)]
    jobs += [queued_job(f"high-{one}", "high") for one in range(HIGH)]
    send("create", [priority("low", 10), priority("high", 1000), *queues(held=True)])
    send("create", jobs)
    until(lambda: len(own_kubectl("get", "workloads")["items"]) == LOW + HIGH, seconds=60)
    assert not any(is_true(one, "QuotaReserved") for one in own_kubectl("get", "workloads")["items"])

    # Every change of a Workload, as the API server tells it to anybody.
    command = [kubectl_path, "--kubeconfig", str(with_job_sets.data_dir / "kubeconfig"), "get", "workloads"]
    told = tmp_path / "workloads.json"

    def finished_as_told() -> set[str]:
        found = documents_of(told.read_text())
        return {one["metadata"]["name"] for one in found if is_true(one, "Finished")}

    with told.open("w") as output:
        watching = subprocess.Popen([*command, "--watch", "-o", "json"], stdout=output)
        try:
            until(lambda: len(list(documents_of(told.read_text()))) == LOW + HIGH)
            send("apply", queues(held=False))
            until(lambda: len(finished_as_told()) == LOW + HIGH, seconds=120)
        finally:
            watching.terminate()
            watching.wait(timeout=30)

    holding: set[str] = set()
    admitted: list[str] = []
    most = 0
    for workload in documents_of(told.read_text()):
        name = workload["metadata"]["ownerReferences"][0]["name"]
        if is_true(workload, "QuotaReserved") and not is_true(workload, "Finished"):
            holding.add(name)
            if name not in admitted:
                admitted.append(name)
        else:
            holding.discard(name)
        most = max(most, len(holding))
        assert len(holding) <= QUOTA, holding
    assert most == QUOTA
    assert len(admitted) == LOW + HIGH
    assert all(name.startswith("high-") for name in admitted[:HIGH]), admitted


def test_the_summary_tells_of_the_queue_the_pools_and_restarts(
    with_job_sets: Driver,
    own_kubectl: Callable[..., Any],
    cluster_free_playbook: Callable[..., Completed],
    tmp_path: Path,
) -> None:
    with_job_sets.ok(jobset=True, kueue=True)
    resources = [{"name": "cpu", "nominalQuota": "500m"}, {"name": "memory", "nominalQuota": "1Gi"}]
    flavors = [{"name": "narrow", "resources": resources}]
    spec = {
        "namespaceSelector": {},
        "resourceGroups": [{"coveredResources": ["cpu", "memory"], "flavors": flavors}],
    }
    version = "kueue.x-k8s.io/v1beta2"
    made = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "queued"}},
        {"apiVersion": version, "kind": "ResourceFlavor", "metadata": {"name": "narrow"}},
        {"apiVersion": version, "kind": "ClusterQueue", "metadata": {"name": "narrow"}, "spec": spec},
        {
            "apiVersion": version,
            "kind": "LocalQueue",
            "metadata": {"name": "team", "namespace": "queued"},
            "spec": {"clusterQueue": "narrow"},
        },
    ]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    own_kubectl("create", "-f", "-", stdin=document, parse=False)
    # There is room for one at a time; the second fails, is restarted, and fails again.
    template = tmp_path / "job_set.yml.j2"
    before, mark, after = TEMPLATE.read_text().partition("              annotations:\n")
    template.write_text(f"{before}{mark}{CRASHING}{after}")
    given = {
        **RUN,
        "namespaces_names": "queued",
        "namespaces_existing": "queued",
        "accelerator_jobs_slices": 1,
        "accelerator_jobs_nodes": 1,
        "accelerator_jobs_queue": "team",
        "accelerator_jobs_priority": "medium",
        "accelerator_jobs_priority_classes": True,
        "accelerator_jobs_job_set_template": str(template),
        "run_id": "queued",
        "run_results_dir": str(tmp_path),
    }
    cluster = {"K8S_AUTH_KUBECONFIG": str(with_job_sets.data_dir / "kubeconfig")}
    done = cluster_free_playbook("kubestress.core.stress", extra_vars=given, env=cluster)
    assert done.rc != 0, done.output
    jobs = json.loads((tmp_path / "queued" / "summary.json").read_text())["accelerator_jobs"]
    assert (jobs["cause"], jobs["workloads_cause"], jobs["pools_cause"]) == (None, None, None)

    (wait,) = jobs["waits"]
    assert (wait["queue"], wait["priority"], wait["jobs"], wait["waiting"]) == ("team", "medium", 2, 0)
    admitted, scheduled = wait["stages"]["admitted"], wait["stages"]["scheduled"]
    assert admitted["count"] == scheduled["count"] == 2
    # The one behind waited for the other's second at least, and then for a node.
    assert 1 <= admitted["max_s"] <= scheduled["max_s"]
    # What the objects say themselves, as another client reads them.
    own = [seconds_to(one, "Admitted") for one in own_kubectl("get", "workloads", "-n", "queued")["items"]]
    assert not own or round(wait["stages"]["admitted_own"]["max_s"]) >= max(own)
    (queued,) = [row for row in jobs["unschedulable"] if row["by"] == "queue"]
    assert "insufficient unused quota" in queued["cause"]
    assert (queued["told"], queued["pending"]) == (1, 0)

    (row,) = jobs["restarts"]
    assert (row["restarted"], row["restarts"], row["failed_pods"], row["exit_codes"]) == (1, 1, 2, {"1": 2})
    assert sum(pool["pods"] for pool in jobs["pools"]) == 3
    assert sum(pool["slices"] for pool in jobs["pools"]) == 3
    assert "queue team, priority medium" in done.output
    assert "1 restart of 1 of 2 jobs" in done.output


def seconds_to(workload: dict[str, Any], kind: str) -> float:
    """From the creation of a Workload to its condition, by its own times."""
    ends = [one["lastTransitionTime"] for one in workload["status"]["conditions"] if one["type"] == kind]
    begin = datetime.fromisoformat(workload["metadata"]["creationTimestamp"])
    return (datetime.fromisoformat(ends[0]) - begin).total_seconds()


def documents_of(text: str) -> Iterator[dict[str, Any]]:
    """The JSON documents of a stream; one that was cut off at its end is left out."""
    decoder, place = json.JSONDecoder(), 0
    while True:
        while place < len(text) and text[place].isspace():
            place += 1
        try:
            document, place = decoder.raw_decode(text, place)
        except ValueError:
            return
        yield document


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
