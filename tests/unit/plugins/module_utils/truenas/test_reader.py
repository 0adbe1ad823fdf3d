"""A reading: three releases give the same box and the same findings, and what is missing is named."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.truenas.matching import cross_check
from ansible_collections.kubestress.core.plugins.module_utils.truenas.options import box_options
from ansible_collections.kubestress.core.plugins.module_utils.truenas.questions import outermost, release_of
from ansible_collections.kubestress.core.plugins.module_utils.truenas.reader import read_box
from ansible_collections.kubestress.core.plugins.module_utils.truenas.rows import CheckOptions
from helpers.truenas import RELEASES, Refused, TrueNas, box_of, not_allowed
from helpers.zfs_model import Zfs

Start = Callable[..., Any]
#: Every release over what it really has, and over the other transport too where the shapes differ.
WAYS = [(release, None) for release in RELEASES] + [("25.10", ("rest",)), ("24.10", ("jsonrpc",))]


def findings(box: Any, driver: Any) -> list[tuple[str, str, str, str]]:
    options = CheckOptions(volume_parents=(driver.parent,), detached_parents=(driver.detached,), now=time.time())
    rows, _document = cross_check(box, driver.volumes.values(), driver.contents.values(), options)
    return sorted((row.kind, row.name, row.state, row.reason) for row in rows)


def muddle(driver: Any) -> None:
    """One of each: orphans, temporary, foreign, held, lost."""
    zfs, volumes = driver.zfs, list(driver.volumes.values())
    driver.forget(driver.provision(uid="gone"))
    driver.provision(uid="clone", source=volumes[0].volume_handle)
    zfs.snapshot(f"{driver.path_of(volumes[1])}@auto-1").holds.add("keep")
    snapshot = driver.snapshot(volumes[1], uid="6a1c6a26-0000-4000-8000-000000000001")
    zfs.snaps[f"{driver.parent}/{snapshot.handle}"].holds.add("keep")
    driver.forget(snapshot)
    driver.forget(driver.snapshot(volumes[1], uid="6a1c6a26-0000-4000-8000-000000000002", detached=True))
    lost = driver.provision(uid="lost")
    zfs.destroy(driver.path_of(lost))
    driver.provision(uid="half", finished=False)
    zfs.create(f"{driver.parent}/by-hand")


@pytest.mark.parametrize(("release", "transports"), WAYS)
async def test_every_release_gives_the_same_findings(
    site: Start, release: str, transports: tuple[str, ...] | None
) -> None:
    here = site(release=release, transports=transports)
    muddle(here.driver)
    box = await read_box(box_options(here.params()))
    assert box.cause is None
    parents = (here.driver.parent, here.driver.detached)
    direct = box_of(here.driver.zfs, here.box.shares, "26.0", parents=parents)
    assert dict(box.datasets) == dict(direct.datasets)
    assert findings(box, here.driver) == findings(direct, here.driver)
    assert {(kind, state, reason) for kind, _name, state, reason in findings(box, here.driver)} == {
        ("Dataset", "orphan", "no_volume"),
        ("Dataset", "orphan", "no_content"),
        ("Dataset", "foreign", "not_managed"),
        ("Dataset", "incomplete", "no_provision_success"),
        ("PersistentVolume", "orphan", "backend_missing"),
        ("ZFSSnapshot", "foreign", "not_csi"),
        ("ZFSSnapshot", "held", "holds"),
        ("ZFSSnapshot", "temporary", "clone_lives"),
    }


async def test_a_pool_that_is_not_imported_hides_datasets(site: Start) -> None:
    here = site(release="26.0")
    here.driver.zfs.status["backup"] = "OFFLINE"
    here.driver.zfs.allocated["backup"] = 0
    box = await read_box(box_options(here.params()))
    assert box.parts["datasets"].cause == "pools whose datasets cannot be seen: backup (OFFLINE)"


@pytest.mark.parametrize("release", RELEASES)
async def test_a_parent_that_is_not_there(site: Start, release: str) -> None:
    here = site(release=release)
    box = await read_box(box_options(here.params(volume_parents=["tank/k8s/x"])))
    assert f"{here.box.url} has no dataset tank/k8s/x" in str(box.parts["datasets"].cause)


@pytest.mark.parametrize(
    ("method", "part"),
    [("pool.query", "pools"), ("zfs.resource.query", "datasets"), ("zfs.resource.snapshot.query", "snapshots"),
     ("iscsi.extent.query", "shares")],
)  # fmt: skip
async def test_what_may_not_be_read_is_named(site: Start, method: str, part: str) -> None:
    here = site(release="26.0")
    here.box.refused[method] = not_allowed(method)
    box = await read_box(box_options(here.params()))
    assert {name for name, one in box.parts.items() if not one.complete} == {part}
    assert box.parts[part].cause == f"{method}: EACCES: Not authorized: {method}"


async def test_a_newer_release_that_has_lost_a_method(site: Start) -> None:
    """The older way is used; its snapshots are without properties there, and what they are is unknown."""
    here = site(release="26.0")
    for method in ("zfs.resource.query", "zfs.resource.snapshot.query"):
        here.box.refused[method] = Refused(-32601, "Method does not exist")
    snapshot = next(iter(here.driver.contents.values()))
    here.driver.forget(snapshot)
    box = await read_box(box_options(here.params()))
    assert (box.cause, here.box.calls["pool.dataset.query"]) == (None, 1)
    assert findings(box, here.driver) == [
        ("ZFSSnapshot", f"{here.driver.parent}/{snapshot.handle}", "unknown", "no_properties")
    ]


async def test_only_what_is_asked_for_is_read(site: Start) -> None:
    here = site(release="26.0")
    box = await read_box(box_options(here.params(parts=["pools"])))
    assert list(box.parts) == ["pools"]
    assert box.complete is True
    assert set(here.box.calls) == {"auth.login_ex", "system.version", "pool.query"}


@pytest.mark.parametrize(
    ("version", "release"),
    [("TrueNAS-SCALE-24.10.2.4", (24, 10)), ("TrueNAS-25.10.1", (25, 10)), ("25.04-RC.1", (25, 4)),
     ("TrueNAS-26.0.0-BETA.1", (26, 0)), ("TrueNAS-goldeye", (99, 0)), (None, (99, 0))],
)  # fmt: skip
def test_releases(version: str | None, release: tuple[int, int]) -> None:
    assert release_of(version) == release


def test_no_path_is_inside_another() -> None:
    assert outermost(["tank/a/b", "tank/a", "tank/a-b", "tank/a"]) == ["tank/a", "tank/a-b"]


def test_the_stand_in_locks_out_after_twenty_logins() -> None:
    box = TrueNas(Zfs("tank"), [])
    given = {"mechanism": "API_KEY_PLAIN", "username": "x", "api_key": "x"}
    for _number in range(20):
        assert box._called("auth.login_ex", [given], {"login": False}) == {"response_type": "AUTH_ERR"}
    with pytest.raises(Refused, match="Method call error") as refused:
        box._called("auth.login_ex", [given], {"login": False})
    assert refused.value.error["data"]["reason"] == "Rate Limit Exceeded"
