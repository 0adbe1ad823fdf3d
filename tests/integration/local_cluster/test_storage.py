"""Volumes and snapshots on simulated nodes, from claim to backing file and back to nothing. In order."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import csi_sanity
from helpers.claims import (
    bound,
    claim,
    create,
    of_claim,
    of_snapshot,
    ready_snapshot,
    snapshot,
    storage_class,
    wait_for,
)
from helpers.local_cluster import Driver, processes_of
from helpers.volume_runs import clean_up, run_volumes, stages
from helpers.waiting import until

Kubectl = Callable[..., Any]
FILES = Path(__file__).resolve().parents[3] / "roles" / "local_cluster" / "files"
SNAPSHOT_MODULE = "github.com/kubernetes-csi/external-snapshotter/client/v8"
CONTROLLERS = ["snapshot-controller", "csi-provisioner", "csi-attacher", "csi-resizer", "csi-snapshotter"]
TERMINATION_LOG = Path("/dev/termination-log")


@pytest.fixture(scope="module")
def storage(driver: Driver) -> Driver:
    """The module's options for a cluster with volumes, running."""
    driver.options |= {"storage": True, "nodes": 1}
    driver.ok()
    return driver


@pytest.fixture(scope="module")
def witness(storage: Driver, own_kubectl: Kubectl) -> Kubectl:
    """The program kubectl on that cluster."""
    return own_kubectl


@pytest.fixture(scope="module")
def hostpath(driver: Driver) -> str:
    """The driver's program."""
    path: str = driver.ok(state="built", storage=True)["binaries"]["csi-hostpath"]["path"]
    return path


@pytest.fixture
def volumes(storage: Driver) -> Path:
    """The folder of the volumes' folders."""
    return storage.data_dir / "csi" / "volumes"


def test_present(storage: Driver, witness: Kubectl) -> None:
    result = storage.ok()
    assert not result["changed"], result["changes"]
    assert {"csi-hostpath", *CONTROLLERS} < set(result["parts"])
    (default,) = witness("get", "storageclass")["items"]
    assert default["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert default["provisioner"] == witness("get", "volumesnapshotclass", "hostpath")["driver"]
    witness("delete", "volumesnapshotclass", "hostpath", parse=False)
    assert storage.ok()["changes"] == ["create VolumeSnapshotClass hostpath"]


def test_nothing_of_it_listens_beyond_loopback(storage: Driver) -> None:
    parts = storage.ok()["parts"]
    for name in CONTROLLERS:
        (port,) = parts[name]["ports"].values()
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            assert connection.getpeername()[0] == "127.0.0.1"
        with socket.socket() as other:
            # Where a server has all addresses, or this one, it cannot be had.
            other.bind(("127.0.0.2", port))


def test_a_snapshot_brings_back_what_a_volume_had(witness: Kubectl, volumes: Path, storage: Driver) -> None:
    create(witness, claim("data"))
    handle = bound(witness, "data")
    folder = volumes / handle
    (folder / "sub").mkdir()
    (folder / "sub" / "words").write_text("before")
    (folder / "sub" / "words").chmod(0o640)
    (folder / "link").symlink_to("sub/words")
    create(witness, snapshot("first", "data"))
    archive = storage.data_dir / "csi" / "snapshots" / f"{ready_snapshot(witness, 'first')}.tar"
    assert archive.is_file()
    (folder / "sub" / "words").write_text("after")
    create(witness, claim("restored", **of_snapshot("first")), claim("cloned", "2Gi", **of_claim("data")))
    for name, content in (("restored", "before"), ("cloned", "after")):
        copy = volumes / bound(witness, name)
        assert (copy / "link").read_text() == content
        assert (copy / "link").is_symlink()
        assert (copy / "sub" / "words").stat().st_mode & 0o777 == 0o640
    assert witness("get", "pvc", "cloned")["status"]["capacity"]["storage"] == "2Gi"
    witness("delete", "volumesnapshot", "first", parse=False)
    until(lambda: not archive.exists())
    assert not list(archive.parent.iterdir())


def test_a_claim_grows(witness: Kubectl, volumes: Path) -> None:
    change = json.dumps({"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
    witness("patch", "pvc", "data", f"--patch={change}", parse=False)
    wait_for(witness, "pvc/data", ".status.capacity.storage", "3Gi")
    volume = witness("get", "pvc", "data")["spec"]["volumeName"]
    assert json.loads((volumes / f"{volume}.json").read_text())["capacity_bytes"] == 3 * 1024**3


def test_a_deleted_claim_leaves_no_file(witness: Kubectl, volumes: Path) -> None:
    assert len(list(volumes.iterdir())) == 6
    witness("delete", "pvc", "data", "restored", "cloned", parse=False)
    until(lambda: not list(volumes.iterdir()))
    assert until(lambda: witness("get", "pv")["items"] == [])


def test_a_volume_of_a_simulated_pod_is_attached(witness: Kubectl) -> None:
    create(
        witness,
        claim("used"),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "user"},
            "spec": {
                "containers": [{"name": "c", "image": "x", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "used"}}],
            },
        },
    )
    witness("wait", "--for=condition=Ready", "--timeout=50s", "pod/user", parse=False)
    (attachment,) = until(lambda: witness("get", "volumeattachment")["items"])
    wait_for(witness, f"volumeattachment/{attachment['metadata']['name']}", ".status.attached", "true")
    assert attachment["spec"]["source"]["persistentVolumeName"] == bound(witness, "used")
    assert attachment["spec"]["nodeName"] == "simulated-0001"
    witness("delete", "pod", "user", "--now", parse=False)


