#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: local_cluster
short_description: Run a Kubernetes control plane with simulated nodes on this machine
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Runs a real C(kube-apiserver), C(etcd), C(kube-controller-manager) and C(kube-scheduler) as ordinary processes that
    listen on the loopback address only, with nodes that C(kwok) simulates. No container engine and no root are needed.
  - Programs that the machine already has are used first, in the order O(binaries_dir), the folder in the environment
    variable E(KUBEBUILDER_ASSETS), E(PATH), O(cache_dir). Missing ones are built from pinned Go modules, once for
    all clusters. From E(KUBEBUILDER_ASSETS) and E(PATH) only the pinned minor version is used.
  - Simulated pods run nothing, so they show nothing about processes and memory.
  - The processes keep running after the module has ended. A kubeconfig is written to O(data_dir); the user's own is not
    changed.
attributes:
  check_mode:
    description: Reports what would be built, started, changed and removed, and writes nothing.
    support: full
  diff_mode:
    description: The module returns no diff; see RV(changes).
    support: none
  async:
    description: Works with C(async).
    support: full
requirements:
  - cryptography, which ansible-core itself needs
  - for a build, a Go compiler of at least 1.26, or access to PyPI to fetch one, and access to a Go module proxy
options:
  state:
    description:
      - With V(present) the cluster runs, its nodes are Ready and pods can be created.
      - With V(absent) all its processes and files are removed, except O(cache_dir).
      - With V(built) every program is found or built, and nothing is started.
    type: str
    choices: [present, absent, built]
    default: present
  nodes:
    description:
      - Number of simulated nodes. Applied to a running cluster.
      - Must be 0 to 5,000.
    type: int
    default: 10
  pods_per_node:
    description:
      - Pods that fit on a node. Applied to a running cluster.
      - Must be 1 to 10,000.
    type: int
    default: 500
  node_cpu:
    description: CPUs of a node, as a quantity. Applied to a running cluster.
    type: str
    default: "64"
  node_memory:
    description: Memory of a node, as a quantity. Applied to a running cluster.
    type: str
    default: 256Gi
  accelerators:
    description: Types of accelerators of your own for O(node_pools), in the form of C(accelerator_jobs_catalogue).
    type: dict
  node_pools:
    description:
      - Pools of further simulated nodes with machine types, labels, taints and extended resources, such as
        accelerators. Applied to a running cluster.
      - Every node has the label C(cloud.google.com/gke-nodepool) with the name of its pool.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the pool; its nodes are called C(NAME-0001) and so on.
        type: str
        required: true
      count:
        description:
          - Number of nodes. If left out, as many as a slice of O(node_pools[].topology) has, or one.
          - A pool of a topology with several nodes is one slice and cannot have another number.
        type: int
      type:
        description:
          - Type of the catalogue of accelerators, such as V(v5e) or V(nvidia-h100-80gb). The nodes' labels, taints and
            chips follow from it. Without it they have none but those given here.
        type: str
      machine:
        description: Machine type, the label C(node.kubernetes.io/instance-type). It may follow from the topology.
        type: str
      topology:
        description: Topology of the slice, such as V(4x4), where the type has one.
        type: str
      labels:
        description: Labels of the nodes, beside those of the type or in their place.
        type: dict
      taints:
        description: Taints of the nodes beside those of the type, each with C(key), C(effect) and perhaps C(value).
        type: list
        elements: dict
      resources:
        description:
          - Quantities of resources of a node, in the place of O(node_cpu), O(node_memory), O(pods_per_node) (C(cpu),
            C(memory), C(pods)) and of the type's chips, or extended resources of any name.
        type: dict
  api_port:
    description:
      - Port of the API server.
      - The default is 26443 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder a free port, which that cluster keeps.
    type: int
  etcd_client_port:
    description:
      - Port on which etcd serves the API server.
      - The default is 22379 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder a free port, which that cluster keeps.
    type: int
  etcd_peer_port:
    description:
      - Port on which etcd would talk to other members.
      - The default is 22380 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder a free port, which that cluster keeps.
    type: int
  controller_manager_port:
    description:
      - Port of the controller manager's health checks.
      - The default is 20257 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder a free port, which that cluster keeps.
    type: int
  scheduler_port:
    description:
      - Port of the scheduler's health checks.
      - The default is 20259 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder a free port, which that cluster keeps.
    type: int
  kwok_port:
    description:
      - Port of kwok's health checks.
      - The default is 20247 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder a free port, which that cluster keeps.
    type: int
  storage_port:
    description:
      - First of five ports of the health checks that O(storage) brings.
      - The default is 20270 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder the first of five free ports, which that cluster keeps.
    type: int
  jobset_port:
    description:
      - Port of the webhooks that O(jobset) brings. The next one is of its health checks.
      - The default is 20275 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder the first of two free ports, which that cluster keeps.
    type: int
  kueue_port:
    description:
      - Port of the webhooks that O(kueue) brings. The next one is of its health checks.
      - The default is 20277 for the cluster in the default O(data_dir) or with O(real_node), and for one in another
        folder the first of two free ports, which that cluster keeps.
    type: int
  data_dir:
    description:
      - Folder of the cluster's objects, keys, logs and kubeconfig. O(state=absent) removes it with its content.
      - The default is C(${XDG_STATE_HOME:-~/.local/state}/kubestress/local_cluster).
      - With O(real_node) its path has at most 69 characters, because it contains the kubelet's sockets.
    type: path
  cache_dir:
    description:
      - Folder of built programs, shared by all clusters of this user.
      - The default is C(${KUBESTRESS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/kubestress}).
    type: path
  binaries_dir:
    description: Folder with programs that are preferred to all others, of any version.
    type: path
  kubectl:
    description: Also provide C(kubectl); its path is returned in RV(binaries).
    type: bool
    default: false
  ready_timeout:
    description:
      - Timeout of each step of the start in seconds.
      - Must be 1 to 3,600.
    type: int
    default: 120
  build_timeout:
    description:
      - Timeout for the build of one upstream project in seconds.
      - Must be 60 to 86,400.
    type: int
    default: 3600
  restart:
    description:
      - Whether a running cluster may be restarted if changed settings, such as ports, require it. Its objects are kept.
      - Otherwise the module fails and reports the difference.
    type: bool
    default: false
  sources_dir:
    description:
      - Folder with the pinned Go modules and the Stages of simulated pods, on the machine where the module runs.
      - The default is C(files) of this collection's role P(kubestress.core.local_cluster#role), which needs
        C(connection=local).
    type: path
  storage:
    description:
      - Whether the cluster provides volumes and snapshots. It then has a CSI driver whose volumes are folders in
        O(data_dir), the usual controllers that provision, attach, expand and take snapshots, and a default StorageClass
        and VolumeSnapshotClass, both named C(hostpath).
      - On the real node volumes are mounted. For pods of simulated nodes they are provisioned and attached only.
      - Applied to a running cluster; with O(real_node), O(restart=true) is needed. With V(false) the programs are
        ended, and objects and data stay.
      - The path of O(data_dir) has at most 94 characters, because it contains the driver's socket.
    type: bool
    default: false
  jobset:
    description:
      - Whether the cluster has JobSets, with their CustomResourceDefinition and their controller, whose webhooks the
        API server calls.
      - Applied to a running cluster. With V(false) the controller is ended and its webhooks are removed, and JobSets
        stay.
    type: bool
    default: false
  kueue:
    description:
      - Whether the cluster has Kueue, which queues Jobs and JobSets with the label C(kueue.x-k8s.io/queue-name).
        ResourceFlavors, ClusterQueues and LocalQueues are the user's to create.
      - Applied to a running cluster. With V(false) Kueue is ended and its webhooks are removed, and queues stay.
    type: bool
    default: false
  real_node:
    description:
      - Whether the cluster also has a real node, C(real-0001), with containerd and a kubelet, whose pods are real
        processes. The whole cluster then runs in its own network namespace.
      - It needs Linux and root. Without them the module warns and the cluster has simulated nodes only.
      - It needs programs of these Debian packages - containerd, runc, containernetworking-plugins, busybox-static,
        nftables, conntrack and iproute2.
      - The simulated nodes then have the taint C(kubestress.core/simulated=true:NoSchedule).
      - To change it for a running cluster, O(restart=true) is needed.
    type: bool
    default: false
  node_network:
    description:
      - Range of four IPv4 addresses. This machine uses the second, and a cluster with a real node the third.
    type: str
    default: 10.231.0.0/30
  real_node_max_pods:
    description:
      - Pods that fit on the real node. Applied to a running cluster by restarting its kubelet.
      - Must be 1 to 1,000.
    type: int
    default: 110
  real_node_pod_pids_limit:
    description:
      - Processes and threads that a pod may have, the kubelet's C(podPidsLimit). V(-1) sets no limit per pod.
      - Applied to a running cluster by restarting its kubelet; running pods keep their limit.
      - Must be 2 to 4,194,304, or -1 for no limit of a pod's own.
    type: int
    default: -1
  real_node_reserved_pids:
    description:
      - Process numbers that pods cannot use, the kubelet's C(systemReserved). Applied to a running cluster.
      - Must be 0 to 4,194,304.
    type: int
    default: 0
  real_node_eviction_pids:
    description:
      - If fewer process numbers are available, the node reports PIDPressure and evicts pods. A number, or a percentage
        such as V(10%). This is the kubelet's C(evictionHard) for C(pid.available). Empty means no threshold.
      - Applied to a running cluster.
    type: str
    default: ""
  real_node_pid_max:
    description:
      - Limit on processes and threads of the whole node, including its runtime and kubelet. It is set
        on the node's cgroup, and since Linux 6.14 also as C(kernel.pid_max) of its pid namespace, which the kubelet
        reports.
      - V(0) means three quarters of the machine's C(kernel.pid_max), so that the machine itself stays usable.
      - Must be 500 to 4,194,304, or 0 for three quarters of the machine's.
    type: int
    default: 0
  real_node_cni_delay_ms:
    description:
      - Delay of each start and end of a pod's network in milliseconds. Applied to a running cluster.
      - Must be 0 to 600,000.
    type: int
    default: 0
  real_node_cni_fail_percent:
    description:
      - Percentage of starts of a pod's network that fail. Applied to a running cluster.
      - Must be 0 to 100.
    type: int
    default: 0
  real_node_registries:
    description:
      - Registries without TLS that the real node may pull from, as V(HOST:PORT). Its network reaches this machine at
        the first address of O(node_network), such as V(10.231.0.1:5000), and nothing else.
      - Applied to a running cluster.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Start a control plane with ten nodes
  kubestress.core.local_cluster:
  register: cluster

