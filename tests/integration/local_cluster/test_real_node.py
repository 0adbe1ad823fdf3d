"""A real node from nothing to nothing: pods that are processes, and a machine that is as it was. In order."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from helpers import images
from helpers.commands import command_environment
from helpers.local_cluster import Driver, processes_of
from helpers.registry import SOURCES, serving
from helpers.traces import Traces
from helpers.waiting import until

Kubectl = Callable[..., Any]
BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.36.1-1"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
NAME = "real-0001"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="a real node needs Linux and root"
)


@pytest.fixture(scope="module")
def before() -> Traces:
    return Traces.now()


@pytest.fixture(scope="module")
def node(before: Traces, driver: Driver) -> Iterator[Driver]:
    """The module's options for a real node; its own addresses, so that a user's cluster is not in the way."""
    driver.options |= {"real_node": True, "node_network": "10.231.7.0/30", "nodes": 1}
    yield driver
    driver.ok(state="absent")


@pytest.fixture(scope="module")
def witness(node: Driver, own_kubectl: Kubectl) -> Kubectl:
    """The real node running, and kubectl on its cluster."""
    node.ok()
    return own_kubectl


def pod(name: str, image: str, **container: Any) -> dict[str, Any]:
    spec = {"terminationGracePeriodSeconds": 0, "restartPolicy": "Never"}
    body = {"name": "c", "image": image, "securityContext": RESTRICTED, **container}
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, "containers": [body]}}


def shell(name: str, script: str, **container: Any) -> dict[str, Any]:
    return pod(name, BUSYBOX, command=["sh", "-c", script], **container)


def create(kubectl: Kubectl, *documents: dict[str, Any]) -> None:
    text = "\n---\n".join(json.dumps(document) for document in documents)
    kubectl("create", "--filename=-", stdin=text, parse=False)


def ready(kubectl: Kubectl, *names: str) -> None:
    kubectl("wait", "--for=condition=Ready", "--timeout=240s", *(f"pod/{name}" for name in names), parse=False)


def phase(kubectl: Kubectl, name: str, wanted: str) -> dict[str, Any]:
    kubectl("wait", f"--for=jsonpath={{.status.phase}}={wanted}", "--timeout=240s", f"pod/{name}", parse=False)
    return kubectl("get", "pod", name)["status"]["containerStatuses"][0]["state"]["terminated"]


def from_kubelet(kubectl: Kubectl, path: str) -> Any:
    answer = kubectl("get", "--raw", f"/api/v1/nodes/{NAME}/proxy/{path}", parse=False)
    return json.loads(answer) if path != "metrics/cadvisor" else answer


def process_count(kubectl: Kubectl, name: str) -> int:
    pods = from_kubelet(kubectl, "stats/summary")["pods"]
    counts = [item.get("process_stats", {}).get("process_count", 0) for item in pods if item["podRef"]["name"] == name]
    return counts[0] if counts else 0


def counted_at(kubectl: Kubectl, name: str) -> datetime:
    (item,) = (item for item in from_kubelet(kubectl, "stats/summary")["pods"] if item["podRef"]["name"] == name)
    return datetime.fromisoformat(item["containers"][0]["cpu"]["time"])


def test_present(witness: Kubectl, node: Driver) -> None:
    result = node.ok()
    assert not result["changed"], result["changes"]
    assert result["endpoint"].startswith("https://10.231.7.2:")
    assert result["real_node"]["name"] == NAME
    nodes = {item["metadata"]["name"]: item for item in witness("get", "nodes")["items"]}
    assert {name: item["metadata"]["labels"]["kubestress.core/node"] for name, item in nodes.items()} == {
        NAME: "real",
        "simulated-0001": "simulated",
    }
    taints = nodes["simulated-0001"]["spec"]["taints"]
    assert [taint["key"] for taint in taints] == ["kubestress.core/simulated"]


def test_kubelet_asks_the_api_server_who_may(witness: Kubectl) -> None:
    """Nobody unknown, no service account without a right, but the API server on behalf of an administrator."""
    config = from_kubelet(witness, "configz")["kubeletconfig"]
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["authorization"]["mode"] == "Webhook"
    url = "https://10.231.7.2:10250/pods"
    status = ["curl", "--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}"]
    assert subprocess.run([*status, url], capture_output=True, text=True, check=False).stdout == "401"
    token = witness("create", "token", "default", parse=False).strip()
    bearer = [*status, "--header", f"Authorization: Bearer {token}", url]
    assert subprocess.run(bearer, capture_output=True, text=True, check=False).stdout == "403"


def test_the_kubelet_shows_the_logs_of_the_node_and_none_of_the_machine(witness: Kubectl) -> None:
    def names(folder: str) -> set[str]:
        path = f"/api/v1/nodes/{NAME}/proxy/logs/{folder}"
        return set(re.findall(r'<a href="([^"]+)">', witness("get", "--raw", path, parse=False)))

    assert {"kubestress-node/", "operations.log"} <= names("")
    assert not names("") & {path.name for path in Path("/var/log").iterdir() if path.is_file()}
    assert {"kubelet.log", "containerd.log"} <= names("kubestress-node/")


def test_processes_are_counted_every_second(witness: Kubectl) -> None:
    forks = "i=0; while [ $i -lt 64 ]; do sleep 1000 & i=$((i + 1)); done; echo started; wait"
    create(witness, shell("forks", forks))
    ready(witness, "forks")
    until(lambda: process_count(witness, "forks") == 65)
    # By the kubelet's own clock, whatever else keeps us from asking: unset, it counts every 10 s at best.
    moments = [counted_at(witness, "forks")]
    for _count in range(4):
        moments.append(until(lambda: (now := counted_at(witness, "forks")) > moments[-1] and now))
    assert min((after - before).total_seconds() for before, after in pairwise(moments)) < 4
    assert "started" in witness("logs", "forks", parse=False)
    assert 'pod="forks"' in from_kubelet(witness, "metrics/cadvisor")


def test_security_context_is_enforced(witness: Kubectl) -> None:
    # Labelled lines: a log's two streams come together in any order.
    script = 'echo "user: $(id -u)"; touch /file; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status'
    create(witness, shell("contained", script))
    phase(witness, "contained", "Succeeded")
    lines = dict(line.split(":", 1) for line in witness("logs", "contained", parse=False).splitlines())
    assert {label: text.strip() for label, text in lines.items()} == {
        "user": "1000",
        "touch": "/file: Read-only file system",
        "CapEff": "0000000000000000",
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }


def test_memory_limit_kills(witness: Kubectl) -> None:
    stress = ["stress", "--mem-total=100Mi", "--mem-alloc-size=5Mi", "--mem-alloc-sleep=10ms"]
    create(witness, pod("hungry", AGNHOST, args=stress, resources={"limits": {"memory": "64Mi"}}))
    assert phase(witness, "hungry", "Failed")["reason"] == "OOMKilled"


def test_mounted_objects_are_readable(witness: Kubectl) -> None:
    witness("create", "configmap", "words", "--from-literal=word=open", parse=False)
    witness("create", "secret", "generic", "secrets", "--from-literal=word=sesame", parse=False)
    document = shell("reader", "cat /words/word /secrets/word")
    document["spec"]["volumes"] = [
        {"name": "words", "configMap": {"name": "words"}},
        {"name": "secrets", "secret": {"secretName": "secrets"}},
    ]
    document["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "words", "mountPath": "/words"},
        {"name": "secrets", "mountPath": "/secrets"},
    ]
    create(witness, document)
    phase(witness, "reader", "Succeeded")
    assert witness("logs", "reader", parse=False) == "opensesame"


def test_service_reaches_the_pod_also_from_itself(witness: Kubectl) -> None:
    port = {"port": 80, "targetPort": 8080}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    create(
        witness,
        pod("client", AGNHOST),
        pod("web", AGNHOST, args=["netexec"], readinessProbe={"httpGet": {"path": "/readyz", "port": 8080}}),
        {**service, "spec": {"selector": {"app": "web"}, "ports": [port]}},
    )
    ready(witness, "client", "web")
    address = witness("get", "service", "web")["spec"]["clusterIP"]
    for client in ("client", "web"):
        # Rules for a new Service take kube-proxy a moment.
        until(lambda client=client: reached(witness, client, f"{address}:80"))


def test_a_service_is_found_by_its_name(witness: Kubectl) -> None:
    """In its own namespace and whole; and a name that there is none of is not, at once."""
    for target in ("web:80", "web.default.svc.cluster.local:80", "kubernetes.default:443"):
        until(partial(reached, witness, "client", target))
    assert not reached(witness, "client", "no-such-service:80")


def reached(kubectl: Kubectl, client: str, target: str) -> bool:
    """Whether the pod gets a connection."""
    script = f"/agnhost connect {target} --timeout=3s >/dev/null 2>&1 && echo reached || echo not yet"
    return kubectl("exec", client, "--", "sh", "-c", script, parse=False).strip() == "reached"


def test_images_bring_what_the_roles_call(witness: Kubectl) -> None:
    script = "for name in sh nc timeout date sleep cksum; do command -v $name || exit 3; done; printf a | cksum"
    for name, image in (("tools-busybox", BUSYBOX), ("tools-agnhost", AGNHOST)):
        create(witness, pod(name, image, command=["sh", "-c", script]))
        assert phase(witness, name, "Succeeded")["exitCode"] == 0
        assert witness("logs", name, parse=False).splitlines()[-1] == "1220704766 1"


def test_an_image_of_a_folder_is_pulled_from_a_registry_on_this_machine_and_runs(
    witness: Kubectl, node: Driver, tmp_path: Path
) -> None:
    """Built with `layers`. A registry without TLS that nobody named is refused; once it is named, the same pod runs."""
    context = tmp_path / "context"
    context.mkdir()
    shutil.copy2(shutil.which("busybox") or "", context / "busybox")
    (context / "words.txt").write_text("open sesame\n")
    with serving(tmp_path, address="10.231.7.1") as registry:
        common = {"registry_insecure": True, "sources_dir": str(SOURCES), "log_file": str(tmp_path / "image.log")}
        named = {"name": f"{registry.host}/built", "base": registry.base(tmp_path), "context": str(context)}
        built = images.image({**common, **named}, environ={**os.environ, **registry.environment}).result
        create(witness, pod("built", built["reference"], command=["/app/busybox", "cat", "words.txt", "/etc/base"]))

        def refusal() -> str:
            statuses = witness("get", "pod", "built")["status"].get("containerStatuses") or [{}]
            return statuses[0].get("state", {}).get("waiting", {}).get("message", "")

        until(lambda: "server gave HTTP response to HTTPS client" in refusal())
        assert node.ok(real_node_registries=[registry.host])["changes"] == ["restart kubelet"]
        assert phase(witness, "built", "Succeeded")["exitCode"] == 0
        assert f"GET /v2/built/manifests/{built['digest']}" in registry.requests()
    assert witness("logs", "built", parse=False) == "open sesame\nbase\n"
    status = witness("get", "pod", "built")["status"]["containerStatuses"][0]
    assert status["imageID"].endswith(built["digest"])


def test_the_pod_of_a_build_gets_the_context_and_its_log_is_shown(
    witness: Kubectl, node: Driver, tmp_path: Path
) -> None:
    """What `image` with builder=job asks of a kubelet. In BuildKit's place is a script that says what it was given."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\n")
    with serving(tmp_path, address="10.231.7.1") as registry:
        node.ok(real_node_registries=[registry.host])
        tools = registry.tools(tmp_path, "buildctl-daemonless.sh", "echo $*\nid -u\nls /context\nexit 7\n")
        options = {
            "name": f"{registry.host}/train", "builder": "job", "context": str(context), "registry_insecure": True,
            "sources_dir": str(SOURCES), "log_file": str(tmp_path / "image.log"),
            "job": {"kubeconfig": str(node.data_dir / "kubeconfig"), "carrier": tools, "buildkit": tools},
        }  # fmt: skip
        with pytest.raises(ModuleFailed, match=r"failed: BackoffLimitExceeded: .*; .* / 1000 / Dockerfile; the log is"):
            images.image(options, environ={**os.environ, **registry.environment})
        assert f"name={registry.host}/train:latest,push=true" in (tmp_path / "image.log").read_text()
        assert registry.digests("train") == {}
    assert witness("get", "jobs")["items"] == []


