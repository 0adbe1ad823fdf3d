"""An API server with a big cluster to look at: `python -m bench.big_cluster FOLDER PODS NODES`, served like bench.stub.

It answers what preflight reads: pages of pods and nodes of the size that real ones have, compressed as an API server
compresses them. The pods are all alike and spread evenly over the nodes, so what is right is known, exact or estimated.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from bench import stub

#: What each pod requests and each node offers.
POD_CPU_MILLI = 50
POD_MEMORY_BYTES = 64 * 2**20
NODE = {"cpu": "64", "memory": "256Gi", "pods": "500", "ephemeral-storage": "100Gi", "nvidia.com/gpu": "8"}
NAMESPACES = 100
#: An API server compresses larger answers where the client takes that.
_COMPRESSED_FROM_BYTES = 128 * 1024
_NODE_NAME = re.compile(r"spec\.nodeName=([^,]+)")


def _condition(name: str) -> dict[str, Any]:
    return {
        "type": name,
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }


def _managed(manager: str, fields: Any) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _pod() -> dict[str, Any]:
    """One pod of about 3.5 KB; @NUMBER@, @NODE@ and @NAMESPACE@ vary."""
    container = {
        "name": "app",
        "image": "registry.example.com/team/app:1.2.3",
        "env": [{"name": f"VARIABLE_{number}", "value": "a value of some length"} for number in range(4)],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {
            "limits": {"cpu": "500m", "memory": "512Mi"},
            "requests": {"cpu": f"{POD_CPU_MILLI}m", "memory": str(POD_MEMORY_BYTES)},
        },
        "volumeMounts": [{"name": "token", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    state = {
        "name": "app",
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": container["image"],
        "imageID": "registry.example.com/team/app@sha256:" + "0" * 64,
        "containerID": "containerd://" + "0" * 64,
        "started": True,
    }
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    described = {"app": "app-@NUMBER@", "pod-template-hash": "7d9c5b6f8d"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-@NUMBER@-7d9c5b6f8d", "controller": True}
    metadata = {
        "name": "app-@NUMBER@-7d9c5b6f8d-abcde",
        "generateName": "app-@NUMBER@-7d9c5b6f8d-",
        "namespace": "team-@NAMESPACE@",
        "uid": "00000000-0000-4000-8000-@NUMBER@",
        "resourceVersion": "1@NUMBER@",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": described,
        "ownerReferences": [owner],
    }
    spec = {
        "volumes": [{"name": "token", "projected": {"sources": sources, "defaultMode": 420}}],
        "containers": [container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "nodeName": "node-@NODE@",
        "schedulerName": "default-scheduler",
    }
    status = {
        "phase": "Running",
        "conditions": [_condition(name) for name in conditions],
        "hostIP": "10.0.0.1",
        "podIP": "10.1.0.1",
        "podIPs": [{"ip": "10.1.0.1"}],
        "startTime": "2026-01-01T00:00:00Z",
        "containerStatuses": [state],
        "qosClass": "Burstable",
    }
    managed = [
        _managed("kube-controller-manager", {"f:metadata": stub.fields_of(metadata), "f:spec": stub.fields_of(spec)}),
        _managed("kubelet", {"f:status": stub.fields_of(status)}),
    ]
    return {"metadata": {**metadata, "managedFields": managed}, "spec": spec, "status": status}


def _node() -> dict[str, Any]:
    """One node of about 7 KB, most of it images, as on a real one."""
    image = "registry.example.com/some/team/and-its-application"
    return {
        "metadata": {
            "name": "node-@NUMBER@",
            "uid": "00000000-0000-4000-9000-@NUMBER@",
            "labels": {"kubernetes.io/hostname": "node-@NUMBER@", "kubernetes.io/os": "linux"},
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {"podCIDR": "10.1.0.0/24", "providerID": "example:///node-@NUMBER@"},
        "status": {
            "capacity": NODE,
            "allocatable": NODE,
            "conditions": [_condition("Ready")],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "kubeletVersion": "v1.36.0",
                "osImage": "Debian GNU/Linux 13",
                "kernelVersion": "6.12.0",
                "containerRuntimeVersion": "containerd://2.1.0",
                "architecture": "amd64",
            },
            "images": [
                {"names": [f"{image}@sha256:{number:064}", f"{image}:1.{number}"], "sizeBytes": 100_000_000}
                for number in range(30)
            ],
        },
    }


def _template(obj: dict[str, Any]) -> str:
    """The JSON of an object as a %-format of `number`, `node` and `namespace`."""
    text = json.dumps(obj, separators=(",", ":")).replace("%", "%%")
    return text.replace("@NUMBER@", "%(number)012d").replace("@NODE@", "%(node)d").replace("@NAMESPACE@", "%(team)d")


class BigCluster:
    """`pods` pods on `nodes` nodes, pod number n on node n modulo `nodes`."""

    def __init__(self, *, pods: int, nodes: int) -> None:
        self.pods, self.nodes = range(pods), range(nodes)
        self._pod, self._node = _template(_pod()), _template(_node()).replace("node-%(number)012d", "node-%(number)d")

    def pod(self, number: int) -> str:
        """The JSON of one pod."""
        return self._pod % {"number": number, "node": number % len(self.nodes), "team": number % NAMESPACES}

    def node(self, number: int) -> str:
        """The JSON of one node."""
        return self._node % {"number": number}

    def pods_selected(self, query: Any) -> range:
        """The numbers of the pods that a query's selectors take. No pod has the label of a run."""
        if "labelSelector" in query:
            return range(0)
        on_node = _NODE_NAME.search(query.get("fieldSelector", ""))
        if on_node:
            return self.pods[int(on_node[1].removeprefix("node-")) :: len(self.nodes)]
        return self.pods


