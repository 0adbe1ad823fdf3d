"""kubestress.core.storage_info on a real API server, whose controllers bind, release and protect real objects."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage import storage_info
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import Options
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS
from helpers import fake_kubelets
from helpers.one_task import returned
from helpers.waiting import until

Ask = Callable[..., tuple[int, dict[str, Any]]]
CLAIM, VOLUME, SNAPSHOT, CONTENT = (
    "PersistentVolumeClaim",
    "PersistentVolume",
    "VolumeSnapshot",
    "VolumeSnapshotContent",
)
DRIVER = "csi.test.example.com"
SNAPSHOTS = "snapshot.storage.k8s.io/v1"
LABEL = "kubestress.test/storage"
_OF_CONTROLLERS = {"kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"}
ORDINARY = {"storageClassName": "", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@pytest.fixture
def ask(tmp_path: Path, ansible_playbook: Any) -> Ask:
    """Return a function that runs the module with options, and gives exit code and what the task returned."""

    def run(*arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        return returned(ansible_playbook, tmp_path, "kubestress.core.storage_info", options, *arguments)

    return run


@dataclass
class Place:
    """Makes objects in one namespace; `name` begins the names of those that lie in none."""

    kubectl: Any
    name: str
    made: list[tuple[str, str]] = field(default_factory=list)

    def create(self, api_version: str, kind: str, name: str, *, status: Any = None, **rest: Any) -> dict[str, Any]:
        """An object, in the namespace if its kind has one; `status` is patched afterwards."""
        metadata = {"name": name, "labels": {LABEL: self.name}, **rest.pop("metadata", {})}
        document = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
        found: dict[str, Any] = self.kubectl("create", "-n", self.name, "-f", "-", stdin=json.dumps(document))
        if status is not None:
            patch = json.dumps({"status": status})
            words = ("patch", kind, name, "-n", self.name, "--subresource=status", "--type=merge", "-p", patch)
            self.kubectl(*words)
        return found

    def volume(self, claim: str, *, name: str = "", policy: str = "Delete", annotated: bool = True, **rest: Any) -> str:
        """A PersistentVolume that waits for a claim, or for any without one."""
        full = f"{self.name}-{name or claim}"
        metadata = {"annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}} if annotated else {}
        reference = {"apiVersion": "v1", "kind": CLAIM, "namespace": self.name, "name": claim}
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": DRIVER, "volumeHandle": full},
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": "",
            **({"claimRef": reference} if claim else {}),
        }
        self.create("v1", VOLUME, full, metadata=metadata, spec=spec | rest)
        return full

    def bound(self, *names: str, **metadata: Any) -> None:
        """Claims with a volume each; the controller binds them."""
        for name in names:
            volume = self.volume(name)
            self.create("v1", CLAIM, name, metadata=metadata, spec={**ORDINARY, "volumeName": volume})
        for name in names:
            self.until(CLAIM, name, "Bound")

    def attached(self, volume: str) -> None:
        """A volume that is attached to a node."""
        spec = {"attacher": DRIVER, "nodeName": "some-node", "source": {"persistentVolumeName": volume}}
        self.create("storage.k8s.io/v1", "VolumeAttachment", f"{volume}-a", spec=spec)

    def phase(self, kind: str, name: str) -> str:
        """Its phase; "" if it is gone."""
        found = self.kubectl("get", kind, "-n", self.name, f"--field-selector=metadata.name={name}")["items"]
        return found[0].get("status", {}).get("phase", "") if found else ""

    def until(self, kind: str, name: str, phase: str) -> None:
        """Wait for the controller."""
        until(lambda: self.phase(kind, name) == phase)

    def pod(self, name: str, *volumes: dict[str, Any], node: str | None = None, phase: str = "") -> None:
        """A pod that nobody schedules."""
        spec: dict[str, Any] = {
            "schedulerName": "nobody",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "none"}],
            "volumes": list(volumes),
        }
        spec |= {"nodeName": node} if node else {}
        self.create("v1", "Pod", name, spec=spec, status={"phase": phase} if phase else None)

    def maker(
        self, api_version: str, kind: str, name: str, claim: str, of_pods: dict[str, Any] | None = None, **spec: Any
    ) -> None:
        """Something with a pod template that names a claim; `of_pods`: more of its pods' spec."""
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "schedulerName": "nobody",
                "restartPolicy": "Never" if kind == "CronJob" else "Always",
                "containers": [{"name": "c", "image": "none"}],
                "volumes": [of_claim(claim)] if claim else [],
                **(of_pods or {}),
            },
        }
        if kind == "CronJob":
            spec["jobTemplate"] = {"spec": {"template": template}}
        else:
            spec |= {"template": template, "selector": {"matchLabels": labels}}
        self.create(api_version, kind, name, spec=spec)


