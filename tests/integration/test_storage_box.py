"""The playbook storage beside a TrueNAS on a real control plane: findings, files, AWX's texts, and where no key is."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import snapshot_kinds
from helpers.democratic_csi import Driver
from helpers.truenas import KEY, USERNAME, TrueNas, running
from helpers.waiting import until
from helpers.zfs_model import Zfs
from jsonschema import Draft202012Validator, FormatChecker
from prometheus_client.openmetrics.parser import text_string_to_metric_families

PLAYBOOK = "kubestress.core.storage"
SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "storage.schema.json").read_text())
SNAPSHOTS = "snapshot.storage.k8s.io/v1"


class Site:
    """A box, a namespace of the real cluster, and the driver that serves both."""

    def __init__(self, kubectl: Any, box: TrueNas, driver: Driver, namespace: str) -> None:
        self.kubectl, self.box, self.driver, self.namespace = kubectl, box, driver, namespace
        used, gone, self.lost = (driver.provision() for _number in range(3))
        backup, leftover, self.without = (driver.snapshot(used) for _number in range(3))
        driver.forget(gone)
        driver.forget(leftover)
        driver.zfs.destroy(driver.path_of(self.lost))
        driver.zfs.destroy_snapshot(f"{driver.parent}/{self.without.handle}")
        driver.zfs.snapshot(f"{driver.path_of(used)}@auto-daily")
        self.used, self.backup = used, backup
        self.orphans = {
            ("Dataset", driver.path_of(gone)),
            ("ZFSSnapshot", f"{driver.parent}/{leftover.handle}"),
            ("PersistentVolume", self.lost.name),
            ("VolumeSnapshotContent", self.without.name),
            ("VolumeSnapshot", self._named(self.without.name)),
        }

    def _named(self, content: str) -> str:
        return content.replace("snapcontent", "s")

    def create(self) -> None:
        """Make the objects, and wait until the controller has bound the claims."""
        objects = [each for volume in self.driver.volumes.values() for each in self._volume(volume)]
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        for content in self.driver.contents.values():
            self._snapshot(content)
        until(
            lambda: (
                {one["status"].get("phase") for one in self.kubectl("get", "pvc", "-n", self.namespace)["items"]}
                == {"Bound"}
            )
        )

    def _volume(self, volume: Any) -> list[dict[str, Any]]:
        claim = f"c-{volume.name}"
        common = {"accessModes": ["ReadWriteOnce"], "storageClassName": self.namespace}
        csi = {"driver": volume.driver, "volumeHandle": volume.volume_handle}
        return [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume.name, "labels": {"test": self.namespace}},
                "spec": {
                    **common,
                    "capacity": {"storage": "1Gi"},
                    "csi": {**csi, "volumeAttributes": dict(volume.attributes)},
                    "claimRef": {"namespace": self.namespace, "name": claim},
                    "persistentVolumeReclaimPolicy": "Retain",
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": claim, "namespace": self.namespace},
                "spec": {**common, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": volume.name},
            },
        ]

    def _snapshot(self, content: Any) -> None:
        name = self._named(content.name)
        snapshot = self._made(
            "VolumeSnapshot",
            name,
            {"source": {"volumeSnapshotContentName": content.name}},
            {"boundVolumeSnapshotContentName": content.name, "readyToUse": True},
        )
        reference = {"namespace": self.namespace, "name": name, "uid": snapshot["metadata"]["uid"]}
        source = {"snapshotHandle": content.handle}
        spec = {"driver": content.driver, "deletionPolicy": "Delete", "source": source, "volumeSnapshotRef": reference}
        self._made("VolumeSnapshotContent", content.name, spec, {"snapshotHandle": content.handle, "readyToUse": True})

    def _made(self, kind: str, name: str, spec: dict[str, Any], status: dict[str, Any]) -> Any:
        document = {"apiVersion": SNAPSHOTS, "kind": kind, "metadata": {"name": name}, "spec": spec}
        where = ("-n", self.namespace)
        made = self.kubectl("create", *where, "-f", "-", stdin=json.dumps(document))
        patch = json.dumps({"status": status})
        self.kubectl("patch", kind, name, *where, "--subresource=status", "--type=merge", "-p", patch)
        return made

    def option(self, **more: Any) -> dict[str, Any]:
        """The option truenas, without the key."""
        parents = {"volume_parents": [self.driver.parent], "detached_parents": [self.driver.detached]}
        return {"url": self.box.url, "username": USERNAME, "ca_cert": self.box.ca_file, **parents, **more}


@pytest.fixture(scope="module")
def site(kubectl: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a box of 25.10 and the cluster that uses it."""
    namespace = f"st-{secrets.token_hex(3)}"
    driver = Driver(Zfs("tank"), [])
    with contextlib.ExitStack() as stack:
        stack.enter_context(snapshot_kinds.installed(kubectl))
        made = TrueNas(driver.zfs, driver.shares, release="25.10")
        box = stack.enter_context(running(made, tmp_path_factory.mktemp("box")))
        kubectl("create", "namespace", namespace)
        stack.callback(kubectl, "delete", "namespace", namespace, "--wait=false")
        stack.callback(kubectl, "delete", "persistentvolume", "-l", f"test={namespace}", "--wait=false")
        here = Site(kubectl, box, driver, namespace)
        here.create()
        yield here


