"""A scan beside a TrueNAS, both over real connections: findings, the second look, usage, and a box that fails."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Report, document, plain
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import PARTS
from ansible_collections.kubestress.core.plugins.module_utils.storage.storage_info import run_module
from helpers.democratic_csi import CSI, Driver
from helpers.fake_server import serving, status
from helpers.storage import NOW, Objects, StorageServer, answering, since
from helpers.truenas import KEY, RELEASES, USERNAME, Refused, TrueNas, not_allowed, running
from helpers.zfs_model import Zfs

PARENT, DETACHED = "tank/k8s/v", "tank/k8s/s"
DAY = 86_400
State = tuple[str, str, str]
PARAMS: dict[str, Any] = {
    "namespaces": [], "exclude_namespaces": [], "label_selector": "", "storage_classes": [], "drivers": [],
    "parts": sorted(set(PARTS) - {"usage"}), "min_age": "24h", "confirm": True, "thresholds": {}, "strict": False,
    "top": 1000, "dest": "", "formats": ["json"],
}  # fmt: skip


class Site:
    """A box, the driver that fills it, and the cluster that uses it."""

    def __init__(self, box: TrueNas, driver: Driver) -> None:
        self.box, self.driver, self.zfs = box, driver, driver.zfs
        # What is as it should be; without it, both would not seem to belong together.
        self.volume = driver.provision()
        self.content = driver.snapshot(self.volume)
        self.others: list[Driver] = []

    def objects(self) -> Objects:
        """The cluster's objects, now."""
        found = Objects()
        for driver in (self.driver, *self.others):
            found.of_driver(driver)
        return found

    def truenas(self, **more: Any) -> dict[str, Any]:
        """The option."""
        credentials = {"url": self.box.url, "username": USERNAME, "api_key": KEY, "ca_cert": self.box.ca_file}
        return {**credentials, "volume_parents": [PARENT], "detached_parents": [DETACHED], **more}

    async def scan(self, server: StorageServer | None = None, **params: Any) -> dict[str, Any]:
        """The module's result; nothing of it has the key."""
        server = server or StorageServer(self.objects())
        async with serving(server.handle) as url:
            given = {**PARAMS, "host": url, "truenas": self.truenas(), **params}
            result = await asyncio.to_thread(run_module, given)
        assert KEY not in json.dumps(result)
        return result


def found(result: dict[str, Any]) -> dict[str, State]:
    """Name -> kind, state and reason of the findings."""
    return {row["name"]: (row["kind"], row["state"], row["reason"]) for row in result["findings"]}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return a function that starts a box; arguments of TrueNas."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Site:
            driver = Driver(Zfs("tank"), [])
            driver.zfs.clock = int(NOW) - 30 * DAY
            folder = tmp_path / f"box-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return Site(stack.enter_context(running(TrueNas(driver.zfs, driver.shares, **settings), folder)), driver)

        yield start


@pytest.fixture
async def other() -> AsyncIterator[Callable[..., Any]]:
    """Return a function that starts another cluster with a driver's objects; it returns server and connection."""
    async with AsyncExitStack() as stack:

        async def start(driver: Driver) -> tuple[StorageServer, dict[str, Any]]:
            objects = Objects()
            objects.of_driver(driver)
            server = StorageServer(objects)
            return server, {"host": await stack.enter_async_context(serving(server.handle))}

        yield start