def _page(request: web.Request, numbers: range, one: Callable[[int], str]) -> web.Response:
    begin, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
    metadata: dict[str, Any] = {"resourceVersion": "1"}
    left = len(numbers) - begin - limit
    if left > 0:
        metadata["continue"] = str(begin + limit)
        if not {"labelSelector", "fieldSelector"} & set(request.query):
            metadata["remainingItemCount"] = left
    items = ",".join(map(one, numbers[begin : begin + limit]))
    body = f'{{"kind":"List","apiVersion":"v1","metadata":{json.dumps(metadata)},"items":[{items}]}}'.encode()
    headers = {"Content-Type": "application/json"}
    if len(body) >= _COMPRESSED_FROM_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=1), "gzip"
    return web.Response(body=body, headers=headers)


def application(cluster: BigCluster) -> web.Application:
    """The server's routes."""

    async def version(_request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.0-stub"})

    async def pods(request: web.Request) -> web.Response:
        return _page(request, cluster.pods_selected(request.query), cluster.pod)

    async def nodes(request: web.Request) -> web.Response:
        return _page(request, cluster.nodes, cluster.node)

    async def namespaces(request: web.Request) -> web.Response:
        return _page(request, range(NAMESPACES), lambda number: json.dumps({"metadata": {"name": f"team-{number}"}}))

    async def allowed(_request: web.Request) -> web.Response:
        return web.json_response({"status": {"allowed": True}}, status=201)

    app = web.Application()
    app.router.add_get("/version", version)
    app.router.add_get("/api/v1/pods", pods)
    app.router.add_get("/api/v1/nodes", nodes)
    app.router.add_get("/api/v1/namespaces", namespaces)
    app.router.add_post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", allowed)
    app.router.add_get("/{path:.*}", stub.no_such_path)
    return app


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.big_cluster", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pods", type=int)
    parser.add_argument("nodes", type=int)
    chosen = parser.parse_args()
    cluster = BigCluster(pods=chosen.pods, nodes=chosen.nodes)
    asyncio.run(stub.serve(chosen.folder, application(cluster)))


if __name__ == "__main__":
    main()