- name: Use it
  kubernetes.core.k8s_info:
    kubeconfig: "{{ cluster.kubeconfig }}"
    kind: Node

- name: Change to more and smaller nodes while it runs
  kubestress.core.local_cluster:
    nodes: 50
    pods_per_node: 110

- name: A slice of four TPU nodes, and two nodes with eight GPUs each
  kubestress.core.local_cluster:
    node_pools:
      - name: v5e-4x4
        type: v5e
        topology: 4x4
      - name: h100
        type: nvidia-h100-80gb
        machine: a3-highgpu-8g
        count: 2

- name: Start a second cluster
  kubestress.core.local_cluster:
    data_dir: /var/tmp/second-cluster

- name: Start a cluster with a real node (as root)
  kubestress.core.local_cluster:
    real_node: true
    nodes: 0

- name: Start a cluster with volumes and snapshots
  kubestress.core.local_cluster:
    storage: true

- name: Start a cluster that runs and queues JobSets
  kubestress.core.local_cluster:
    jobset: true
    kueue: true

- name: Stop it and remove its files
  kubestress.core.local_cluster:
    state: absent
"""

RETURN = r"""
kubeconfig:
  description: Path of the administrator's kubeconfig.
  returned: O(state=present)
  type: str
  sample: /home/user/.local/state/kubestress/local_cluster/kubeconfig
