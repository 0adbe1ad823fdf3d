"""The whole question against an API server of a few lines: kubelets that answer, refuse, ramble, or say nothing."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.cluster.labels import run_labels
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.node_pids.node_pids_info import run_module
from ansible_collections.kubestress.core.plugins.modules.node_pids_info import ARGUMENTS
from helpers.fake_api import KINDS, FakeApi
from helpers.fake_server import serving, status

Kubelet = Callable[[str], Awaitable[web.StreamResponse]]
UIDS = [f"{number:08x}-6a55-4c55-9b0a-0d4c6d5a9b11" for number in range(10)]
FORBIDDEN = 'nodes "w1" is forbidden: User "u" cannot get resource "nodes/proxy" in API group ""'


class Nodes(FakeApi):
    """An API server with nodes; what each node's kubelet answers is a function of the endpoint."""

    def __init__(self) -> None:
        super().__init__((*KINDS, ("v1", "nodes", "Node", False)))
        self.kubelets: dict[str, Kubelet] = {}
        self.asked_kubelets: Counter[str] = Counter()
        self.running = self.most_running = 0

    def node(self, name: str, kubelet: Kubelet | None = None, *, port: int = 10250, **labels: str) -> None:
        status = {
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "PIDPressure", "status": "False"}],
        }
        self.add("nodes", name, labels=labels, status=status)
        if kubelet:
            self.kubelets[name] = kubelet

    async def handle(self, request: web.Request) -> web.StreamResponse:
        words = request.path.strip("/").split("/")
        if words[2:3] != ["nodes"] or words[4:5] != ["proxy"]:
            return await super().handle(request)
        self.asked_kubelets[words[3]] += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self.kubelets[words[3]]("/".join(words[5:]))
        finally:
            self.running -= 1


def healthy(*pods: tuple[str, str, int], limit: int = 1024) -> Kubelet:
    """Return a kubelet with pods: namespace, uid and processes of each."""

    async def answer(endpoint: str) -> web.Response:
        if endpoint == "configz":
            return web.json_response({"kubeletconfig": {"podPidsLimit": limit}})
        if endpoint == "stats/summary":
            rows = [
                {
                    "podRef": {"namespace": where, "name": f"p-{uid[:8]}", "uid": uid},
                    "process_stats": {"process_count": n},
                }
                for where, uid, n in pods
            ]
            node = {"rlimit": {"maxpid": 32768, "curproc": 400}}
            return web.json_response({"node": node, "pods": rows})
        lines = ['container_threads{id="/kubepods"} 200', 'container_threads_max{id="/kubepods"} 30000']
        for _where, uid, number in pods:
            lines += [f'container_threads{{id="/kubepods/burstable/pod{uid}"}} {number + 1}']
            lines += [f'container_threads_max{{id="/kubepods/burstable/pod{uid}"}} {limit}']
        return web.Response(text="\n".join(lines))

    return answer


def always(response: Callable[[], web.Response]) -> Kubelet:
    async def answer(_endpoint: str) -> web.Response:
        return response()

    return answer


def except_for(endpoint: str, response: Callable[[], web.Response], kubelet: Kubelet) -> Kubelet:
    async def answer(asked: str) -> web.StreamResponse:
        return response() if asked == endpoint else await kubelet(asked)

    return answer


async def ask(api: Nodes, **options: Any) -> dict[str, Any]:
    """Run the module with these options, defaults and conversions included."""
    async with serving(api.handle) as url:
        validated = ArgumentSpecValidator(ARGUMENTS).validate({"host": url, **options})
        assert not validated.error_messages, validated.error_messages
        return await asyncio.to_thread(run_module, validated.validated_parameters)


