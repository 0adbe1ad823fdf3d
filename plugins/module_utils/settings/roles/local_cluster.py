# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role local_cluster: its variables and its entry points."""

from __future__ import annotations

from functools import partial

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting

#: The largest pid_max of a 64-bit Linux.
_MAX_PIDS = 4_194_304
#: Module option -> the port where nothing else is said and nothing stands in the way.
USUAL_PORTS = {
    "api_port": 26443,
    "etcd_client_port": 22379,
    "etcd_peer_port": 22380,
    "controller_manager_port": 20257,
    "scheduler_port": 20259,
    "kwok_port": 20247,
    "storage_port": 20270,
    "jobset_port": 20275,
    "kueue_port": 20277,
}
#: Module option -> how many ports begin at it, where that is not one: of storage one for each program that serves the
#: driver, of a controller one for its webhooks and one for its health checks.
PORT_COUNTS = {"storage_port": 5, "jobset_port": 2, "kueue_port": 2}
#: The cluster of this machine is there before a run and after it.
_setting = partial(Setting, of_run=False)


def _port(option: str, what: str) -> Setting:
    most = 65_536 - PORT_COUNTS.get(option, 1)
    meaning = (
        f"{what}\nIf unset, {USUAL_PORTS[option]} for the cluster in the default folder or with a real node, and for "
        "one in another C(local_cluster_data_dir) a free port, which that cluster keeps."
    )
    return _setting(f"local_cluster_{option}", "int", allowed=Range(1, most), meaning=meaning)


