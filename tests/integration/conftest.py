"""Fixtures of the tests against a real control plane and in a real browser."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import browser as browsers
from helpers.snapshot_kinds import installed
from helpers.storage_place import LABEL, OF_CONTROLLERS, Place
from helpers.waiting import until
from playwright.sync_api import Browser, sync_playwright


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
def place(kubectl: Any) -> Iterator[Place]:
    """Yield an empty namespace; everything that carries its label is removed afterwards."""
    name = f"st-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    found = Place(kubectl, name)
    until(lambda: kubectl("get", "serviceaccounts", "-n", name)["items"])
    try:
        yield found
    finally:
        free = json.dumps({"metadata": {"finalizers": None}})
        kubectl("delete", "storageclasses", "-l", f"{LABEL}={name}", "--ignore-not-found")
        for kind in ("volumeattachments", "pods", "persistentvolumeclaims", "persistentvolumes"):
            for obj in kubectl("get", kind, "-A", "-l", f"{LABEL}={name}")["items"]:
                # The controllers remove their own, once nobody uses the object any more.
                if set(obj["metadata"].get("finalizers", ())) - OF_CONTROLLERS:
                    where = ("-n", obj["metadata"]["namespace"]) if "namespace" in obj["metadata"] else ()
                    kubectl("patch", kind, obj["metadata"]["name"], *where, "--type=merge", "-p", free)
            kubectl("delete", kind, "-A", "-l", f"{LABEL}={name}", "--wait=false", "--ignore-not-found")
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def snapshot_kinds(kubectl: Any) -> Iterator[None]:
    """The kinds of external-snapshotter, for one test."""
    with installed(kubectl):
        yield