def test_a_run_measures_every_stage_of_its_volumes_and_leaves_none(
    storage: Driver, witness: Kubectl, volumes: Path
) -> None:
    before = set(volumes.iterdir())
    create(witness, storage_class("late", volumeBindingMode="WaitForFirstConsumer"))
    once = dict.fromkeys((f"volumes_{what}_per_volume" for what in ("snapshots", "restores", "clones")), 1)
    grown = {"volumes_storage_class": "late", "volumes_expand_to": "128Mi"}
    kubeconfig = storage.data_dir / "kubeconfig"
    done = run_volumes(kubeconfig, "stages", volumes_per_namespace=2, **once, **grown)
    assert not done["failed"], done["msg"]
    made = dict.fromkeys(("bound", "provisioned", "attached", "mounted", "mounted_own"), 2)
    assert stages(done, "volumes") == stages(done, "volumes-restores") == stages(done, "volumes-clones") == made
    assert stages(done, "volumes-snapshots") == {"cut": 2, "ready": 2}
    assert stages(done, "volumes-expansion") == {"expanded": 2}
    sizes = {
        one["metadata"]["name"]: one["status"]["capacity"] for one in witness("get", "pvc", "-n", "stages-1")["items"]
    }
    assert sizes == {
        f"{what}-{number}": {"storage": "128Mi" if what == "volume" else "64Mi"}
        for what in ("volume", "restore", "clone")
        for number in (1, 2)
    }
    assert clean_up(kubeconfig, "stages")["retained_total"] == 0
    until(lambda: set(volumes.iterdir()) == before)


def test_only_what_is_left_of_the_run_itself_is_named(storage: Driver, witness: Kubectl) -> None:
    """Not what an earlier run left of a namespace of the same name."""
    create(witness, storage_class("kept", reclaimPolicy="Retain"))
    kubeconfig = storage.data_dir / "kubeconfig"
    named = []
    for _time in range(2):
        done = run_volumes(
            kubeconfig, "again", volumes_per_namespace=1, volumes_pods_per_volume=0, volumes_storage_class="kept"
        )
        assert not done["failed"], done["msg"]
        named.append([row["name"] for row in clean_up(kubeconfig, "again")["retained"]])
    left = {
        one["metadata"]["name"] for one in witness("get", "pv")["items"] if one["spec"]["storageClassName"] == "kept"
    }
    assert [len(names) for names in named] == [1, 1]
    assert {name for names in named for name in names} == left
    change = json.dumps({"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    witness("patch", "pv", *left, f"--patch={change}", parse=False)
    witness("wait", "--for=delete", "--timeout=50s", "pv", *left, parse=False)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"volumes_storage_class": "rigid", "volumes_expand_to": "128Mi"}, "its allowVolumeExpansion is not true"),
        (
            {"volumes_storage_class": "foreign", "volumes_snapshots_per_volume": 1},
            "has no default class): set volumes_sna",
        ),
        ({"volumes_snapshot_class": "no", "volumes_snapshots_per_volume": 1}, "no such class; it has hostpath"),
    ],
)
def test_what_the_driver_cannot_do_is_said_before_anything_is_made(
    storage: Driver, witness: Kubectl, chosen: dict[str, Any], told: str
) -> None:
    made = {one["metadata"]["name"] for one in witness("get", "storageclass")["items"]}
    if "rigid" not in made:
        create(witness, storage_class("rigid", allowVolumeExpansion=False))
        create(witness, storage_class("foreign", provisioner="nobody.example.com"))
    refused = run_volumes(storage.data_dir / "kubeconfig", "refused", volumes_per_namespace=1, **chosen)
    assert refused["failed"]
    assert told in refused["msg"]
    assert "refused-1" not in {one["metadata"]["name"] for one in witness("get", "namespaces")["items"]}


