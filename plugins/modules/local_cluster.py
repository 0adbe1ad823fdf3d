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
    variable E(KUBEBUILDER_ASSETS), E(PATH), O(cache_dir). What is missing is built from pinned Go modules, once for all
    checkouts. From E(KUBEBUILDER_ASSETS) and E(PATH) only the pinned minor version is taken.
  - Simulated pods run nothing. What they show about processes and memory is no evidence.
  - The processes stay when the module ends. A kubeconfig is written into O(data_dir); the user's own is not touched.
attributes:
  check_mode:
    description: Can run in check mode, tells what would be built, started, changed and removed, and writes nothing.
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
      - With V(absent) no process and no file of it is left but O(cache_dir).
      - With V(built) every program is found or built and nothing is started.
    type: str
    choices: [present, absent, built]
    default: present
  nodes:
    description: Number of simulated nodes, 0 to 5000. A running cluster takes it over.
    type: int
    default: 10
  pods_per_node:
    description: Pods that fit on a node, 1 to 10000. A running cluster takes it over.
    type: int
    default: 500
  node_cpu:
    description: CPUs of a node, as a quantity. A running cluster takes it over.
    type: str
    default: "64"
  node_memory:
    description: Memory of a node, as a quantity. A running cluster takes it over.
    type: str
    default: 256Gi
  api_port:
    description: Port of the API server.
    type: int
    default: 26443
  etcd_client_port:
    description: Port on which etcd serves the API server.
    type: int
    default: 22379
  etcd_peer_port:
    description: Port on which etcd would talk to other members.
    type: int
    default: 22380
  controller_manager_port:
    description: Port of the controller manager's health checks.
    type: int
    default: 20257
  scheduler_port:
    description: Port of the scheduler's health checks.
    type: int
    default: 20259
  kwok_port:
    description: Port of kwok's health checks.
    type: int
    default: 20247
  data_dir:
    description:
      - Folder of the cluster's objects, keys, logs and kubeconfig. It is removed whole by O(state=absent).
      - The default is C(${XDG_STATE_HOME:-~/.local/state}/kubestress/local_cluster).
      - With O(real_node) its path has at most 69 characters, because the kubelet's sockets lie below.
    type: path
  cache_dir:
    description:
      - Folder of built programs, shared by all clusters of this user.
      - The default is C(${KUBESTRESS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/kubestress}).
    type: path
  binaries_dir:
    description: Folder with programs to use before all others, of any version that runs.
    type: path
  kubectl:
    description: Have C(kubectl) as well; its path is returned in RV(binaries).
    type: bool
    default: false
  ready_timeout:
    description: Seconds that each step of the start may take, 1 to 3600.
    type: int
    default: 120
  build_timeout:
    description: Seconds that the build of one upstream project may take, 60 to 86400.
    type: int
    default: 3600
  restart:
    description:
      - Whether a running cluster may be restarted where the settings need it, such as other ports. Its objects stay.
      - Otherwise the module fails then and says what differs.
    type: bool
    default: false
  sources_dir:
    description:
      - Folder with the pinned Go modules and the Stages of simulated pods, on the machine where the module runs.
      - The default is C(files) of this collection's role P(kubestress.core.local_cluster#role), which needs
        C(connection=local).
    type: path
  real_node:
    description:
      - Whether the cluster has a real node as well, C(real-0001), with containerd and a kubelet, whose pods are real
        processes. The whole cluster then lives in a network namespace of its own.
      - It needs Linux and root. Without them the module warns and the cluster has simulated nodes only.
      - It needs programs that the machine has to bring. Debian's packages of them are containerd, runc,
        containernetworking-plugins, busybox-static, nftables, conntrack and iproute2.
      - Simulated nodes beside it get the taint C(kubestress.core/simulated=true:NoSchedule).
      - Switched for a running cluster it needs O(restart=true).
    type: bool
    default: false
  node_network:
    description:
      - Range of four IPv4 addresses, of which this machine takes the second and the cluster with a real node the third.
    type: str
    default: 10.231.0.0/30
  real_node_max_pods:
    description: Pods that fit on the real node, 1 to 1000. A running cluster takes it over by a restart of its kubelet.
    type: int
    default: 110
  real_node_pod_pids_limit:
    description:
      - Processes and threads that a pod may have, the kubelet's C(podPidsLimit). V(-1) leaves it to what the node has.
      - A running cluster takes it over by a restart of its kubelet; pods that run keep what they were given.
    type: int
    default: -1
  real_node_reserved_pids:
    description: Process numbers kept from the pods, the kubelet's C(systemReserved). A running cluster takes it over.
    type: int
    default: 0
  real_node_eviction_pids:
    description:
      - Process numbers still available below which the node reports PIDPressure and evicts pods, as a number or as a
        share such as V(10%). It is the kubelet's C(evictionHard) for C(pid.available). Empty means no such threshold.
      - A running cluster takes it over.
    type: str
    default: ""
  real_node_pid_max:
    description:
      - Processes and threads of the whole node, its runtime and kubelet included, 500 to 4194304. It is a limit of the
        node's cgroup, and since Linux 6.14 also C(kernel.pid_max) of its own pid namespace, which the kubelet reports.
      - V(0) means three quarters of the machine's C(kernel.pid_max), so that the machine itself stays usable.
    type: int
    default: 0
  real_node_cni_delay_ms:
    description: Milliseconds by which each start and end of a pod's network is delayed, 0 to 600000. Taken over live.
    type: int
    default: 0
  real_node_cni_fail_percent:
    description: How many of a hundred starts of a pod's network fail, 0 to 100. Taken over live.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Have a control plane with ten nodes
  kubestress.core.local_cluster:
  register: cluster

