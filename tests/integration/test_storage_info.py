"""kubestress.core.storage_info on a real API server, whose controllers bind, release and protect real objects."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage import storage_info
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import Options
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS
from helpers import fake_kubelets
from helpers.one_task import returned
from helpers.storage_place import (
    CLAIM,
    SNAPSHOT,
    VOLUME,
    Place,
    claims_of_every_state,
    of_claim,
    snapshots_of_every_state,
    volumes_of_every_state,
)

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(tmp_path: Path, ansible_playbook: Any) -> Ask:
    """Return a function that runs the module with options, and gives exit code and what the task returned."""

    def run(*arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        return returned(ansible_playbook, tmp_path, "kubestress.core.storage_info", options, *arguments)

    return run


def of_namespace(answer: dict[str, Any], place: Place) -> dict[tuple[str, str], str]:
    """State by kind and name, of what this test has made."""
    return {
        (row["kind"], row["name"].removeprefix(f"{place.name}-")): row["state"]
        for row in answer["findings"]
        if row["namespace"] == place.name or row["name"].startswith(place.name)
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
    expected = claims_of_every_state(place) | volumes_of_every_state(place) | snapshots_of_every_state(place)
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
    options = {"dest": str(tmp_path / "out"), "parts": ["claims"], "formats": ["json"]}
    rc, checked = ask("--check", **options)
    assert rc == 0, checked
    assert not (tmp_path / "out").exists()
    rc, answer = ask(**options)
    assert rc == 0, answer
    assert checked["files"] == answer["files"] == [str(tmp_path / "out" / "storage.json")]
    assert json.loads(Path(answer["files"][0]).read_text())["kind"] == "storage"
    assert checked["changed"] is answer["changed"] is False