def of_claim(name: str) -> dict[str, Any]:
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}


@pytest.fixture
def place(kubectl: Any) -> Iterator[Place]:
    """Yield an empty namespace; everything that carries its label is removed afterwards."""
    name = f"st-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    found = Place(kubectl, name)
    until(lambda: kubectl("get", "serviceaccounts", "-n", name)["items"])
    try:
        yield found
    finally:
        free = json.dumps({"metadata": {"finalizers": None}})
        kubectl("delete", "storageclasses", "-l", f"{LABEL}={name}", "--ignore-not-found")
        for kind in ("volumeattachments", "pods", "persistentvolumeclaims", "persistentvolumes"):
            for obj in kubectl("get", kind, "-A", "-l", f"{LABEL}={name}")["items"]:
                # The controllers remove their own, once nobody uses the object any more.
                if set(obj["metadata"].get("finalizers", ())) - _OF_CONTROLLERS:
                    where = ("-n", obj["metadata"]["namespace"]) if "namespace" in obj["metadata"] else ()
                    kubectl("patch", kind, obj["metadata"]["name"], *where, "--type=merge", "-p", free)
            kubectl("delete", kind, "-A", "-l", f"{LABEL}={name}", "--wait=false", "--ignore-not-found")
        kubectl("delete", "namespace", name, "--wait=false")


def of_namespace(answer: dict[str, Any], place: Place) -> dict[tuple[str, str], str]:
    """State by kind and name, of what this test has made."""
    return {
        (row["kind"], row["name"].removeprefix(f"{place.name}-")): row["state"]
        for row in answer["findings"]
        if row["namespace"] == place.name or row["name"].startswith(place.name)
    }


def _claims(place: Place) -> dict[tuple[str, str], str]:
    """Claims in all states, and what is to be found of them; None for what is in order."""
    place.bound("left", "used", "ended", "by-cron", "by-zero", "data-db-0", "attached", "lookalike-x", "late")
    config = place.create("v1", "ConfigMap", "owner")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": config["metadata"]["uid"]}
    place.bound("owned", ownerReferences=[owner])
    place.bound("source", finalizers=["snapshot.storage.kubernetes.io/pvc-as-source-protection"])
    place.bound("going", finalizers=["example.com/hold"])
    place.kubectl("delete", CLAIM, "going", "-n", place.name, "--wait=false")
    place.pod("runs", of_claim("used"))
    place.pod("is-over", of_claim("ended"), phase="Succeeded")
    place.maker("batch/v1", "CronJob", "yearly", "by-cron", schedule="0 0 1 1 *")
    place.maker("apps/v1", "Deployment", "zero", "by-zero", replicas=0)
    template = {"metadata": {"name": "data"}, "spec": ORDINARY}
    place.maker("apps/v1", "StatefulSet", "db", "", replicas=0, serviceName="db", volumeClaimTemplates=[template])
    place.attached(f"{place.name}-attached")
    ephemeral = {"name": "x", "ephemeral": {"volumeClaimTemplate": {"spec": ORDINARY}}}
    # The one claim is made for its pod; the other was there before, and its pod may not use it.
    place.volume("p-x")
    place.pod("p", ephemeral)
    place.pod("lookalike", ephemeral)
    place.until(CLAIM, "p-x", "Bound")
    place.create("v1", CLAIM, "pending", spec={**ORDINARY, "resources": {"requests": {"storage": "9Ti"}}})
    return {
        (CLAIM, "left"): "orphan",
        (CLAIM, "late"): "orphan",
        (CLAIM, "lookalike-x"): "orphan",
        (CLAIM, "ended"): "completed_only",
        (CLAIM, "by-zero"): "scaled_to_zero",
        (CLAIM, "data-db-0"): "retained",
        (CLAIM, "attached"): "attached",
        (CLAIM, "going"): "terminating",
        (CLAIM, "pending"): "pending",
    }


