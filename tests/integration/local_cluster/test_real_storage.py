"""Volumes on a real node: really mounted, written and measured, and gone with the node. In order."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.storage.storage_info import run_module as run_storage_info
from ansible_collections.kubestress.core.plugins.modules.storage_info import ARGUMENTS
from helpers.claims import bound, claim, create, of_snapshot, ready_snapshot, snapshot, storage_class, wait_for
from helpers.local_cluster import Driver, processes_of
from helpers.traces import Traces
from helpers.volume_runs import clean_up, run_volumes, stages
from helpers.waiting import until

Kubectl = Callable[..., Any]
BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.36.1-1"
NAME = "real-0001"
TERMINATION_LOG = Path("/dev/termination-log")
MIB = 1024 * 1024

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0, reason="a real node needs Linux and root"
    ),
]


@pytest.fixture(scope="module")
def before() -> Traces:
    return Traces.now()


@pytest.fixture(scope="module")
def node(before: Traces, driver: Driver) -> Iterator[Driver]:
    """The module's options for a real node with volumes; its own addresses, so that no other is in the way."""
    driver.options |= {"real_node": True, "storage": True, "node_network": "10.231.7.0/30", "nodes": 0}
    yield driver
    driver.ok(state="absent")


@pytest.fixture(scope="module")
def witness(node: Driver, own_kubectl: Kubectl) -> Kubectl:
    """The real node running, and kubectl on its cluster."""
    node.ok()
    return own_kubectl


def user_of(name: str, claims: dict[str, str]) -> dict[str, Any]:
    """A pod that may write, as user 1000 and group 2000, to each claim at its path."""
    mounts = [{"name": claim_name, "mountPath": path} for claim_name, path in claims.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000},
            "containers": [
                {"name": "c", "image": BUSYBOX, "command": ["sleep", "3600"], "volumeMounts": mounts},
            ],
            "volumes": [{"name": one, "persistentVolumeClaim": {"claimName": one}} for one in claims],
        },
    }


def start(kubectl: Kubectl, pod: dict[str, Any]) -> None:
    create(kubectl, pod)
    kubectl("wait", "--for=condition=Ready", "--timeout=55s", f"pod/{pod['metadata']['name']}", parse=False)


def inside(kubectl: Kubectl, pod: str, script: str) -> str:
    output: str = kubectl("exec", pod, "--", "sh", "-c", script, parse=False)
    return output


def df(kubectl: Kubectl, pod: str, path: str) -> dict[str, int]:
    """Total, used and available bytes and inodes, as the pod sees them."""
    total, used, available = inside(kubectl, pod, f"df -k {path}").splitlines()[-1].split()[1:4]
    nodes = inside(kubectl, pod, f"df -i {path}").splitlines()[-1].split()[1:4]
    kib = {"capacityBytes": total, "usedBytes": used, "availableBytes": available}
    inodes = dict(zip(("inodes", "inodesUsed", "inodesFree"), nodes, strict=True))
    return {name: int(value) * 1024 for name, value in kib.items()} | {k: int(v) for k, v in inodes.items()}


def from_kubelet(kubectl: Kubectl, claim_name: str) -> dict[str, int]:
    """The same figures from the kubelet's summary; empty while it has none."""
    answer = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{NAME}/proxy/stats/summary", parse=False))
    names = ("capacityBytes", "usedBytes", "availableBytes", "inodes", "inodesUsed", "inodesFree")
    for pod in answer["pods"]:
        for volume in pod.get("volume", []):
            if volume.get("pvcRef", {}).get("name") == claim_name:
                return {name: volume[name] for name in names}
    return {}


def test_a_pod_writes_to_its_claims(witness: Kubectl, node: Driver) -> None:
    memory = claim("memory", "64Mi", storageClassName="hostpath-memory")
    create(witness, claim("folder"), claim("beside"), memory, claim("idle"))
    start(witness, user_of("writer", {"folder": "/folder", "beside": "/beside", "memory": "/memory"}))
    inside(witness, "writer", "echo hello >/folder/words; dd if=/dev/zero of=/memory/zeros bs=1M count=48")
    backing = node.data_dir / "csi" / "volumes" / bound(witness, "folder") / "words"
    assert backing.read_text() == "hello\n"
    assert (backing.stat().st_uid, backing.stat().st_gid) == (1000, 2000)
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(node.data_dir) in line]


def test_the_kubelets_figures_are_those_of_df_in_the_pod(witness: Kubectl) -> None:
    seen = df(witness, "writer", "/memory")
    assert (seen["capacityBytes"], seen["usedBytes"]) == (64 * MIB, 48 * MIB)
    until(lambda: from_kubelet(witness, "memory") == seen)
    # The machine's disk, which others use too.
    figures = until(lambda: from_kubelet(witness, "folder"))
    disk = df(witness, "writer", "/folder")
    assert (figures["capacityBytes"], figures["inodes"]) == (disk["capacityBytes"], disk["inodes"])
    assert figures["usedBytes"] == pytest.approx(disk["usedBytes"], rel=0.05)


