# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real tier: the control plane in its own network namespace, and a node that runs real processes.

The part `node` is the first process of three new namespaces: network, mount and pid. The control plane is started in
the network namespace; containerd, kubelet and kube-proxy in all three. When `node` ends, the kernel kills every process
of the pid namespace, pods included, and then the mounts and the network disappear. Only the cgroup has to be removed.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import cgroups, node_config
from .errors import LocalClusterError
from .host import Host, file_system_of, has_apparmor, has_own_pid_max, may_lower_oom_score, search_path
from .images import image_set, write_archive
from .layout import Layout
from .network import Network
from .node_namespaces import NODE, SYSTEM_CGROUP, cgroup_name
from .nodes import LABEL
from .parts import Inside, Part
from .pki import Pki
from .settings import REAL_NODE_NAME, Settings
from .simulated import part_kubeconfig, simulated_tier

NODE_PARTS = (NODE, "coredns", "containerd", "kubelet", "kube-proxy")
LABEL_VALUE = "real"
SCRIPTS = ("init.sh", "enter.sh", "cgroup.sh")
PID_MAX = Path("/proc/sys/kernel/pid_max")
# The node's default share of the machine's processes, so that the machine stays usable.
SHARE_OF_PIDS = 0.75
IMPORT_SECONDS = 120


def network_of(settings: Settings) -> Network:
    """The network link into the cluster."""
    return Network(settings.key, settings.node_network)