async def test_processes_against_every_limit():
    api = Nodes()
    api.node("w1", healthy(("a", UIDS[0], 72), ("b", UIDS[1], 4)))
    api.node("w2", healthy(("a", UIDS[2], 900)))
    answer = await ask(api)
    assert [(node["name"], node["pods"], node["processes"], node["threads"]) for node in answer["nodes"]] == [
        ("w1", 2, 76, 400),
        ("w2", 1, 900, 400),
    ]
    limits = answer["nodes"][0]["limits"]
    assert {name: row["limit"] for name, row in limits.items()} == {
        "kernel": 32768, "allocatable": 30000, "eviction": None,
    }  # fmt: skip
    assert answer["nodes"][0]["pid_pressure"] is False
    assert [(pod["name"], pod["used"], pod["limit"], pod["limited_by"]) for pod in answer["pods"]] == [
        ("p-00000002", 901, 1024, "pod"),
        ("p-00000000", 73, 1024, "pod"),
        ("p-00000001", 5, 1024, "pod"),
    ]
    assert answer["tightest"] | {"used": 901, "pod": "a/p-00000002", "node": "w2"} == answer["tightest"]
    assert (answer["pods_total"], answer["nodes_with_data"], answer["requests"]) == (3, 2, 6)
    assert answer["no_data"] == []
    assert answer["changed"] is False


GARBAGE = [
    pytest.param(lambda: status(403, reason="Forbidden", message=FORBIDDEN), "the user may not get", id="403"),
    pytest.param(lambda: web.Response(status=404, text="404 page not found"), "the kubelet has no", id="404"),
    pytest.param(lambda: web.Response(status=502, text="bad gateway"), "the kubelet cannot be reached", id="502"),
    pytest.param(lambda: web.Response(text="<html>hello</html>"), "the answer is no", id="a page of HTML"),
    pytest.param(lambda: web.Response(body=b""), "the answer is no", id="nothing"),
    pytest.param(lambda: web.Response(body=b"\x00\xff" * 999), "the answer is no", id="bytes"),
    pytest.param(lambda: web.json_response([]), "the answer is", id="a list"),
    pytest.param(lambda: web.json_response({"a": 1}), "the answer is no", id="another object"),
]


@pytest.mark.parametrize(("response", "cause"), GARBAGE)
async def test_a_node_that_tells_nothing_is_no_data_and_the_others_are_told(response, cause):
    api = Nodes()
    api.node("w1", always(response))
    api.node("w2", healthy(("a", UIDS[0], 72)))
    answer = await ask(api)
    assert [node["name"] for node in answer["nodes"]] == ["w2", "w1"]
    silent = answer["nodes"][1]
    assert (silent["pods"], silent["processes"], silent["threads"], silent["pod_pids_limit"]) == (None,) * 4
    assert all(row["limit"] is row["used"] is row["free"] is None for row in silent["limits"].values())
    assert all(row["cause"] for row in silent["limits"].values())
    assert [line.split(": ")[0] for line in silent["causes"]] == ["summary", "cadvisor", "configuration"]
    assert all(cause in line for line in silent["causes"])
    assert (answer["pods_total"], answer["nodes_with_data"]) == (1, 1)
    assert {row["example"] for row in answer["no_data"]} == {"w1"}
    assert api.asked_kubelets["w1"] == 3


@pytest.mark.parametrize(("response", "cause"), GARBAGE)
@pytest.mark.parametrize(
    ("endpoint", "name", "unknown"),
    [
        ("stats/summary", "summary", lambda answer: answer["nodes"][0]["limits"]["kernel"]["limit"]),
        ("metrics/cadvisor", "cadvisor", lambda answer: answer["pods"][0]["threads"]),
        ("configz", "configuration", lambda answer: answer["nodes"][0]["pod_pids_limit"]),
    ],
)
async def test_one_endpoint_that_fails_takes_only_its_own_figures(endpoint, name, unknown, response, cause):
    api = Nodes()
    api.node("w1", except_for(endpoint, response, healthy(("a", UIDS[0], 72))))
    answer = await ask(api)
    assert unknown(answer) is None
    assert answer["pods"][0]["used"] == (72 if endpoint == "metrics/cadvisor" else 73)
    (line,) = answer["nodes"][0]["causes"]
    assert line.startswith(name)
    assert cause in line