def test_limit_on_a_pods_processes_is_taken_over(witness: Kubectl, node: Driver) -> None:
    before = {name: part["pid"] for name, part in node.ok()["parts"].items()}
    result = node.ok(real_node_pod_pids_limit=100)
    assert result["changes"] == ["restart kubelet"]
    after = {name: part["pid"] for name, part in result["parts"].items()}
    assert {name for name in after if after[name] != before[name]} == {"kubelet"}
    assert from_kubelet(witness, "configz")["kubeletconfig"]["podPidsLimit"] == 100
    create(witness, shell("many", "i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i + 1)); done; wait"))
    assert phase(witness, "many", "Failed")["exitCode"] == 2
    assert "can't fork: Resource temporarily unavailable" in witness("logs", "many", parse=False)


def test_network_plugin_counts_delays_and_fails(witness: Kubectl, node: Driver) -> None:
    result = node.ok(real_node_cni_delay_ms=1500, real_node_cni_fail_percent=100)
    assert result["changes"] == ["restart kubelet"]
    operations = Path(result["real_node"]["cni_operations"])
    create(witness, shell("late", "sleep 1000"))

    def refusals() -> list[str]:
        events = witness("get", "events", "--field-selector=reason=FailedCreatePodSandBox")["items"]
        return [item["message"] for item in events if item["involvedObject"]["name"] == "late"]

    assert "real_node_cni_fail_percent" in until(refusals)[0]
    assert any(line.split()[1] == "ADD" and line.split()[3] == "1" for line in operations.read_text().splitlines())
    node.ok(real_node_cni_delay_ms=1500)
    ready(witness, "late")
    began = time.monotonic()
    create(witness, shell("slow", "sleep 1000"))
    ready(witness, "slow")
    assert time.monotonic() - began > 1.5
    witness("delete", "pod", "slow", "late", "--wait=true", parse=False)
    assert any(line.split()[1] == "DEL" for line in operations.read_text().splitlines())


