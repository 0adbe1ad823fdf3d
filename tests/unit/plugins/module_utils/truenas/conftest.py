"""A box for the tests of this folder: it runs in a thread, over TLS, and is read by our own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from helpers.democratic_csi import Driver
from helpers.truenas import KEY, USERNAME, TrueNas, running
from helpers.zfs_model import Zfs


class Site:
    """A running box, the driver that fills it, and the module's options for it."""

    def __init__(self, box: TrueNas, driver: Driver) -> None:
        self.box, self.driver = box, driver

    def params(self, **more: Any) -> dict[str, Any]:
        return {
            "url": self.box.url,
            "username": USERNAME,
            "api_key": KEY,
            "ca_cert": self.box.ca_file,
            "volume_parents": [self.driver.parent],
            "detached_parents": [self.driver.detached],
            "strict": False,
        } | more


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return a function that starts a box with three volumes, two of them with snapshots; arguments of TrueNas."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Site:
            driver = Driver(Zfs("tank"), [])
            first, second, _third = (driver.provision() for _number in range(3))
            driver.snapshot(first)
            driver.snapshot(second, detached=True)
            folder = tmp_path / f"box-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            box = stack.enter_context(running(TrueNas(driver.zfs, driver.shares, **settings), folder))
            return Site(box, driver)

        yield start