_SETTINGS = (
    _setting(
        "local_cluster_state",
        "str",
        "present",
        choices=("present", "absent", "built"),
        meaning=(
            "With C(present) the cluster runs, its nodes are Ready and pods can be created.\n"
            "With C(absent) no process and no file of it is left but C(local_cluster_cache_dir).\n"
            "With C(built) every program is found or built and nothing is started."
        ),
    ),
    _setting(
        "local_cluster_nodes",
        "int",
        10,
        # The published scalability limit of Kubernetes.
        allowed=Range(0, 5_000),
        meaning="Number of simulated nodes. A running cluster takes it over.",
    ),
    _setting(
        "local_cluster_pods_per_node",
        "int",
        500,
        # Far above what any kubelet carries.
        allowed=Range(1, 10_000),
        meaning="Pods that fit on a node. A running cluster takes it over.",
    ),
    _setting(
        "local_cluster_node_cpu",
        "str",
        "64",
        meaning="CPUs of a node, as a quantity. A running cluster takes it over.",
    ),
    _setting(
        "local_cluster_node_memory",
        "str",
        "256Gi",
        meaning="Memory of a node, as a quantity. A running cluster takes it over.",
    ),
    _setting(
        "local_cluster_node_pools",
        "list",
        [],
        elements="dict",
        options={
            "name": {
                "type": "str",
                "required": True,
                "description": ["Name of the pool, and the start of its nodes'."],
            },
            "count": {
                "type": "int",
                "description": ["Number of nodes; by default as many as a slice of the topology has, or one."],
            },
            "type": {"type": "str", "description": ["Type of the catalogue of accelerators, such as C(v5e)."]},
            "machine": {"type": "str", "description": ["Machine type; it may follow from the topology."]},
            "topology": {"type": "str", "description": ["Topology of the slice, such as C(4x4)."]},
            "labels": {"type": "dict", "description": ["Labels beside those of the type, or in their place."]},
            "taints": {
                "type": "list",
                "elements": "dict",
                "description": ["Taints beside those of the type: C(key), C(effect) and perhaps C(value)."],
            },
            "resources": {
                "type": "dict",
                "description": ["Quantities of a node, in the place of the usual ones or of any other resource."],
            },
        },
        meaning=(
            "Pools of further simulated nodes, such as nodes with accelerators. Labels, taints and chips follow from "
            "the type; every node has the label C(cloud.google.com/gke-nodepool) with the pool's name. A pool of a "
            "topology with several nodes is one slice.\n"
            "A running cluster takes them over."
        ),
    ),
    _port("api_port", "Port of the API server."),
    _port("etcd_client_port", "Port on which etcd serves the API server."),
    _port("etcd_peer_port", "Port on which etcd would talk to other members."),
    _port("controller_manager_port", "Port of the controller manager's health checks."),
    _port("scheduler_port", "Port of the scheduler's health checks."),
    _port("kwok_port", "Port of kwok's health checks."),
    _port(
        "storage_port",
        f"First of {PORT_COUNTS['storage_port']} ports of the health checks that C(local_cluster_storage) brings.",
    ),
    _port("jobset_port", "Port of the webhooks that C(local_cluster_jobset) brings; the next is of its health checks."),
    _port("kueue_port", "Port of the webhooks that C(local_cluster_kueue) brings; the next is of its health checks."),
    _setting(
        "local_cluster_data_dir",
        "str",
        "",
        meaning=(
            "Folder of the cluster's objects, keys, logs and kubeconfig. It is removed whole by "
            "C(local_cluster_state=absent).\n"
            "Empty means C(${XDG_STATE_HOME:-~/.local/state}/kubestress/local_cluster).\n"
            "With C(local_cluster_real_node) its path has at most 69 characters, because the kubelet's sockets lie "
            "below."
        ),
    ),
    _setting(
        "local_cluster_cache_dir",
        "str",
        "",
        meaning=(
            "Folder of built programs, shared by all clusters of this user.\n"
            "Empty means C(${KUBESTRESS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/kubestress})."
        ),
    ),
    _setting(
        "local_cluster_binaries_dir",
        "str",
        "",
        meaning=("Folder with programs to use before all others, of any version that runs.\nEmpty means none."),
    ),
    _setting(
        "local_cluster_kubectl",
        "bool",
        False,
        meaning="Have C(kubectl) as well; its path is returned in C(local_cluster_result.binaries).",
    ),
    _setting(
        "local_cluster_ready_timeout",
        "int",
        120,
        allowed=Range(1, 3_600),
        meaning="Seconds that each step of the start may take.",
    ),
    _setting(
        "local_cluster_build_timeout",
        "int",
        3600,
        allowed=Range(60, DAY_SECONDS),
        meaning="Seconds that the build of one upstream project may take.",
    ),
    _setting(
        "local_cluster_restart",
        "bool",
        False,
        meaning=(
            "Whether a running cluster may be restarted where the settings need it, such as other ports. Its objects "
            "stay.\n"
            "Otherwise the module fails then and says what differs."
        ),
    ),
    _setting(
        "local_cluster_storage",
        "bool",
        False,
        meaning=(
            "Whether the cluster provides volumes and snapshots: a CSI driver whose volumes are folders of this "
            "machine, the controllers for provisioning, attaching, expansion and snapshots, a default StorageClass and "
            "a default VolumeSnapshotClass, both named C(hostpath).\n"
            "On the real node volumes are mounted; pods of simulated nodes have them provisioned and attached only.\n"
            "A running cluster takes it over. Switched off, its programs are ended; objects and data stay.\n"
            "Its socket needs a C(local_cluster_data_dir) of at most 94 characters."
        ),
    ),
    _setting(
        "local_cluster_jobset",
        "bool",
        False,
        meaning=(
            "Whether the cluster has JobSets: their CustomResourceDefinition, and the controller with its webhooks.\n"
            "A running cluster takes it over. Switched off, the controller is ended and its webhooks are removed; "
            "JobSets stay."
        ),
    ),
    _setting(
        "local_cluster_kueue",
        "bool",
        False,
        meaning=(
            "Whether the cluster has Kueue, with its CustomResourceDefinitions and webhooks, which queues Jobs and "
            "JobSets with the label C(kueue.x-k8s.io/queue-name). Queues and quotas are the user's to create.\n"
            "A running cluster takes it over. Switched off, Kueue is ended and its webhooks are removed; queues stay."
        ),
    ),
    _setting(
        "local_cluster_real_node",
        "bool",
        False,
        meaning=(
            "Whether the cluster has a real node as well, C(real-0001), whose pods are real processes. It needs "
            "Linux and root; without them a warning says so and the cluster has simulated nodes only.\n"
            "Switched for a running cluster it needs C(local_cluster_restart=true)."
        ),
    ),
    _setting(
        "local_cluster_node_network",
        "str",
        "10.231.0.0/30",
        meaning=(
            "Range of four IPv4 addresses, of which this machine takes the second and the cluster with a real node "
            "the third."
        ),
    ),
    _setting(
        "local_cluster_real_node_max_pods",
        "int",
        110,
        # The pod network has 65,533 addresses; far more processes than that would be needed first.
        allowed=Range(1, 1_000),
        meaning="Pods that fit on the real node. A running cluster takes it over by a restart of its kubelet.",
    ),
    _setting(
        "local_cluster_real_node_pod_pids_limit",
        "int",
        -1,
        allowed=Range(2, _MAX_PIDS, special=-1, meaning="no limit of a pod's own"),
        meaning=(
            "Processes and threads that a pod may have, the kubelet's C(podPidsLimit). C(-1) leaves it to what the "
            "node has.\n"
            "A running cluster takes it over by a restart of its kubelet; pods that run keep what they were given."
        ),
    ),
    _setting(
        "local_cluster_real_node_reserved_pids",
        "int",
        0,
        allowed=Range(0, _MAX_PIDS),
        meaning="Process numbers kept from the pods, the kubelet's C(systemReserved). A running cluster takes it over.",
    ),
    _setting(
        "local_cluster_real_node_eviction_pids",
        "str",
        "",
        meaning=(
            "Process numbers still available below which the node reports PIDPressure and evicts pods, as a number "
            "or as a share such as C(10%). Empty means no such threshold. A running cluster takes it over."
        ),
    ),
    _setting(
        "local_cluster_real_node_pid_max",
        "int",
        0,
        # The node's own processes and threads at rest are about 100; below that it does not start.
        allowed=Range(500, _MAX_PIDS, special=0, meaning="three quarters of the machine's"),
        meaning=(
            "Processes and threads of the whole node, its runtime and kubelet included. It is a limit of the node's "
            "cgroup, and since Linux 6.14 also C(kernel.pid_max) of its own pid namespace.\n"
            "C(0) means three quarters of the machine's C(kernel.pid_max), so that the machine itself stays usable."
        ),
    ),
    _setting(
        "local_cluster_real_node_cni_delay_ms",
        "int",
        0,
        allowed=Range(0, 600_000),
        meaning="Milliseconds by which each start and end of a pod's network is delayed. Taken over live.",
    ),
    _setting(
        "local_cluster_real_node_cni_fail_percent",
        "int",
        0,
        allowed=Range(0, 100),
        meaning="How many of a hundred starts of a pod's network fail. Taken over live.",
    ),
    _setting(
        "local_cluster_real_node_registries",
        "list",
        [],
        elements="str",
        meaning=(
            "Registries without TLS that the real node may pull from, as C(HOST:PORT). Its network reaches this "
            "machine at the first address of C(local_cluster_node_network), such as C(10.231.0.1:5000), and nothing "
            "else. A running cluster takes it over."
        ),
    ),
)

ROLE = Role(
    "local_cluster",
    entries=(
        Entry(
            "main",
            "A real Kubernetes control plane with simulated nodes on this machine",
            (
                "Runs kube-apiserver, etcd, kube-controller-manager and kube-scheduler as ordinary processes on the "
                "loopback address, with nodes that kwok simulates.\n"
                "Simulated pods run nothing. What they show about processes and memory is no evidence.\n"
                "The module kubestress.core.local_cluster does the work; its result is in C(local_cluster_result)."
            ),
            settings=_SETTINGS,
        ),
    ),
    alone=True,
    reads=("accelerator_jobs_catalogue",),
)
