"""Makes must-gathers from templates in the formats of real ones: the outage of record, and one in other forms."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import yaml

DAY = datetime(2025, 4, 19, tzinfo=UTC)
#: Operations by hour of the clock.
OUTAGE = {21: 722, 22: 1198, 23: 5505}
FIRST_BUILD = DAY.replace(hour=22, minute=9, second=44)
FIRST_FAILURE = DAY.replace(hour=23, minute=56, second=44)
BUILDS = 24
MULTUS = "namespaces/openshift-multus/pods/multus-{}/kube-multus/kube-multus/logs/{}.log"
OVNKUBE = (
    "namespaces/openshift-ovn-kubernetes/pods/ovnkube-node-{0}/ovnkube-controller/ovnkube-controller/logs/current.log"
)
FORK = "fork/exec /usr/bin/runc: resource temporarily unavailable"
RESULT = '"{\\"Interfaces\\":[{\\"Name\\":\\"ovn-k8s-mp0\\"}],\\"IPs\\":[{\\"Address\\":\\"10.128.2.7/23\\"}]}"'


def container(*parts: object) -> str:
    """A container id, the same for the same parts."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def pod_name(index: int) -> str:
    return f"payments-auth-1-{index}-s-1-build"


def multus(when: datetime, verb: str, stage: str, cid: str, *, pod: str = "web-0", error: str = "<nil>") -> str:
    """A line of multus-daemon (thick plug-in)."""
    line = (
        f"{when:%Y-%m-%dT%H:%M:%SZ} [verbose] {verb} {stage} CNI request "
        f'ContainerID:"{cid}" Netns:"/var/run/netns/{cid[:8]}" IfName:"eth0" '
        f'Args:"IgnoreUnknown=1;K8S_POD_NAMESPACE=integration;K8S_POD_NAME={pod};'
        f'K8S_POD_INFRA_CONTAINER_ID={cid};K8S_POD_UID=0f0c" Path:""'
    )
    return line + (f", result: {RESULT}, err: {error}" if stage == "finished" else "")


def ovnkube(when: datetime, verb: str, stage: str, cid: str, *, error: str = "<nil>") -> str:
    """A line of ovnkube-node: klog, which has no year and no zone."""
    where = f"[integration/web-0 {cid} network default NAD default]"
    line = f"I{when:%m%d %H:%M:%S}.123456    3512 cni.go:227] {where} {verb} {stage} CNI request {where}"
    return line + (f", result {RESULT}, err {error}" if stage == "finished" else "")


def journal(when: datetime, program: str, text: str, *, host: str = "worker-1") -> str:
    return f"{when:%b %d %H:%M:%S}.000123 {host} {program}[2563]: {text}"


def in_hour(start: datetime, count: int) -> Iterator[datetime]:
    """So many times, evenly over an hour, the first and the last second included."""
    for index in range(count):
        yield start + timedelta(seconds=round(index * 3599 / max(1, count - 1)))


def operations(hours: dict[int, int], day: datetime, *, source: str) -> Iterator[tuple[datetime, str, str, int]]:
    """(time, verb, container id, number): three ADD to two DEL."""
    for hour, count in hours.items():
        for number, when in enumerate(in_hour(day + timedelta(hours=hour), count)):
            yield when, "DEL" if number % 5 > 2 else "ADD", container(source, hour, number), number


def multus_lines(hours: dict[int, int]) -> list[str]:
    """Every third request has one line, every third two, every third two and a repeated one, an hour later."""
    lines = []
    for when, verb, cid, number in operations(hours, DAY, source="multus"):
        lines.append(multus(when, verb, "starting", cid))
        if number % 3:
            lines.append(multus(when + timedelta(seconds=1), verb, "finished", cid))
        if number % 3 == 2:
            lines.append(multus(when + timedelta(hours=1), verb, "starting", cid))
        lines.append(f"{when:%Y-%m-%dT%H:%M:%SZ} [debug] readiness indicator file is found, number {number}")
    return lines