def leftovers(here: Site) -> dict[str, State]:
    """Something of everything on the box, and what is to be said of it."""
    driver, zfs = here.driver, here.zfs
    templated = Driver(zfs, here.box.shares, template="prod-{}", name="csi.templated")
    here.others.append(templated)
    templated.snapshot(templated.provision())
    gone, made_by_template = driver.provision(), templated.provision()
    lost, snapshot = driver.provision(), driver.snapshot(here.volume)
    detached, kept = (driver.snapshot(here.volume, detached=True) for _number in range(2))
    without = driver.snapshot(here.volume, detached=True)
    driver.forget(gone)
    templated.forget(made_by_template)
    driver.forget(snapshot)
    driver.forget(detached)
    zfs.destroy(driver.path_of(lost))
    zfs.destroy(f"{DETACHED}/{without.handle}")
    # ZFS gives both the driver's properties, and TrueNAS 25.10 calls them local.
    zfs.snapshot(f"{driver.path_of(here.volume)}@auto-daily")
    zfs.create(f"{driver.path_of(here.volume)}/child")
    zfs.nodes[PARENT].own = {f"{CSI}managed_resource": "true", f"{CSI}csi_volume_name": "pvc-of-parent"}
    zfs.create(f"{PARENT}/by-hand")
    assert kept.handle
    return {
        driver.path_of(gone): ("Dataset", "orphan", "no_volume"),
        templated.path_of(made_by_template): ("Dataset", "orphan", "no_volume"),
        f"{PARENT}/{snapshot.handle}": ("ZFSSnapshot", "orphan", "no_content"),
        f"{DETACHED}/{detached.handle}": ("Dataset", "orphan", "no_content"),
        lost.name: ("PersistentVolume", "orphan", "backend_missing"),
        without.name: ("VolumeSnapshotContent", "orphan", "backend_missing"),
        without.name.replace("snapcontent", "s"): ("VolumeSnapshot", "orphan", "backend_missing"),
        f"{driver.path_of(here.volume)}@auto-daily": ("ZFSSnapshot", "foreign", "not_csi"),
        f"{PARENT}/by-hand": ("Dataset", "foreign", "inherited"),
    }


@pytest.mark.parametrize("release", RELEASES)
async def test_three_releases_give_the_same_findings_with_one_login(site: Callable[..., Site], release: str) -> None:
    here = site(release=release)
    expected = leftovers(here)
    result = await here.scan()
    assert found(result) == expected
    orphans = [row for row in result["findings"] if row["state"] == "orphan"]
    assert [row["confirmed"] for row in orphans] == [True] * 7
    assert (result["complete"], result["parts"]["backend"]["cause"]) == (True, None)
    # Both looks, and nobody is logged in twice.
    assert here.box.connections == here.box.logins == (0 if release == "24.10" else 1)
    assert here.box.calls["/pool" if release == "24.10" else "pool.query"] == 2
    states = result["summary"]["states"]
    assert states["Dataset"] == {"foreign": 1, "in_use": 3, "orphan": 3}
    assert states["ZFSSnapshot"] == {"foreign": 1, "in_use": 2, "orphan": 1}
    assert states["PersistentVolume"] == {"in_use": 2, "orphan": 1}
    assert states["VolumeSnapshot"] == {"orphan": 1, "ready": 3}
    box = result["box"]
    assert (box["volumes"], box["snapshots"], box["matched"], box["complete"]) == (5, 5, 5, True)
    (pool,) = box["pools"]
    assert (pool["name"], pool["used_percent"], pool["level"]) == ("tank", 25.0, "ok")
    assert "3 Dataset" in result["msg"]


async def test_calls_beyond_the_limit_are_made_again(site: Callable[..., Site]) -> None:
    here = site(max_calls=5, latency_seconds=0.02)
    expected = leftovers(here)
    assert found(await here.scan()) == expected
    assert here.box.busy > 0


async def test_an_answer_of_more_than_4_mib_is_compared_too(site: Callable[..., Site]) -> None:
    here = site(release="26.0")
    expected = leftovers(here)
    for number in range(9_000):
        here.zfs.create(f"tank/{'x' * 180}{number}")
    result = await here.scan(confirm=False)
    assert here.box.largest_answer > 4 * 2**20
    assert found(result) == expected
    assert {row["confirmed"] for row in result["findings"]} == {None}


