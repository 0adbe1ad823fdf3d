"""A second cluster needs nothing but a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.local_cluster import USUAL_PORTS
from helpers.local_cluster import Driver


def test_another_folder_alone_makes_another_cluster(short_folder: Callable[[], Path]) -> None:
    drivers = [Driver({"data_dir": str(short_folder() / "data"), "nodes": 0}) for _number in range(2)]
    try:
        ports = []
        for driver in drivers:
            parts = driver.ok()["parts"]
            ports.append({port for part in parts.values() for port in part["ports"].values()})
        again = drivers[0].ok()
    finally:
        for driver in drivers:
            driver.ok(state="absent")
    assert not ports[0] & ports[1]
    assert not (ports[0] | ports[1]) & set(USUAL_PORTS.values())
    assert again["changes"] == []
