"""Volumes as load: claims, snapshots and expansion on a real API server with its real controllers.

Volumes are made beforehand and bound by Kubernetes' own controller. What a driver would report of snapshots and
expansions, the tests write into the objects' status.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers.volume_runs import clean_up, run_volumes, stages

Kubectl = Callable[..., Any]


@pytest.fixture
def storage(kubectl: Kubectl, run_id: str) -> Iterator[Callable[..., str]]:
    """Yield a function that makes a class, and free volumes of it if asked to; all of it is removed in the end."""
    made: list[tuple[str, str]] = []

    def create(document: dict[str, Any]) -> None:
        kubectl("create", "-f", "-", stdin=json.dumps(document))
        made.append((document["kind"], document["metadata"]["name"]))

    def make(
        *,
        late: bool = False,
        volumes: int = 0,
        policy: str = "Retain",
        provisioner: str = "kubernetes.io/no-provisioner",
    ) -> str:
        create(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": run_id},
                "provisioner": provisioner,
                "allowVolumeExpansion": True,
                "volumeBindingMode": "WaitForFirstConsumer" if late else "Immediate",
            }
        )
        for number in range(volumes):
            spec = {
                "storageClassName": run_id,
                "capacity": {"storage": "64Mi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": policy,
                "csi": {"driver": "silent.example.com", "volumeHandle": f"{run_id}-{number}"},
            }
            metadata = {
                "name": f"{run_id}-{number}",
                # Otherwise the controller would report that it has no plug-in to delete it.
                "annotations": {"pv.kubernetes.io/provisioned-by": "silent.example.com"},
            }
            create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec})
        return run_id

    yield make
    for kind, name in reversed(made):
        kubectl("delete", kind, name, "--wait=false")


@pytest.fixture
def load(kubeconfig: Path, run_id: str) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the role's plan in one namespace of its own, and returns the batch's result."""
    return partial(run_volumes, kubeconfig, run_id)


@contextmanager
def beside(work: Callable[[], bool]) -> Iterator[None]:
    """Call `work` beside the block, again and again until it says that it is done; its failure fails the test."""
    ended, failures = threading.Event(), list[BaseException]()

    def loop() -> None:
        try:
            while not ended.is_set() and not work():
                ended.wait(0.1)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not failures, failures


def test_claims_are_bound_for_pods_that_mount_them_and_cleanup_names_what_stays(
    load, storage, kubectl: Kubectl, kubeconfig: Path, run_id: str
):
    name = storage(late=True, volumes=2)
    done = load(volumes_per_namespace=2, volumes_storage_class=name)

    assert not done["failed"], done["msg"]
    assert done["objects"]["PersistentVolumeClaim"]["ready"] == done["objects"]["Pod"]["ready"] == 2
    measured = stages(done, "volumes")
    # What is there already is bound by the scheduler, so that nothing is provisioned.
    assert (measured["bound"], measured["mounted"], measured.get("provisioned")) == (2, 2, None)
    assert done["volumes"]["mounted_by"] == {"condition": 2}
    claims = kubectl("get", "pvc", "-n", f"{run_id}-1")["items"]
    assert {claim["status"]["phase"] for claim in claims} == {"Bound"}

    removed = clean_up(kubeconfig, run_id)
    assert removed["retained_total"] == 2
    assert {row["name"] for row in removed["retained"]} == {claim["spec"]["volumeName"] for claim in claims}
    assert "2 PersistentVolumes stay, because their policy is Retain" in removed["msg"]


def test_volumes_that_their_driver_has_not_deleted_yet_are_counted(load, storage, kubeconfig: Path, run_id: str):
    name = storage(volumes=1, policy="Delete")
    done = load(volumes_per_namespace=1, volumes_pods_per_volume=0, volumes_storage_class=name)
    assert not done["failed"], done["msg"]
    removed = clean_up(kubeconfig, run_id)
    assert (removed["reclaiming"], removed["retained_total"]) == ({"PersistentVolume": 1}, 0)
    assert "1 PersistentVolume is not deleted yet, which the driver does on its own" in removed["msg"]