def test_killed_parts_are_started_again_and_pods_live_on(witness: Kubectl, node: Driver) -> None:
    parts = node.ok()["parts"]
    for name in ("kubelet", "kube-proxy"):
        os.kill(parts[name]["pid"], 9)
    result = node.ok()
    assert set(result["changes"]) == {"start kubelet, kube-proxy"}
    assert witness("get", "pod", "forks")["status"]["phase"] == "Running"
    assert until(lambda: process_count(witness, "forks") == 65)


def test_killed_containerd_keeps_the_pods(witness: Kubectl, node: Driver) -> None:
    os.kill(node.ok()["parts"]["containerd"]["pid"], 9)
    assert node.ok()["changes"] == ["start containerd"]
    create(witness, shell("afterwards", "echo here"))
    phase(witness, "afterwards", "Succeeded")


def test_killed_namespaces_take_all_along_and_come_again(witness: Kubectl, node: Driver) -> None:
    """The kernel ends every process of the node; the control plane, cut off, is started again with its objects."""
    result = node.ok()
    os.kill(result["parts"]["node"]["pid"], 9)
    again = node.ok()
    assert any(change.startswith("start node") for change in again["changes"])
    assert any(change.startswith("restart ") and "etcd" in change for change in again["changes"])
    assert witness("get", "configmap", "words")["data"] == {"word": "open"}
    create(witness, shell("reborn", "echo here"))
    phase(witness, "reborn", "Succeeded")