async def test_a_silent_kubelet_costs_its_time_once():
    api = Nodes()
    ended = asyncio.Event()

    async def silent(_endpoint: str) -> web.Response:
        await ended.wait()
        return web.Response()

    api.node("w1", silent)
    api.node("w2", healthy(("a", UIDS[0], 72)))
    asking = asyncio.create_task(ask(api, node_timeout=0.3))
    answer = await asyncio.wait_for(asking, timeout=120)
    ended.set()
    assert answer["no_data"][0] == {"cause": "summary: no answer within 0.3 s", "nodes": 1, "example": "w1"}
    assert answer["nodes_with_data"] == 1


async def test_simulated_nodes_are_not_asked():
    api = Nodes()
    for number in range(3):
        api.node(f"s{number}", port=0)
    answer = await ask(api)
    assert answer["no_data"] == [
        {"cause": "simulated node: it has no kubelet and runs no processes", "nodes": 3, "example": "s0"}
    ]
    assert (answer["pods"], answer["pods_total"], answer["tightest"], answer["requests"]) == ([], None, None, 0)
    assert answer["pods_cause"] == "no data from any node"
    assert not api.asked_kubelets


async def test_the_budget_is_an_even_sample_and_the_cap_holds():
    api = Nodes()

    async def slow(endpoint: str) -> web.StreamResponse:
        await asyncio.sleep(0.005)
        return await healthy()(endpoint)

    for number in range(10):
        api.node(f"w{number}", slow)
    answer = await ask(api, request_budget=11, max_concurrent=2)
    assert sorted(api.asked_kubelets) == ["w0", "w4", "w8"]
    assert answer["requests"] == api.asked_kubelets.total() == 9
    assert 0 < api.most_running <= 2
    assert answer["no_data"] == [{"cause": "not read: request_budget exhausted", "nodes": 7, "example": "w1"}]
    assert answer["nodes_total"] == 10


async def test_pods_by_namespace_run_and_number():
    api = Nodes()
    api.node("w1", healthy(*((f"ns{n % 2}", UIDS[n], 10 + n) for n in range(6))))
    for number in range(4):
        pod = api.add("pods", f"p{number}", f"ns{number % 2}", labels=run_labels("r1", "build_jobs"))
        pod["metadata"]["uid"] = UIDS[number]
    everything = await ask(api, top=2)
    assert (everything["pods_total"], len(everything["pods"])) == (6, 2)
    assert (await ask(api, top=0))["pods"] == []
    uids = {key: [pod["uid"] for pod in (await ask(api, **options))["pods"]] for key, options in {
        "namespace": {"namespaces": ["ns1"]}, "run": {"run_id": "r1"}, "both": {"run_id": "r1", "namespaces": ["ns1"]},
        "none": {"run_id": "r2"},
    }.items()}  # fmt: skip
    assert uids == {
        "namespace": [UIDS[5], UIDS[3], UIDS[1]],
        "run": [UIDS[3], UIDS[2], UIDS[1], UIDS[0]],
        "both": [UIDS[3], UIDS[1]],
        "none": [],
    }


async def test_a_run_whose_pods_may_not_be_listed_is_no_data():
    api = Nodes()
    api.node("w1", healthy(("a", UIDS[0], 72)))
    api.refused["/api/v1/pods"] = status(403, reason="Forbidden", message="pods is forbidden")
    answer = await ask(api, run_id="r1")
    assert (answer["pods"], answer["pods_total"]) == ([], None)
    assert answer["pods_cause"] == "the run's pods are unknown: pods is forbidden"
    assert answer["nodes"][0]["processes"] == 72


