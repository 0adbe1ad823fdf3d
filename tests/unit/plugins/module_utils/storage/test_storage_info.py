"""The whole scan over real HTTP: findings, the second look, filters, usage, and parts that could not be read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.storage import kubelets
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Report, document, plain
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import PARTS, THRESHOLDS, Options
from ansible_collections.kubestress.core.plugins.module_utils.storage.storage_info import run_module, scan
from helpers.fake_server import ThreeTries, cluster_on, serving, status
from helpers.storage import DRIVER, Objects, StorageServer, answering, endless, since

QUICKLY = ThreeTries(deadline_seconds=20.0, first_pause_seconds=0.001, max_pause_seconds=0.01)
WITHOUT_USAGE = frozenset(PARTS) - {"usage"}


async def scanned(server: StorageServer, **options: Any) -> Report:
    async with cluster_on(server.handle, retry=QUICKLY) as cluster:
        return await scan(cluster, Options(**options))


def states(report: Report) -> dict[str, str]:
    return {finding.name: finding.state for finding in report.findings}


def one_of_each() -> Objects:
    """An orphan of each kind, and one of each that is none."""
    objects = Objects()
    objects.storage_class("fast")
    objects.claim("used", volume="pv-used", storage_class="fast", size="10Gi", labels={"team": "a"})
    objects.volume("pv-used", claim="ns/used", claim_uid="uid-used", storage_class="fast")
    objects.pod("p", "used")
    objects.claim("left", volume="pv-left", storage_class="slow", labels={"team": "b"})
    objects.volume("pv-left", claim="ns/left", claim_uid="uid-left", storage_class="slow", driver="other.example.com")
    objects.volume(
        "pv-stuck", claim="ns/gone", claim_uid="uid-gone", phase="Released", size="5Gi", storage_class="fast"
    )
    objects.volume("pv-elsewhere", claim="other/gone", claim_uid="uid-elsewhere", phase="Released")
    objects.snapshot("kept", content="content-kept", source="used")
    objects.content("content-kept", snapshot="ns/kept", snapshot_uid="uid-kept")
    objects.snapshot("lost", content="content-lost", source="left")
    objects.content("content-left", snapshot="ns/gone", snapshot_uid="uid-gone-snapshot")
    return objects


ORPHANS = {"left", "pv-stuck", "pv-elsewhere", "lost", "content-left"}


async def test_orphans_of_all_kinds_are_confirmed() -> None:
    report = await scanned(StorageServer(one_of_each()), parts=WITHOUT_USAGE)
    assert report.complete
    assert {finding.name for finding in report.orphans} == ORPHANS == {finding.name for finding in report.findings}
    assert all(finding.confirmed for finding in report.findings)
    summary = document(report)["summary"]
    assert summary["orphans"] == {
        "PersistentVolumeClaim": 1, "PersistentVolume": 2, "VolumeSnapshot": 1, "VolumeSnapshotContent": 1,
    }  # fmt: skip
    assert summary["orphan_bytes"] == (1 + 5 + 1 + 1 + 1) * 2**30
    assert summary["states"]["PersistentVolume"] == {"in_use": 2, "orphan": 2}
    assert (summary["claims"], summary["volumes"], summary["capacity_bytes"]) == (2, 4, 11 * 2**30)


async def test_without_a_second_look_nothing_is_confirmed() -> None:
    report = await scanned(StorageServer(one_of_each()), parts=WITHOUT_USAGE, confirm=False)
    assert {finding.name for finding in report.orphans} == ORPHANS
    assert {finding.confirmed for finding in report.findings} == {None}


def _made_while_scanning(server: StorageServer) -> None:
    """After the first list of the users of claims: a pod, a claim for a volume, a content and a snapshot."""

    def make(name: str) -> None:
        if name == "contents" and not server.objects.has("VolumeSnapshotContent", "content-lost"):
            server.objects.content("content-lost", snapshot="ns/lost", snapshot_uid="uid-lost")
            server.objects.snapshot("gone", content="content-left", uid="uid-gone-snapshot", source="used")
        if name == "pods" and not any(pod["metadata"]["name"] == "late" for pod in server.objects.lists["pods"]):
            server.objects.pod("late", "left", phase="Pending", node=None)
            server.objects.claim("gone", volume="pv-stuck")
            server.objects.claim("gone", namespace="other", uid="uid-elsewhere", volume="pv-elsewhere")

    server.after = make


@pytest.mark.parametrize("confirm", [True, False])
async def test_what_is_made_during_the_scan_is_no_finding_thanks_to_the_second_look(confirm: bool) -> None:
    server = StorageServer(one_of_each())
    _made_while_scanning(server)
    report = await scanned(server, parts=WITHOUT_USAGE, confirm=confirm)
    assert {finding.name for finding in report.orphans} == (set() if confirm else ORPHANS)
    if confirm:
        assert report.findings == []
        assert report.states["PersistentVolumeClaim"] == {"in_use": 2}
        assert report.states["PersistentVolume"] == {"in_use": 4}


async def test_the_second_look_asks_for_candidates_only() -> None:
    objects = one_of_each()
    for number in range(30):
        objects.claim(f"other-{number}", created=since(hours=1))
    server = StorageServer(objects)
    await scanned(server, parts=WITHOUT_USAGE)
    assert server.asked.count("claims") == 1
    assert sorted(name for name in server.asked if "/" in name) == [
        "claims/gone", "claims/gone", "claims/left", "contents/content-left", "contents/content-lost",
        "snapshots/gone", "snapshots/lost", "volumes/pv-elsewhere", "volumes/pv-stuck",
    ]  # fmt: skip


async def test_what_is_gone_at_the_second_look_is_no_finding() -> None:
    server = StorageServer(one_of_each())

    def delete(name: str) -> None:
        if name == "pods":
            for listed in ("claims", "volumes", "snapshots", "contents"):
                server.objects.lists[listed] = [
                    obj for obj in server.objects.lists[listed] if obj["metadata"]["name"] not in ORPHANS
                ]

    server.after = delete
    report = await scanned(server, parts=WITHOUT_USAGE)
    assert report.findings == []


async def test_another_object_of_the_same_name_is_not_confirmed() -> None:
    server = StorageServer(one_of_each())

    def replace(name: str) -> None:
        if name == "pods":
            for obj in server.objects.lists["claims"]:
                obj["metadata"]["uid"] += "-new"

    server.after = replace
    report = await scanned(server, parts=frozenset({"claims"}))
    assert report.findings == []


async def test_a_second_look_that_fails_makes_it_unknown() -> None:
    server = StorageServer(one_of_each())

    def refuse(name: str) -> None:
        if name == "pods":
            server.instead["pods"] = answering(lambda: status(403, reason="Forbidden", message="no more"))
            server.instead["volumes/pv-stuck"] = server.instead["pods"]

    server.after = refuse
    report = await scanned(server, parts=frozenset({"claims", "volumes"}))
    assert states(report) == {"left": "unknown", "pv-stuck": "unknown", "pv-elsewhere": "orphan"}
    assert {finding.name: finding.confirmed for finding in report.findings} == {
        "left": False, "pv-stuck": False, "pv-elsewhere": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("refused", "unknown"),
    [
        ("pods", {"left", "used"}),
        ("cron_jobs", {"left"}),
        ("attachments", {"left", "pv-stuck", "pv-elsewhere"}),
        ("claims", {"pv-stuck", "pv-elsewhere", "pv-used", "pv-left"}),
        ("contents", {"lost", "kept"}),
        ("snapshots", {"content-left", "content-kept"}),
    ],
)
async def test_what_depends_on_a_refused_list_is_unknown(refused: str, unknown: set[str]) -> None:
    server = StorageServer(one_of_each())
    server.instead[refused] = answering(lambda: status(403, reason="Forbidden", message="not for you"))
    report = await scanned(server, parts=WITHOUT_USAGE)
    assert not report.complete
    assert "not for you" in str(report.parts[refused].cause)
    found = states(report)
    assert {name for name, state in found.items() if state == "unknown"} == unknown
    assert {name for name, state in found.items() if state == "orphan"} <= ORPHANS - unknown


async def test_missing_snapshot_kinds_leave_the_rest_judged() -> None:
    server = StorageServer(one_of_each(), groups=["apps", "batch", "storage.k8s.io"])
    report = await scanned(server, parts=WITHOUT_USAGE)
    assert {finding.name for finding in report.orphans} == {"left", "pv-stuck", "pv-elsewhere"}
    assert [name for name, part in report.parts.items() if not part.complete] == [
        "snapshots", "contents", "snapshot_classes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "orphans"),
    [
        ({"namespaces": ("ns",)}, ORPHANS - {"pv-elsewhere"}),
        ({"namespaces": ("other",)}, {"pv-elsewhere"}),
        ({"exclude_namespaces": frozenset({"ns"})}, {"pv-elsewhere"}),
        ({"storage_classes": frozenset({"slow"})}, {"left", "lost"}),
        ({"drivers": frozenset({"other.example.com"})}, {"left"}),
        ({"drivers": frozenset({DRIVER})}, {"pv-stuck", "pv-elsewhere", "content-left"}),
        ({"label_selector": "team=b"}, {"left"}),
        ({"label_selector": "team=a"}, set()),
        ({"parts": frozenset({"volumes"})}, {"pv-stuck", "pv-elsewhere"}),
        ({"parts": frozenset({"snapshots"})}, {"lost", "content-left"}),
        ({"min_age_seconds": 365 * 86_400.0}, set()),
    ],
)
async def test_filters(options: dict[str, Any], orphans: set[str]) -> None:
    report = await scanned(StorageServer(one_of_each()), **({"parts": WITHOUT_USAGE} | options))
    assert {finding.name for finding in report.orphans} == orphans
    assert all(finding.confirmed for finding in report.orphans)


async def test_a_filter_hides_nothing_from_the_rules() -> None:
    """A volume whose claim has other labels has a claim."""
    report = await scanned(StorageServer(one_of_each()), label_selector="team=a", parts=WITHOUT_USAGE)
    assert report.counts["claims"] == 1
    assert states(report) == {}


async def test_a_class_that_is_not_there_is_said() -> None:
    report = await scanned(StorageServer(one_of_each()), storage_classes=frozenset({"fats"}))
    assert report.warnings == ["storage_classes: the cluster has no StorageClass fats"]


async def test_totals_of_namespace_class_and_driver() -> None:
    rows = document(await scanned(StorageServer(one_of_each()), parts=WITHOUT_USAGE))["totals"]
    gib = 2**30
    by_class = {row["storage_class"]: row for row in rows["by_class"]}
    assert by_class["fast"] == {
        "storage_class": "fast", "claims": 1, "capacity_bytes": 10 * gib, "used_bytes": None, "orphans": 1,
        "orphan_bytes": 5 * gib,
    }  # fmt: skip
    assert (by_class["slow"]["claims"], by_class["slow"]["orphans"]) == (1, 2)
    assert {row["driver"]: row["claims"] for row in rows["by_driver"]} == {
        DRIVER: 1, "other.example.com": 1, None: 0,
    }  # fmt: skip
    assert {row["namespace"]: row["orphans"] for row in rows["by_namespace"]} == {"ns": 4, "other": 1}


async def test_thresholds_of_snapshots() -> None:
    objects = Objects()
    objects.claim("c")
    objects.pod("p", "c")
    for number in range(4):
        objects.snapshot(f"s{number}", content=f"k{number}", source="c", taken=since(hours=40 if number else 1))
        objects.content(f"k{number}", snapshot=f"ns/s{number}", snapshot_uid=f"uid-s{number}")
    limits = {name: row[0] for name, row in THRESHOLDS.items()}
    limits |= {"snapshot_age_days": 1, "snapshots_per_volume": 3}
    report = await scanned(StorageServer(objects), parts=WITHOUT_USAGE, thresholds=limits)
    assert states(report) == {"s1": "old", "s2": "old", "s3": "old", "c": "many_snapshots"}
    assert report.over_threshold == 4
    assert report.findings[-1].evidence == ("4 snapshots; the threshold is 3",)


def figures(claim: str, **values: Any) -> dict[str, Any]:
    """One volume of a kubelet's summary."""
    usual = {"time": since(hours=0.1), "capacityBytes": 1000, "usedBytes": 100, "availableBytes": 900, "inodes": 50}
    return {"name": "data", "pvcRef": {"name": claim, "namespace": "ns"}, **usual, **values}


