# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes and snapshots: a CSI driver whose volumes are folders, and the usual controllers beside it.

The driver is `roles/local_cluster/files/go/csi`. With a real node it runs in the node's namespaces, where it mounts,
and registers itself with the kubelet. The controllers only need its socket, which is in the data folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from .layout import Layout
from .node_config import NodeFiles
from .node_namespaces import NODE
from .parts import Inside, Part
from .pki import Pki
from .settings import REAL_NODE_NAME, STORAGE_PORT, Settings, span
from .simulated import CLIENT_BURST, CLIENT_QPS, part_kubeconfig

DRIVER = "csi-hostpath"
# Each with its own flags; all of them have those of `_controller`.
CONTROLLERS: Mapping[str, tuple[str, ...]] = {
    "snapshot-controller": ("--worker-threads=50",),
    "csi-provisioner": ("--worker-threads=50",),
    # The same as the attach and detach controller has: it waits for none of the others.
    "csi-attacher": ("--worker-threads=50",),
    "csi-resizer": ("--workers=50", "--handle-volume-inuse-error=false"),
    "csi-snapshotter": ("--worker-threads=50",),
}
STORAGE_PARTS = (DRIVER, *CONTROLLERS)
# Their names as Linux knows them, of at most 15 characters.
CONTROLLER_COMMANDS = frozenset(name[:15] for name in CONTROLLERS)
# The only one that talks to the API server and not to the driver.
_WITHOUT_DRIVER = "snapshot-controller"
# The kubelet finds plug-ins by their sockets. Short, because a socket's path is limited; see MAX_REAL_DATA_DIR.
REGISTRATION_SOCKET = "hp.sock"
# A controller that loses its driver leaves a message where a container would have it, and that is then a file of this
# machine, if root runs it.
TERMINATION_LOG = Path("/dev/termination-log")
TERMINATION_MESSAGE = "Lost connection to CSI driver, exiting"


def storage_parts(
    settings: Settings, layout: Layout, pki: Pki, programs: Mapping[str, Path], *, prepare: Callable[[], object]
) -> list[Part]:
    """The parts, the driver first.

    :param prepare: called before the driver's start; creates what the controllers expect in the cluster.
    """
    driver = _driver(settings, layout, programs[DRIVER], prepare)
    ports = zip(CONTROLLERS, span(STORAGE_PORT, settings.storage_port).items(), strict=True)
    return [
        driver,
        *(
            _controller(name, settings, layout, pki, programs[name], dict([port]), driver.fingerprint)
            for name, port in ports
        ),
    ]


def _driver(settings: Settings, layout: Layout, program: Path, prepare: Callable[[], object]) -> Part:
    socket = layout.csi_socket

    def clear() -> None:
        # It shows that the driver is ready; an earlier one may have left it.
        socket.unlink(missing_ok=True)
        prepare()

    return Part(
        name=DRIVER,
        command=(
            str(program),
            f"-endpoint={socket}",
            f"-folder={layout.csi}",
            *(_node_flags(layout) if settings.real_node else ()),
        ),
        ready_file=socket,
        after=("kube-apiserver", *((NODE,) if settings.real_node else ())),
        inside=Inside.NODE if settings.real_node else None,
        forks=settings.real_node,
        # Its mounts and its files stay.
        replaceable=True,
        before=clear,
    )


def _node_flags(layout: Layout) -> tuple[str, ...]:
    registration = NodeFiles(layout.node).kubelet / "plugins_registry" / REGISTRATION_SOCKET
    return (f"-node-id={REAL_NODE_NAME}", f"-registration-socket={registration}")


def _controller(
    name: str, settings: Settings, layout: Layout, pki: Pki, program: Path, ports: Mapping[str, int], driver: str
) -> Part:
    endpoint = f"{settings.address}:{next(iter(ports.values()))}"
    return Part(
        name=name,
        command=(
            str(program),
            f"--kubeconfig={part_kubeconfig(pki, 'storage')}",
            *(() if name == _WITHOUT_DRIVER else (f"--csi-address={layout.csi_socket}",)),
            f"--http-endpoint={endpoint}",
            "--leader-election=false",
            # 5 a second by default, which would be what is measured.
            f"--kube-api-qps={CLIENT_QPS}",
            f"--kube-api-burst={CLIENT_BURST}",
            *CONTROLLERS[name],
        ),
        ready_url=f"http://{endpoint}/metrics",
        ports=ports,
        after=("kube-apiserver", DRIVER, *((NODE,) if settings.real_node else ())),
        # It ends when it loses the driver, so it is restarted with it.
        server=f"{settings.endpoint} {driver}",
        inside=Inside.NETWORK if settings.real_node else None,
        replaceable=True,
    )


def clean_up() -> None:
    """Remove what the controllers leave outside the data folder."""
    try:
        left = TERMINATION_LOG.read_text() == TERMINATION_MESSAGE and not os.path.ismount(TERMINATION_LOG)
    except (OSError, UnicodeDecodeError):
        # None, or none of theirs.
        return
    if left:
        TERMINATION_LOG.unlink()