def test_block_devices_are_refused_with_the_reason(witness: Kubectl) -> None:
    create(witness, claim("block", volumeMode="Block"))
    events = until(
        lambda: [
            event["message"]
            for event in witness("get", "events", "--field-selector=involvedObject.name=block")["items"]
            if event["reason"] == "ProvisioningFailed"
        ]
    )
    assert "volumes are folders: volumeMode Block is not possible" in events[0]
    witness("delete", "pvc", "block", parse=False)


def test_a_killed_driver_is_named_and_its_controllers_come_again(storage: Driver, witness: Kubectl) -> None:
    """Some end when they lose it, others do not; none goes on with the one that is gone."""
    parts = storage.ok()["parts"]
    os.kill(parts["csi-hostpath"]["pid"], 9)
    result = storage.ok()
    pids = {name: part["pid"] for name, part in result["parts"].items()}
    assert not [name for name in ("csi-hostpath", *CONTROLLERS) if pids[name] == parts[name]["pid"]]
    assert pids["kube-apiserver"] == parts["kube-apiserver"]["pid"]
    assert "csi-hostpath was no longer running" in result.output
    create(witness, claim("later"))
    bound(witness, "later")


def test_switched_off_and_on_in_a_running_cluster(storage: Driver, witness: Kubectl, volumes: Path) -> None:
    ended = storage.ok(storage=False)
    assert ended["changes"] == [f"end csi-hostpath, {', '.join(CONTROLLERS)}"]
    assert not storage.ok(storage=False)["changed"]
    assert not [line for line in processes_of(storage.data_dir).values() if "csi-" in line]
    assert list(volumes.iterdir())
    # The one that fails is named, with its reason and its log.
    shutil.move(volumes, volumes.with_name("aside"))
    volumes.write_text("")
    message = storage.failure()
    assert "csi-hostpath ended with exit code 1" in message
    assert f"{volumes}: not a directory" in message
    assert str(storage.data_dir / "logs" / "csi-hostpath.log") in message
    volumes.unlink()
    shutil.move(volumes.with_name("aside"), volumes)
    again = storage.ok()
    assert again["changes"] == [f"start csi-hostpath, {', '.join(CONTROLLERS)}"]
    assert "no longer running" not in again.output
    witness("delete", "pvc", "later", "used", parse=False)
    until(lambda: not list(volumes.iterdir()))


def test_absent_leaves_nothing(storage: Driver) -> None:
    storage.ok(state="absent")
    assert not processes_of(storage.data_dir)
    assert not storage.data_dir.exists()
    assert not TERMINATION_LOG.exists()


#: The driver cannot know which nodes there are: it serves them all. The attacher names only those that have a CSINode.
UNKNOWN_NODE = "should fail when the node does not exist"


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="mounting volumes needs Linux and root"
)
@pytest.mark.parametrize("medium", ["", "memory"])
def test_the_driver_passes_the_checks_of_csi_sanity(hostpath: str, tmp_path: Path, medium: str) -> None:
    """In mounts of its own, which are gone with the driver."""
    endpoint = tmp_path / "csi.sock"
    parameters = tmp_path / "parameters.yml"
    parameters.write_text(yaml.safe_dump({"medium": medium}))
    command = ["unshare", "--mount", hostpath, f"-endpoint={endpoint}", f"-folder={tmp_path / 'data'}", "-node-id=node"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            until(endpoint.exists)
            done = csi_sanity.check(endpoint, tmp_path, parameters=parameters, skipped=UNKNOWN_NODE)
        finally:
            process.terminate()
    assert done.returncode == 0, done.stdout
    ran = re.search(r"Ran (\d+) of", done.stdout)
    assert ran, done.stdout
    # The others are of what no driver has to have, and this one does not say that it has.
    assert int(ran.group(1)) > 60
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


def test_definitions_are_those_of_the_pinned_module() -> None:
    """With the Go that would build the programs; the module is small."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on the PATH")
    command = [go, "mod", "download", "-json", SNAPSHOT_MODULE]
    done = subprocess.run(command, cwd=FILES / "go" / "csi", capture_output=True, text=True, check=True, timeout=120)
    folder = Path(json.loads(done.stdout)["Dir"]) / "config" / "crd"
    theirs = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("snapshot.storage.k8s.io_*.yaml"))]
    ours = [json.loads(path.read_text()) for path in sorted((FILES / "crds").glob("*.json"))]
    assert sorted(theirs, key=name_of) == sorted(ours, key=name_of)


def name_of(document: dict[str, Any]) -> str:
    name: str = document["metadata"]["name"]
    return name