def test_a_scan_has_the_same_figures_and_the_cause_where_it_has_none(witness: Kubectl, node: Driver) -> None:
    options = {"kubeconfig": str(node.data_dir / "kubeconfig"), "min_age": 0}
    found = run_storage_info(ArgumentSpecValidator(ARGUMENTS).validate(options).validated_parameters)
    assert found["parts"]["usage"] == {"complete": True, "cause": None, "objects": 3, "seconds": ANY}
    rows = {row["name"]: row for row in found["usage"]}
    memory, seen = rows["memory"], df(witness, "writer", "/memory")
    names = {"capacity_bytes": "capacityBytes", "used_bytes": "usedBytes", "available_bytes": "availableBytes"}
    names |= {"inodes": "inodes", "inodes_used": "inodesUsed"}
    assert {name: memory[name] for name in names} == {name: seen[theirs] for name, theirs in names.items()}
    assert (memory["used_percent"], memory["source"], memory["node"], memory["shared"]) == (
        75.0,
        "kubelet",
        NAME,
        False,
    )
    # Both have the figures of the disk that they lie on.
    disk = df(witness, "writer", "/folder")["capacityBytes"]
    assert [(rows[name]["capacity_bytes"], rows[name]["shared"]) for name in ("folder", "beside")] == [(disk, True)] * 2
    idle = rows["idle"]
    assert (idle["used_bytes"], idle["used_percent"], idle["cause"]) == (
        None,
        None,
        "not mounted: no pod on a node names it",
    )


def test_memory_can_be_filled_and_grows_while_it_is_used(witness: Kubectl) -> None:
    said = inside(witness, "writer", "dd if=/dev/zero of=/memory/more bs=1M count=48 2>&1 || rm /memory/more")
    assert "No space left on device" in said
    change = json.dumps({"spec": {"resources": {"requests": {"storage": "128Mi"}}}})
    witness("patch", "pvc", "memory", f"--patch={change}", parse=False)
    wait_for(witness, "pvc/memory", ".status.capacity.storage", "128Mi")
    assert until(lambda: df(witness, "writer", "/memory")["capacityBytes"] == 128 * MIB)
    inside(witness, "writer", "dd if=/dev/zero of=/memory/more bs=1M count=48 && rm /memory/more")


def test_the_next_pod_and_a_restored_claim_have_what_was_written(witness: Kubectl, node: Driver) -> None:
    """Also after the driver was killed: what is mounted stays mounted."""
    inside(witness, "writer", "echo kept >/memory/words")
    os.kill(node.ok()["parts"]["csi-hostpath"]["pid"], 9)
    assert any("start csi-hostpath" in change for change in node.ok()["changes"])
    assert inside(witness, "writer", "cat /memory/words") == "kept\n"
    create(witness, snapshot("first", "memory"))
    ready_snapshot(witness, "first")
    create(witness, claim("restored", "128Mi", **of_snapshot("first")))
    witness("delete", "pod", "writer", parse=False)
    start(witness, user_of("reader", {"folder": "/folder", "memory": "/memory", "restored": "/restored"}))
    words = inside(witness, "reader", "cat /folder/words /memory/words /restored/words; ls /restored")
    assert words.split() == ["hello", "kept", "kept", "words", "zeros"]


def test_a_deleted_claim_is_unmounted_and_removed(witness: Kubectl, node: Driver) -> None:
    volume = node.data_dir / "csi" / "volumes" / bound(witness, "memory")
    node_pid = node.ok()["parts"]["node"]["pid"]
    mounts = Path("/proc", str(node_pid), "mountinfo")
    assert str(volume) in mounts.read_text()
    witness("delete", "pod", "reader", parse=False)
    witness("delete", "pvc", "memory", parse=False)
    until(lambda: not volume.exists())
    assert str(volume) not in mounts.read_text()


def test_a_run_measures_volumes_that_are_really_mounted(witness: Kubectl, node: Driver) -> None:
    volumes = node.data_dir / "csi" / "volumes"
    before = set(volumes.iterdir())
    create(witness, storage_class("late", volumeBindingMode="WaitForFirstConsumer", parameters={"medium": "memory"}))
    chosen = {"volumes_storage_class": "late", "volumes_snapshots_per_volume": 1, "volumes_expand_to": "128Mi"}
    done = run_volumes(node.data_dir / "kubeconfig", "stages", volumes_per_namespace=1, **chosen)
    assert not done["failed"], done["msg"]
    made = dict.fromkeys(("bound", "provisioned", "attached", "mounted", "mounted_own"), 1)
    assert stages(done, "volumes") == made
    assert stages(done, "volumes-snapshots") == {"cut": 1, "ready": 1}
    assert stages(done, "volumes-expansion") == {"expanded": 1}
    # Ready means that it has written.
    script = "wc -c </volume/kubestress-1"
    assert (
        witness("exec", "-n", "stages-1", "volume-1-1", "--", "sh", "-c", script, parse=False).strip() == f"{16 * MIB}"
    )
    clean_up(node.data_dir / "kubeconfig", "stages")
    until(lambda: set(volumes.iterdir()) == before)


def test_absent_with_mounted_volumes_leaves_the_machine_as_it_was(
    witness: Kubectl, node: Driver, before: Traces
) -> None:
    start(witness, user_of("last", {"folder": "/folder", "restored": "/restored"}))
    node.ok(state="absent")
    assert Traces.now().left(before) == {}
    assert not processes_of(node.data_dir)
    assert not node.data_dir.exists()
    assert not TERMINATION_LOG.exists()