async def test_nodes_by_name_need_no_list():
    api = Nodes()
    api.node("w1", healthy(("a", UIDS[0], 72)))
    api.node("w2", healthy())
    api.kubelets["hidden"] = healthy(("a", UIDS[1], 5))
    api.refused["/api/v1/nodes"] = status(403, reason="Forbidden", message="nodes is forbidden")
    api.refused["/api/v1/nodes/hidden"] = status(403, reason="Forbidden", message="hidden is forbidden")
    answer = await ask(api, nodes=["w1", "hidden", "w1"])
    assert {node["name"]: (node["simulated"], node["processes"]) for node in answer["nodes"]} == {
        "w1": (False, 72),
        "hidden": (None, 5),
    }
    causes = {row["example"]: row["cause"] for row in answer["no_data"]}
    assert causes == {"hidden": "node: NODE is forbidden"}


@pytest.mark.parametrize("selector", ["", "pool=builds"])
async def test_a_node_that_is_not_there_is_a_failure(selector):
    api = Nodes()
    api.node("w1", healthy(("a", UIDS[0], 72)), pool="builds")
    with pytest.raises(ModuleFailed, match="nodes: the cluster has no node gone, lost"):
        await ask(api, nodes=["w1", "gone", "lost"], node_selector=selector)


async def test_nodes_by_label():
    api = Nodes()
    api.node("w1", healthy(), pool="builds")
    api.node("w2", healthy(), pool="builds")
    api.node("w3", healthy())
    assert [node["name"] for node in (await ask(api, node_selector="pool=builds"))["nodes"]] == ["w1", "w2"]
    both = await ask(api, node_selector="pool=builds", nodes=["w2", "w3"])
    assert [node["name"] for node in both["nodes"]] == ["w2"]


async def test_what_is_returned_is_bounded():
    api = Nodes()
    for number in range(130):
        api.node(f"s{number:03}", port=0)
    answer = await ask(api)
    assert (len(answer["nodes"]), answer["nodes_total"]) == (100, 130)
    assert len(json.dumps(answer)) < 200_000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"top": -1}, "top: -1; allowed are 0 to 1000"),
        ({"top": 1001}, "top: 1001; allowed are 0 to 1000"),
        ({"request_budget": 2}, "request_budget: 2; allowed are 3 to 30000"),
        ({"max_concurrent": 0}, "max_concurrent: 0; allowed are 1 to 100"),
        ({"node_timeout": 0}, "node_timeout: 0; allowed are 0.1 to 120"),
        ({"node_timeout": "nan"}, "node_timeout: nan; allowed are 0.1 to 120"),
        ({"nodes": ["../../secrets"]}, "nodes: '../../secrets'; allowed are names of nodes"),
        ({"nodes": [""]}, "nodes: ''; allowed are names of nodes"),
        ({"namespaces": ["A/b"]}, "namespaces: 'A/b'; allowed are names of namespaces"),
        ({"run_id": "a,b=c"}, "run_id: 'a,b=c'; allowed are letters"),
    ],
)
async def test_bad_input_is_one_line_and_nothing_is_asked(options, told):
    api = Nodes()
    with pytest.raises(ModuleFailed) as failure:
        await ask(api, **options)
    assert str(failure.value).startswith(told)
    assert api.asked == []


async def test_nodes_that_may_not_be_listed_are_a_failure_that_tells_the_way_out():
    api = Nodes()
    api.refused["/api/v1/nodes"] = status(403, reason="Forbidden", message="nodes is forbidden")
    with pytest.raises(ModuleFailed, match=r"nodes cannot be listed: .* name them with the option nodes"):
        await ask(api)


async def test_a_selector_that_the_api_server_does_not_take_is_named():
    api = Nodes()
    api.refused["/api/v1/nodes"] = status(400, reason="BadRequest", message="unable to parse")
    with pytest.raises(ModuleFailed, match="node_selector: 'a=b=c': unable to parse"):
        await ask(api, node_selector="a=b=c")


async def test_a_server_that_lets_nobody_in_is_one_line():
    api = Nodes()
    api.refused["/version"] = status(403, reason="Forbidden", message="nothing is for you")
    with pytest.raises(ModuleFailed, match="nothing is for you"):
        await ask(api)