async def test_thresholds_of_pools(site: Callable[..., Site]) -> None:
    here = site()
    limits = {"pool_warning": 20, "pool_critical": 60, "overcommit": 5}
    assert (await here.scan(thresholds=limits))["box"]["pools"][0]["level"] == "warning"
    assert (await here.scan(thresholds={**limits, "pool_critical": 25}))["box"]["pools"][0]["level"] == "critical"
    with pytest.raises(ModuleFailed, match=r"^thresholds: pool_warning is 95, which is more than pool_critical, 90$"):
        await here.scan(thresholds={"pool_warning": 95})


# --- the second look -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confirm", [True, False])
async def test_a_volume_of_a_scan_that_goes_on_is_no_finding_thanks_to_the_second_look(
    site: Callable[..., Site], confirm: bool
) -> None:
    """A PersistentVolume comes after the list of volumes, and a dataset that seemed lost comes back."""
    here = site()
    late, back = here.driver.provision(), here.driver.provision()
    here.driver.forget(late)
    node = here.zfs.nodes.pop(here.driver.path_of(back))
    server = StorageServer(here.objects())

    def after(name: str) -> None:
        if name == "contents" and back.volume_handle not in "".join(here.zfs.nodes):
            here.zfs.nodes[node.id] = node
            server.objects.volume(
                late.name, claim="ns/late", driver=late.driver, handle=late.volume_handle, attributes=late.attributes
            )

    server.after = after
    result = await here.scan(server, confirm=confirm)
    assert {name: row[1] for name, row in found(result).items()} == (
        {} if confirm else {here.driver.path_of(late): "orphan", back.name: "orphan"}
    )


async def test_a_second_look_without_the_box_makes_its_orphans_unknown(site: Callable[..., Site]) -> None:
    here = site(release="26.0")
    expected = leftovers(here)
    server = StorageServer(here.objects())

    def after(name: str) -> None:
        if name == "contents":
            here.box.closing = {"system.version"}

    server.after = after
    result = await here.scan(server)
    unknown = {name for name, row in expected.items() if row[1] == "orphan"}
    assert {name for name, row in found(result).items() if row[1] == "unknown"} >= unknown
    assert not any(row["state"] == "orphan" for row in result["findings"])
    seen = {row["name"]: row for row in result["findings"]}
    dataset = next(row for name, row in seen.items() if expected.get(name) == ("Dataset", "orphan", "no_volume"))
    assert dataset["reason"] == "not_seen_again"
    assert "has closed the connection" in dataset["evidence"][-1]


# --- several clusters ------------------------------------------------------------------------------------------------


async def test_two_clusters_on_one_parent(site: Callable[..., Site], other: Any) -> None:
    here = site()
    second = Driver(here.zfs, here.box.shares)
    theirs, gone = second.provision(), second.provision()
    snapshot = second.snapshot(theirs)
    second.forget(gone)
    names = {second.path_of(theirs), f"{PARENT}/{snapshot.handle}", second.path_of(gone)}
    server, connection = await other(second)
    alone = await here.scan()
    assert {name for name, row in found(alone).items() if row[1] == "orphan"} == names
    both = await here.scan(other_clusters=[connection])
    assert found(both) == {second.path_of(gone): ("Dataset", "orphan", "no_volume")}
    (row,) = both["findings"]
    assert row["evidence"][0].startswith(f"no PersistentVolume of the cluster or of {connection['host']} has")
    part = both["parts"]["other_clusters"]
    assert (part["complete"], part["objects"]) == (True, 2)
    assert both["options"]["other_clusters"] == [connection["host"]]
    assert sorted(set(server.asked)) == ["contents", "volumes"]


