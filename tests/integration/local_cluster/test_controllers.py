"""JobSet and Kueue beside the embedded control plane: switched on and off while it runs, and each does its work."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.collection import CHECKOUT
from helpers.commands import Completed
from helpers.kubectl_watch import Versions, watching
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


POOLS = [{"name": f"v5e-{one}", "type": "v5e", "topology": "4x4"} for one in ("a", "b")]


@pytest.fixture(scope="module")
def with_job_sets(driver: Driver) -> Driver:
    """The cluster of these tests, with JobSets and two slices of a TPU."""
    whole = Driver({**driver.options, "node_pools": POOLS})
    assert "jobset" in whole.ok(jobset=True)["parts"]
    return whole


Play = Callable[[str, dict[str, Any]], Completed]


@pytest.fixture
def play(with_job_sets: Driver, cluster_free_playbook: Callable[..., Completed]) -> Play:
    """A function that runs a playbook of the collection with these settings on the cluster of these tests."""
    cluster = {"K8S_AUTH_KUBECONFIG": str(with_job_sets.data_dir / "kubeconfig")}
    return lambda name, given: cluster_free_playbook(f"kubestress.core.{name}", extra_vars=given, env=cluster)


def names_of(own_kubectl: Callable[..., Any], what: str) -> set[str]:
    return {one["metadata"]["name"] for one in own_kubectl("get", what)["items"]}


def test_job_sets_run_fail_and_vanish_and_are_counted_once(
    with_job_sets: Driver,
    own_kubectl: Callable[..., Any],
    play: Play,
    tmp_path: Path,
) -> None:
    before, mark, after = TEMPLATE.read_text().partition("              annotations:\n")
    template = tmp_path / "job_set.yml.j2"
    template.write_text(f"{before}{mark}{CRASHING}{after}")
    given = {**RUN, "run_results_dir": str(tmp_path), "accelerator_jobs_job_set_template": str(template)}

    def attempt() -> dict[str, Any]:
        done = play("stress", given)
        assert done.rc != 0, done.output
        summary = json.loads((tmp_path / "sets" / "summary.json").read_text())
        counted = summary["objects"]["JobSet"]
        assert (counted["ready"], counted["requested"]) == (1, 2), done.output
        assert "restarted 1 of 1 times" in done.output
        return summary

    first = attempt()
    # As it was seen of the pods while they were there: a TTL of a second may have removed them by the end of the run.
    assert set(first["pods"]["causes"]) == {"exit 1"}
    rows = [json.loads(line) for line in (tmp_path / "sets" / "failures.jsonl").read_text().splitlines()]
    (failed,) = [row for row in rows if row["kind"] == "JobSet"]
    assert re.search(r"; restarted 1 of 1 times; pod \S+-slice-job-\S+ failed: exit 1$", failed["message"]), failed
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

    # Without Kueue a job runs at once, whatever queue it names; with its webhooks left behind it would be refused.
    off = with_job_sets.ok(jobset=True, kueue=False)["changes"]
    assert "start jobset" in off
    ended = ["end kueue", *(f"delete {what} kubestress-kueue" for what in HOOKS)]
    assert [change for change in off if "kueue" in change] == ended
    for what in HOOKS:
        assert {"kubestress-jobset"} == names_of(own_kubectl, what)
    send(own_kubectl, "create", [priority("unqueued", 1), queued_job("unqueued", "unqueued", suspend=False)])
    until(lambda: own_kubectl("get", "job", "unqueued")["status"].get("succeeded") == 1, seconds=60)
    assert with_job_sets.ok(jobset=True, kueue=False)["changes"] == []


# --- Kueue ------------------------------------------------------------------------------------------------------------

QUOTA = 2
LOW, HIGH = 4, 2


def queues(*, held: bool, namespace: str = "default", shared: str = "shared", **quotas: Any) -> list[dict[str, Any]]:
    quotas = quotas or {"cpu": QUOTA}
    resources = [{"name": name.replace("_", "/"), "nominalQuota": amount} for name, amount in quotas.items()]
    covered = [one["name"] for one in resources]
    spec = {
        "namespaceSelector": {},
        "queueingStrategy": "BestEffortFIFO",
        "resourceGroups": [{"coveredResources": covered, "flavors": [{"name": "default", "resources": resources}]}],
        "stopPolicy": "Hold" if held else "None",
    }
    version = "kueue.x-k8s.io/v1beta2"
    return [
        {"apiVersion": version, "kind": "ResourceFlavor", "metadata": {"name": "default"}},
        {"apiVersion": version, "kind": "ClusterQueue", "metadata": {"name": shared}, "spec": spec},
        {
            "apiVersion": version,
            "kind": "LocalQueue",
            "metadata": {"name": "team", "namespace": namespace},
            "spec": {"clusterQueue": shared},
        },
    ]


def queued_job(name: str, priority: str, *, suspend: bool = True) -> dict[str, Any]:
    resources = {"requests": {"cpu": "1"}}
    spec = {
        "restartPolicy": "Never",
        "priorityClassName": priority,
        "containers": [{"name": "main", "image": "none", "resources": resources}],
    }
    template = {"metadata": {"annotations": {"kubestress.core/simulate-duration": "1s"}}, "spec": spec}
    labels = {"kueue.x-k8s.io/queue-name": "team"}
    job = {"suspend": suspend, "backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": job}


def priority(name: str, value: int) -> dict[str, Any]:
    return {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value}


def is_true(workload: dict[str, Any], kind: str) -> bool:
    conditions = workload.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def send(own_kubectl: Callable[..., Any], verb: str, objects: list[dict[str, Any]]) -> None:
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    own_kubectl(verb, "-f", "-", stdin=given, parse=False)


@dataclass
class Workloads:
    """Every change of a namespace's Workloads, as the API server tells it to anybody."""

    told: Versions

    def finished(self) -> int:
        return len({one["metadata"]["name"] for one in self.told() if is_true(one, "Finished")})

    def admitted(self, *, at_most: int) -> list[str]:
        """The names of their owners in the order of their admission; never more than so many at once."""
        holding: set[str] = set()
        admitted: list[str] = []
        most = 0
        for workload in self.told():
            name = workload["metadata"]["ownerReferences"][0]["name"]
            if is_true(workload, "QuotaReserved") and not is_true(workload, "Finished"):
                holding.add(name)
                if name not in admitted:
                    admitted.append(name)
            else:
                holding.discard(name)
            most = max(most, len(holding))
        assert most == at_most
        return admitted