- name: Talk to it
  kubernetes.core.k8s_info:
    kubeconfig: "{{ cluster.kubeconfig }}"
    kind: Node

- name: More and smaller nodes, while it runs
  kubestress.core.local_cluster:
    nodes: 50
    pods_per_node: 110

- name: A second one beside it
  kubestress.core.local_cluster:
    data_dir: /var/tmp/second-cluster
    api_port: 36443
    etcd_client_port: 32379
    etcd_peer_port: 32380
    controller_manager_port: 30257
    scheduler_port: 30259
    kwok_port: 30247

- name: One with a real node, which runs processes (as root)
  kubestress.core.local_cluster:
    real_node: true
    nodes: 0

- name: End it and remove its files
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
  description: Number of simulated nodes.
  returned: O(state=present), not in check mode
  type: int
  sample: 10
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
  description: What was done, or in check mode would be, a phrase for each.
  returned: always
  type: list
  elements: str
  sample: ["start etcd, kube-apiserver", "create 10 nodes"]
seconds:
  description: How long it took until the cluster was ready.
  returned: O(state=present), not in check mode
  type: float
  sample: 8.4
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.certificates import (
    CRYPTOGRAPHY_IMPORT_ERROR,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.cluster import LocalCluster
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import LocalClusterError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import Settings

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent", "built"], "default": "present"},
    "nodes": {"type": "int", "default": 10},
    "pods_per_node": {"type": "int", "default": 500},
    "node_cpu": {"type": "str", "default": "64"},
    "node_memory": {"type": "str", "default": "256Gi"},
    "api_port": {"type": "int", "default": 26443},
    "etcd_client_port": {"type": "int", "default": 22379},
    "etcd_peer_port": {"type": "int", "default": 22380},
    "controller_manager_port": {"type": "int", "default": 20257},
    "scheduler_port": {"type": "int", "default": 20259},
    "kwok_port": {"type": "int", "default": 20247},
    "data_dir": {"type": "path"},
    "cache_dir": {"type": "path"},
    "binaries_dir": {"type": "path"},
    "kubectl": {"type": "bool", "default": False},
    "ready_timeout": {"type": "int", "default": 120},
    "build_timeout": {"type": "int", "default": 3600},
    "restart": {"type": "bool", "default": False},
    "sources_dir": {"type": "path"},
    "real_node": {"type": "bool", "default": False},
    "node_network": {"type": "str", "default": "10.231.0.0/30"},
    "real_node_max_pods": {"type": "int", "default": 110},
    "real_node_pod_pids_limit": {"type": "int", "default": -1},
    "real_node_reserved_pids": {"type": "int", "default": 0},
    "real_node_eviction_pids": {"type": "str", "default": ""},
    "real_node_pid_max": {"type": "int", "default": 0},
    "real_node_cni_delay_ms": {"type": "int", "default": 0},
    "real_node_cni_fail_percent": {"type": "int", "default": 0},
}


def main() -> None:
    """Read the options, let the cluster do the work, and turn its one family of errors into a failure."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if CRYPTOGRAPHY_IMPORT_ERROR and module.params["state"] == "present":
        module.fail_json(msg=missing_required_lib("cryptography"), exception=CRYPTOGRAPHY_IMPORT_ERROR)
    try:
        cluster = LocalCluster(Settings.from_params(module.params), check_mode=module.check_mode)
        report = getattr(cluster, module.params["state"])()
    except (LocalClusterError, OSError, TimeoutError) as error:
        module.fail_json(msg=f"local_cluster: {error}")
    for warning in report.warnings:
        module.warn(warning)
    module.exit_json(changed=report.changed, changes=report.changes, **report.details)


if __name__ == "__main__":
    main()
