# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of the real node's programs, as text: nothing is read or written here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .images import PAUSE_IMAGE
from .pki import Pki
from .settings import REAL_NODE_NAME, Settings

# In the node's own mount namespace: the paths are short, because a socket's path has at most 107 characters, and the
# folders vanish with the node.
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
    """The node's files outside its own /run."""

    root: Path

    @property
    def scripts(self) -> Path:
        """Scripts of its first process, and to enter its namespaces."""
        return self.root / "scripts"

    @property
    def ready(self) -> Path:
        """Created by the first process when the namespaces are ready."""
        return self.root / "ready"

    @property
    def containerd(self) -> Path:
        """Containerd's persistent data: images, snapshots."""
        return self.root / "containerd"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root: volumes of pods."""
        return self.root / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """Logs of containers."""
        return self.root / "pod-logs"

    @property
    def cni_programs(self) -> Path:
        """The wrapper plug-in, and links to the machine's plug-ins."""
        return self.root / "cni" / "bin"

    @property
    def cni_settings(self) -> Path:
        """Read by the wrapper at each call."""
        return self.root / "cni" / "settings"

    @property
    def cni_operations(self) -> Path:
        """Written by the wrapper at each call."""
        return self.root / "cni" / "operations.log"

    @property
    def cni_config(self) -> Path:
        """The CNI configuration, the only file in its folder."""
        return self.root / "cni" / "net.d" / "10-kubestress.conflist"

    @property
    def registries(self) -> Path:
        """How registries are reached, a folder each; containerd looks at each pull."""
        return self.root / "registries"


def containerd_config(files: NodeFiles, *, address: str, snapshotter: str, oom_score: bool, apparmor: bool) -> str:
    """Containerd's configuration, in the format of version 1.6 and newer.

    :param oom_score: whether OOM scores may be lowered; otherwise sandboxes would fail to start.
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
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{files.registries}"
"""


def registry_hosts(settings: Settings, files: NodeFiles) -> dict[Path, str]:
    """The file of each registry without TLS. All others are asked with TLS only."""
    return {
        files.registries / host / "hosts.toml": (
            f'server = "http://{host}"\n[host."http://{host}"]\n  capabilities = ["pull", "resolve"]\n'
        )
        for host in settings.real_node_registries
    }


def cni_config() -> str:
    """One bridge, the pods' gateway. No address translation: pods reach the cluster and nothing else."""
    plugin = {
        "type": WRAPPER,
        "bridge": BRIDGE,
        "isGateway": True,
        # Lets a pod reach itself through its own Service.
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
    """The wrapper's settings."""
    return (
        f"delay_seconds={settings.real_node_cni_delay_ms / 1000:g}\n"
        f"fail_percent={settings.real_node_cni_fail_percent}\n"
    )


def kubelet_config(settings: Settings, files: NodeFiles, pki: Pki, *, cgroup: str) -> str:
    """The kubelet's configuration. The API server authorizes requests to it."""
    eviction = {
        "memory.available": "100Mi",
        # The disk is shared with the machine, so its usage is not caused by pods.
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
            # Kubernetes' default of 5 minutes is too long for a demonstration.
            "evictionPressureTransitionPeriod": "30s",
            # A deleted image could not be pulled again.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            # Only the cluster's own server, so that other names fail at once instead of slowly.
            "resolvConf": "",
            "clusterDNS": [settings.address],
            "clusterDomain": CLUSTER_DOMAIN,
            "podLogsDir": str(files.pod_logs),
            # Kubernetes' default of a minute is longer than many runs.
            "volumeStatsAggPeriod": "10s",
            "volumePluginDir": str(files.kubelet / "volume-plugins"),
            # Even root may lack the capability to lower it.
            "oomScoreAdj": 0,
            "registerNode": True,
        }
    )


def proxy_config(settings: Settings, kubeconfig: Path) -> str:
    """kube-proxy's configuration; it does not change the machine's limits on connections."""
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
    """CoreDNS' configuration: only Services, at the cluster's own address.

    It waits only a second for the API server, which refuses its first request, before permissions exist.
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
    """JSON is valid YAML."""
    return json.dumps(document, indent=1) + "\n"


def _toml(value: bool) -> str:
    return "true" if value else "false"