@contextlib.contextmanager
def command_lines() -> Iterator[set[str]]:
    """Collect the command lines of all processes while it lasts."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def document_of(folder: Path) -> dict[str, Any]:
    """Return the document, which the shipped schema takes."""
    document: dict[str, Any] = json.loads((folder / "storage.json").read_text())
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    return document


def of_site(document: dict[str, Any], site: Site, state: str) -> set[tuple[str, str]]:
    """Kind and name of findings that belong to this test."""
    own = {*site.driver.volumes, *site.driver.contents}
    return {
        (row["kind"], row["name"])
        for row in document["findings"]
        if row["state"] == state
        and (row["kind"] in ("Dataset", "ZFSSnapshot") or row["namespace"] == site.namespace or row["name"] in own)
        and row["kind"] != "PersistentVolumeClaim"
    }


def test_findings_files_and_no_key(ansible_playbook: Any, site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "told"
    # As AWX gives them: the credential in the environment, everything else as text.
    variables = {
        "storage_truenas": json.dumps(site.option()),
        "storage_min_age": "0",
        "storage_thresholds": '{"pool_warning": 20}',
        "storage_fail_on": "orphans,over_threshold",
        "storage_dest": str(folder),
        "storage_formats": "json,csv,yaml,html,metrics",
    }
    before = site.box.connections, site.box.logins
    with command_lines() as seen:
        done = ansible_playbook(PLAYBOOK, "-vvv", extra_vars=variables, env={"TRUENAS_API_KEY": KEY}, cwd=tmp_path)
    assert done.rc != 0
    assert "storage_fail_on=orphans,over_threshold: " in done.output
    assert "1 pool in trouble (pool tank 25 %)" in done.output
    document = document_of(folder)
    assert document["complete"] is True, document["parts"]
    assert of_site(document, site, "orphan") == site.orphans
    assert {row["confirmed"] for row in document["findings"] if row["state"] == "orphan"} == {True}
    assert (site.box.connections, site.box.logins) == (before[0] + 1, before[1] + 1)
    (pool,) = document["box"]["pools"]
    assert (pool["name"], pool["level"], document["box"]["matched"]) == ("tank", "warning", 2)
    usage = [row for row in document["usage"] if row["name"] == f"c-{site.used.name}"]
    assert sorted((row["source"], row["used_bytes"]) for row in usage) == [("kubelet", None), ("zfs", 57_344)]
    metrics = (folder / "metrics.prom").read_text()
    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    figures = {sample.name: sample.value for sample in samples if sample.labels.get("pool") == "tank"}
    assert figures == {
        "kubestress_storage_pool_size_bytes": site.driver.zfs.size,
        "kubestress_storage_pool_free_bytes": site.driver.zfs.size * 3 // 4,
        "kubestress_storage_pool_healthy": 1,
        "kubestress_storage_pool_overcommit_ratio": 0,
    }
    assert "Storage box" in (folder / "storage.html").read_text()
    assert "pool       tank: 25 %" in done.stdout
    # The key is nowhere but in the one login.
    written = "".join(path.read_text() for path in folder.iterdir())
    assert KEY not in written + done.output + "".join(seen)
    assert any("storage_truenas" in line for line in seen), "nothing was looked at"


def test_a_key_in_a_variable_is_not_shown_either(ansible_playbook: Any, site: Site, tmp_path: Path) -> None:
    secret = tmp_path / "vault.yml"
    token = "other-" + secrets.token_hex(16)
    missing = {"kubeconfig": "/nowhere/other.conf", "api_key": token}
    given = {"storage_truenas": site.option(api_key=KEY), "storage_other_clusters": json.dumps([missing])}
    secret.write_text(json.dumps(given))
    folder = tmp_path / "told"
    plain = {"storage_min_age": 0, "storage_dest": str(folder), "storage_fail_on": ["incomplete"]}
    with command_lines() as seen:
        done = ansible_playbook(PLAYBOOK, "-vvv", "-e", f"@{secret}", extra_vars=plain, cwd=tmp_path)
    assert done.rc != 0
    assert "storage_fail_on=incomplete: incomplete: other_clusters: /nowhere/other.conf: " in done.output, done.output
    document = document_of(folder)
    assert document["parts"]["backend"]["complete"] is True
    # Nothing on the box is an orphan while somebody may have it; what the cluster has lost on it is one all the same.
    lost = {("PersistentVolume", site.lost.name)} | {one for one in site.orphans if one[0].startswith("VolumeSnapshot")}
    assert of_site(document, site, "orphan") == lost
    assert of_site(document, site, "unknown") == site.orphans - lost
    written = "".join(path.read_text() for path in folder.iterdir())
    for one in (KEY, token):
        assert one not in written + done.output + "".join(seen)


def test_a_box_that_refuses_us_leaves_the_scan_standing(ansible_playbook: Any, site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "told"
    given = {"storage_truenas": site.option(), "storage_min_age": "0", "storage_dest": str(folder)}
    wrong = {"TRUENAS_API_KEY": "7-wrong"}
    done = ansible_playbook(PLAYBOOK, extra_vars=given, env=wrong, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert "INCOMPLETE backend: " in done.stdout
    document = document_of(folder)
    assert "refuses the API key" in document["parts"]["backend"]["cause"]
    assert of_site(document, site, "orphan") == set()
    assert ("PersistentVolume", site.used.name) in of_site(document, site, "unknown")
    http = site.option(url=site.box.url.replace("https", "http"))
    refused = ansible_playbook(
        PLAYBOOK, extra_vars={**given, "storage_truenas": http}, env={"TRUENAS_API_KEY": KEY}, cwd=tmp_path
    )
    assert refused.rc != 0
    assert "truenas.url: http://127.0.0.1 is not encrypted" in refused.output
    assert KEY not in refused.output