endpoint:
  description: URL of the API server.
  returned: O(state=present), not in check mode
  type: str
  sample: https://127.0.0.1:26443
nodes:
  description: Number of simulated nodes that belong to no pool.
  returned: O(state=present), not in check mode
  type: int
  sample: 10
node_pools:
  description: Number of simulated nodes of each pool, by its name.
  returned: O(state=present), not in check mode
  type: dict
  sample: {"h100": 2, "v5e-4x4": 4}
parts:
  description: For each process its pid, its ports by option name, and the path of its log.
  returned: O(state=present), not in check mode
  type: dict
  sample: {"etcd": {"log": "/tmp/c/logs/etcd.log", "pid": 4711, "ports": {"etcd_client_port": 22379}}}
binaries:
  description: For each program its path, its version, and where it was found.
  returned: O(state=present) and O(state=built), not in check mode
  type: dict
  sample: {"kwok": {"path": "/usr/bin/kwok", "source": "PATH", "version": "0.8.0"}}
real_node:
  description:
    - The real node's name, address and cgroup, and the file with a line for each start and end of a pod's network
      (seconds since 1970, C(ADD) or C(DEL), sandbox, exit code). Empty if there is none.
  returned: O(state=present), not in check mode
  type: dict
  sample: {"address": "10.231.0.2", "cgroup": "kubestress-0a1b", "cni_operations": "/c/node/o.log", "name": "real-0001"}
changes:
  description: What was done, or in check mode would be done, one phrase each.
  returned: always
  type: list
  elements: str
  sample: ["start etcd, kube-apiserver", "create 10 nodes"]
seconds:
  description: Time until the cluster was ready.
  returned: O(state=present), not in check mode
  type: float
  sample: 8.4
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.libraries import CRYPTOGRAPHY, MissingLibrary
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.certificates import (
    CRYPTOGRAPHY_IMPORT_ERROR,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.cluster import LocalCluster
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import LocalClusterError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import Settings
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.local_cluster import ROLE as LOCAL_CLUSTER

PREFIX = "local_cluster_"
ARGUMENT_SPEC = {
    **{setting.name.removeprefix(PREFIX): setting.argument_spec() for setting in LOCAL_CLUSTER.settings},
    # Empty in the role, left out here.
    "accelerators": {"type": "dict"},
    "data_dir": {"type": "path"},
    "cache_dir": {"type": "path"},
    "binaries_dir": {"type": "path"},
    "sources_dir": {"type": "path"},
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        if CRYPTOGRAPHY_IMPORT_ERROR and module.params["state"] == "present":
            raise MissingLibrary([CRYPTOGRAPHY], CRYPTOGRAPHY_IMPORT_ERROR)
        cluster = LocalCluster(Settings.from_params(module.params), check_mode=module.check_mode)
        report = getattr(cluster, module.params["state"])()
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    except (LocalClusterError, OSError, TimeoutError) as error:
        module.fail_json(msg=f"local_cluster: {error}")
    for warning in report.warnings:
        module.warn(warning)
    module.exit_json(changed=report.changed, changes=report.changes, **report.details)


if __name__ == "__main__":
    main()
