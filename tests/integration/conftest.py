"""Fixtures of the tests against a real control plane and in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import browser as browsers
from helpers.collection import CHECKOUT
from playwright.sync_api import Browser, sync_playwright

_SNAPSHOT_KINDS = sorted((CHECKOUT / "roles" / "local_cluster" / "files" / "crds").glob("*.json"))


# Not for the session: its event loop would be in the way of other tests' own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Yield a real browser."""
    path = browsers.find()
    if path is None:
        pytest.skip(f"no browser: {browsers.MISSING}")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def snapshot_kinds(kubectl: Any) -> Iterator[None]:
    """The kinds of external-snapshotter, for one test."""
    there = {item["metadata"]["name"] for item in kubectl("get", "customresourcedefinitions")["items"]}
    names = [json.loads(file.read_text())["metadata"]["name"] for file in _SNAPSHOT_KINDS]
    missing = [file for file, name in zip(_SNAPSHOT_KINDS, names, strict=True) if name not in there]
    for file in missing:
        kubectl("create", "-f", str(file))
    for name in names:
        kubectl("wait", "--for=condition=Established", f"customresourcedefinition/{name}", "--timeout=30s")
    yield
    free = json.dumps({"metadata": {"finalizers": None}})
    for kind in ("volumesnapshots", "volumesnapshotcontents") if missing else ():
        # Nobody is there who would remove them, and a kind is not gone before its objects are.
        for obj in kubectl("get", kind, "-A")["items"]:
            if obj["metadata"].get("finalizers"):
                where = ("-n", obj["metadata"]["namespace"]) if "namespace" in obj["metadata"] else ()
                kubectl("patch", kind, obj["metadata"]["name"], *where, "--type=merge", "-p", free)
    for file in missing:
        kubectl("delete", "-f", str(file))