@pytest.mark.parametrize(
    ("refused", "known"), [(("volumes", "contents"), False), (("volumes",), False), (("contents",), True)]
)
async def test_what_an_unreadable_cluster_may_claim_is_unknown(
    site: Callable[..., Site], other: Any, refused: tuple[str, ...], known: bool
) -> None:
    here = site()
    second = Driver(here.zfs, here.box.shares)
    second.snapshot(second.provision())
    without_snapshots = here.driver.provision()
    here.driver.forget(without_snapshots)
    server, connection = await other(second)
    for name in refused:
        server.instead[name] = answering(lambda: status(403, reason="Forbidden", message="not for you"))
    result = await here.scan(other_clusters=[connection])
    part = result["parts"]["other_clusters"]
    assert part["complete"] is result["complete"] is False
    assert part["cause"].startswith(f"{connection['host']}: {refused[0]}: the user may not list ")
    orphans = {name for name, row in found(result).items() if row[1] == "orphan"}
    # A dataset without snapshots is none that a content could need.
    assert orphans == ({here.driver.path_of(without_snapshots)} if known else set())
    assert result["parts"]["backend"]["complete"] is True
    with pytest.raises(ModuleFailed, match=r"^strict: .*not complete: other_clusters"):
        await here.scan(other_clusters=[connection], strict=True)


async def test_a_cluster_that_nobody_answers_for(site: Callable[..., Site], monkeypatch: Any) -> None:
    from ansible_collections.kubestress.core.plugins.module_utils.storage import backend

    monkeypatch.setattr(backend, "_PAGE_SECONDS", 0.2)
    here = site()
    here.driver.forget(here.driver.provision())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = {"host": f"http://127.0.0.1:{listener.getsockname()[1]}"}
    missing = {"kubeconfig": "/nowhere/none.conf"}
    result = await here.scan(other_clusters=[silent, missing, {**silent, "username": "again"}])
    assert [row["state"] for row in result["findings"]] == ["unknown"]
    cause = result["parts"]["other_clusters"]["cause"]
    assert "Connection refused" in cause
    assert "/nowhere/none.conf: " in cause
    assert result["options"]["other_clusters"] == [silent["host"], missing["kubeconfig"], f"{silent['host']} (3)"]


async def test_the_scanned_cluster_is_no_other(site: Callable[..., Site]) -> None:
    here = site()
    server = StorageServer(here.objects())
    async with serving(server.handle) as url:
        given = {**PARAMS, "host": url, "truenas": here.truenas(), "other_clusters": [{"host": f"{url}/"}]}
        with pytest.raises(ModuleFailed, match=f"^other_clusters: {url}/ is the scanned cluster itself, {url}$"):
            await asyncio.to_thread(run_module, given)


# --- a box that cannot be read ---------------------------------------------------------------------------------------


def _silent(here: Site) -> dict[str, Any]:
    here.box.silent = {"system.version"}
    return {"timeout": 0.5}


def _wrong_key(_here: Site) -> dict[str, Any]:
    return {"api_key": KEY[:-1] + "X"}


def _expired(here: Site) -> dict[str, Any]:
    here.box.login_response = "EXPIRED"
    return {}


def _untrusted(_here: Site) -> dict[str, Any]:
    return {"ca_cert": None}


def _redirected(here: Site) -> dict[str, Any]:
    here.box.upgrade = lambda _request: web.Response(status=307, headers={"Location": "https://evil.example/"})
    return {}


def _endless(here: Site) -> dict[str, Any]:
    here.box.flood = True
    return {"connect_timeout": 0.5}