def summary_of(*volumes: dict[str, Any]) -> Any:
    pods = [{"podRef": {"name": "p", "namespace": "ns", "uid": "u"}, "volume": [{"name": "token"}, *volumes]}]
    return answering(lambda: web.json_response({"node": {"nodeName": "n"}, "pods": pods}))


def real_node(objects: Objects, name: str, *, simulated: bool = False) -> None:
    endpoints = {} if simulated else {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}
    objects.lists["nodes"].append({"metadata": {"name": name}, "status": endpoints})


async def test_usage() -> None:
    objects = Objects()
    for name in ("full", "nearly", "moving", "unmounted", "asleep", "silent", "untold"):
        objects.claim(name, size="1k")
    objects.claim("raw", block=True)
    for number, name in enumerate(["full", "nearly", "moving", "untold", "raw"]):
        objects.pod(f"p{number}", name, node="n1")
    objects.pod("again", "moving", node="n2")
    objects.pod("s", "silent", node="n3")
    objects.pod("a", "asleep", node="n4")
    for name in ("n1", "n2", "n3"):
        real_node(objects, name)
    real_node(objects, "n4", simulated=True)
    server = StorageServer(objects)
    server.instead["kubelet/n1"] = summary_of(
        figures("full", usedBytes=960, availableBytes=40, inodesUsed=7),
        figures("nearly", usedBytes=850, availableBytes=150, inodes=0, inodesUsed=0),
        figures("moving", time=since(hours=0.2), usedBytes=1),
    )
    server.instead["kubelet/n2"] = summary_of(figures("moving", usedBytes=2))
    server.instead["kubelet/n3"] = answering(lambda: web.Response(status=503, text="no route to host"))
    report = await scanned(server)
    rows = {row.name: row for row in report.usage}
    assert (rows["full"].used_percent, rows["full"].level, rows["full"].inodes, rows["full"].inodes_used) == (
        96.0, "critical", 50, 7,
    )  # fmt: skip
    assert (rows["nearly"].level, rows["nearly"].inodes, rows["nearly"].inodes_used) == ("warning", None, None)
    assert (rows["moving"].used_bytes, rows["moving"].node) == (2, "n2"), "the newest counts"
    causes = {name: row.cause for name, row in rows.items() if row.used_bytes is None}
    assert causes == {
        "unmounted": "not mounted: no pod on a node names it",
        "asleep": "node n4: simulated node: it has no kubelet and mounts nothing",
        "silent": "node n3: the kubelet cannot be reached: no route to host",
        "untold": "node n1: the kubelet has no figures of it; it may not be mounted yet",
        "raw": "a block volume: only what is on it knows how full it is",
    }
    part = report.parts["usage"]
    assert (part.complete, part.objects) == (False, 3)
    assert part.cause == "1 of 3 kubelets told nothing; 1 × the kubelet cannot be reached: no route to host"
    whole = document(report)
    assert [row.name for row in whole["usage"]][:3] == ["full", "nearly", "moving"]
    assert whole["summary"]["used_bytes"] == 960 + 850 + 2
    assert report.over_threshold == 2