def _claims_of_makers(place: Place) -> dict[tuple[str, str], str]:
    """Claims that only templates name: some will make pods again, some are at rest."""
    at_rest = {
        "by-rs": ("apps/v1", "ReplicaSet", {"replicas": 0}),
        "by-set": ("apps/v1", "StatefulSet", {"replicas": 0, "serviceName": "by-set"}),
        "by-cron-at-rest": ("batch/v1", "CronJob", {"schedule": "0 0 1 1 *", "suspend": True}),
    }
    # Nothing makes pods of them now, and nobody has put them to rest.
    referenced = {
        "by-ds": ("apps/v1", "DaemonSet", {}),
        "by-paused": ("apps/v1", "Deployment", {"replicas": 1, "paused": True}),
    }
    place.bound(*at_rest, *referenced, "by-job", "failed", "failed-and-used")
    for name, (version, kind, spec) in (at_rest | referenced).items():
        selector = {"nodeSelector": {"no": "such-node"}} if kind == "DaemonSet" else {}
        place.maker(version, kind, name, name, selector, **spec)
    job = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "none"}], "volumes": [of_claim("by-job")]}
    place.create("batch/v1", "Job", "by-job", spec={"suspend": True, "template": {"spec": job}})
    for name in ("failed", "failed-and-used"):
        place.pod(f"{name}-pod", of_claim(name), phase="Failed")
    place.pod("waits", of_claim("failed-and-used"))
    return {
        **dict.fromkeys(((CLAIM, name) for name in (*at_rest, "by-job")), "scaled_to_zero"),
        (CLAIM, "failed"): "completed_only",
    }


