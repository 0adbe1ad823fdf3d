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
        free = json.dumps({"metadata": {"finalizers": None}})
        for kind in ("volumesnapshots", "volumesnapshotcontents") if missing else ():
            # Nobody is there who would remove them, and a kind is not gone before its objects are.
            for obj in kubectl("get", kind, "-A")["items"]:
                if obj["metadata"].get("finalizers"):
                    where = ("-n", obj["metadata"]["namespace"]) if "namespace" in obj["metadata"] else ()
                    kubectl("patch", kind, obj["metadata"]["name"], *where, "--type=merge", "-p", free)
        for file in missing:
            kubectl("delete", "--ignore-not-found", "-f", str(file))
