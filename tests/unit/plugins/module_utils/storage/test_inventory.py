"""Records: what ten thousand of them may not cost."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.decoding import decoder
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS
from helpers.storage import Objects

ROOM = "ansible_collections.kubestress.core.plugins.module_utils"


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


def test_a_scan_loads_nothing_of_what_only_runs_need() -> None:
    """Each module of ours takes memory and time: Ansible packs, unpacks and compiles it for every scan."""
    script = f"import sys; import {ROOM}.storage.storage_info; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"{ROOM}.storage.rules" in loaded
    assert not loaded & {"statistics", "jinja2", "yaml", "kubernetes", "aiohttp"}
    rooms = {name.removeprefix(f"{ROOM}.").split(".")[0] for name in loaded if name.startswith(f"{ROOM}.")}
    assert not rooms & {"capacity", "plan", "load", "results", "observe"}