def pod(name: str, created: datetime, seconds: int, *, namespace: str = "integration", fork: bool = False) -> dict:
    started, ended = created + timedelta(seconds=4), created + timedelta(seconds=seconds)
    terminated = {
        "exitCode": 75 if fork else 0,
        "reason": "Error" if fork else "Completed",
        "startedAt": stamp(started),
        "finishedAt": stamp(ended),
    }
    if fork:
        terminated["message"] = "fork failed: resource temporarily unavailable: phase compile, starting a sleeper\n"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "creationTimestamp": stamp(created),
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"f:phase": {}}}}],
            "name": name,
            "namespace": namespace,
            "uid": container("pod", name)[:32],
        },
        "spec": {"containers": [{"name": "build", "image": "ubi9", "env": []}], "nodeName": "worker-1"},
        "status": {
            "containerStatuses": [
                {"name": "build", "restartCount": 0, "ready": False, "state": {"terminated": terminated}}
            ],
            "phase": "Failed" if fork else "Succeeded",
            "startTime": stamp(created),
        },
    }


def event(
    name: str, when: datetime, reason: str, message: str, *, count: int = 1, last: datetime | None = None
) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "integration", "uid": container("event", name)[:32]},
        "involvedObject": {"kind": "Pod", "namespace": "integration", "name": pod_name(1)},
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": stamp(when),
        "lastTimestamp": stamp(last or when),
        "source": {"component": "kubelet", "host": "worker-1"},
        "type": "Warning",
    }