@pytest.mark.parametrize(
    ("fail", "cause"),
    [
        (_silent, "no answer within 0.5 s"),
        (_wrong_key, "refuses the API key: it is wrong, revoked, or not of the user"),
        (_expired, "says that the API key has expired"),
        (_untrusted, "its certificate is not trusted"),
        (_redirected, "redirects to https://evil.example/, which is not followed"),
        (_endless, "no answer to the login within 0.5 s"),
    ],
)
async def test_what_depends_on_a_box_that_cannot_be_read_is_unknown(
    site: Callable[..., Site], fail: Callable[[Site], dict[str, Any]], cause: str
) -> None:
    here = site()
    option = here.truenas(**fail(here))
    server = StorageServer(here.objects())
    # What the rules alone tell stays as it is.
    server.objects.claim("left")
    server.objects.volume("stuck", claim="ns/gone", claim_uid="uid-gone", phase="Released")
    result = await here.scan(server, truenas=option)
    part = result["parts"]["backend"]
    assert part["complete"] is result["complete"] is False
    assert cause in part["cause"]
    assert part["cause"] == result["box"]["cause"]
    assert part["cause"].isprintable()
    assert (result["box"]["version"], result["box"]["pools"]) == (None, [])
    assert found(result) == {
        "left": ("PersistentVolumeClaim", "orphan", "unused"),
        "stuck": ("PersistentVolume", "orphan", "stuck_reclaim"),
        here.volume.name: ("PersistentVolume", "unknown", "incomplete_list"),
        here.content.name: ("VolumeSnapshotContent", "unknown", "incomplete_list"),
        here.content.name.replace("snapcontent", "s"): ("VolumeSnapshot", "unknown", "incomplete_list"),
    }
    with pytest.raises(ModuleFailed, match=r"^strict: .*not complete: backend"):
        await here.scan(truenas=option, strict=True)
    assert here.box.logins <= 2
    assert KEY not in "".join(here.box.headers)


@pytest.mark.parametrize("refused", ["pool.query", "pool.dataset.query", "pool.snapshot.query", "sharing.nfs.query"])
async def test_a_part_of_the_box_that_is_refused_makes_no_orphans(site: Callable[..., Site], refused: str) -> None:
    here = site(release="25.10")
    expected = leftovers(here)
    here.box.refused[refused] = not_allowed(refused)
    result = await here.scan()
    assert f"EACCES: Not authorized: {refused}" in result["parts"]["backend"]["cause"]
    told = {row for row in found(result).values() if row[1] == "orphan"}
    lost = {row for row in expected.values() if row[1:] == ("orphan", "backend_missing")}
    assert told == {
        # Shares only tell where volumes of the cluster are.
        "sharing.nfs.query": {row for row in expected.values() if row[1] == "orphan"} - lost,
        # Volumes and detached snapshots are datasets.
        "pool.snapshot.query": {*lost, ("Dataset", "orphan", "no_content")},
    }.get(refused, set())


@pytest.mark.parametrize(
    ("refused", "known"),
    [
        ("volumes", set()),
        ("contents", {("Dataset", "orphan", "no_volume"), ("PersistentVolume", "orphan", "backend_missing")}),
    ],
)
async def test_lists_of_the_cluster_that_are_refused_make_no_orphans_of_the_box(
    site: Callable[..., Site], refused: str, known: set[State]
) -> None:
    here = site()
    leftovers(here)
    server = StorageServer(here.objects())
    server.instead[refused] = answering(lambda: status(403, reason="Forbidden", message="not for you"))
    result = await here.scan(server)
    assert {row for row in found(result).values() if row[1] == "orphan" and row[0] != "VolumeSnapshotContent"} == known
    assert result["parts"]["backend"]["complete"] is True
    assert result["parts"][refused]["complete"] is False


def test_plaintext_is_refused_before_the_key_is_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        option = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "username": "u", "api_key": KEY}
        with pytest.raises(ModuleFailed, match=r"^truenas\.url: http://127\.0\.0\.1 is not encrypted") as refused:
            run_module({**PARAMS, "host": "http://127.0.0.1:1", "truenas": option})
        assert KEY not in str(refused.value)
        with pytest.raises(TimeoutError):
            listener.accept()


async def test_a_server_without_tls_gets_no_key(site: Callable[..., Site]) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        heard.extend(await reader.read(65_536))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        here = site()
        result = await here.scan(truenas=here.truenas(url=f"https://127.0.0.1:{port}"))
    assert f"https://127.0.0.1:{port}: " in result["parts"]["backend"]["cause"]
    assert KEY.encode() not in heard


