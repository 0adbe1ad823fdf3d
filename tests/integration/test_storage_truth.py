"""Ten thousand real objects with two hundred orphans among them: all are found, and nothing else."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.storage import storage_info
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import Options
from helpers import mixed_storage
from helpers.mixed_storage import LABEL, STUCK_VOLUMES, Mixed
from helpers.waiting import until


@pytest.fixture
def mixed(kubectl: Any, kubeconfig: Path, snapshot_kinds: None) -> Iterator[Mixed]:
    """Yield the objects once the controllers are through with them."""
    name = f"mixed-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    until(lambda: kubectl("get", "serviceaccounts", "-n", name)["items"])
    try:
        found = asyncio.run(mixed_storage.planted(str(kubeconfig), name))

        def settled() -> bool:
            claims = kubectl("get", "persistentvolumeclaims", "-n", name)["items"]
            volumes = kubectl("get", "persistentvolumes", "-l", f"{LABEL}={name}")["items"]
            phases = [volume["status"].get("phase") for volume in volumes if "-stuck-" in volume["metadata"]["name"]]
            bound = all(claim["status"].get("phase") == "Bound" for claim in claims)
            return bound and phases == ["Released"] * STUCK_VOLUMES

        until(settled, seconds=120)
        yield found
    finally:
        kubectl("delete", "namespace", name, "--wait=false")
        asyncio.run(mixed_storage.remove(str(kubeconfig), name))


@pytest.mark.slow
def test_two_hundred_orphans_among_ten_thousand(mixed: Mixed, kubeconfig: Path) -> None:
    assert mixed.made == 10_000
    assert len(mixed.planted) == 200
    options = Options(min_age_seconds=0, parts=frozenset({"claims", "volumes", "snapshots", "attachments"}))
    report = asyncio.run(storage_info.scan_cluster({"kubeconfig": str(kubeconfig)}, options))
    assert report.complete, report.parts
    ours = [one for one in report.orphans if mixed.is_ours(one.namespace, one.name)]
    assert {(one.kind, one.name) for one in ours} == mixed.planted
    assert all(one.confirmed for one in ours)
