# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated tier: etcd, API server, controller manager, scheduler, and kwok for the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .api import Api
from .layout import Layout
from .parts import Part
from .pki import ADMIN, Pki
from .settings import LOOPBACK, Settings

# Far above what a small machine reaches, so that the control plane is measured and not its clients' limits. Defaults:
# 20 requests per second for the controller manager and 50 for the scheduler.
CLIENT_QPS = 5000
CLIENT_BURST = 10000

#: Seconds between two looks of the controller manager at the nodes, where one is real. By default 5; a node that has
#: just become Ready may keep or even get the taint not-ready:NoExecute until the next one.
REAL_NODE_MONITOR_SECONDS = 1
# Workers per controller. With Kubernetes' defaults of 5 (10 for namespaces) hundreds of new objects would wait for a
# few round trips; the server's own queues still apply.
CONCURRENT_SYNCS = {
    "deployment": 20,
    "endpoint": 20,
    "gc": 40,
    "job": 20,
    "namespace": 50,
    "replicaset": 20,
    "resource-quota": 20,
    "service-endpoint": 20,
    "serviceaccount-token": 20,
    "statefulset": 20,
    "ttl-after-finished": 20,
}
# There is no cloud, and simulated nodes need no address ranges.
DISABLED_CONTROLLERS = ("node-ipam-controller", "node-route-controller", "service-lb-controller")

SERVICE_CIDR = "10.96.0.0/16"
# The service "kubernetes" gets the first address.
SERVICE_ADDRESS = "10.96.0.1"
POD_CIDR = "10.244.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
# etcd's default of 2 GiB fills up at about a million small objects with their history.
ETCD_QUOTA_BYTES = 8 * 1024**3
# A kubelet's lease lasts 40 s and is renewed every 10 s.
NODE_LEASE_SECONDS = 40
# Concurrent stages; kwok's default of 4 is too few for hundreds of pods that start in the same second.
KWOK_PARALLELISM = 16

NODE_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

NODE_ANNOTATION = "kwok.x-k8s.io/node"
NODE_ANNOTATION_VALUE = "fake"


def simulated_tier(settings: Settings, layout: Layout, pki: Pki, binaries: Mapping[str, Path]) -> list[Part]:
    """The parts of a control plane with simulated nodes, in the order in which they are started."""
    address = settings.address
    return [
        _etcd(settings, layout, binaries["etcd"], address),
        _api_server(settings, pki, binaries["kube-apiserver"], address),
        _controller_manager(settings, layout, pki, binaries["kube-controller-manager"], address),
        _scheduler(settings, layout, pki, binaries["kube-scheduler"], address),
        _kwok(settings, layout, pki, binaries["kwok"], address),
    ]


def part_kubeconfig(pki: Pki, name: str) -> Path:
    """The kubeconfig that a part uses."""
    return pki.folder / f"{name}.kubeconfig"


def scheduler_config(kubeconfig: Path) -> str:
    """The scheduler reads its request rate only from a file; it ignores the flags."""
    return f"""\
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: {kubeconfig}
  qps: {CLIENT_QPS}
  burst: {CLIENT_BURST}
leaderElection:
  leaderElect: false
"""


def kwok_config() -> str:
    """Options of kwok that have no flag."""
    return f"""\
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  podPlayStageParallelism: {KWOK_PARALLELISM}
  nodePlayStageParallelism: {KWOK_PARALLELISM}
  nodeLeaseParallelism: {KWOK_PARALLELISM}
"""