MARKUP = "<script>alert(1)</script>\n\x1b[31m"


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": 1}', "[1, 2]", "null", '"x"', "[" * 50_000 + "]" * 50_000, '[{"id": 5}]', "not json",
        json.dumps([{"id": MARKUP, "name": MARKUP, "type": MARKUP, "user_properties": {MARKUP: MARKUP}}]),
        json.dumps([{"id": PARENT, "name": PARENT, "type": "FILESYSTEM", "creation": "a" * 100_000}]),
        json.dumps([{"id": "tank", "name": "tank", "type": "VOLUME", "used": {"rawvalue": "9" * 5000}}]),
        json.dumps([{"id": f"{PARENT}/a", "name": f"{PARENT}/a", "type": "VOLUME", "properties": {"origin": 7}}]),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "method", ["zfs.resource.query", "zfs.resource.snapshot.query", "pool.query", "system.version"]
)
async def test_hostile_answers_leave_the_rest_standing(site: Callable[..., Site], method: str, answer: str) -> None:
    here = site(release="26.0")
    leftovers(here)
    here.box.raw[method] = answer
    option = here.truenas(timeout=5)
    result = await here.scan(truenas=option, confirm=False)
    texts = [result["msg"], str(result["parts"]["backend"]["cause"]), str(result["box"]["version"])]
    texts += [line for row in result["findings"] for line in (row["name"], row["state"], *row["evidence"])]
    assert all(text.isprintable() and len(text) < 3000 for text in texts)
    if method not in ("system.version", "pool.query"):
        assert result["parts"]["backend"]["complete"] is False


async def test_origins_in_a_circle_and_properties_with_markup(site: Callable[..., Site]) -> None:
    here = site(release="26.0")
    ids = []
    for _number in range(2):
        gone = here.driver.provision()
        ids.append(here.driver.path_of(gone))
        here.zfs.snapshot(f"{ids[-1]}@x")
        here.driver.forget(gone)
    here.zfs.nodes[ids[0]].origin, here.zfs.nodes[ids[1]].origin = f"{ids[1]}@x", f"{ids[0]}@x"
    own = {"managed_resource": "true", "csi_volume_name": MARKUP, "provision_success": "true"}
    here.zfs.create(f"{PARENT}/evil", **{f"{CSI}{key}": value for key, value in own.items()})
    here.box.refused["sharing.nfs.query"] = Refused(-32001, MARKUP, error=1, errname=MARKUP, reason=f"{MARKUP}{KEY}")
    result = await here.scan()
    states = found(result)
    assert {states[one] for one in ids} == {("Dataset", "held_by_clones", "clones")}
    assert states[f"{PARENT}/evil"] == ("Dataset", "orphan", "no_volume")
    lines = [line for row in result["findings"] for line in row["evidence"]]
    assert all(line.isprintable() for line in [*lines, result["parts"]["backend"]["cause"]])


# --- how it goes with what the rules say -----------------------------------------------------------------------------


async def test_one_finding_for_what_both_find(site: Callable[..., Site]) -> None:
    here = site()
    lost = {name: here.driver.provision() for name in ("retained", "stuck", "going", "young", "in_use")}
    for volume in lost.values():
        here.zfs.destroy(here.driver.path_of(volume))
        here.driver.forget(volume)
    server = StorageServer(here.objects())
    released = {"claim": "ns/gone", "claim_uid": "uid-gone", "phase": "Released"}

    def make(name: str, **more: Any) -> None:
        volume = lost[name]
        usual = {"driver": volume.driver, "handle": volume.volume_handle, "attributes": volume.attributes}
        server.objects.volume(name, **usual, **more)

    make("retained", **released, policy="Retain")
    make("stuck", **released)
    make("going", **released, deleted=since(hours=9), finalizers=["x"])
    make("young", created=since(hours=1), claim="ns/c", claim_uid="uid-c")
    make("in_use", claim="ns/c", claim_uid="uid-c")
    server.objects.claim("c")
    server.objects.pod("p", "c")
    result = await here.scan(server)
    assert found(result) == {
        "retained": ("PersistentVolume", "orphan", "backend_missing"),
        "stuck": ("PersistentVolume", "orphan", "stuck_reclaim"),
        "going": ("PersistentVolume", "terminating", "deletion_timestamp"),
        "in_use": ("PersistentVolume", "orphan", "backend_missing"),
    }
    evidence = {row["name"]: row["evidence"] for row in result["findings"]}
    assert "beside that it is in_use" in evidence["in_use"]
    assert evidence["retained"][-2:] == [
        "beside that it is retained", "its claim ns/gone is gone, and its policy is Retain",
    ]  # fmt: skip
    assert result["summary"]["states"]["PersistentVolume"] == {"in_use": 2, "orphan": 3, "terminating": 1}
    assert result["summary"]["orphans"] == {"PersistentVolume": 3}
    (total,) = [row for row in result["totals"]["by_driver"] if row["driver"] == here.driver.name]
    assert total["orphans"] == 3