def test_simulated_only_needs_a_restart_and_leaves_no_node(witness: Kubectl, node: Driver, before: Traces) -> None:
    assert "real_node is True instead of False" in node.failure(real_node=False)
    result = node.ok(real_node=False, restart=True)
    assert "end the real node" in result["changes"]
    assert [item["metadata"]["name"] for item in witness("get", "nodes")["items"]] == ["simulated-0001"]
    assert "taints" not in witness("get", "nodes")["items"][0]["spec"]
    # At once: what kept the simulated nodes' leases until now has left none behind.
    create(witness, shell("pretended", "sleep 1000"))
    witness("wait", "--for=condition=Ready", "--timeout=240s", "pod/pretended", parse=False)
    witness("delete", "pod", "pretended", "--now", parse=False)
    assert Traces.now().left(before) == {}
    assert "real_node is False instead of True" in node.failure()
    node.ok(restart=True)


def test_absent_with_live_pods_leaves_the_machine_as_it_was(witness: Kubectl, node: Driver, before: Traces) -> None:
    create(witness, *(shell(f"live-{number}", "sleep 1000") for number in range(5)))
    ready(witness, *(f"live-{number}" for number in range(5)))
    node.ok(state="absent")
    assert Traces.now().left(before) == {}
    assert not processes_of(node.data_dir)
    assert not node.data_dir.exists()
    assert not node.ok(state="absent")["changed"]