@pytest.fixture
def watched(with_job_sets: Driver, kubectl_path: str, tmp_path: Path) -> Any:
    """A context in which the Workloads of a namespace are watched, by kubectl."""

    @contextmanager
    def workloads_of(namespace: str) -> Iterator[Workloads]:
        kubeconfig, file = with_job_sets.data_dir / "kubeconfig", tmp_path / "workloads.json"
        with watching(kubectl_path, kubeconfig, file, "workloads", "-n", namespace) as told:
            yield Workloads(told)

    return workloads_of


def test_kueue_admits_no_more_than_the_quota_and_the_high_priority_first(
    with_job_sets: Driver, own_kubectl: Callable[..., Any], watched: Any
) -> None:
    with_job_sets.ok(jobset=True, kueue=True)
    jobs = [queued_job(f"low-{one}", "low") for one in range(LOW)]
    jobs += [queued_job(f"high-{one}", "high") for one in range(HIGH)]
    send(own_kubectl, "create", [priority("low", 10), priority("high", 1000), *queues(held=True)])
    send(own_kubectl, "create", jobs)
    until(lambda: len(own_kubectl("get", "workloads")["items"]) == LOW + HIGH, seconds=60)
    assert not any(is_true(one, "QuotaReserved") for one in own_kubectl("get", "workloads")["items"])

    with watched("default") as seen:
        until(lambda: len(list(seen.told())) == LOW + HIGH)
        send(own_kubectl, "apply", queues(held=False))
        until(lambda: seen.finished() == LOW + HIGH, seconds=120)
    admitted = seen.admitted(at_most=QUOTA)
    assert len(admitted) == LOW + HIGH
    assert all(name.startswith("high-") for name in admitted[:HIGH]), admitted