@pytest.mark.parametrize("kind", ["nfs", "iscsi"])
async def test_a_volume_without_a_driver_keeps_its_dataset(site: Callable[..., Site], kind: str) -> None:
    """Somebody has mounted a volume of the driver by hand, and removed the driver's own."""
    here = site()
    driver = Driver(here.zfs, here.box.shares, kind=kind, name=f"csi.{kind}")
    volume = driver.provision()
    assert list(found(await here.scan())) == [driver.path_of(volume)]
    server = StorageServer(here.objects())
    server.objects.volume("by-hand", claim="ns/c", policy="Retain")
    spec = server.objects.lists["volumes"][-1]["spec"]
    del spec["csi"]
    if kind == "nfs":
        spec["nfs"] = {"server": driver.server, "path": volume.attributes["share"]}
    else:
        spec["iscsi"] = {"targetPortal": driver.server, "iqn": volume.attributes["iqn"], "lun": 0}
    assert [row for row in found(await here.scan(server)) if row != "by-hand"] == []


async def test_the_box_alone(site: Callable[..., Site]) -> None:
    here = site()
    expected = leftovers(here)
    result = await here.scan(parts=["backend"])
    # Without the part snapshots, VolumeSnapshots are not looked at.
    assert found(result) == {name: row for name, row in expected.items() if row[0] != "VolumeSnapshot"}
    assert set(result["parts"]) == {"volumes", "contents", "backend"}
    none = await here.scan(parts=["claims"])
    assert none["box"] is None
    assert "backend" not in none["parts"]


@pytest.mark.parametrize("filters", [{"namespaces": ["ns"]}, {"drivers": ["csi.templated"]}, {"label_selector": "a=b"}])
async def test_a_filter_leaves_out_what_has_no_place_in_a_cluster(
    site: Callable[..., Site], filters: dict[str, Any]
) -> None:
    here = site()
    leftovers(here)
    result = await here.scan(**filters)
    assert {row["kind"] for row in result["findings"]} <= {
        "PersistentVolume",
        "VolumeSnapshotContent",
        "VolumeSnapshot",
    }
    assert result["warnings"] == [
        "4 findings of the storage box are left out: they have no namespace, label, class or driver"
    ]
    assert "Dataset" not in result["summary"]["states"]


# --- usage -----------------------------------------------------------------------------------------------------------