def test_absent_in_the_middle_of_a_run_leaves_the_machine_as_it_was(
    node: Driver, own_kubectl: Kubectl, before: Traces, tmp_path: Path
) -> None:
    """Build pods compile, StatefulSets are killed and restarted, and requests are on their way."""
    kubeconfig = node.ok()["kubeconfig"]
    settings = {"run_results_dir": str(tmp_path), "build_jobs_time_scale": 1, "kubestress_kubeconfig": kubeconfig}
    command = ["ansible-playbook", "kubestress.core.smoke", "-e", json.dumps(settings)]
    with subprocess.Popen(
        command, env=command_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        try:
            until(lambda: compiling(own_kubectl))
            assert run.poll() is None
            node.ok(state="absent")
            assert Traces.now().left(before) == {}
            left = processes_of(node.data_dir)
        finally:
            # With its workers, which are in sessions of their own.
            for pid, words in processes_of(node.data_dir).items():
                if "ansib" in words.lower():
                    os.kill(pid, signal.SIGKILL)
    # The run itself, which still hopes for an answer.
    assert [words for words in left.values() if "ansib" not in words.lower()] == []


def compiling(kubectl: Kubectl) -> bool:
    """Whether a build pod holds its processes now."""
    pods = from_kubelet(kubectl, "stats/summary")["pods"]
    return any(pod.get("process_stats", {}).get("process_count", 0) > 60 for pod in pods)


@pytest.mark.parametrize("killed", ["node", "containerd", "kube-apiserver"])
def test_absent_after_a_crash(node: Driver, own_kubectl: Kubectl, before: Traces, killed: str) -> None:
    parts = node.ok()["parts"]
    create(own_kubectl, shell("live", "sleep 1000"))
    ready(own_kubectl, "live")
    os.kill(parts[killed]["pid"], 9)
    node.ok(state="absent")
    assert Traces.now().left(before) == {}
    assert not processes_of(node.data_dir)


def test_a_range_in_use_is_refused_before_anything_is_made(node: Driver, before: Traces) -> None:
    taken = next(line.split()[3] for line in addresses() if line.split()[1] == "lo")
    assert taken == "127.0.0.1/8"
    message = node.failure(node_network="127.0.0.4/30")
    assert "node_network 127.0.0.4/30 overlaps 127.0.0.0/8 of the link lo" in message
    assert Traces.now().left(before) == {}


def addresses() -> list[str]:
    command = ["ip", "-oneline", "-4", "address"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