class RealTier:
    """The parts of one cluster with a real node, and the steps around their start."""

    def __init__(self, settings: Settings, layout: Layout, pki: Pki, host: Host, programs: Mapping[str, Path]) -> None:
        self.settings = settings
        self.layout = layout
        self.pki = pki
        self.host = host
        self.programs = programs
        self.files = node_config.NodeFiles(layout.node)
        self.cgroup = cgroup_name(settings.key)

    def parts(self) -> list[Part]:
        """The parts in starting order."""
        control_plane = simulated_tier(self.settings, self.layout, self.pki, self.programs)
        inside = [dataclasses.replace(part, inside=Inside.NETWORK, after=(*part.after, NODE)) for part in control_plane]
        return [self._node(), *inside, self._dns(), self._containerd(), self._kubelet(), self._proxy()]

    def _node(self) -> Part:
        sources = self.settings.sources_dir / "node"
        scripts = {self.files.scripts / name: (sources / name).read_text() for name in SCRIPTS}
        # So that the kubelet reports the real limit; a new namespace does not have it.
        own_pid_max = self._max_processes() if has_own_pid_max() else 0
        # Otherwise hidden if they are in a folder that the node mounts for itself.
        visible = {self.layout.root, *(path.parent for path in self.programs.values())}
        return Part(
            name=NODE,
            command=(
                str(self.host.programs["unshare"]),
                *("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("sh", str(self.files.scripts / "init.sh")),
                *(str(self.files.ready), str(own_pid_max), f"{self.cgroup}/{SYSTEM_CGROUP}"),
                *(str(self.layout.logs), str(self.files.cni_operations)),
                *sorted(str(folder) for folder in visible),
            ),
            ready_file=self.files.ready,
            files=scripts,
            environment={"PATH": search_path()},
            forks=True,
            before=self._prepare,
            afterwards=network_of(self.settings).create,
        )

    def _containerd(self) -> Part:
        config = self.layout.config / "containerd.toml"
        text = node_config.containerd_config(
            self.files,
            address=self.settings.address,
            # Overlays cannot be stacked, and the disk of a container is one.
            snapshotter="native" if file_system_of(self.layout.root) == "overlay" else "overlayfs",
            oom_score=may_lower_oom_score(),
            apparmor=has_apparmor(),
        )
        wrapper = (self.settings.sources_dir / "node" / "cni-wrapper.sh").read_text()
        return Part(
            name="containerd",
            command=(str(self.host.programs["containerd"]), f"--config={config}", "--log-level=warn"),
            ready_url=f"http://{self.settings.address}:{node_config.CONTAINERD_METRICS_PORT}/v1/metrics",
            after=(NODE,),
            files={
                config: text,
                self.files.cni_config: node_config.cni_config(),
                self.files.cni_programs / node_config.WRAPPER: wrapper,
            },
            environment={"PATH": search_path()},
            inside=Inside.NODE,
            forks=True,
            before=self._link_plugins,
            afterwards=self._import_images,
        )

    def _dns(self) -> Part:
        """In the network namespace only, so that it survives what pods do to the node."""
        config = self.layout.config / "Corefile"
        return Part(
            name="coredns",
            command=(str(self.programs["coredns"]), f"-conf={config}"),
            ready_url=f"http://{self.settings.address}:{node_config.DNS_HEALTH_PORT}/health",
            after=("kube-apiserver",),
            files={config: node_config.dns_config(self.settings, part_kubeconfig(self.pki, "coredns"))},
            server=self.settings.endpoint,
            inside=Inside.NETWORK,
            replaceable=True,
        )

    def _kubelet(self) -> Part:
        settings = self.settings
        config = self.layout.config / "kubelet.yaml"
        return Part(
            name="kubelet",
            command=(
                str(self.programs["kubelet"]),
                f"--config={config}",
                f"--kubeconfig={part_kubeconfig(self.pki, 'kubelet')}",
                f"--root-dir={self.files.kubelet}",
                f"--cert-dir={self.files.kubelet / 'pki'}",
                f"--hostname-override={REAL_NODE_NAME}",
                f"--node-ip={settings.address}",
                f"--node-labels={LABEL}={LABEL_VALUE}",
                # Deprecated, but the only way to tell cAdvisor where containerd is, and to sample every second.
                f"--containerd={node_config.CONTAINERD_SOCKET}",
                "--housekeeping-interval=1s",
            ),
            ready_url=f"http://{settings.address}:{node_config.KUBELET_HEALTH_PORT}/healthz",
            after=("kube-apiserver", "containerd"),
            files={
                config: node_config.kubelet_config(settings, self.files, self.pki, cgroup=self.cgroup),
                self.files.cni_settings: node_config.cni_settings(settings),
                # Not containerd's, which reads them at each pull and need not be restarted.
                **node_config.registry_hosts(settings, self.files),
            },
            server=settings.endpoint,
            environment={"PATH": search_path()},
            inside=Inside.NODE,
            forks=True,
            replaceable=True,
            before=self._forget_registries,
        )

    def _proxy(self) -> Part:
        config = self.layout.config / "kube-proxy.yaml"
        return Part(
            name="kube-proxy",
            command=(str(self.programs["kube-proxy"]), f"--config={config}"),
            ready_url=f"http://{self.settings.address}:{node_config.PROXY_HEALTH_PORT}/healthz",
            after=("kube-apiserver", "kubelet"),
            files={config: node_config.proxy_config(self.settings, part_kubeconfig(self.pki, "kube-proxy"))},
            server=self.settings.endpoint,
            environment={"PATH": search_path()},
            inside=Inside.NODE,
            forks=True,
            replaceable=True,
        )

    # --- around the start

    def _prepare(self) -> None:
        """Prepare the first process: a free address range, and a cgroup with a limit that protects the machine."""
        network_of(self.settings).check_free()
        cgroups.create(self.cgroup, SYSTEM_CGROUP)
        cgroups.limit_processes(self.cgroup, self._max_processes())
        self.files.ready.unlink(missing_ok=True)
        # So that a node without pods shows an empty log rather than none.
        self.files.cni_operations.parent.mkdir(parents=True, exist_ok=True)
        self.files.cni_operations.touch()

    def _max_processes(self) -> int:
        """The limit on processes and threads of the whole node."""
        return self.settings.real_node_pid_max or int(int(PID_MAX.read_text()) * SHARE_OF_PIDS)

    def _link_plugins(self) -> None:
        """Link the machine's network plug-ins next to the wrapper: CNI looks for all of them in one folder."""
        (self.files.cni_programs / node_config.WRAPPER).chmod(0o700)
        for plugin in self.host.cni_folder.iterdir():
            link = self.files.cni_programs / plugin.name
            link.unlink(missing_ok=True)
            link.symlink_to(plugin)

    def _forget_registries(self) -> None:
        """Remove the files of registries that are not named any more."""
        for folder in self.files.registries.glob("*"):
            if folder.name not in self.settings.real_node_registries:
                shutil.rmtree(folder)

    def _import_images(self, pid: int) -> None:
        """Import the images of the roles' defaults into containerd."""
        known = self._ctr(pid, "images", "list", "--quiet").split()
        images = image_set(
            busybox=self.host.programs["busybox"],
            agnhost=self.programs["agnhost"],
            scripts=self.settings.sources_dir / "node",
        )
        for image in images:
            if image.name not in known:
                archive = self.files.root / "image.tar"
                write_archive(image, archive)
                self._ctr(pid, "images", "import", str(archive))
                archive.unlink()

    def _ctr(self, pid: int, *arguments: str) -> str:
        """Run containerd's client in the node's namespaces."""
        command = [
            *(str(self.host.programs["nsenter"]), f"--target={pid}", "--net", "--mount", "--pid", "--wd=/"),
            *(str(self.host.programs["ctr"]), f"--address={node_config.CONTAINERD_SOCKET}", "--namespace=k8s.io"),
            *arguments,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=IMPORT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise LocalClusterError(f"ctr {' '.join(arguments)} took longer than {IMPORT_SECONDS} s") from error
        if done.returncode != 0:
            raise LocalClusterError(f"ctr {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def describe_remains(settings: Settings) -> list[str]:
    """What is to be removed of a node besides its processes and files, in words."""
    name = cgroup_name(settings.key)
    return [f"remove the cgroup {name}"] if cgroups.existing(name) else []


def clean_up(settings: Settings) -> None:
    """Remove the cgroup and the network link, which outlive the node's processes."""
    cgroups.remove(cgroup_name(settings.key))
    network = network_of(settings)
    if network.supported():
        network.remove()


def describe_node(settings: Settings, layout: Layout) -> dict[str, str | int]:
    """Facts about the node, as the module returns them."""
    return {
        "name": REAL_NODE_NAME,
        "address": settings.address,
        "cni_operations": str(node_config.NodeFiles(layout.node).cni_operations),
        "cgroup": cgroup_name(settings.key),
    }
