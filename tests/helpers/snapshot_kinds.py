"""The kinds of external-snapshotter on a cluster that may have them or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from helpers.collection import CHECKOUT

CRDS = sorted((CHECKOUT / "roles" / "local_cluster" / "files" / "crds").glob("*.json"))


@contextmanager
def installed(kubectl: Any) -> Iterator[None]:
    """Install those that are missing, and remove them afterwards."""
    there = {item["metadata"]["name"] for item in kubectl("get", "customresourcedefinitions")["items"]}
    names = [json.loads(file.read_text())["metadata"]["name"] for file in CRDS]
    missing = [file for file, name in zip(CRDS, names, strict=True) if name not in there]
    try:
        for file in missing:
            kubectl("create", "-f", str(file))
        for name in names:
            kubectl("wait", "--for=condition=Established", f"customresourcedefinition/{name}", "--timeout=30s")
        yield
    finally:
        for file in missing:
            kubectl("delete", "--ignore-not-found", "-f", str(file))
