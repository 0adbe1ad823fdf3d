"""The module's result, and where its failures end."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.truenas.truenas_info import run_module
from helpers.truenas import KEY, RELEASES, not_allowed

Start = Callable[..., Any]


@pytest.mark.parametrize("release", RELEASES)
def test_the_result_is_json_and_the_same_for_all_releases(site: Start, release: str) -> None:
    here = site(release=release)
    volume = next(iter(here.driver.volumes.values()))
    clone = here.driver.provision(source=volume.volume_handle)
    temporary = f"{here.driver.path_of(volume)}@volume-source-for-volume-{clone.volume_handle}"
    result = run_module(here.params())
    assert KEY not in json.dumps(result)
    assert (result["changed"], result["complete"], result["cause"]) == (False, True, None)
    (pool,) = result["pools"]
    assert (pool["name"], pool["fragmentation_percent"], pool["scan"]) == ("tank", 7, "SCRUB FINISHED")
    datasets = {one["id"]: one for one in result["datasets"]}
    assert "tank" not in datasets
    assert datasets[here.driver.path_of(clone)]["origin"] == temporary
    assert datasets[here.driver.path_of(volume)]["quota_bytes"] == 2**30
    assert datasets[here.driver.path_of(volume)]["created"] == here.driver.zfs.clock
    (snapshot,) = (one for one in result["snapshots"] if one["id"] == temporary)
    assert snapshot["clones"] == [here.driver.path_of(clone)]
    assert {share["kind"] for share in result["shares"]} == {"nfs"}
    assert result["parts"]["shares"]["objects"] == 4


def test_strict_fails_with_what_is_known(site: Start) -> None:
    here = site(release="26.0")
    here.box.refused["pool.query"] = not_allowed("pool.query")
    assert run_module(here.params())["complete"] is False
    with pytest.raises(ModuleFailed, match=r"was not read completely: pools: pool\.query: EACCES") as failed:
        run_module(here.params(strict=True))
    assert failed.value.result["datasets"]


def test_nobody_is_asked_without_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        with pytest.raises(ModuleFailed, match="is not encrypted, and TrueNAS revokes an API key") as failed:
            run_module({"url": f"http://127.0.0.1:{port}", "username": "u", "api_key": KEY, "strict": False})
        assert KEY not in str(failed.value)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_box_that_nobody_answers_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ModuleFailed, match=f"^https://127.0.0.1:{port}: Connection refused$"):
        run_module({"url": f"https://127.0.0.1:{port}", "username": "u", "api_key": KEY, "strict": False})
