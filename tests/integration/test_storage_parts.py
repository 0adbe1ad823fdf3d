"""Each part of a scan denied, missing or silent on a real API server: what is told, and what is unknown then."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Report
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import PARTS, Options
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS
from ansible_collections.kubestress.core.plugins.module_utils.storage.storage_info import scan_cluster
from helpers import fake_kubelets
from helpers.snapshot_kinds import installed
from helpers.waiting import until

PLAYBOOK = "kubestress.core.storage"
DRIVER = "csi.test.example.com"
NOBODY = "11111111-1111-4111-8111-111111111111"
SNAPSHOT_PARTS = {"snapshots", "contents", "snapshot_classes"}
#: What is left over among the objects below.
ORPHANS = {"left", "stuck", "without", "left-over"}
FILES = {"storage.json", "findings.csv", "claims.csv", "metrics.prom", "storage.html"}


@dataclass(frozen=True)
class Denied:
    """One right that an account lacks: the parts that are not complete then, and the objects that are unknown."""

    resource: str
    parts: frozenset[str]
    unknown: frozenset[str] = frozenset()
    unlisted: frozenset[str] = frozenset()


def _row(resource: str, parts: str, unknown: str = "", unlisted: str = "") -> Denied:
    return Denied(resource, frozenset(parts.split()), frozenset(unknown.split()), frozenset(unlisted.split()))


DENIED = [
    _row("persistentvolumeclaims", "claims usage", "stuck pv-left pv-used", "left"),
    _row("persistentvolumes", "volumes", "", "stuck"),
    _row("pods", "pods usage", "left used"),
    *(
        _row(LISTS[name].plural, name, "left")
        for name in (
            "deployments",
            "replica_sets",
            "daemon_sets",
            "stateful_sets",
            "jobs",
            "cron_jobs",
            "replication_controllers",
        )
    ),
    _row("volumeattachments", "attachments", "left stuck"),
    _row("volumesnapshots", "snapshots", "left-over content-whole", "without"),
    _row("volumesnapshotcontents", "contents", "without whole", "left-over"),
    # No verdict needs these.
    _row("volumesnapshotclasses", "snapshot_classes"),
    _row("storageclasses", "classes"),
    _row("csidrivers", "drivers"),
    _row("nodes", "nodes"),
    _row("nodes/proxy", "usage"),
]
EVERYTHING = "everything"


def _rights() -> list[tuple[str, str, str]]:
    return [*((listed.group, listed.plural, "list") for listed in LISTS.values()), ("", "nodes/proxy", "get")]


def _account(namespace: str, without: str) -> Iterator[dict[str, Any]]:
    """A service account that may do all that a scan needs, but for one right."""
    name = f"{namespace}-{without.replace('/', '-')}"
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for group, resource, verb in _rights()
        if without not in (resource, EVERYTHING)
    ]
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
    yield {**rbac, "kind": "ClusterRole", "rules": rules}
    yield {
        **rbac,
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def _volume(name: str, claim: str, *, uid: str | None = None) -> dict[str, Any]:
    namespace, _slash, of_claim = claim.partition("/")
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": of_claim}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": DRIVER, "volumeHandle": name},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "",
            "claimRef": reference | ({"uid": uid} if uid else {}),
        },
    }


def _claim(namespace: str, name: str, volume: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "storageClassName": "",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeName": volume,
        },
    }


def _pod(namespace: str, name: str, claim: str, node: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "c", "image": "none"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }


def _snapshot(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"persistentVolumeClaimName": "used"}},
    }


def _content(namespace: str, name: str, snapshot: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": f"{namespace}-{name}"},
        "spec": {
            "deletionPolicy": "Delete",
            "driver": DRIVER,
            "source": {"snapshotHandle": name},
            "volumeSnapshotRef": {"namespace": namespace, "name": snapshot, "uid": uid},
        },
    }


@dataclass(frozen=True)
class World:
    """One of each on a cluster; `name` is the namespace, and begins the names of what lies in none."""

    name: str
    kubectl: Any

    def make(self, *objects: dict[str, Any]) -> list[dict[str, Any]]:
        """Create them with one call of kubectl."""
        document = {"apiVersion": "v1", "kind": "List", "items": objects}
        made = self.kubectl("apply", "-f", "-", stdin=json.dumps(document))
        found: list[dict[str, Any]] = made["items"] if made["kind"] == "List" else [made]
        return found

    def set_status(self, kind: str, name: str, **status: Any) -> None:
        """What a controller would write."""
        patch = json.dumps({"status": status})
        self.kubectl("patch", kind, name, "-n", self.name, "--subresource=status", "--type=merge", "-p", patch)

    def own_name(self, name: str) -> str:
        """A name without what all of this test begin with."""
        return name.removeprefix(f"{self.name}-")


@pytest.fixture(scope="module")
def world(kubectl: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield a namespace with two claims, their volumes, one that waits for its reclaim, and accounts for all rows."""
    world = World(f"sp-{secrets.token_hex(3)}", kubectl)
    ns = world.name
    accounts = [row.resource for row in DENIED] + [EVERYTHING]
    try:
        world.make(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}},
            *(one for without in accounts for one in _account(ns, without)),
            *(_volume(f"{ns}-pv-{name}", f"{ns}/{name}") for name in ("left", "used")),
            _volume(f"{ns}-stuck", f"{ns}/gone", uid=NOBODY),
            *(_claim(ns, name, f"{ns}-pv-{name}") for name in ("left", "used")),
        )

        def ready() -> bool:
            claims = [one["status"].get("phase") for one in kubectl("get", "pvc", "-n", ns)["items"]]
            stuck = kubectl("get", "pv", f"{ns}-stuck")["status"].get("phase")
            return claims == ["Bound", "Bound"] and stuck == "Released"

        until(ready)
        yield world
    finally:
        kubectl("delete", "namespace", ns, "--wait=false", "--ignore-not-found")
        for kind in ("pv", "clusterrolebindings", "clusterroles"):
            ours = [one["metadata"]["name"] for one in kubectl("get", kind)["items"]]
            ours = [name for name in ours if name.startswith(f"{ns}-")]
            if ours:
                kubectl("delete", kind, *ours, "--wait=false")