async def test_usage_of_the_box_beside_that_of_kubelets(site: Callable[..., Site]) -> None:
    here = site()
    blocks = Driver(here.zfs, here.box.shares, kind="iscsi", name="csi.iscsi")
    here.others.append(blocks)
    zvol, unbounded = blocks.provision(size=1000), here.driver.provision()
    here.zfs.nodes[here.driver.path_of(here.volume)].used = 2**30 * 96 // 100
    here.zfs.nodes[here.driver.path_of(unbounded)].quota = 0
    here.zfs.nodes[blocks.path_of(zvol)].used = 250
    server = StorageServer(here.objects())
    told: dict[str, Any] = {
        "name": "data",
        "pvcRef": {"name": f"c-{here.volume.name}", "namespace": "ns"},
        "time": since(hours=0.1),
    }
    told |= {"capacityBytes": 2**30, "usedBytes": 2**29, "availableBytes": 2**29}
    pods = [{"podRef": {"name": "p", "namespace": "ns", "uid": "u"}, "volume": [told]}]
    server.instead["kubelet/node-1"] = answering(lambda: web.json_response({"node": {}, "pods": pods}))
    endpoints = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}
    server.objects.lists["nodes"].append({"metadata": {"name": "node-1"}, "status": endpoints})
    result = await here.scan(server, parts=list(PARTS))
    rows = {(row["name"].removeprefix("c-"), row["source"]): row for row in result["usage"]}
    assert len(rows) == len(result["usage"]) == 6
    kubelet, zfs = rows[here.volume.name, "kubelet"], rows[here.volume.name, "zfs"]
    assert (kubelet["used_percent"], kubelet["level"], zfs["used_percent"], zfs["level"]) == (
        50.0,
        "ok",
        96.0,
        "critical",
    )
    assert zfs["time"].endswith("Z")
    assert zfs["node"] is None
    assert (rows[zvol.name, "zfs"]["used_percent"], rows[zvol.name, "zfs"]["capacity_bytes"]) == (25.0, 1000)
    open_end = rows[unbounded.name, "zfs"]
    assert (open_end["used_bytes"], open_end["used_percent"], open_end["level"]) == (57_344, None, "ok")
    assert "no refquota" in open_end["cause"]
    # Each claim once: the kubelet's figure where there is one.
    assert result["summary"]["used_bytes"] == 2**29 + 250 + 57_344
    assert result["summary"]["over_threshold"] == 1


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"truenas": {"url": "https://b", "username": "u"}}, "truenas.api_key: missing; give it or set TRUENAS_API"),
        ({"truenas": {"url": "https://b", "username": "u", "api_key": KEY}}, "truenas.volume_parents: none is named"),
        ({"parts": ["backend"]}, "parts: only backend is named, which needs truenas"),
        ({"other_clusters": [{"context": "x"}]}, "other_clusters: only the comparison with a box needs them"),
        (
            {
                "truenas": {"url": "https://b", "username": "u", "api_key": KEY, "volume_parents": ["a"]},
                "other_clusters": [{"api_key": KEY}],
            },
            "other_clusters: entry 1 names no cluster; give context, host or kubeconfig",
        ),
        (
            {
                "truenas": {
                    "url": "https://127.0.0.1:1", "username": "u", "api_key": KEY, "volume_parents": ["a"],
                    "ca_cert": __file__,
                },
                "host": "http://127.0.0.1:1",
            },
            "truenas.ca_cert: ",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ModuleFailed) as refused:
        run_module({**PARAMS, "host": "http://127.0.0.1:1", **params})
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_names_of_clusters_hold_no_secrets() -> None:
    from ansible_collections.kubestress.core.plugins.module_utils.storage.options import checked

    truenas = {"url": "https://b", "username": "u", "api_key": KEY, "volume_parents": ["a"]}
    entries = [
        {"kubeconfig": f"users:\n- token: {KEY}"},
        {"host": f"https://me:{KEY}@h"},
        {"kubeconfig": {"token": KEY}},
        {"context": "x"},
        {"context": "x", "host": "https://other"},
    ]
    options = checked({**PARAMS, "kubeconfig": "/mine", "truenas": truenas, "other_clusters": entries})
    assert [other.name for other in options.other_clusters] == ["cluster 1", "cluster 2", "cluster 3", "x", "x (5)"]
    assert options.other_clusters[3].connection == {"context": "x", "kubeconfig": "/mine"}
    assert options.other_clusters[4].connection == {"context": "x", "host": "https://other"}
    assert KEY not in repr(options) + json.dumps(plain(document(Report(started="x", options=options.told()))))