async def test_what_shares_a_filesystem_is_told_and_not_summed_up() -> None:
    objects = Objects()
    for name in ("a", "b", "own", "twin"):
        objects.claim(name, size="1000")
        objects.pod(f"p-{name}", name, node="n1")
    real_node(objects, "n1")
    server = StorageServer(objects)
    pool = {"capacityBytes": 10**9, "usedBytes": 5, "availableBytes": 10**9 - 5}
    server.instead["kubelet/n1"] = summary_of(
        figures("a", **pool), figures("b", **pool), figures("own"), figures("twin")
    )
    report = await scanned(server)
    assert {row.name: row.shared for row in report.usage} == {"a": True, "b": True, "own": False, "twin": False}
    assert document(report)["summary"]["used_bytes"] == 200


async def test_whoever_may_not_ask_kubelets_is_refused_once() -> None:
    objects = Objects()
    for number in range(40):
        objects.claim(f"c{number}")
        objects.pod(f"p{number}", f"c{number}", node=f"n{number}")
        real_node(objects, f"n{number}")
    server = StorageServer(objects)
    refusal = 'nodes "n" is forbidden: User "u" cannot get resource "nodes/proxy" in API group ""'
    for number in range(40):
        server.instead[f"kubelet/n{number}"] = answering(lambda: status(403, reason="Forbidden", message=refusal))
    report = await scanned(server)
    assert sum(name.startswith("kubelet/") for name in server.asked) <= 10
    assert report.parts["usage"].cause == ("40 of 40 kubelets told nothing; 40 × the user may not get nodes/proxy")
    assert {row.cause for row in report.usage} == {
        f"node n{number}: the user may not get nodes/proxy" for number in range(40)
    }