def stamp(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def listed(kind: str, items: Iterable[dict]) -> str:
    """A list as `oc adm inspect` writes it: its kind comes last."""
    return "---\n" + yaml.safe_dump({"apiVersion": "v1", "items": list(items), "kind": f"{kind}List"})


def kubelet_lines() -> list[str]:
    failure = f'"RunPodSandbox from runtime service failed" err="rpc error: code = Unknown desc = {FORK}"'
    lines = [
        journal(DAY + timedelta(hours=21, minutes=minute), "kubenswrapper", f'I0419 21:{minute:02}:00.1 1 a.go:1] "ok"')
        for minute in range(60)
    ]
    for number in range(7):
        when = FIRST_FAILURE + timedelta(seconds=3 * number)
        lines.append(journal(when, "kubenswrapper", f"E0419 {when:%H:%M:%S}.1  1 log.go:32] {failure}"))
        repeated = f'"Error syncing pod, skipping" err="failed to CreatePodSandbox: {FORK}" pod="integration/web-0"'
        lines.append(journal(when, "kubenswrapper", f"E0419 {when:%H:%M:%S}.2  1 pod_workers.go:1] {repeated}"))
    return lines


def outage_files() -> dict[str, bytes]:
    """The outage of record, by path."""
    lines = multus_lines(OUTAGE)
    half = len(lines) // 2
    ovn = [
        ovnkube(when, verb, stage, cid)
        for when, verb, cid, _number in operations({21: 300, 22: 500, 23: 2000}, DAY, source="ovn")
        for stage in ("starting", "finished")
    ]
    builds = [
        pod(pod_name(index), FIRST_BUILD + timedelta(seconds=70 * index), 300 + 20 * index) for index in range(BUILDS)
    ]
    builds.append(pod(pod_name(BUILDS), FIRST_FAILURE - timedelta(seconds=30), 90, fork=True))
    events = [
        event("a", FIRST_FAILURE + timedelta(seconds=5), "FailedCreatePodSandBox",
              f"Failed to create pod sandbox: rpc error: {FORK}", count=3, last=FIRST_FAILURE + timedelta(seconds=60)),
        event("b", FIRST_FAILURE + timedelta(seconds=50), "FailedCreatePodSandBox",
              "Failed to create pod sandbox: timed out waiting for annotations"),
        event("c", FIRST_FAILURE, "Pulled", "Container image is present"),
    ]  # fmt: skip
    eviction = (
        'I0419 23:50:00.1 1 helpers.go:8] "Eviction manager: observations" signal="pid.available" '
        'resourceName="pids" available="2768" capacity="32768" time="x"'
    )
    kubelet = [*kubelet_lines(), journal(DAY.replace(hour=23, minute=50), "kubenswrapper", eviction)]
    return {
        "version": b"openshift/must-gather\n4.16.3\n",
        "cluster-scoped-resources/core/nodes/worker-1.yaml": yaml.safe_dump(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1", "creationTimestamp": stamp(DAY)}}
        ).encode(),
        MULTUS.format("aaaaa", "previous"): text(lines[:half]),
        MULTUS.format("aaaaa", "current"): text(lines[half:]),
        OVNKUBE.format("bbbbb"): text(ovn),
        "nodes/worker-1/worker-1_logs_kubelet.gz": gzip.compress(text(kubelet)),
        "namespaces/integration/core/pods.yaml": listed("Pod", builds).encode(),
        f"namespaces/integration/pods/{pod_name(0)}/{pod_name(0)}.yaml": yaml.safe_dump(builds[0]).encode(),
        "namespaces/integration/core/events.yaml": listed("Event", events).encode(),
    }


#: The later gather: containerd and CRI-O, another zone, a year's end.
LATER = {22: 40, 23: 60, 24: 90}
LATER_DAY = datetime(2025, 12, 31, tzinfo=UTC)
LATER_FAILURE = LATER_DAY + timedelta(hours=24, minutes=5)


def later_files() -> dict[str, bytes]:
    """Another gather: other numbers and forms. Its last hour is on New Year's Day."""
    east = timezone(timedelta(hours=2))
    runtime = []
    for when, verb, cid, _number in operations(LATER, LATER_DAY, source="containerd"):
        said = (
            f'msg="RunPodSandbox for &PodSandboxMetadata{{Name:web-0,Uid:u,Namespace:n,Attempt:0,}} returns sandbox id '
            f'\\"{cid}\\""'
            if verb == "ADD"
            else f'msg="TearDown network for sandbox \\"{cid}\\" successfully"'
        )
        runtime.append(f'time="{when.astimezone(east).isoformat()}" level=info {said}')
    crio = []
    for when, verb, cid, _number in operations({22: 10, 24: 30}, LATER_DAY, source="crio"):
        said = (
            f"Ran pod sandbox {cid} with infra container: n/web-0/POD"
            if verb == "ADD"
            else f"Stopped pod sandbox: {cid}"
        )
        crio.append(journal(when, "crio", f'level=info msg="{said}" id=1', host="worker-2"))
    failed = f"failed to create pod network sandbox k8s_web-0_n_u_0({container('x')}): error adding pod n_web-0: {FORK}"
    crio.append(journal(LATER_FAILURE, "crio", f'level=error msg="{failed}"', host="worker-2"))
    node = [f"{int(when.timestamp())} {verb} {cid} {number % 7 and 1}" for when, verb, cid, number in operations(
        {23: 14}, LATER_DAY, source="node")]  # fmt: skip
    builds = [pod(pod_name(index), LATER_FAILURE - timedelta(hours=1, seconds=index), 60) for index in range(3)]
    root = "quay-io-openshift-release-dev-sha256-0123/"
    return {
        f"{root}cluster-scoped-resources/core/namespaces/default.yaml": b"apiVersion: v1\nkind: Namespace\n",
        f"{root}nodes/worker-2/containerd.log": text(runtime),
        f"{root}nodes/worker-2/crio.log.xz": lzma.compress(text(crio)),
        f"{root}nodes/real-0001/operations.log": text(node),
        f"{root}namespaces/integration/core/pods.json": json.dumps(
            {"kind": "PodList", "apiVersion": "v1", "items": builds}, indent=1
        ).encode(),
    }


def text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def archive(path: Path, files: dict[str, bytes], *, more: Callable[[tarfile.TarFile], None] | None = None) -> Path:
    """A tar, compressed as the name says; `more` adds members by hand."""
    mode = {".gz": "w:gz", ".xz": "w:xz"}.get(path.suffix, "w")
    quick = {"w": {}, "w:gz": {"compresslevel": 1}, "w:xz": {"preset": 0}}[mode]
    with tarfile.open(path, mode, **quick) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if more:
            more(tar)
    return path


def has_zstd() -> bool:
    """Whether this Python's library reads zstd."""
    return importlib.util.find_spec("compression") is not None