def _claims_without_volumes(place: Place) -> dict[tuple[str, str], str]:
    late = f"{place.name}-late"
    binding = {"provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer"}
    place.create("storage.k8s.io/v1", "StorageClass", late, **binding)
    place.create("v1", CLAIM, "waiting", spec=ORDINARY | {"storageClassName": late})
    place.create("v1", CLAIM, "wanted", spec=ORDINARY | {"storageClassName": late})
    place.pod("wants", of_claim("wanted"))
    place.bound("lost")
    full = f"{place.name}-lost"
    place.kubectl("delete", VOLUME, full, "--wait=false")
    place.kubectl("patch", VOLUME, full, "--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))
    place.until(CLAIM, "lost", "Lost")
    return {(CLAIM, "waiting"): "waiting", (CLAIM, "wanted"): "pending", (CLAIM, "lost"): "lost"}


def _volumes(place: Place) -> dict[tuple[str, str], str]:
    # The controller deletes folders below /tmp only.
    undeletable = {"csi": None, "hostPath": {"path": "/nowhere"}}
    released: dict[str, tuple[str, dict[str, Any]]] = {
        "stuck": ("Delete", {}),
        "kept": ("Retain", {}),
        "no-plugin": ("Delete", undeletable | {"annotated": False}),
        "held": ("Delete", {}),
        "again": ("Delete", {}),
        "going-pv": ("Retain", {}),
    }
    for name, (policy, options) in released.items():
        full = place.volume(name, policy=policy, **options)
        place.create("v1", CLAIM, name, spec={**ORDINARY, "volumeName": full})
        place.until(CLAIM, name, "Bound")
        place.kubectl("delete", CLAIM, name, "-n", place.name)
    place.volume("", name="spare", storageClassName="of-nobody")
    for name in ("stuck", "kept", "held", "again", "going-pv"):
        place.until(VOLUME, f"{place.name}-{name}", "Released")
    place.attached(f"{place.name}-held")
    # Another claim of the same name is not the one that the volume had.
    place.create("v1", CLAIM, "again", spec={**ORDINARY, "volumeName": place.volume("again", name="new")})
    place.until(CLAIM, "again", "Bound")
    place.pod("uses-again", of_claim("again"))
    hold = json.dumps({"metadata": {"finalizers": ["example.com/hold"]}})
    place.kubectl("patch", VOLUME, f"{place.name}-going-pv", "--type=merge", "-p", hold)
    place.kubectl("delete", VOLUME, f"{place.name}-going-pv", "--wait=false")
    place.until(VOLUME, f"{place.name}-no-plugin", "Failed")
    place.until(VOLUME, f"{place.name}-spare", "Available")
    return {
        (VOLUME, "stuck"): "orphan",
        (VOLUME, "again"): "orphan",
        (VOLUME, "held"): "attached",
        (VOLUME, "going-pv"): "terminating",
        (VOLUME, "kept"): "retained",
        (VOLUME, "no-plugin"): "failed",
        (VOLUME, "spare"): "available",
    }


def _snapshots(place: Place) -> dict[tuple[str, str], str]:
    def snapshot(name: str, content: str, *, of: str = "left", hold: bool = False, **status: Any) -> dict[str, Any]:
        """One that is ready, unless it says otherwise."""
        whole = {"boundVolumeSnapshotContentName": f"{place.name}-{content}", "readyToUse": True} | status
        spec = {"source": {"persistentVolumeClaimName": of}}
        metadata = {"finalizers": ["example.com/hold"]} if hold else {}
        return place.create(SNAPSHOTS, SNAPSHOT, name, metadata=metadata, spec=spec, status=whole)

    def content(name: str, of: str, uid: str | None, policy: str = "Delete", **status: Any) -> None:
        reference = {"namespace": place.name, "name": of, **({"uid": uid} if uid else {})}
        spec = {
            "deletionPolicy": policy,
            "driver": DRIVER,
            "source": {"snapshotHandle": "handle"},
            "volumeSnapshotRef": reference,
        }
        whole = {"readyToUse": True, "restoreSize": 2**30, "snapshotHandle": "handle"} | status
        place.create(SNAPSHOTS, CONTENT, f"{place.name}-{name}", spec=spec, status=whole)

    uids = {name: snapshot(name, name)["metadata"]["uid"] for name in ("whole", "taken")}
    for name, uid in uids.items():
        content(name, name, uid)
    snapshot("without", "nothing")
    snapshot("anothers", "taken")
    made = snapshot("broken", "broken", readyToUse=False, error={"message": "no <b>space</b>\nleft"})
    content("broken", "broken", made["metadata"]["uid"])
    content("left-over", "gone", "11111111-1111-4111-8111-111111111111")
    content("kept", "gone", "11111111-1111-4111-8111-111111111111", "Retain")
    content("prepared", "later", None)
    for name, of, taken in (("backup", "no-such-claim", None), ("ancient", "left", "2020-01-01T00:00:00Z")):
        made = snapshot(name, name, of=of, creationTime=taken)
        content(name, name, made["metadata"]["uid"])
    made = snapshot("unfinished", "unfinished", readyToUse=False)
    content("unfinished", "unfinished", made["metadata"]["uid"], readyToUse=False)
    # A claim that belongs to an object of a kind that only a CustomResourceDefinition knows, as KubeVirt's do.
    owner = {"apiVersion": SNAPSHOTS, "kind": SNAPSHOT, "name": "whole", "uid": uids["whole"]}
    place.bound("of-a-custom-kind", ownerReferences=[owner])
    made = snapshot("wrong", "wrong")
    content("wrong", "wrong", made["metadata"]["uid"], error={"message": "the box is away"})
    snapshot("going-s", "nothing", hold=True)
    place.kubectl("delete", SNAPSHOT, "going-s", "-n", place.name, "--wait=false")
    return {
        (SNAPSHOT, "backup"): "source_gone",
        (SNAPSHOT, "ancient"): "old",
        (SNAPSHOT, "unfinished"): "not_ready",
        (CONTENT, "unfinished"): "not_ready",
        (CONTENT, "wrong"): "error",
        (SNAPSHOT, "going-s"): "terminating",
        (SNAPSHOT, "without"): "orphan",
        (SNAPSHOT, "anothers"): "orphan",
        (SNAPSHOT, "broken"): "error",
        (CONTENT, "left-over"): "orphan",
        (CONTENT, "kept"): "retained",
        (CONTENT, "prepared"): "pre_provisioned",
    }


@pytest.fixture
def account(kubectl: Any, place: Place) -> Callable[..., str]:
    """Return a function that makes a user who may list all but the named resources."""
    resources = {
        "": ["persistentvolumeclaims", "persistentvolumes", "pods", "replicationcontrollers", "nodes"],
        "apps": ["deployments", "replicasets", "daemonsets", "statefulsets"],
        "batch": ["jobs", "cronjobs"],
        "storage.k8s.io": ["storageclasses", "volumeattachments", "csidrivers"],
        "snapshot.storage.k8s.io": ["volumesnapshots", "volumesnapshotcontents", "volumesnapshotclasses"],
    }

    def make(*without: str) -> str:
        name = f"{place.name}-{secrets.token_hex(2)}"
        rules = [
            {"apiGroups": [group], "resources": [each for each in names if each not in without], "verbs": ["list"]}
            for group, names in resources.items()
        ]
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
        binding = {
            **role,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        }
        made.append(name)
        for document in ({**role, "rules": rules}, binding):
            kubectl("create", "-f", "-", stdin=json.dumps(document))
        return name

    made: list[str] = []
    return make


@pytest.fixture(autouse=True)
def _no_accounts_left(kubectl: Any) -> Iterator[None]:
    yield
    for kind in ("clusterrolebindings", "clusterroles"):
        names = [item["metadata"]["name"] for item in kubectl("get", kind)["items"]]
        ours = [name for name in names if name.startswith("st-")]
        if ours:
            kubectl("delete", kind, *ours)


@pytest.mark.timeout(900)
def test_every_state_of_real_objects(ask: Ask, place: Place, snapshot_kinds: None, account: Callable[..., str]) -> None:
    expected = _claims(place) | _claims_of_makers(place) | _claims_without_volumes(place)
    expected |= _volumes(place) | _snapshots(place)
    rc, answer = ask(min_age="0", top=1000, parts=["claims", "volumes", "snapshots", "attachments"])
    assert rc == 0, answer
    assert of_namespace(answer, place) == expected
    assert answer["complete"] is True
    orphans = [row for row in answer["findings"] if row["state"] == "orphan"]
    assert all(row["confirmed"] for row in orphans)
    assert all(text.isprintable() for row in answer["findings"] for text in row["evidence"])

    # Nothing of this is a day old.
    rc, answer = ask(top=1000, parts=["claims", "volumes", "snapshots"])
    assert rc == 0, answer
    assert "orphan" not in of_namespace(answer, place).values()

    # The right to list is enough, and what may not be listed makes unknown what needs it.
    rc, answer = ask(min_age="0", top=1000, parts=["claims", "volumes", "snapshots"], impersonate_user=account())
    assert rc == 0, answer
    assert {key for key, state in of_namespace(answer, place).items() if state == "orphan"} == {
        key for key, state in expected.items() if state == "orphan"
    } | {(CLAIM, "attached"), (VOLUME, "held")}
    told = [row["evidence"] for row in answer["findings"] if row["name"] in ("attached", f"{place.name}-held")]
    assert all("whether its volume is attached was not asked for" in evidence for evidence in told), told
    for denied, part, unknown in (
        ("pods", "pods", {(CLAIM, "left"), (CLAIM, "late"), (CLAIM, "lookalike-x")}),
        ("volumeattachments", "attachments", {(CLAIM, "left"), (VOLUME, "stuck")}),
        ("volumesnapshotcontents", "contents", {(SNAPSHOT, "without"), (SNAPSHOT, "whole")}),
    ):
        options = {"min_age": "0", "top": 1000, "parts": ["claims", "volumes", "snapshots", "attachments"]}
        rc, answer = ask(**options, impersonate_user=account(denied))
        assert rc == 0, answer
        assert answer["complete"] is answer["parts"][part]["complete"] is False
        assert answer["parts"][part]["cause"].startswith(f"the user may not list {denied}: ")
        found = of_namespace(answer, place)
        assert {key for key in unknown if found.get(key) == "unknown"} == unknown
    rc, answer = ask(**options, impersonate_user=account("pods"), strict=True)
    assert rc != 0
    assert answer["msg"].startswith("strict: ")
    assert answer["summary"]["claims"] > 0, "the result is returned all the same"


def test_without_the_kinds_of_snapshots(ask: Ask, place: Place, kubectl: Any) -> None:
    there = {item["metadata"]["name"] for item in kubectl("get", "customresourcedefinitions")["items"]}
    if any(name.endswith("snapshot.storage.k8s.io") for name in there):
        pytest.skip("this cluster has the kinds of snapshots")
    place.bound("left")
    rc, answer = ask(min_age="0", namespaces=[place.name])
    assert rc == 0, answer
    assert of_namespace(answer, place) == {(CLAIM, "left"): "orphan"}
    assert answer["complete"] is answer["parts"]["snapshots"]["complete"] is False
    assert "does not serve snapshot.storage.k8s.io/v1" in answer["parts"]["snapshots"]["cause"]


@pytest.mark.parametrize("confirm", [True, False])
async def test_a_pod_that_is_created_during_the_scan(
    place: Place, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, confirm: bool
) -> None:
    place.bound("left")
    judge = storage_info.judge

    def judged_late(*arguments: Any) -> Any:
        place.pod("late", of_claim("left"))
        return judge(*arguments)

    monkeypatch.setattr(storage_info, "judge", judged_late)
    options = Options(
        namespaces=(place.name,), min_age_seconds=0, parts=frozenset({"claims", "attachments"}), confirm=confirm
    )
    report = await storage_info.scan_cluster({"kubeconfig": str(kubeconfig)}, options)
    assert [finding.name for finding in report.orphans] == ([] if confirm else ["left"])


@pytest.mark.parametrize("after", ["volumes", "claims"])
async def test_a_volume_that_is_provisioned_during_the_scan(
    place: Place, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """Half of the pair is in none of the lists that were read before: no half is a finding, even at the first look."""
    listed = LISTS[after]

    def taken(inventory: Inventory, items: Any) -> None:
        if place.phase(CLAIM, "fresh") == "":
            place.bound("fresh")
            place.pod("of-fresh", of_claim("fresh"))
        listed.take(inventory, items)

    monkeypatch.setitem(LISTS, after, replace(listed, take=taken))
    options = Options(min_age_seconds=0, parts=frozenset({"claims", "volumes", "attachments"}), confirm=False)
    report = await storage_info.scan_cluster({"kubeconfig": str(kubeconfig)}, options)
    assert place.phase(CLAIM, "fresh") == "Bound"
    assert [row.name for row in report.findings if row.namespace == place.name or place.name in row.name] == []


def test_kubelets_that_do_not_answer(ask: Ask, place: Place, kubectl: Any, tmp_path: Path) -> None:
    address = fake_kubelets.own_address()
    if address is None:
        pytest.skip("this machine has no address that an API server proxies to")
    place.bound("a", "b")
    with fake_kubelets.fake_kubelets(address, tmp_path) as kubelets:
        nodes = fake_kubelets.make_nodes(kubectl, kubelets, place.name)
        try:
            place.pod("pa", of_claim("a"), node=nodes["silent"])
            place.pod("pb", of_claim("b"), node=nodes["forbidden"])
            rc, answer = ask(namespaces=[place.name], parts=["claims", "usage"])
        finally:
            kubectl("delete", "node", *nodes.values(), "--wait=false")
    assert rc == 0, answer
    causes = {row["name"]: row["cause"] for row in answer["usage"]}
    assert "no answer within 5 s" in causes["a"]
    assert "refuses stats/summary" in causes["b"]
    assert answer["parts"]["usage"]["complete"] is False
    assert answer["parts"]["usage"]["cause"].startswith("2 of 2 kubelets told nothing")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"min_age": "soon"}, "min_age: 'soon'; allowed is a number of seconds, or with a unit such as 90m, 24h"),
        ({"namespaces": ["Team_A"]}, "namespaces: 'Team_A'; allowed are names of namespaces"),
        ({"thresholds": {"volume": 80}}, "thresholds: 'volume'; allowed are volume_warning, volume_critical"),
        ({"label_selector": "a=b=c"}, "label_selector: 'a=b=c': "),
    ],
)
def test_bad_input_is_one_clear_line(ask: Ask, options: dict[str, Any], told: str) -> None:
    rc, answer = ask(**options)
    assert rc != 0
    assert answer["msg"].startswith(told)
    assert "\n" not in answer["msg"]


def test_check_mode_is_the_same_and_writes_nothing(ask: Ask, tmp_path: Path) -> None:
    options = {"dest": str(tmp_path / "out"), "parts": ["claims"]}
    rc, checked = ask("--check", **options)
    assert rc == 0, checked
    assert not (tmp_path / "out").exists()
    rc, answer = ask(**options)
    assert rc == 0, answer
    assert checked["files"] == answer["files"] == [str(tmp_path / "out" / "storage.json")]
    assert json.loads(Path(answer["files"][0]).read_text())["kind"] == "storage"
    assert checked["changed"] is answer["changed"] is False