def test_the_summary_tells_of_the_queue_the_pools_and_restarts(
    with_job_sets: Driver,
    own_kubectl: Callable[..., Any],
    play: Play,
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
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "narrow"}},
        {"apiVersion": version, "kind": "ResourceFlavor", "metadata": {"name": "narrow"}},
        {"apiVersion": version, "kind": "ClusterQueue", "metadata": {"name": "narrow"}, "spec": spec},
        {
            "apiVersion": version,
            "kind": "LocalQueue",
            "metadata": {"name": "team", "namespace": "narrow"},
            "spec": {"clusterQueue": "narrow"},
        },
    ]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    own_kubectl("create", "-f", "-", stdin=document, parse=False)
    # Somebody's own classes of names that the run makes as well, with other values.
    send(own_kubectl, "apply", [priority("low", 10), priority("high", 1000)])
    # There is room for one at a time; the second fails, is restarted, and fails again.
    template = tmp_path / "job_set.yml.j2"
    before, mark, after = TEMPLATE.read_text().partition("              annotations:\n")
    template.write_text(f"{before}{mark}{CRASHING}{after}")
    given = {
        **RUN,
        "namespaces_names": "narrow",
        "namespaces_existing": "narrow",
        "accelerator_jobs_slices": 1,
        "accelerator_jobs_nodes": 1,
        "accelerator_jobs_queue": "team",
        "accelerator_jobs_priority": "medium",
        "accelerator_jobs_priority_classes": True,
        "accelerator_jobs_job_set_template": str(template),
        "run_id": "narrow",
        "run_results_dir": str(tmp_path),
    }
    done = play("stress", given)
    assert done.rc != 0, done.output
    jobs = json.loads((tmp_path / "narrow" / "summary.json").read_text())["accelerator_jobs"]
    assert (jobs["cause"], jobs["workloads_cause"], jobs["pools_cause"]) == (None, None, None)

    (wait,) = jobs["waits"]
    assert (wait["queue"], wait["priority"], wait["jobs"], wait["waiting"]) == ("team", "medium", 2, 0)
    admitted, scheduled = wait["stages"]["admitted"], wait["stages"]["scheduled"]
    assert admitted["count"] == scheduled["count"] == 2
    # The one behind waited for the other's second at least, and then for a node.
    assert 1 <= admitted["max_s"] <= scheduled["max_s"]
    assert wait["first_admitted"] < wait["last_admitted"]
    # What the objects say themselves, as another client reads them.
    own = [seconds_to(one, "Admitted") for one in own_kubectl("get", "workloads", "-n", "narrow")["items"]]
    assert not own or round(wait["stages"]["admitted_own"]["max_s"]) >= max(own)
    (queued,) = [row for row in jobs["unschedulable"] if row["by"] == "queue"]
    assert "insufficient unused quota" in queued["cause"]
    assert (queued["told"], queued["pending"]) == (1, 0)

    (row,) = jobs["restarts"]
    assert (row["restarted"], row["restarts"], row["failed_pods"], row["exit_codes"]) == (1, 1, 2, {"1": 2})
    assert sum(pool["pods"] for pool in jobs["pools"]) == 3
    assert sum(pool["slices"] for pool in jobs["pools"]) == 3
    # The five classes are made once, and those of somebody else stay as they are, also when the run's are removed.
    classes = json.loads((tmp_path / "narrow" / "summary.json").read_text())["objects"]["PriorityClass"]
    assert (classes["requested"], classes["created"], classes["failed"]) == (5, 3, 2)
    assert "exists already and was not made by kubestress" in done.output
    cleaned = play("cleanup", given)
    assert cleaned.rc == 0, cleaned.output
    left = {one["metadata"]["name"]: one["value"] for one in own_kubectl("get", "priorityclasses")["items"]}
    assert (left["low"], left["high"], "medium" in left) == (10, 1000, False)
    assert "queue team, priority medium" in done.output
    assert "1 restart of 1 of 2 jobs" in done.output


def seconds_to(workload: dict[str, Any], kind: str) -> float:
    """From the creation of a Workload to its condition, by its own times."""
    ends = [one["lastTransitionTime"] for one in workload["status"]["conditions"] if one["type"] == kind]
    begin = datetime.fromisoformat(workload["metadata"]["creationTimestamp"])
    return (datetime.fromisoformat(ends[0]) - begin).total_seconds()