@pytest.fixture(scope="module")
def kubelet_node(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield nodes by what their kubelets do; the one that counts tells of no volume."""
    address = fake_kubelets.own_address()
    if address is None:
        pytest.skip("this machine has no address that an API server proxies to")
    with fake_kubelets.fake_kubelets(address, tmp_path_factory.mktemp("kubelets")) as kubelets:
        nodes = fake_kubelets.make_nodes(world.kubectl, kubelets, world.name)
        try:
            yield nodes
        finally:
            world.kubectl("delete", "node", *nodes.values(), "--wait=false")


# --- the playbook, with the kubeconfig of an account and before there are kinds of snapshots --------------------------


@pytest.fixture
def as_account(world: World, kubeconfig: Path, tmp_path: Path) -> Path:
    """Return the kubeconfig of the account that may not ask kubelets, with a token of its own."""
    document = yaml.safe_load(kubeconfig.read_text())
    token = world.kubectl("create", "token", f"{world.name}-nodes-proxy", "-n", world.name, "-o", "json")
    token = token if isinstance(token, dict) else json.loads(token)
    for user in document["users"]:
        user["user"] = {"token": token["status"]["token"]}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_play_succeeds_unless_it_is_to_be_strict(
    ansible_playbook: Any, world: World, kubelet_node: dict[str, str], as_account: Path, tmp_path: Path
) -> None:
    """No kinds of snapshots, no right to ask kubelets, and a claim that nobody uses."""
    there = {one["metadata"]["name"] for one in world.kubectl("get", "customresourcedefinitions")["items"]}
    if any(name.endswith("snapshot.storage.k8s.io") for name in there):
        pytest.skip("this cluster has the kinds of snapshots")
    world.make(_pod(world.name, "waits", "used", kubelet_node["silent"]))

    def play(name: str, **given: str) -> tuple[Any, dict[str, Any]]:
        where = {"storage_dest": str(tmp_path / name), "storage_namespaces": world.name, "storage_min_age": "0"}
        words = [word for key, value in (where | given).items() for word in ("-e", f"{key}={value}")]
        done = ansible_playbook(PLAYBOOK, *words, env={"K8S_AUTH_KUBECONFIG": str(as_account)})
        assert {path.name for path in (tmp_path / name).iterdir()} == FILES, done.output
        assert "Traceback" not in done.output
        return done, json.loads((tmp_path / name / "storage.json").read_text())

    try:
        done, document = play("told")
        assert done.rc == 0, done.output
        strict, of_strict = play("strict", storage_strict="true")
        failing, of_failing = play("failing", storage_fail_on="orphans,incomplete,over_threshold")
    finally:
        world.kubectl("delete", "pod", "waits", "-n", world.name, "--wait=false")
    incomplete = {name for name, part in document["parts"].items() if not part["complete"]}
    assert incomplete == SNAPSHOT_PARTS | {"usage"}
    assert document["complete"] is False
    assert "INCOMPLETE snapshots, contents, snapshot_classes: the cluster does not serve" in done.output
    assert "INCOMPLETE usage: " in done.output
    orphans = {one["name"] for one in document["findings"] if one["state"] == "orphan"}
    assert {world.own_name(name) for name in orphans} == {"left", "stuck"}

    assert strict.rc != 0
    assert "strict: " in strict.output
    assert failing.rc != 0
    assert "storage_fail_on=orphans,incomplete: 2 orphans of 2 GiB" in failing.output
    # Nothing that was found is lost.
    for other in (of_strict, of_failing):
        assert [one["name"] for one in other["findings"]] == [one["name"] for one in document["findings"]]


# --- each right by itself --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snapshots(world: World, kubelet_node: dict[str, str]) -> Iterator[World]:
    """Yield the same with a pod on a node that answers, and with snapshots and contents, whole and left over."""
    ns = world.name
    with installed(world.kubectl):
        _pod_made, whole, _without = world.make(
            _pod(ns, "runs", "used", kubelet_node["counting"]), _snapshot(ns, "whole"), _snapshot(ns, "without")
        )
        world.make(
            _content(ns, "content-whole", "whole", whole["metadata"]["uid"]), _content(ns, "left-over", "gone", NOBODY)
        )
        for name, content in (("whole", "content-whole"), ("without", "nothing")):
            bound = {"boundVolumeSnapshotContentName": f"{ns}-{content}", "readyToUse": True}
            world.set_status("volumesnapshot", name, **bound)
        world.set_status("volumesnapshotcontent", f"{ns}-content-whole", readyToUse=True)
        try:
            yield world
        finally:
            world.kubectl("delete", "pod", "runs", "-n", ns, "--wait=false")
            world.kubectl("delete", "volumesnapshots", "--all", "-n", ns)
            world.kubectl("delete", "volumesnapshotcontents", f"{ns}-content-whole", f"{ns}-left-over")


async def scanned(kubeconfig: Path, world: World, *, without: str = "") -> Report:
    """Scan as the account that lacks this right; as an administrator without one."""
    connection = {"kubeconfig": str(kubeconfig)}
    if without:
        account = f"{world.name}-{without.replace('/', '-')}"
        connection["impersonate_user"] = f"system:serviceaccount:{world.name}:{account}"
    return await scan_cluster(connection, Options(min_age_seconds=0, parts=frozenset(PARTS)))


def states_of(report: Report, world: World) -> dict[str, str]:
    """State by name, of the objects of this test that have a finding."""
    return {
        world.own_name(one.name): one.state
        for one in report.findings
        if one.namespace == world.name or one.name.startswith(f"{world.name}-")
    }


def with_state(report: Report, world: World, state: str) -> set[str]:
    return {name for name, found in states_of(report, world).items() if found == state}


@pytest.mark.parametrize("row", DENIED, ids=lambda row: row.resource)
async def test_what_is_denied_is_named_and_what_needs_it_is_unknown(
    snapshots: World, kubeconfig: Path, row: Denied
) -> None:
    report = await scanned(kubeconfig, snapshots, without=row.resource)
    incomplete = {name: str(part.cause) for name, part in report.parts.items() if not part.complete}
    assert set(incomplete) == row.parts
    verb, what = ("get", row.resource) if "/" in row.resource else ("list", row.resource)
    assert all(f"the user may not {verb} {what}" in cause for cause in incomplete.values()), incomplete
    assert not report.complete
    assert with_state(report, snapshots, "unknown") == row.unknown
    assert with_state(report, snapshots, "orphan") == ORPHANS - row.unknown - row.unlisted
    assert all(one.confirmed for one in report.orphans)


async def test_with_all_rights_everything_is_judged(snapshots: World, kubeconfig: Path) -> None:
    report = await scanned(kubeconfig, snapshots)
    assert report.complete
    assert states_of(report, snapshots) == dict.fromkeys(ORPHANS, "orphan")
    causes = {row.name: row.cause for row in report.usage if row.namespace == snapshots.name}
    assert causes["left"] == "not mounted: no pod on a node names it"
    assert "has no figures of it" in str(causes["used"])


async def test_an_account_without_any_right(snapshots: World, kubeconfig: Path) -> None:
    report = await scanned(kubeconfig, snapshots, without=EVERYTHING)
    assert (report.findings, report.usage) == ([], [])
    assert [name for name, part in report.parts.items() if part.complete] == []