def test_a_claim_that_no_pod_of_the_plan_mounts_has_come_as_far_as_it_can(load, storage, kubectl: Kubectl, run_id: str):
    done = load(volumes_per_namespace=2, volumes_pods_per_volume=0, volumes_storage_class=storage(late=True, volumes=2))

    assert not done["failed"], done["msg"]
    assert done["objects"]["PersistentVolumeClaim"]["ready"] == done["volumes"]["unconsumed"] == 2
    claims = kubectl("get", "pvc", "-n", f"{run_id}-1")["items"]
    assert {claim["status"]["phase"] for claim in claims} == {"Pending"}


def test_the_same_of_a_class_that_does_not_wait_is_not_ready(load, storage):
    name = storage(provisioner="silent.example.com")
    done = load(volumes_per_namespace=1, volumes_pods_per_volume=0, volumes_storage_class=name, volumes_stall_timeout=2)

    assert done["failed"]
    (row,) = done["not_ready"]
    assert row["kind"] == "PersistentVolumeClaim"
    assert "its provisioner has not answered, is it running? (ExternalProvisioning: " in row["cause"]


def test_a_class_that_is_not_there_stops_the_run_and_is_the_cause_without_preflight(load):
    missing = {"volumes_per_namespace": 1, "volumes_pods_per_volume": 0, "volumes_storage_class": "nowhere"}
    refused = load(**missing)
    assert refused["failed"]
    assert (
        "claims of StorageClass nowhere: 1 needed, 0 offered (the cluster has no such class; it has" in refused["msg"]
    )
    assert "change volumes_storage_class=nowhere" in refused["msg"]

    stuck = load(**missing, preflight="skip", volumes_stall_timeout=2)
    assert 'storageclass.storage.k8s.io "nowhere" not found' in stuck["not_ready"][0]["cause"]


def test_more_claims_than_the_ceiling_or_than_free_volumes_are_refused(load, storage):
    name = storage(volumes=2)
    many = load(volumes_per_namespace=3, volumes_max_claims=2, volumes_storage_class=name)
    assert "PersistentVolumeClaims of the run, ceiling: 3 needed, 2 offered" in many["msg"]
    problems = " ".join(many["preflight"]["problems"])
    assert f"claims of StorageClass {name}: 3 needed, 2 offered" in problems


def test_an_expansion_is_one_step_of_the_plan(load, storage, kubectl: Kubectl, run_id: str):
    """The test writes what a resizer would: the size that the claim has now."""
    name = storage(volumes=1)

    def expand() -> bool:
        for claim in kubectl("get", "pvc", "-A", "-l", "kubestress.core/role=volumes")["items"]:
            namespace, wanted = claim["metadata"]["namespace"], claim["spec"]["resources"]["requests"]["storage"]
            if namespace == f"{run_id}-1" and wanted == "128Mi":
                patch = json.dumps({"status": {"capacity": {"storage": wanted}}})
                kubectl(
                    "patch", "pvc", "-n", namespace, "volume-1", "--subresource=status", "--type=merge", "-p", patch
                )
                return True
        return False

    chosen = {"volumes_per_namespace": 1, "volumes_pods_per_volume": 0, "volumes_storage_class": name}
    with beside(expand):
        done = load(**chosen, volumes_expand_to="128Mi")

    assert not done["failed"], done["msg"]
    row = done["objects"]["PersistentVolumeClaim"]
    assert (row["requested"], row["created"], row["patched"], row["ready"]) == (2, 1, 1, 2)
    assert stages(done, "volumes-expansion") == {"expanded": 1}

    again = load(**chosen, volumes_expand_to="128Mi")
    assert (again["failed"], again["changed"]) == (False, False), again["msg"]


def test_an_expansion_that_nobody_does_names_its_claim(load, storage):
    done = load(
        volumes_per_namespace=1,
        volumes_pods_per_volume=0,
        volumes_storage_class=storage(volumes=1),
        volumes_expand_to="128Mi",
        volumes_stall_timeout=2,
    )
    assert "has 64Mi of 128Mi; nobody has begun to expand it" in done["not_ready"][0]["cause"]


def test_snapshots_without_their_definitions_are_refused_before_anything_is_made(load, storage, kubectl: Kubectl):
    served = kubectl("get", "--raw", "/apis")
    if "snapshot.storage.k8s.io" in served:
        pytest.skip("this cluster serves snapshots")
    done = load(volumes_per_namespace=1, volumes_storage_class=storage(volumes=1), volumes_snapshots_per_volume=1)
    assert done["failed"]
    assert "does not serve snapshot.storage.k8s.io/v1; is its CustomResourceDefinition missing?" in done["msg"]