def test_jobs_that_no_queue_admits_are_told_before_they_are_made(
    with_job_sets: Driver,
    own_kubectl: Callable[..., Any],
    play: Play,
    tmp_path: Path,
) -> None:
    """A queue that is missing or whose quota is smaller than a pod; and, forced, what the queue says of it."""
    with_job_sets.ok(jobset=True, kueue=True)
    names = ["tiny", "bare"]
    send(own_kubectl, "create", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}} for one in names])
    send(own_kubectl, "apply", queues(held=False, namespace="tiny", shared="tiny", cpu="200m", memory="1Gi"))
    given = {
        **RUN,
        "run_id": "tiny",
        "run_results_dir": str(tmp_path),
        "namespaces_existing": names,
        "accelerator_jobs_kind": "job",
        "accelerator_jobs_stall_timeout": 3,
        "accelerator_jobs_queue": "team",
    }

    def attempt(**more: Any) -> str:
        done = play("stress", {**given, **more})
        assert done.rc != 0, done.output
        return " ".join(done.output.split())

    told = attempt(namespaces_names=names)
    assert (
        "namespaces whose queue team takes jobs of accelerator_jobs: 2 needed, 1 offered (there is no LocalQueue team "
        "(in bare)): create the queue in each namespace, or change accelerator_jobs_queue=team"
    ) in told
    assert "cpu quota of ClusterQueue tiny for one pod of accelerator_jobs: 0.5 needed, 0.2 offered" in told
    assert own_kubectl("get", "jobs", "-n", "tiny")["items"] == []
    forced = attempt(namespaces_names=["tiny"], preflight_accept_over_limit=True)
    assert "in their queue: couldn't assign flavors to pod set main: insufficient quota for cpu" in forced


def test_queued_job_sets_of_the_role_get_a_pool_for_each_slice(
    with_job_sets: Driver,
    own_kubectl: Callable[..., Any],
    play: Play,
    watched: Any,
    tmp_path: Path,
) -> None:
    """Two JobSets of two slices where the quota, like the nodes, is enough for one of them."""
    with_job_sets.ok(jobset=True, kueue=True)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "queued"}}
    quotas = {"cpu": 100, "memory": 10**12, "google.com_tpu": 32}
    send(own_kubectl, "create", [namespace, priority("urgent", 500)])
    send(own_kubectl, "apply", queues(held=False, namespace="queued", shared="tpus", **quotas))
    given = {
        **RUN,
        "run_id": "queued",
        "run_results_dir": str(tmp_path),
        "namespaces_names": ["queued"],
        "namespaces_existing": ["queued"],
        "accelerator_jobs_type": "v5e",
        "accelerator_jobs_topology": "4x4",
        "accelerator_jobs_nodes": 0,
        "accelerator_jobs_queue": "team",
        "accelerator_jobs_priority": "urgent",
        "accelerator_jobs_duration": 2,
        "accelerator_jobs_ttl": 3600,
    }
    with watched("queued") as seen:
        done = play("stress", given)
        assert done.rc == 0, done.output
        until(lambda: seen.finished() == 2)
    assert sorted(seen.admitted(at_most=1)) == ["accelerator-1", "accelerator-2"]
    assert {one["spec"]["priority"] for one in seen.told()} == {500}

    for job_set in own_kubectl("get", "jobsets", "-n", "queued")["items"]:
        assert is_true(job_set, "Completed"), job_set["status"]
        selector = f"jobset.sigs.k8s.io/jobset-name={job_set['metadata']['name']}"
        assert len(own_kubectl("get", "jobs", "-n", "queued", "-l", selector)["items"]) == 2
        pools: dict[str, Counter[str]] = defaultdict(Counter)
        for pod in own_kubectl("get", "pods", "-n", "queued", "-l", selector)["items"]:
            assert (pod["status"]["phase"], pod["spec"]["priority"]) == ("Succeeded", 500)
            pools[pod["metadata"]["labels"]["job-name"]][pod["spec"]["nodeName"].rpartition("-")[0]] += 1
        # Each slice has all four nodes of one pool.
        assert sorted(map(dict, pools.values()), key=str) == [{"v5e-a": 4}, {"v5e-b": 4}]