def _etcd(settings: Settings, layout: Layout, program: Path, address: str) -> Part:
    # On loopback for the API server only. If pods reach the cluster's address, only health is served there.
    client, peer = (f"http://{LOOPBACK}:{port}" for port in (settings.etcd_client_port, settings.etcd_peer_port))
    health = f"http://{address}:{settings.etcd_client_port}"
    return Part(
        name="etcd",
        command=(
            str(program),
            "--name=local",
            f"--data-dir={layout.etcd}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=local={peer}",
            *([] if health == client else [f"--listen-metrics-urls={health}"]),
            f"--quota-backend-bytes={ETCD_QUOTA_BYTES}",
            # After a crash of the machine the cluster is discarded; a crash of the process loses nothing.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
        ready_url=f"{health}/health",
        ports={"etcd_client_port": settings.etcd_client_port, "etcd_peer_port": settings.etcd_peer_port},
    )


def _api_server(settings: Settings, pki: Pki, program: Path, address: str) -> Part:
    return Part(
        name="kube-apiserver",
        command=(
            str(program),
            f"--etcd-servers=http://{LOOPBACK}:{settings.etcd_client_port}",
            f"--bind-address={address}",
            f"--advertise-address={address}",
            f"--secure-port={settings.api_port}",
            f"--tls-cert-file={pki.server_certificate}",
            f"--tls-private-key-file={pki.server_key}",
            f"--client-ca-file={pki.ca_certificate}",
            f"--token-auth-file={pki.tokens}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={pki.service_account_key}",
            f"--service-account-signing-key-file={pki.service_account_key}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            "--allow-privileged=true",
            *_for_node(settings, pki),
            # Limits on requests in flight keep their defaults: they are part of what is measured.
        ),
        ready_url=f"https://{address}:{settings.api_port}/readyz",
        ready_with_token=True,
        ports={"api_port": settings.api_port},
        after=("etcd",),
    )


def _for_node(settings: Settings, pki: Pki) -> list[str]:
    """Flags for a real kubelet, or without one."""
    if not settings.real_node:
        # A loopback address is not allowed in the Endpoints of the service "kubernetes".
        return ["--endpoint-reconciler-type=none"]
    return [
        f"--kubelet-certificate-authority={pki.ca_certificate}",
        f"--kubelet-client-certificate={pki.certificate_of('kubelet-client')}",
        f"--kubelet-client-key={pki.key_of('kubelet-client')}",
        "--kubelet-preferred-address-types=InternalIP",
        # Lets a kubelet change only its own node and pods.
        "--enable-admission-plugins=NodeRestriction",
    ]


def _controller_manager(settings: Settings, layout: Layout, pki: Pki, program: Path, address: str) -> Part:
    disabled = ",".join(f"-{name}" for name in DISABLED_CONTROLLERS)
    return Part(
        name="kube-controller-manager",
        command=(
            str(program),
            f"--kubeconfig={part_kubeconfig(pki, 'kube-controller-manager')}",
            f"--bind-address={address}",
            f"--secure-port={settings.controller_manager_port}",
            f"--tls-cert-file={pki.server_certificate}",
            f"--tls-private-key-file={pki.server_key}",
            f"--root-ca-file={pki.ca_certificate}",
            f"--service-account-private-key-file={pki.service_account_key}",
            # As usual installers do: each controller is a separate client.
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            *([f"--node-monitor-period={REAL_NODE_MONITOR_SECONDS}s"] if settings.real_node else []),
            f"--controllers=*,{disabled}",
            # The default is a system folder, which it would create.
            f"--flex-volume-plugin-dir={layout.root / 'flexvolume'}",
            f"--kube-api-qps={CLIENT_QPS}",
            f"--kube-api-burst={CLIENT_BURST}",
            *(f"--concurrent-{name}-syncs={count}" for name, count in CONCURRENT_SYNCS.items()),
        ),
        ready_url=f"https://{address}:{settings.controller_manager_port}/healthz",
        ports={"controller_manager_port": settings.controller_manager_port},
        after=("kube-apiserver",),
        server=settings.endpoint,
    )


def _scheduler(settings: Settings, layout: Layout, pki: Pki, program: Path, address: str) -> Part:
    config = layout.config / "kube-scheduler.yaml"
    return Part(
        name="kube-scheduler",
        command=(
            str(program),
            f"--config={config}",
            f"--bind-address={address}",
            f"--secure-port={settings.scheduler_port}",
            f"--tls-cert-file={pki.server_certificate}",
            f"--tls-private-key-file={pki.server_key}",
        ),
        ready_url=f"https://{address}:{settings.scheduler_port}/healthz",
        ports={"scheduler_port": settings.scheduler_port},
        after=("kube-apiserver",),
        files={config: scheduler_config(part_kubeconfig(pki, "kube-scheduler"))},
        server=settings.endpoint,
    )


def _kwok(settings: Settings, layout: Layout, pki: Pki, program: Path, address: str) -> Part:
    config = layout.config / "kwok.yaml"
    # Copies, so that the cluster does not depend on where the collection is installed.
    stages = {
        layout.stages / path.name: path.read_text() for path in sorted((settings.sources_dir / "stages").glob("*.yaml"))
    }
    return Part(
        name="kwok",
        command=(
            str(program),
            f"--kubeconfig={layout.pki / 'kwok.kubeconfig'}",
            f"--config={config}",
            *(f"--config={path}" for path in stages),
            # Not all nodes, because one may be real.
            f"--manage-nodes-with-annotation-selector={NODE_ANNOTATION}={NODE_ANNOTATION_VALUE}",
            f"--server-address={address}:{settings.kwok_port}",
            f"--cidr={POD_CIDR}",
            f"--node-lease-duration-seconds={NODE_LEASE_SECONDS}",
            # Otherwise it logs every patch.
            "--v=WARN",
        ),
        ready_url=f"http://{address}:{settings.kwok_port}/healthz",
        ports={"kwok_port": settings.kwok_port},
        after=("kube-apiserver",),
        files={config: kwok_config(), **stages},
        server=settings.endpoint,
        replaceable=True,
        before=lambda: _free_nodes(settings, pki),
    )


def _free_nodes(settings: Settings, pki: Pki) -> None:
    """Delete the leases of an earlier kwok, because a new one has another name and would wait until they expire."""
    Api(settings.endpoint, ca=pki.ca_certificate, token=pki.token(ADMIN)).delete(NODE_LEASES)
