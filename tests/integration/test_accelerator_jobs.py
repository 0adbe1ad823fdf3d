"""The role accelerator_jobs against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.accelerator_manifests import ENTRIES, GOLDEN
from helpers.commands import run
from helpers.waiting import until

CRD = Path(__file__).parents[2] / "roles/local_cluster/files/crds/jobset/jobsets.jobset.x-k8s.io.json"
NAME = "jobsets.jobset.x-k8s.io"


@pytest.fixture(scope="module")
def job_sets(kubectl: Callable[..., Any]) -> Iterator[None]:
    """The API of JobSets, without its controller."""
    there = {one["metadata"]["name"] for one in kubectl("get", "crds")["items"]}
    if NAME not in there:
        kubectl("create", "-f", str(CRD))

    def established() -> bool:
        conditions = kubectl("get", "crd", NAME).get("status", {}).get("conditions") or []
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    until(established)
    yield
    if NAME not in there:
        kubectl("delete", "crd", NAME)


@pytest.mark.usefixtures("job_sets")
def test_the_api_takes_every_manifest_as_it_is(kubectl_binary: str, kubeconfig: Path) -> None:
    """Server-side dry run with strict validation: no field is unknown, none comes twice, all values are allowed."""
    every = [one for entry in ENTRIES for one in yaml.safe_load((GOLDEN / f"{entry}.yml").read_text())["items"]]
    for number, document in enumerate(every):
        document["metadata"]["name"] = f"golden-{number}"
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": every})
    arguments = ("create", "--dry-run=server", "--validate=strict", "--namespace=default", "--filename=-")
    done = run(kubectl_binary, "--kubeconfig", str(kubeconfig), *arguments, stdin=given)
    assert done.rc == 0, done.stderr
    assert done.stdout.count("created (server dry run)") == len(every) >= 2 * len(ENTRIES)
    assert "Warning" not in done.stderr, done.stderr