def module_files(name: str) -> Path:
    """The folder `config/components` of the module that is pinned for a controller."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on the PATH")
    command = [go, "mod", "download", "-json", f"sigs.k8s.io/{name}"]
    done = subprocess.run(command, cwd=FILES / "go" / name, capture_output=True, text=True, check=True, timeout=120)
    return Path(json.loads(done.stdout)["Dir"]) / "config" / "components"


def shipped_definitions(name: str) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in (FILES / "crds" / name).glob("*.json")}


def test_what_is_shipped_of_jobset_is_of_the_pinned_module() -> None:
    """With the Go that would build the controller. Only descriptions of fields are left out."""
    theirs = module_files("jobset")
    definition = yaml.safe_load((theirs / "crd/bases/jobset.x-k8s.io_jobsets.yaml").read_text())
    assert shipped_definitions("jobset") == {"jobsets.jobset.x-k8s.io": without_descriptions(definition)}

    ours = json.loads((FILES / "controllers/jobset.json").read_text())
    assert yaml.safe_load((theirs / "rbac/role.yaml").read_text())["rules"] == ours["rules"]
    for found in yaml.safe_load_all((theirs / "webhook/manifests.yaml").read_text()):
        short = found["kind"].removesuffix("WebhookConfiguration").lower()
        for patch in yaml.safe_load((theirs / f"webhook/patches/{short}-patch.yaml").read_text()):
            found["webhooks"][int(patch["path"].rpartition("/")[2])] = patch["value"]
        assert [with_path(webhook) for webhook in found["webhooks"]] == ours[found["kind"]]


#: The groups that Kueue's rules know and this cluster does not have: jobs of other projects, an autoscaler, and the
#: rules by which requests for its visibility are limited.
ABSENT = {
    "autoscaling.x-k8s.io", "flowcontrol.apiserver.k8s.io", "kubeflow.org", "leaderworkerset.x-k8s.io", "ray.io",
    "sparkoperator.k8s.io", "trainer.kubeflow.org", "workload.codeflare.dev",
}  # fmt: skip


def test_what_is_shipped_of_kueue_is_of_the_pinned_module() -> None:
    """Left out are descriptions, the version that needs conversion, and what is for kinds that are not here."""
    theirs = module_files("kueue")
    definitions = {}
    for path in (theirs / "crd/bases").glob("*.yaml"):
        definition = without_descriptions(yaml.safe_load(path.read_text()))
        versions = definition["spec"]["versions"]
        definition["spec"]["versions"] = [one for one in versions if one["name"] != "v1beta1"]
        definitions[definition["metadata"]["name"]] = definition
    assert shipped_definitions("kueue") == definitions

    ours = json.loads((FILES / "controllers/kueue.json").read_text())
    rules = single_rights(yaml.safe_load((theirs / "rbac/role.yaml").read_text())["rules"])
    assert single_rights(ours["rules"]) == {right for right in rules if right[0] not in ABSENT}

    (patch,) = yaml.safe_load((theirs / "webhook/kustomization.yaml").read_text())["patches"]
    (outside,) = yaml.safe_load(patch["patch"])["webhooks"]
    for found in yaml.safe_load_all((theirs / "webhook/manifests.yaml").read_text()):
        expected = []
        for webhook in map(with_path, found["webhooks"]):
            (group,) = webhook["rules"][0]["apiGroups"]
            if group in ("batch", "jobset.x-k8s.io"):
                webhook["namespaceSelector"] = outside["namespaceSelector"]
            if group in ("batch", "jobset.x-k8s.io", "kueue.x-k8s.io"):
                expected.append(webhook)
        assert expected == ours[found["kind"]]


def with_path(webhook: dict[str, Any]) -> dict[str, Any]:
    """A webhook with the path of its service, whose address is the cluster's matter."""
    rest = {key: value for key, value in webhook.items() if key != "clientConfig"}
    return {**rest, "path": webhook["clientConfig"]["service"]["path"]}


def single_rights(rules: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """Group, resource, verb and name of an object, each alone."""
    return {
        right
        for rule in rules
        for right in itertools.product(
            rule["apiGroups"], rule["resources"], rule["verbs"], rule.get("resourceNames") or [""]
        )
    }


def without_descriptions(value: Any) -> Any:
    """The same without the texts named description, which are not those of a field of that name."""
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key != "description" or not isinstance(one, str)}
        return {key: without_descriptions(one) for key, one in kept.items()}
    return [without_descriptions(one) for one in value] if isinstance(value, list) else value
