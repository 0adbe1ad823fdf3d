# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of what runs on the real node. Pure texts: nothing is read or written here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .images import PAUSE_IMAGE
from .pki import Pki
from .settings import REAL_NODE_NAME, Settings

# Folders of the node's own mount namespace: short, because a socket's path has at most 107 characters, and empty again
# when the node has ended.
RUN = Path("/run/kubestress")
CONTAINERD_SOCKET = RUN / "containerd.sock"
CONTAINERD_STATE = RUN / "containerd"
ADDRESS_STATE = RUN / "addresses"

POD_CIDR = "10.246.0.0/16"
BRIDGE = "pods0"
WRAPPER = "kubestress-cni"

KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
PROXY_HEALTH_PORT = 10256
CONTAINERD_METRICS_PORT = 10238
DNS_HEALTH_PORT = 10254
CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True)
class NodeFiles:
    """Where the node keeps what is not in its own /run."""

    root: Path

    @property
    def scripts(self) -> Path:
        """Its first process and the ways in."""
        return self.root / "scripts"

    @property
    def ready(self) -> Path:
        """Made by the first process when the namespaces are ready."""
        return self.root / "ready"

    @property
    def containerd(self) -> Path:
        """Images, snapshots and containerd's other lasting data."""
        return self.root / "containerd"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root: volumes of pods."""
        return self.root / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """What containers print."""
        return self.root / "pod-logs"

    @property
    def cni_programs(self) -> Path:
        """The wrapper plug-in, with the machine's plug-ins linked beside it."""
        return self.root / "cni" / "bin"

    @property
    def cni_settings(self) -> Path:
        """What the wrapper reads at each call."""
        return self.root / "cni" / "settings"

    @property
    def cni_operations(self) -> Path:
        """What the wrapper writes at each call."""
        return self.root / "cni" / "operations.log"

    @property
    def cni_config(self) -> Path:
        """Names the plug-ins; the only file of its folder."""
        return self.root / "cni" / "net.d" / "10-kubestress.conflist"


def containerd_config(files: NodeFiles, *, address: str, snapshotter: str, oom_score: bool, apparmor: bool) -> str:
    """Containerd's configuration, in the format that 1.6 and everything newer reads.

    :param oom_score: whether the machine lets us protect processes from the memory killer; else sandboxes would fail.
    """
    return f"""\
version = 2
root = "{files.containerd}"
state = "{CONTAINERD_STATE}"
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[metrics]
  address = "{address}:{CONTAINERD_METRICS_PORT}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{files.root / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = {_toml(not oom_score)}
  disable_apparmor = {_toml(not apparmor)}
  netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{files.cni_programs}"
  conf_dir = "{files.cni_config.parent}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"
"""


def cni_config() -> str:
    """One bridge that is the pods' gateway. Without address translation: pods reach the cluster and nothing beyond."""
    plugin = {
        "type": WRAPPER,
        "bridge": BRIDGE,
        "isGateway": True,
        # A pod reaches itself by way of its own Service.
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(ADDRESS_STATE),
            "ranges": [[{"subnet": POD_CIDR}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return _json({"cniVersion": "1.0.0", "name": "kubestress", "plugins": [plugin]})


def cni_settings(settings: Settings) -> str:
    """What the wrapper reads."""
    return (
        f"delay_seconds={settings.real_node_cni_delay_ms / 1000:g}\n"
        f"fail_percent={settings.real_node_cni_fail_percent}\n"
    )


def kubelet_config(settings: Settings, files: NodeFiles, pki: Pki, *, cgroup: str) -> str:
    """The kubelet's configuration: who may ask is decided by the API server."""
    eviction = {
        "memory.available": "100Mi",
        # The disk is the machine's own, and no pod's fault.
        "nodefs.available": "1%",
        "imagefs.available": "1%",
    }
    if settings.real_node_eviction_pids:
        eviction["pid.available"] = settings.real_node_eviction_pids
    reserved = {"pid": str(settings.real_node_reserved_pids)} if settings.real_node_reserved_pids else {}
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki.ca_certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki.certificate_of("kubelet-server")),
            "tlsPrivateKeyFile": str(pki.key_of("kubelet-server")),
            "address": settings.address,
            "port": KUBELET_PORT,
            "healthzBindAddress": settings.address,
            "healthzPort": KUBELET_HEALTH_PORT,
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "makeIPTablesUtilChains": False,
            "maxPods": settings.real_node_max_pods,
            "podPidsLimit": settings.real_node_pod_pids_limit,
            "enforceNodeAllocatable": ["pods"],
            "systemReserved": reserved,
            "evictionHard": eviction,
            # Kubernetes' default of 5 minutes would outlast a demonstration.
            "evictionPressureTransitionPeriod": "30s",
            # An image that was collected could not be pulled again.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            # No other server than the cluster's own: names of elsewhere are not resolved, rather than slowly not.
            "resolvConf": "",
            "clusterDNS": [settings.address],
            "clusterDomain": CLUSTER_DOMAIN,
            "podLogsDir": str(files.pod_logs),
            "volumePluginDir": str(files.kubelet / "volume-plugins"),
            # Root may lack the capability to lower it.
            "oomScoreAdj": 0,
            "registerNode": True,
        }
    )


def proxy_config(settings: Settings, kubeconfig: Path) -> str:
    """kube-proxy's configuration; the limits on connections that belong to the whole machine are left alone."""
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "bindAddress": settings.address,
            "healthzBindAddress": f"{settings.address}:{PROXY_HEALTH_PORT}",
            "metricsBindAddress": "127.0.0.1:10249",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": POD_CIDR,
            "hostnameOverride": REAL_NODE_NAME,
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "oomScoreAdj": 0,
        }
    )


def dns_config(settings: Settings, kubeconfig: Path) -> str:
    """CoreDNS' configuration: Services and nothing else, at the cluster's own address.

    It waits but a second for an answer of the API server, whose first one is that it may not ask yet.
    """
    return f"""\
{CLUSTER_DOMAIN}:53 in-addr.arpa:53 {{
    bind {settings.address}
    errors
    health {settings.address}:{DNS_HEALTH_PORT}
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {kubeconfig}
        startup_timeout 1s
        ttl 5
    }}
}}
"""


def _json(document: dict[str, Any]) -> str:
    """JSON is YAML too, and quotes what has to be."""
    return json.dumps(document, indent=1) + "\n"


def _toml(value: bool) -> str:
    return "true" if value else "false"