async def test_hostile_kubelets(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    monkeypatch.setattr(kubelets, "_TIMEOUT_SECONDS", 2.0)
    answers = {
        "n0": endless,
        "n1": silent,
        "n2": answering(lambda: web.Response(text="<html>", content_type="text/html")),
        "n3": summary_of(figures("c3", usedBytes="a lot")),
        "n4": summary_of(figures("c4", usedBytes=-5)),
        "n5": summary_of(figures("c5", time="\x1b[2J", usedBytes=2**80)),
        "n6": answering(lambda: web.json_response([1])),
        "../../secrets?x=": silent,
        "n8\r\nX-Header: 1\x00": silent,
    }
    objects = Objects()
    for number, node in enumerate(answers):
        objects.claim(f"c{number}")
        objects.pod(f"p{number}", f"c{number}", node=node)
        real_node(objects, node)
    server = StorageServer(objects)
    server.instead = {f"kubelet/{node}": answer for node, answer in answers.items()}
    report = await scanned(server)
    assert all(row.used_bytes is None and row.cause and row.cause.isprintable() for row in report.usage)
    assert not report.parts["usage"].complete
    assert sum("no node can have this name" in str(row.cause) for row in report.usage) == 2
    asked = {name for name in server.asked if name.startswith("kubelet/")}
    assert asked == {f"kubelet/n{number}" for number in range(7)}


@asynccontextmanager
async def address_of(server: StorageServer) -> AsyncIterator[str]:
    async with serving(server.handle) as url:
        yield url


PARAMS: dict[str, Any] = {
    "namespaces": [], "exclude_namespaces": [], "label_selector": "", "storage_classes": [], "drivers": [],
    "parts": sorted(WITHOUT_USAGE), "min_age": "24h", "confirm": True, "thresholds": {}, "strict": False, "top": 100,
    "dest": "", "formats": ["json"],
}  # fmt: skip


@pytest.fixture
def run() -> Any:
    """The module's function, against a server in another thread's event loop."""

    async def ran(server: StorageServer, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
        async with address_of(server) as url:
            return await asyncio.to_thread(run_module, {**PARAMS, "host": url, **params}, check_mode=check_mode)

    return ran


async def test_the_result_is_plain_and_short(run: Any, tmp_path: Path) -> None:
    server = StorageServer(one_of_each())
    result = await run(server, top=2, dest=str(tmp_path / "new" / "folder"))
    assert json.loads(json.dumps(result)) == result
    assert result["changed"] is False
    assert len(result["findings"]) == 2
    assert result["summary"]["findings"] == 5
    assert result["msg"] == (
        "2 claims, 4 volumes, 2 snapshots, 2 contents; orphans: 1 PersistentVolumeClaim, 2 PersistentVolume, "
        "1 VolumeSnapshot, 1 VolumeSnapshotContent (9 GiB)"
    )
    (path,) = result["files"]
    written = json.loads(Path(path).read_text())
    assert len(written["findings"]) == 5
    assert (written["schema"], written["kind"]) == (1, "storage")
    assert list((tmp_path / "new" / "folder").iterdir()) == [Path(path)], "nothing is left beside it"


async def test_check_mode_writes_nothing(run: Any, tmp_path: Path) -> None:
    result = await run(StorageServer(one_of_each()), check_mode=True, dest=str(tmp_path / "new"))
    assert result["files"] == [str(tmp_path / "new" / "storage.json")]
    assert not (tmp_path / "new").exists()


async def test_strict_fails_with_the_cause_and_the_result(run: Any) -> None:
    server = StorageServer(one_of_each())
    server.instead["pods"] = answering(lambda: status(403, reason="Forbidden", message="not for you"))
    assert (await run(server))["complete"] is False
    with pytest.raises(ModuleFailed, match=r"strict: .*; not complete: pods \(the user may not list pods: not for you"):
        await run(server, strict=True)


async def test_a_selector_that_is_none_is_bad_input(run: Any) -> None:
    server = StorageServer(one_of_each())

    async def judged(request: web.Request) -> web.StreamResponse:
        if "labelSelector" in request.query:
            return status(400, reason="BadRequest", message="unable to parse requirement: a=b=c")
        del server.instead["claims"]
        try:
            return await server.handle(request)
        finally:
            server.instead["claims"] = judged

    server.instead["claims"] = judged
    with pytest.raises(ModuleFailed, match=r"^label_selector: 'a=b=c': .*unable to parse"):
        await run(server, label_selector="a=b=c")


async def test_credentials_that_are_refused(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    server = StorageServer(one_of_each())
    monkeypatch.setattr(server, "handle", answering(lambda: status(401, reason="Unauthorized", message="who?")))
    with pytest.raises(ModuleFailed) as caught:
        await run(server, api_key="s3cret")
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_folder_that_cannot_be_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModuleFailed, match=r"^dest: '.*file/x' cannot be written: Not a directory"):
        await run(StorageServer(one_of_each()), dest=str(tmp_path / "file" / "x"))


async def test_two_hundred_orphans_among_ten_thousand() -> None:
    """Every one that is planted is found, and nothing else."""
    objects = Objects()
    objects.stateful_set("db", ["data"], replicas=3)
    planted = set()
    for number in range(10_000):
        name, volume = f"c{number}", f"v{number}"
        if number % 50 == 7:
            planted.add(name)
            objects.claim(name, volume=volume)
        elif number % 5 == 0:
            objects.claim(name, volume=volume)
            objects.pod(f"p{number}", name)
        elif number % 5 == 1:
            objects.claim(name, volume=volume)
            objects.maker("deployments", f"w{number}", name, replicas=number % 2)
        elif number % 5 == 2:
            objects.claim(name, volume=volume, created=since(hours=number % 24))
        elif number % 5 == 3:
            objects.claim(name, volume=volume, owners=[{"kind": "DataVolume", "name": "d", "uid": "d"}])
        else:
            name = f"data-db-{number}"
            objects.claim(name, volume=volume)
        objects.volume(volume, claim=f"ns/{name}", claim_uid=f"uid-{name}")
    report = await scanned(StorageServer(objects), parts=frozenset({"claims", "volumes"}))
    assert len(planted) == 200
    assert {finding.name for finding in report.orphans} == planted
    assert report.states["PersistentVolume"] == {"in_use": 10_000}
    assert not {"unknown", "orphan"} & {f.state for f in report.findings if f.name not in planted}


def test_plain_makes_json_of_everything() -> None:
    report = Report(started="2026-01-01T00:00:00Z")
    assert json.loads(json.dumps(plain(document(report))))["summary"]["used_bytes"] is None
