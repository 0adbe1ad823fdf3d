"""A whole collection over real HTTP: the layout, the bounds, what is refused, and what is hostile."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from aiohttp import web
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.gathering.must_gather import run_module
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import (
    run_module as analysed,
)
from ansible_collections.kubestress.core.plugins.modules.must_gather import ARGUMENTS
from helpers.collection import CHECKOUT
from helpers.fake_server import status
from helpers.gather_source import FORBIDDEN, GatherSource, listing
from helpers.waiting import until

SCHEMA = json.loads((CHECKOUT / "docs" / "gather.schema.json").read_text())
MIB = 1024 * 1024
LOG = "/api/v1/namespaces/{}/pods/{}/log"
NODE_LOGS = "/api/v1/nodes/{}/proxy/logs/"


@pytest.fixture
def source() -> GatherSource:
    return GatherSource()


@pytest.fixture
def url(source: GatherSource) -> Iterator[str]:
    with source.served() as address:
        yield address


def parameters(url: str, dest: Path, **options: Any) -> dict[str, Any]:
    given = {"host": url, "dest": str(dest), "oc": "never", **options}
    result = ArgumentSpecValidator(ARGUMENTS).validate(given)
    assert not result.error_messages, result.error_messages
    return result.validated_parameters


def collected(url: str, dest: Path, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    return run_module(parameters(url, dest, **options), check_mode=check_mode)


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def told(folder: Path) -> dict[str, Any]:
    params = {"path": str(folder), "window": 7200, "compare": "", "rules_file": ""}
    return analysed(params)["gather"]


def causes(result: dict[str, Any]) -> dict[str, str]:
    """Cause by the first example of each."""
    return {row["examples"][0]: row["cause"] for row in result["missing"]}


def test_the_layout_of_a_must_gather(source: GatherSource, url: str, tmp_path: Path) -> None:
    source.node("n1")
    source.add("/api/v1/namespaces", "team")
    source.pod("team", "web-s-1-build", restarted=True)
    source.add("/apis/batch/v1/jobs", "job", namespace="team", status={"conditions": []})
    source.add(
        "/api/v1/events", "e1", namespace="team", reason="FailedCreatePodSandBox", type="Warning", count=3,
        message="Failed to create pod sandbox: fork/exec /usr/bin/runc: resource temporarily unavailable",
        firstTimestamp="2025-04-19T23:56:44Z", lastTimestamp="2025-04-19T23:57:44Z",
        involvedObject={"kind": "Pod", "namespace": "team", "name": "web-s-1-build"},
    )  # fmt: skip
    source.answers[LOG.format("team", "web-s-1-build")] = "2025-04-19T23:56:50.1Z sh: can't fork\n"
    root = NODE_LOGS.format("n1")
    source.answers[root] = listing("audit/", "kubelet.log", "operations.log", "secret.txt", "kubestress-node/", "pods/")
    source.answers[root + "kubestress-node/"] = listing("etcd.log", "containerd.log")
    source.answers[root + "kubelet.log"] = "I0419 23:56:45.000000       1 kubelet.go:1] quiet\n"
    source.answers[root + "operations.log"] = "1745107004 ADD 0a1b2c3d4e5f 0\n"
    source.answers[root + "kubestress-node/containerd.log"] = 'time="2025-04-19T23:56:46Z" level=info msg=quiet\n'
    dest = tmp_path / "gather"
    result = collected(url, dest)
    pod = "namespaces/team/pods/web-s-1-build/c/c/logs"
    assert files_of(dest) == {
        "cluster-scoped-resources/core/namespaces/team.yaml", "cluster-scoped-resources/core/nodes/n1.yaml",
        "gather.json", "namespaces/team/batch/jobs.yaml", "namespaces/team/core/events.yaml",
        "namespaces/team/core/pods.yaml", f"{pod}/current.log", f"{pod}/previous.log",
        "nodes/n1/logs/kubelet.log", "nodes/n1/logs/kubestress-node/containerd.log", "nodes/n1/logs/operations.log",
        "version",
    }  # fmt: skip
    assert (result["state"], result["missing"], result["pod_logs"], result["node_logs"]) == ("complete", [], 2, 3)
    assert result["objects"] == {"nodes": 1, "namespaces": 1, "pods": 1, "jobs": 1, "events": 1}
    assert not [path for path, _query in source.asked if "secret" in path or "audit" in path or "etcd" in path]
    assert oct(dest.stat().st_mode & 0o777) == "0o700"
    gather = told(dest)
    assert gather["totals"]["errors"]["fork failed"] == 3
    assert gather["first_failure"]["time"] == "2025-04-19T23:56:44Z"
    assert [row["sources"] for row in gather["hours"]] == [{"embedded node": {"add": 1, "del": 0, "failed": 0}}]
    assert gather["builds"]["created"] == 1
    assert not [text for text in gather["warnings"] if "gather" in text]


def test_the_role_in_the_documentation_allows_what_is_asked_for_and_no_more(
    source: GatherSource, url: str, tmp_path: Path
) -> None:
    source.node("n1")
    source.pod("team", "p1")
    source.answers[LOG.format("team", "p1")] = "quiet\n"
    source.answers[NODE_LOGS.format("n1")] = listing("kubelet.log")
    collected(url, tmp_path / "gather")
    asked = set()
    for path, _query in source.asked:
        _root, *words = path.strip("/").split("/")
        if path.endswith("/log"):
            asked.add(("", "pods/log", "get"))
        elif "/proxy/" in path:
            asked.add(("", "nodes/proxy", "get"))
        elif path not in ("/version", "/apis/config.openshift.io"):
            asked.add(("" if len(words) == 2 else words[0], words[-1], "list"))
    text = (CHECKOUT / "docs" / "rights.md").read_text()
    (block,) = (one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "kubestress-gather" in one)
    allowed = {
        (group, resource, verb)
        for rule in yaml.safe_load(block)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert asked == allowed


def test_what_may_be_a_secret_is_left_out(source: GatherSource, url: str, tmp_path: Path) -> None:
    source.node("n1")
    source.pod("team", "p", env=[{"name": "PASSWORD", "value": "sesame"}])
    source.lists["/api/v1/pods"][0]["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "sesame",
        "odd": "a\x7fb\x85c\u2028de: {[",
    }
    source.answers[LOG.format("team", "p")] = "quiet\n"
    source.answers[NODE_LOGS.format("n1")] = listing("kubelet.log")
    source.answers[NODE_LOGS.format("n1") + "kubelet.log"] = "quiet\n"
    collected(url, tmp_path / "gather")
    text = (tmp_path / "gather/namespaces/team/core/pods.yaml").read_text()
    assert "PASSWORD" in text
    assert "sesame" not in text
    assert told(tmp_path / "gather")["warnings"] == []


def test_limits_hold_for_every_read(source: GatherSource, url: str, tmp_path: Path) -> None:
    all_there = threading.Event()

    async def log(request: web.Request) -> web.Response:
        if source.in_flight == 3:
            all_there.set()
        assert await asyncio.to_thread(all_there.wait, 60), "three requests at once are allowed"
        return web.Response(text="hello\n")

    source.node("n1")
    for number in range(30):
        source.pod("team", f"p{number}")
        source.answers[LOG.format("team", f"p{number}")] = log
    result = collected(url, tmp_path / "gather", max_concurrent=3)
    assert result["pod_logs"] == 30
    assert source.peak_in_flight == 3


@pytest.mark.parametrize(
    ("options", "state", "cause"),
    [
        ({"max_size": 6, "max_file_size": 2}, "incomplete", "cut at the limit of 2 MiB a file"),
        ({"max_size": 3, "max_file_size": 2}, "partial", "the gather's limit of 3 MiB is reached"),
        ({"max_size": 9000, "max_file_size": 9000, "time_limit": 1}, "partial", "its time limit of 1 s is reached"),
        (
            {"max_size": 9000, "max_file_size": 9000, "file_timeout": 1},
            "incomplete",
            "cut off: no answer, or no end of it, within 1 s",
        ),
    ],
)
def test_an_endless_log_stays_within_the_bounds(
    source: GatherSource, url: str, tmp_path: Path, options: dict[str, int], state: str, cause: str
) -> None:
    source.node("n1")
    source.pod("team", "p1")
    source.pod("team", "p2")
    for name in ("p1", "p2"):
        source.answers[LOG.format("team", name)] = source.endless
    dest = tmp_path / "gather"
    tracemalloc.start()
    result = collected(url, dest, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result["state"] == state
    notes = [result["stopped"] or "", *(row["cause"] for row in result["missing"])]
    assert cause in " ".join(notes)
    size = sum((dest / name).stat().st_size for name in files_of(dest))
    assert size <= options["max_size"] * MIB + 8192, "what says what is missing comes on top"
    assert all((dest / name).stat().st_size <= options["max_file_size"] * MIB for name in files_of(dest))
    assert peak < 24 * MIB
    assert any(("partial" if state == "partial" else cause) in text for text in told(dest)["warnings"])


def test_an_endless_list_and_an_endless_refusal_do_not_fill_the_memory(
    source: GatherSource, url: str, tmp_path: Path
) -> None:
    async def refusal(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=403)
        await response.prepare(request)
        while True:
            await response.write(b"no " * 20_000)

    source.node("n1")
    source.pod("team", "p1")
    source.answers["/api/v1/events"] = source.endless
    source.answers[LOG.format("team", "p1")] = refusal
    result = collected(url, tmp_path / "gather")
    assert causes(result)["events"] == "a page of the list is larger than 32 MiB"
    assert causes(result)["team/p1/c"].startswith("no no no")


def test_what_is_refused_is_said_and_no_failure(source: GatherSource, url: str, tmp_path: Path) -> None:
    source.node("n1")
    source.node("n2")
    source.node("sim", port=0)
    source.pod("team", "p1")
    source.pod("team", "p2", node="sim")
    source.answers[NODE_LOGS.format("n1")] = status(403, reason="Forbidden", message=FORBIDDEN)
    source.answers[NODE_LOGS.format("n2")] = web.Response(status=405, text="logs endpoint is disabled.")
    source.answers["/api/v1/events"] = status(403, reason="Forbidden", message="events is forbidden")
    source.answers[LOG.format("team", "p1")] = status(400, reason="BadRequest", message='container "c" in pod "p1" …')
    result = collected(url, tmp_path / "gather")
    assert result["state"] == "incomplete"
    jsonschema.validate(json.loads((tmp_path / "gather/gather.json").read_text()), SCHEMA)
    assert causes(result) == {
        "n1": "the user may not get nodes/proxy",
        "n2": "the kubelet refuses logs: logs endpoint is disabled.",
        "events": "events is forbidden",
        "team/p1/c": 'container CONTAINER in pod "POD" …',
    }
    assert result["simulated"] == {"nodes": 1, "pods": 1}
    assert not [path for path, _query in source.asked if "sim" in path or "p2" in path]
    lines = [json.loads(line) for line in (tmp_path / "gather/missing.jsonl").read_text().splitlines()]
    assert {line["thing"] for line in lines} == {"n1", "n2", "events", "team/p1/c"}
    warnings = told(tmp_path / "gather")["warnings"]
    assert "not in this gather: 1 × log of a node: the user may not get nodes/proxy" in warnings


def test_the_journal_where_a_kubelet_answers_queries(source: GatherSource, url: str, tmp_path: Path) -> None:
    async def kubelet(request: web.Request) -> web.Response:
        services = {"kubelet": "Apr 19 23:56:44 n1 kubelet[1]: quiet\n", "crio": "", "containerd": "no entries\n"}
        if "query" in request.query:
            return web.Response(text=services[request.query["query"]])
        return web.Response(text=listing("journal/", "lastlog"), content_type="text/html")

    async def silent(request: web.Request) -> web.Response:
        return web.Response(text=listing("journal/", "lastlog"), content_type="text/html")

    source.node("n1")
    source.node("n2")
    source.answers[NODE_LOGS.format("n1")] = kubelet
    source.answers[NODE_LOGS.format("n2")] = silent
    result = collected(url, tmp_path / "gather", since=3600)
    nodes = tmp_path / "gather/nodes"
    assert files_of(nodes) == {"n1/n1_logs_kubelet.log", "n1/n1_logs_containerd.log"}
    assert "kubelet[1]" in (nodes / "n1/n1_logs_kubelet.log").read_text()
    assert all("sinceTime" in query for _path, query in source.asked if "query" in query)
    assert causes(result)["n2"].endswith("answers no queries (enableSystemLogQuery is off)")


def test_hostile_names_stay_outside(source: GatherSource, url: str, tmp_path: Path) -> None:
    """No file lies outside of the folder, and none has a name that leads there."""
    source.node("n1")
    source.pod("..", "p1")
    source.pod("team", "../../../escaped")
    source.pod("team", "fine")
    source.add("/api/v1/nodes", "../../n2", status={"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}})
    source.add("/api/v1/namespaces", "/etc/passwd")
    source.lists["/api/v1/pods"][2]["status"]["containerStatuses"][0]["name"] = "../../c"
    source.answers[NODE_LOGS.format("n1")] = listing(
        "../kubelet.log", "kubelet%2F..%2F..%2Fescaped.log", "kubelet..", "%2e%2e/", "kubelet.log", "kubelet\0.log"
    )
    source.answers[NODE_LOGS.format("n1") + "kubelet.log"] = "quiet\n"
    source.answers[NODE_LOGS.format("n1") + "kubelet.."] = "quiet\n"
    dest = tmp_path / "in" / "gather"
    result = collected(url, dest)
    assert set(os.listdir(tmp_path)) == {"in"}
    assert set(os.listdir(tmp_path / "in")) == {"gather"}
    assert not [name for name in files_of(dest) if "escaped" in name or "passwd" in name or "n2" in name]
    assert result["objects"] == {"nodes": 1, "pods": 1}
    refused = sum(row["number"] for row in result["missing"] if "its name is none" in row["cause"])
    assert refused == 6


def test_names_by_which_lists_repeat_or_lie(source: GatherSource, url: str, tmp_path: Path) -> None:
    for namespace, name in (("a", "p1"), ("b", "p2"), ("a", "p3")):
        source.pod(namespace, name, node="n1")
    result = collected(url, tmp_path / "gather")
    assert causes(result)["a/p3"] == "the list is not in order"
    for path in ("a", "b"):
        json.loads((tmp_path / f"gather/namespaces/{path}/core/pods.yaml").read_text())
    source.lists["/api/v1/namespaces/a/pods"] = source.lists["/api/v1/pods"]
    result = collected(url, tmp_path / "second", namespaces=["a"])
    assert result["objects"]["pods"] == 2, "what lies in another namespace was not asked for"


def test_only_the_named_namespaces(source: GatherSource, url: str, tmp_path: Path) -> None:
    source.node("n1")
    source.answers["/api/v1/namespaces/team"] = '{"metadata": {"name": "team", "uid": "u1"}}'
    for path in ("/api/v1/namespaces/{}/pods", "/api/v1/namespaces/{}/events", "/apis/batch/v1/namespaces/{}/jobs"):
        for namespace in ("team", "taem"):
            source.lists[path.format(namespace)] = []
    source.answers[NODE_LOGS.format("n1")] = listing("kubelet.log", "crio/", "cni/")
    source.answers[NODE_LOGS.format("n1") + "kubelet.log"] = "quiet\n"
    source.answers[NODE_LOGS.format("n1") + "crio/"] = status(403, reason="Forbidden", message="not this folder")
    source.answers[NODE_LOGS.format("n1") + "cni/"] = listing("cni.log")
    source.answers[NODE_LOGS.format("n1") + "cni/cni.log"] = "quiet\n"
    result = collected(url, tmp_path / "gather", namespaces=["team", "taem"])
    assert result["objects"] == {"nodes": 1, "namespaces": 1}
    assert causes(result) == {
        "taem": "there is no such namespace",
        "n1 crio/": "the kubelet refuses logs: not this folder",
    }
    assert result["node_logs"] == 2


def test_a_lost_list_keeps_what_came_before(source: GatherSource, url: str, tmp_path: Path) -> None:
    async def pages(request: web.Request) -> web.Response:
        if "continue" in request.query:
            return status(410, reason="Expired", message="the token is too old")
        items = [{"metadata": {"namespace": "team", "name": "p1"}, "spec": {}, "status": {}}]
        return web.json_response({"metadata": {"continue": "more"}, "items": items})

    source.answers["/api/v1/pods"] = pages
    result = collected(url, tmp_path / "gather")
    assert result["objects"]["pods"] == 1
    assert causes(result)["pods"] == "the list expired on the server while it was read"
    assert len(json.loads((tmp_path / "gather/namespaces/team/core/pods.yaml").read_text())["items"]) == 1


def test_check_mode_says_what_it_would_do(source: GatherSource, url: str, tmp_path: Path) -> None:
    source.node("n1")
    source.pod("team", "p1")
    result = collected(url, tmp_path / "gather", check_mode=True)
    assert result["would_collect"] == {"nodes": 1, "pods": 1, "jobs": 0}
    assert "would collect objects, Events and logs of all namespaces (nodes 1, pods 1, jobs 0)" in result["msg"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_size": 0}, "max_size: 0 is not allowed; it must be 1 to 1,048,576"),
        ({"since": -1}, "since: -1 is not allowed; it must be 0 to 604,800"),
        ({"max_size": 10, "max_file_size": 20}, "max_file_size: 20 is more than max_size, which is 10"),
        ({"namespaces": ["Team"]}, "namespaces: 'Team' is no namespace's name"),
        ({"dest": " "}, "dest: none is given"),
        ({"oc": "always"}, "oc: always, but there is no oc on PATH"),
    ],
)
def test_bad_input_is_one_line(
    source: GatherSource,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModuleFailed) as refused:
        collected(url, **{"dest": tmp_path / "gather", **options})
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert os.listdir(tmp_path) == []


def test_a_folder_with_something_in_it_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(ModuleFailed, match=f"dest: {tmp_path} is not empty; name a new folder"):
        collected(url, tmp_path)
    with pytest.raises(ModuleFailed, match="is no folder; name a new one"):
        collected(url, tmp_path / "mine")
    with pytest.raises(ModuleFailed, match=f"dest: {tmp_path}/mine/b/c cannot be made in {tmp_path}/mine: it is no f"):
        collected(url, tmp_path / "mine/b/c")


def test_nothing_that_could_be_read_is_a_failure(source: GatherSource, url: str, tmp_path: Path) -> None:
    for path in ("/api/v1/nodes", "/api/v1/namespaces", "/api/v1/pods", "/api/v1/events", "/apis/batch/v1/jobs"):
        source.answers[path] = status(403, reason="Forbidden", message=f"{path} is forbidden")
    with pytest.raises(ModuleFailed, match="nothing could be read: nodes: /api/v1/nodes is forbidden"):
        collected(url, tmp_path / "gather")


@pytest.mark.parametrize(("number", "state"), [(signal.SIGTERM, "partial"), (signal.SIGKILL, "collecting")])
def test_an_interrupted_collection_says_that_it_is_partial(
    source: GatherSource, url: str, tmp_path: Path, number: signal.Signals, state: str
) -> None:
    source.node("n1")
    source.pod("team", "p1")
    source.answers[LOG.format("team", "p1")] = source.endless
    dest = tmp_path / "gather"
    code = (
        "import json, sys\n"
        "from ansible_collections.kubestress.core.plugins.module_utils.gathering.must_gather import run_module\n"
        "print(json.dumps(run_module(json.load(sys.stdin), check_mode=False)))\n"
    )
    params = parameters(url, dest, max_size=20_000, max_file_size=20_000)
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(params))
    process.stdin.close()
    log = dest / "namespaces/team/pods/p1/c/c/logs/current.log"
    until(lambda: log.exists() and log.stat().st_size > 0)
    process.send_signal(number)
    answer = process.stdout.read() if process.stdout else ""
    process.wait(120)
    notes = json.loads((dest / "gather.json").read_text())
    assert notes["state"] == state
    jsonschema.validate(notes, SCHEMA)
    if number == signal.SIGTERM:
        assert json.loads(answer)["stopped"] == notes["stopped"] == "interrupted by SIGTERM"
    assert any(text.startswith("this gather is partial") for text in told(dest)["warnings"])
