"""What ten thousand objects may not cost: texts of the whole, copies of names and pages, modules nobody needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.cluster.decoding import decoder
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Report, Usage
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS, bounded
from helpers.storage import Objects

ROOM = "ansible_collections.kubestress.core.plugins.module_utils"


def test_a_report_has_a_short_text() -> None:
    """asyncio.run makes one of what it returns."""
    rows = [Usage(namespace="ns", name=f"c{number}") for number in range(1000)]
    assert len(repr(Report(started="now", usage=rows))) < 200


@pytest.mark.parametrize("order", [("volumes", "claims"), ("claims", "volumes")])
def test_a_pair_has_its_names_once(order: tuple[str, ...]) -> None:
    objects, inventory = Objects(), Inventory()
    objects.claim("c", volume="pv-c")
    objects.volume("pv-c", claim="ns/c", claim_uid="uid-c")
    for name in order:
        page: Any = decoder(LISTS[name].page)(objects.page(name))
        LISTS[name].take(inventory, page.items)
    ((key, claim),), ((name, volume),) = inventory.claims.items(), inventory.volumes.items()
    assert (key, claim.volume, claim.uid) == (volume.claim, name, volume.claim_uid) == ("ns/c", "pv-c", "uid-c")
    assert claim.volume is volume.name is name
    assert claim.uid is volume.claim_uid
    assert claim.bytes is volume.bytes


def test_a_claim_of_the_same_name_is_not_that_of_the_volume() -> None:
    objects = Objects()
    objects.claim("c", volume="pv-c")
    objects.volume("pv-c", claim="ns/c", claim_uid="uid-of-one-before")
    inventory = objects.inventory()
    assert inventory.claims["ns/c"].uid == "uid-c"
    assert inventory.volumes["pv-c"].claim_uid == "uid-of-one-before"


async def test_one_page_after_the_other_is_read_into_the_same_memory() -> None:
    async def pieces(*found: bytes) -> AsyncIterator[bytes]:
        for piece in found:
            yield piece

    held, cluster = bytearray(), cast(Cluster, SimpleNamespace(connection=None))
    for parts in ((b"a" * 1000, b"b" * 500), (b"c",), (), (b"d" * 3000, b"", b"e")):
        body = await bounded(cluster, held, pieces(*parts))
        assert body == b"".join(parts)
        assert cast(Any, body) is held


def test_a_scan_loads_nothing_of_what_only_runs_need() -> None:
    """Each module of ours takes memory and time: Ansible packs, unpacks and compiles it for every scan."""
    script = f"import sys; import {ROOM}.storage.storage_info; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"{ROOM}.storage.rules" in loaded
    assert not loaded & {"statistics", "jinja2", "yaml", "kubernetes", "aiohttp"}
    rooms = {name.removeprefix(f"{ROOM}.").split(".")[0] for name in loaded if name.startswith(f"{ROOM}.")}
    assert not rooms & {"capacity", "plan", "load", "results", "observe"}
