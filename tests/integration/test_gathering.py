"""Collecting from a real API server, as users do it: the playbook without a path, with few rights, in check mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.waiting import until

PLAYBOOK = "kubestress.core.must_gather"
SECRET = "sesame-open"


def job(name: str) -> dict[str, Any]:
    """A Job of three pods at once, each with a value that nobody else should read."""
    container = {"name": "build", "image": "example.com/build:1", "env": [{"name": "TOKEN", "value": SECRET}]}
    template = {
        "metadata": {"labels": {"type": "build-job"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [container],
            "tolerations": [{"operator": "Exists"}],
        },
    }
    spec = {"completions": 3, "parallelism": 3, "backoffLimit": 0, "template": template}
    metadata = {"name": name, "labels": {"type": "build-job"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def uids(listed: dict[str, Any]) -> set[str]:
    return {one["metadata"]["uid"] for one in listed["items"]}


@pytest.fixture(scope="module")
def team(kubectl: Any) -> Iterator[str]:
    """Yield a namespace with two Jobs, whose pods have all started, an Event, and a Secret."""
    name = "t-gathering"
    kubectl("create", "namespace", name)
    kubectl("create", "secret", "generic", "hidden", "-n", name, f"--from-literal=word={SECRET}")
    for number in (1, 2):
        kubectl("create", "-n", name, "-f", "-", stdin=json.dumps(job(f"web-{number}-s-1-build")))
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e1"}, "type": "Warning", "count": 2,
        "reason": "FailedCreatePodSandBox", "source": {"component": "kubelet", "host": "worker-1"},
        "message": "Failed to create pod sandbox: fork/exec /usr/bin/runc: resource temporarily unavailable",
        "involvedObject": {"kind": "Pod", "namespace": name, "name": "web-1-s-1-build-0"},
        "firstTimestamp": "2026-01-02T03:04:05Z", "lastTimestamp": "2026-01-02T03:05:05Z",
    }  # fmt: skip
    kubectl("create", "-n", name, "-f", "-", stdin=json.dumps(event))
    until(
        lambda: sum(bool(pod["status"].get("startTime")) for pod in kubectl("get", "pods", "-n", name)["items"]) == 6,
        seconds=60,
    )
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def test_collects_and_says_what_it_tells(ansible_playbook: Any, kubectl: Any, team: str, tmp_path: Path) -> None:
    def there() -> dict[str, set[str]]:
        return {path: uids(kubectl("get", path.rpartition("/")[2], "-n", team)) for path in paths}

    paths = ("core/pods", "core/events", "batch/jobs")
    before = there()
    done = ansible_playbook(PLAYBOOK, extra_vars={"must_gather_dest": "told"}, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert "collected " in done.stdout
    (gather,) = (tmp_path / "told").glob("gather-*")
    after = there()
    for path in paths:
        collected = uids(yaml.safe_load((gather / f"namespaces/{team}/{path}.yaml").read_text()))
        # Events go on coming while we collect.
        assert before[path] <= collected <= after[path]
    nodes = {path.stem for path in (gather / "cluster-scoped-resources/core/nodes").iterdir()}
    assert nodes == {one["metadata"]["name"] for one in kubectl("get", "nodes")["items"]}
    assert not [path for path in gather.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    document = json.loads((tmp_path / "told" / "must-gather.json").read_text())
    builds = document["builds"]["by_namespace"][team]
    assert builds["created"] == len(kubectl("get", "pods", "-n", team, "-l", "type=build-job")["items"]) == 6
    assert document["builds"]["jobs"]
    assert document["first_failure"]["time"] == "2026-01-02T03:04:05Z"
    assert document["totals"]["errors_by_source"]["fork failed"] == {"events": 2}
    notes = json.loads((gather / "gather.json").read_text())
    assert (notes["state"], notes["stopped"], notes["source"]) == ("complete", None, "api")
    assert notes["version"] == json.loads(kubectl("get", "--raw", "/version"))["gitVersion"]
    assert notes["simulated"]["nodes"] == len(nodes)


def test_an_account_with_few_rights_gets_what_it_may_and_is_told_the_rest(
    ansible_playbook: Any, kubectl: Any, kubeconfig: Path, team: str, tmp_path: Path
) -> None:
    """It may list pods of one namespace, and neither nodes nor their proxy nor logs."""
    kubectl("create", "serviceaccount", "reader", "-n", team)
    kubectl("create", "role", "reader", "-n", team, "--verb=list", "--resource=pods,events")
    kubectl("create", "rolebinding", "reader", "-n", team, "--role=reader", f"--serviceaccount={team}:reader")
    config = yaml.safe_load(kubeconfig.read_text())
    token = kubectl("create", "token", "reader", "-n", team, "--duration=1h")["status"]["token"]
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
    mine = tmp_path / "account.kubeconfig"
    mine.write_text(yaml.safe_dump(config))
    given = {"must_gather_namespaces": team, "must_gather_dest": "told", "kubestress_kubeconfig": str(mine)}
    done = ansible_playbook(PLAYBOOK, extra_vars=given, cwd=tmp_path)
    assert done.rc == 0, done.output
    notes = json.loads(next(tmp_path.glob("told/gather-*/gather.json")).read_text())
    assert notes["state"] == "incomplete"
    assert notes["objects"] == {"pods": 6, "events": notes["objects"]["events"]}
    causes = {row["what"]: row["cause"] for row in notes["missing"]}
    assert causes["log of a node"] == "the user may not get nodes/proxy"
    assert 'cannot get resource "pods/log"' in causes["log of a pod"]
    assert 'cannot list resource "nodes"' in causes["nodes"]
    assert 'cannot list resource "jobs"' in causes["jobs"]
    assert "the user may not get nodes/proxy" in " ".join(done.stdout.split())
    document = json.loads((tmp_path / "told/must-gather.json").read_text())
    assert any("the user may not get nodes/proxy" in text for text in document["warnings"])
    assert document["builds"]["created"] == 6


def test_check_mode_says_what_it_would_do_and_does_nothing(ansible_playbook: Any, team: str, tmp_path: Path) -> None:
    done = ansible_playbook(PLAYBOOK, "--check", "-e", f"must_gather_namespaces={team}", cwd=tmp_path)
    assert done.rc == 0, done.output
    told = " ".join(done.stdout.split())
    assert f"check mode: would collect objects, Events and logs of namespaces {team} (" in told
    assert "pods 6, jobs 2) into" in told
    assert list(tmp_path.iterdir()) == []
