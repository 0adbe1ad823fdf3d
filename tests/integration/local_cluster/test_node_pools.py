"""Pools of simulated nodes: the real scheduler places jobs on accelerators by what the catalogue says of them."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.shape import shape_of
from helpers.accelerator_manifests import ENTRIES, documents
from helpers.commands import Completed
from helpers.local_cluster import Driver
from helpers.registry import Registry, serving
from helpers.waiting import until

POOL, LABEL = "cloud.google.com/gke-nodepool", "cloud.google.com/gke-tpu-topology"
#: Nothing has these: another topology, another machine, chips that others have taken.
MISFITS: dict[str, dict[str, Any]] = {
    "wrong-topology": {"name": "v5e", "topology": "2x2"},
    "wrong-machine": {"name": "nvidia-h100-80gb", "machine": "a3-highgpu-1g"},
    "too-many": {"name": "nvidia-h100-80gb", "machine": "a3-highgpu-8g"},
}


def pools_of(entry: str) -> list[dict[str, Any]]:
    """Pools with room for one entry of the catalogue and nothing else."""
    asked = {key: value for key, value in ENTRIES[entry].items() if key in ("type", "topology", "machine")}
    if not asked:
        machine = {"machine": "n2-standard-8", "resources": {"cpu": "8", "memory": "32Gi"}}
        return [{"name": entry, "count": ENTRIES[entry]["nodes"], **machine}]
    each = {} if "topology" in asked else {"count": ENTRIES[entry].get("nodes", 1)}
    slices = range(1, ENTRIES[entry].get("slices", 1) + 1)
    return [{"name": f"{entry}-{number}", **asked, **each} for number in slices]


POOLS = [pool for entry in ENTRIES for pool in pools_of(entry)]


def jobs_of(entry: str) -> list[dict[str, Any]]:
    """The Jobs that the role makes of an entry, in a namespace of its own; they last, so that no chips come back."""
    jobs = copy.deepcopy(documents(entry, "job", entry))
    for job in jobs:
        job["metadata"]["namespace"] = entry
        job["spec"]["template"]["metadata"]["annotations"]["kubestress.core/simulate-duration"] = "1h"
    return jobs


def misfit(name: str) -> dict[str, Any]:
    shape = shape_of(**MISFITS[name]).as_dict()
    spec = {
        "restartPolicy": "Never",
        "nodeSelector": shape["node_selector"],
        "tolerations": shape["tolerations"],
        "containers": [{"name": "main", "image": "none", "resources": {"limits": shape["limits"]}}],
    }
    job = {"backoffLimit": 0, "template": {"spec": spec}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"}, "spec": job}


def of_all(kind: str, *names: str, **content: Any) -> list[dict[str, Any]]:
    version = "scheduling.k8s.io/v1" if kind == "PriorityClass" else "v1"
    return [{"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content} for name in names]


def pods_of(pods: list[dict[str, Any]], job: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = (job["metadata"]["namespace"], job["metadata"]["name"])
    return [pod for pod in pods if (pod["metadata"]["namespace"], pod["metadata"]["labels"].get("job-name")) == wanted]


def why_pending(pod: dict[str, Any]) -> str:
    conditions = {one["type"]: one for one in pod.get("status", {}).get("conditions", [])}
    return str(conditions.get("PodScheduled", {}).get("message", ""))


def test_the_scheduler_places_every_entry_of_the_catalogue(driver: Driver, own_kubectl: Callable[..., Any]) -> None:
    made = driver.ok(node_pools=POOLS, nodes=1)
    counts = made["node_pools"]
    assert (counts["v5e-1"], counts["v6e-1"], counts["nvidia-h100-80gb-1"], counts["cpu"]) == (4, 16, 2, 2)
    assert driver.ok(node_pools=POOLS, nodes=1)["changes"] == []
    nodes = {one["metadata"]["name"]: one for one in own_kubectl("get", "nodes")["items"]}
    assert len(nodes) == sum(counts.values()) + 1

    def placed(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create Jobs, and return the pods of all once the scheduler has judged each."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": jobs})
        own_kubectl("create", "-f", "-", stdin=given, parse=False)
        wanted = sum(job["spec"].get("completions", 1) for job in jobs)
        found: list[dict[str, Any]] = []

        def judged() -> bool:
            pods = own_kubectl("get", "pods", "-A")["items"]
            found[:] = [pod for job in jobs for pod in pods_of(pods, job)]
            return len(found) == wanted and all(pod["spec"].get("nodeName") or why_pending(pod) for pod in found)

        until(judged, seconds=120)
        return found

    every = of_all("Namespace", *ENTRIES) + of_all("PriorityClass", "high", value=750)
    own_kubectl(
        "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": every}), parse=False
    )
    until(lambda: len(own_kubectl("get", "serviceaccounts", "-A")["items"]) >= len(ENTRIES))
    jobs = [job for entry in ENTRIES for job in jobs_of(entry)]
    pods = placed(jobs)
    taken: Counter[tuple[str, str]] = Counter()
    pool_of_slice: dict[tuple[str, str], str] = {}
    for job in jobs:
        name = (job["metadata"]["namespace"], job["metadata"]["name"])
        spec = job["spec"]["template"]["spec"]
        limits = {key: int(value) for key, value in spec["containers"][0]["resources"]["limits"].items() if "/" in key}
        mine = pods_of(pods, job)
        assert all(pod["spec"].get("nodeName") for pod in mine), (name, [why_pending(pod) for pod in mine])
        for pod in mine:
            node = nodes[pod["spec"]["nodeName"]]
            assert spec["nodeSelector"].items() <= node["metadata"]["labels"].items(), name
            taken.update({(pod["spec"]["nodeName"], key): chips for key, chips in limits.items()})
        if topology := spec["nodeSelector"].get(LABEL):
            on_a_node = int(node["status"]["allocatable"]["google.com/tpu"])
            product = math.prod(int(side) for side in topology.split("x"))
            assert (job["spec"]["completions"], len(mine)) == (product // on_a_node, product // on_a_node), name
            (pool_of_slice[name],) = {nodes[pod["spec"]["nodeName"]]["metadata"]["labels"][POOL] for pod in mine}
    # Every node of a TPU has its chips taken, and so only one slice each; no node gives more than it has.
    assert len(set(pool_of_slice.values())) == len(pool_of_slice) == 7, pool_of_slice
    for (node_name, resource), chips in taken.items():
        assert chips <= int(nodes[node_name]["status"]["allocatable"][resource]), (node_name, resource, chips)

    causes = {pod["metadata"]["labels"]["job-name"]: pod for pod in placed([misfit(name) for name in MISFITS])}
    assert all(not pod["spec"].get("nodeName") for pod in causes.values())
    assert "Insufficient nvidia.com/gpu" in why_pending(causes["too-many"])
    for name in ("wrong-topology", "wrong-machine"):
        assert "didn't match Pod's node affinity/selector" in why_pending(causes[name])

    # A running cluster takes over other pools: what stays, changes in place.
    stays = pools_of("nvidia-h100-80gb")
    other = [{"name": "v5e-1", "type": "v5e", "topology": "2x4", "machine": "ct5lp-hightpu-8t"}, *stays]
    changes = driver.ok(node_pools=other, nodes=1)["changes"]
    assert changes == ["resize 1 nodes", f"delete {len(nodes) - 4} nodes", "change the labels of 1 nodes"]
    (node,) = own_kubectl("get", "nodes", "-l", f"{POOL}=v5e-1")["items"]
    assert node["metadata"]["labels"][LABEL] == "2x4"
    assert node["status"]["allocatable"]["google.com/tpu"] == "8"
    message = driver.failure(node_pools=[{"name": "x", "type": "v5e", "topology": "4x4", "count": 3}])
    assert "node_pools: pool x has count 3, but a slice of 4x4 on ct5lp-hightpu-4t has 4 nodes" in message


# --- the role accelerator_jobs on pools ------------------------------------------------------------------------------

TWO_POOLS: list[dict[str, Any]] = [{"name": f"v5e-{one}", "type": "v5e", "topology": "4x4"} for one in ("a", "b")]
#: And one that no job of the role tolerates.
HELD = {
    "name": "held",
    "type": "v6e",
    "topology": "2x4",
    "taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}],
}
RUN: dict[str, Any] = {
    "profile": "defaults",
    "build_jobs_enabled": False,
    "namespaces_total": 1,
    "deployments_enabled": False,
    "statefulsets_enabled": False,
    "accelerator_jobs_enabled": True,
    "accelerator_jobs_type": "v5e",
    "accelerator_jobs_topology": "4x4",
}


@pytest.fixture
def free_pools(driver: Driver, own_kubectl: Callable[..., Any]) -> None:
    """No job of an earlier test holds chips any more."""
    driver.ok(nodes=1)
    own_kubectl("delete", "jobs", "--all", "-A", "--cascade=foreground", parse=False)
    until(lambda: not own_kubectl("get", "pods", "-A", "-l", "job-name")["items"])


@pytest.fixture
def stress(
    driver: Driver, free_pools: None, cluster_free_playbook: Callable[..., Completed], tmp_path: Path
) -> Callable[..., tuple[Completed, Path]]:
    """A function that runs accelerator jobs on two pools of a v5e 4x4; returns what it printed and its folder."""
    cluster = {"K8S_AUTH_KUBECONFIG": driver.ok(node_pools=[*TWO_POOLS, HELD], nodes=1)["kubeconfig"]}

    def run(run_id: str, **settings: Any) -> tuple[Completed, Path]:
        given = {**RUN, "run_id": run_id, "namespaces_prefix": run_id, "run_results_dir": str(tmp_path), **settings}
        return cluster_free_playbook("kubestress.core.stress", extra_vars=given, env=cluster), tmp_path / run_id

    return run


def test_each_slice_runs_in_a_pool_of_its_own(stress: Any, own_kubectl: Callable[..., Any]) -> None:
    done, folder = stress("slices", accelerator_jobs_slices=2, accelerator_jobs_duration=2)
    assert done.rc == 0, done.output
    pods = own_kubectl("get", "pods", "-n", "slices-1")["items"]
    pools: dict[str, set[str]] = {}
    for pod in pods:
        assert pod["metadata"]["labels"]["kubestress.core/run-id"] == "slices"
        assert pod["status"]["phase"] == "Succeeded"
        pools.setdefault(pod["metadata"]["labels"]["job-name"], set()).add(pod["spec"]["nodeName"].rpartition("-")[0])
    assert len(pods) == 8
    assert all(len(found) == 1 for found in pools.values()), pools
    assert set.union(*pools.values()) == {"v5e-a", "v5e-b"}
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["jobs"]["complete"] == 2
    seen = summary["accelerator_jobs"]
    columns = ("pool", "accelerator", "topology", "nodes", "nodes_used", "pods", "slices", "slices_at_once")
    assert [tuple(row[name] for name in columns) for row in seen["pools"]] == [
        (pool, "tpu-v5-lite-podslice", "4x4", 4, 4, 4, 1, 1) for pool in ("v5e-a", "v5e-b")
    ]
    (wait,) = seen["waits"]
    assert (wait["jobs"], wait["waiting"], wait["stages"]["scheduled"]["count"]) == (2, 0, 2)


def test_what_finds_no_pool_is_named_and_forced_it_stays_pending(stress: Any, own_kubectl: Callable[..., Any]) -> None:
    many = {"accelerator_jobs_count": 3, "accelerator_jobs_duration": 3600}
    refused, _folder = stress("many", **many)
    assert refused.rc != 0
    assert "slices of accelerator_jobs that find a pool: 3 needed, 2 offered" in refused.output
    assert "accelerator_jobs_count=3" in refused.output
    assert own_kubectl("get", "jobs", "-n", "many-1")["items"] == []

    wrong, _folder = stress("wrong", accelerator_jobs_topology="2x4")
    assert wrong.rc != 0
    assert "nearest is pool v5e-a (4 nodes): cloud.google.com/gke-tpu-topology is 4x4, not 2x4" in wrong.output
    assert own_kubectl("get", "jobs", "-n", "wrong-1")["items"] == []

    held = {"accelerator_jobs_type": "v6e", "accelerator_jobs_topology": "2x4"}
    untolerated, _folder = stress("held", **held)
    assert untolerated.rc != 0
    assert (
        "nearest is pool held (1 node): tainted team=a:NoSchedule, which the pods do not tolerate" in untolerated.output
    )

    forced, folder = stress("many", **many, preflight_accept_over_limit=True, accelerator_jobs_stall_timeout=15)
    assert forced.rc != 0
    assert "Insufficient google.com/tpu" in (folder / "summary.json").read_text()
    phases = [pod["status"]["phase"] for pod in own_kubectl("get", "pods", "-n", "many-1")["items"]]
    assert (phases.count("Running"), phases.count("Pending")) == (8, 4)
    seen = json.loads((folder / "summary.json").read_text())["accelerator_jobs"]
    causes = {row["cause"]: row for row in seen["unschedulable"]}
    lacking = causes["Insufficient google.com/tpu"]
    assert (lacking["by"], lacking["pending"]) == ("scheduler", 4)
    assert lacking["longest_s"] >= 15
    (wait,) = seen["waits"]
    assert (wait["jobs"], wait["waiting"], wait["stages"]["scheduled"]["count"]) == (3, 1, 2)
    assert wait["waiting_longest_s"] >= 15
    assert "4 pods of accelerator_jobs: Insufficient google.com/tpu" in " ".join(forced.output.split())


# --- the playbook accelerator_run on pools ---------------------------------------------------------------------------

Play = Callable[..., Completed]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def accelerator_run(
    driver: Driver, free_pools: None, registry: Registry, cluster_free_playbook: Play, tmp_path: Path
) -> Play:
    """A function that runs the playbook with everything as text, as AWX gives it, in a folder with the files."""
    cluster = {"K8S_AUTH_KUBECONFIG": driver.ok(node_pools=TWO_POOLS, nodes=1)["kubeconfig"]}
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "train.py").write_text("print('training')\n")
    base = registry.base(tmp_path)

    def run(*arguments: str, env: Mapping[str, str] | None = None, **settings: Any) -> Completed:
        given = {
            "accelerator_jobs_type": "v5e",
            "accelerator_jobs_topology": "4x4",
            "accelerator_jobs_slices": "2",
            "accelerator_jobs_duration": "2",
            "accelerator_run_image_context": "train",
            "accelerator_run_image_name": f"{registry.host}/train",
            "accelerator_run_image_base": base,
            **settings,
        }
        words = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
        environment = {**registry.environment, **cluster, **(env or {})}
        return cluster_free_playbook(
            "kubestress.core.accelerator_run", *words, *arguments, env=environment, cwd=tmp_path
        )

    return run


def without_nothing(value: Any) -> Any:
    """An object without what is null or empty, which the API server leaves out."""
    if isinstance(value, dict):
        return {key: kept for key, one in value.items() if (kept := without_nothing(one)) not in (None, {}, [])}
    return [without_nothing(one) for one in value] if isinstance(value, list) else value


def differences(given: Any, stored: Any, at: str = "") -> list[str]:
    """Fields of a manifest that an object of the cluster does not have as they are."""
    if isinstance(given, dict) and isinstance(stored, dict):
        return [line for key, one in given.items() for line in differences(one, stored.get(key), f"{at}.{key}")]
    if isinstance(given, list) and isinstance(stored, list) and len(given) == len(stored):
        pairs = enumerate(zip(given, stored, strict=True))
        return [line for number, (one, other) in pairs for line in differences(one, other, f"{at}[{number}]")]
    # The server leaves out a false that is the default.
    same = given == stored or (given is False and stored is None)
    return [] if same else [f"{at}: {given!r}, not {stored!r}"]


@pytest.mark.slow
def test_the_manifest_is_what_a_run_applies(
    accelerator_run: Play, registry: Registry, own_kubectl: Callable[..., Any], tmp_path: Path
) -> None:
    # The file is made by kubestress.core.manifest.
    nowhere = {"K8S_AUTH_KUBECONFIG": "", "K8S_AUTH_HOST": "https://127.0.0.1:1"}
    asked = len(registry.requests())
    only = accelerator_run(env=nowhere, run_id="exact", accelerator_run_manifest_out="out/exact.yml")
    assert only.rc == 0, only.output
    assert f"1 Namespace, 2 Job of run exact, in {tmp_path / 'out' / 'exact.yml'}" in only.output
    text = (tmp_path / "out" / "exact.yml").read_text()
    assert f"# The image {registry.host}/train:latest is not built here" in text
    check = accelerator_run("--check", env=nowhere, run_id="exact")
    assert check.rc == 0, check.output
    assert "1 Namespace, 2 Job of run exact, not written" in check.output
    # Neither of them asked anybody, and neither left anything.
    assert len(registry.requests()) == asked
    assert {path.name for path in tmp_path.iterdir()} == {"base.tar", "out", "train"}

    done = accelerator_run(env={"ANSIBLE_SHOW_CUSTOM_STATS": "true"}, run_id="exact")
    assert done.rc == 0, done.output
    digest = registry.digests("train")["latest"]
    reference = f"{registry.host}/train@{digest}"
    # Preflight, then the image, then the jobs.
    parts = ("slices of accelerator_jobs", f"pushed {registry.host}", "Run the plan]", "PASSED")
    places = [done.output.find(part) for part in parts]
    assert -1 < places[0] < places[1] < places[2] < places[3], done.output
    assert f'"reference": "{reference}"' in done.output
    folder = tmp_path / "kubestress-results" / "exact"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["verdict"], summary["jobs"]["complete"]) == ("passed", 2)

    documents = list(yaml.safe_load_all(text))
    assert [document["kind"] for document in documents] == ["Namespace", "Job", "Job"]
    for document in documents:
        where = ("-n", document["metadata"]["namespace"]) if "namespace" in document["metadata"] else ()
        stored = own_kubectl("get", document["kind"], document["metadata"]["name"], *where)
        image = f".spec.template.spec.containers[0].image: '{registry.host}/train:latest', not '{reference}'"
        expected = [image] if document["kind"] == "Job" else []
        assert differences(without_nothing(document), without_nothing(stored)) == expected
        # Once more under another name: strictly, the API takes every field.
        document["metadata"]["name"] += "-2"
    again = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    strictly = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
    assert own_kubectl(*strictly, stdin=again, parse=False).count("created (server dry run)") == 3


@pytest.mark.slow
def test_nothing_is_built_for_jobs_that_fit_nowhere_nor_with_a_wrong_option(
    accelerator_run: Play, registry: Registry, tmp_path: Path
) -> None:
    asked = len(registry.requests())
    many = accelerator_run(accelerator_jobs_slices="3")
    assert many.rc != 0
    assert "slices of accelerator_jobs that find a pool: 3 needed, 2 offered" in many.output
    wrong = accelerator_run(accelerator_run_image_name="train")
    assert "accelerator_run_image_project: missing; 'train' has no registry, so it belongs to a project" in wrong.output
    both = accelerator_run(accelerator_jobs_image="registry.example.com/train:1")
    assert "accelerator_jobs_image: registry.example.com/train:1 is given beside accelerator_run_image_context" in (
        both.output
    )
    folder = accelerator_run(accelerator_run_manifest_out="train")
    assert f"accelerator_run_manifest_out: {tmp_path / 'train'} is a folder; name a file in it" in folder.output
    assert wrong.rc != 0
    assert both.rc != 0
    assert folder.rc != 0
    # The fixture's base is all that was sent.
    assert [one for one in registry.requests()[asked:] if "/train/" in one] == []
    assert not (tmp_path / "kubestress-results").exists()
