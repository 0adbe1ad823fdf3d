#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `node_pids_info`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_pids_info
short_description: Compare processes and threads of nodes and pods with their limits
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads from kubelets, through the API server's node proxy, how many processes and threads each pod and node has, and
    compares them with the pod's limit, the node's limit for all pods, the kernel's limit, and the eviction threshold.
  - Makes three requests per node - C(stats/summary), C(metrics/cadvisor) and C(configz) - without retries, and in all
    at most O(request_budget).
  - A figure that cannot be read is null, never zero, and its cause is reported. This applies to simulated nodes, to
    kubelets without a valid answer, and to users who may not get C(nodes/proxy).
  - Kubelets update these figures every 10 to 15 seconds by default.
extends_documentation_fragment:
  - kubestress.core.auth
options:
  nodes:
    description:
      - Names of nodes. The default is all nodes, or those of O(node_selector).
      - Names alone need no permission to list nodes.
    type: list
    elements: str
    default: []
  node_selector:
    description: Label selector of nodes in the syntax of kubectl. With O(nodes), both must match.
    type: str
    default: ""
  namespaces:
    description: Only pods of these namespaces are compared. A node's own figures count all pods.
    type: list
    elements: str
    default: []
  run_id:
    description:
      - Only pods of this run are compared, by the labels that M(kubestress.core.batch) sets. Kubelets do not report
        labels, so this lists pods. A node's own figures count all pods.
    type: str
    default: ""
  top:
    description: How many pods to return, 0 to 1000, those closest to their limit first.
    type: int
    default: 20
  request_budget:
    description:
      - Maximum number of requests to kubelets, 3 to 30000. If it is too small for all nodes, an even sample is read.
    type: int
    default: 300
  max_concurrent:
    description: Maximum number of concurrent requests, 1 to 100.
    type: int
    default: 5
  node_timeout:
    description: Timeout of one request to a kubelet in seconds, 0.1 to 120.
    type: float
    default: 10.0
attributes:
  check_mode:
    description: Only reads, so check mode makes no difference.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  async:
    description: Works with C(async).
    support: full
notes:
  - Needs C(get) and C(list) on C(nodes), and C(get) on C(nodes/proxy). On some versions of Kubernetes the
    latter also permits to read logs and run commands, so often only administrators have it.
seealso:
  - module: kubestress.core.preflight
  - module: kubestress.core.batch
"""

EXAMPLES = r"""
- name: Find the 20 pods closest to their limit
  kubestress.core.node_pids_info:
  register: pids

- name: Stop if a node has used most of what its kernel allows
  ansible.builtin.assert:
    that: item.limits.kernel.used_percent is none or item.limits.kernel.used_percent < 80
  loop: "{{ pids.nodes }}"
  loop_control:
    label: "{{ item.name }}"

- name: Read the build pods of one run on the workers of one pool
  kubestress.core.node_pids_info:
    run_id: nightly-7
    node_selector: node-role.kubernetes.io/worker=,pool=builds
    top: 100
"""

RETURN = r"""
nodes:
  description: The first 100 nodes, those with data first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
    simulated:
      description: Whether it is simulated and runs nothing; null if the Node may not be read.
      type: bool
    pid_pressure:
      description: Condition PIDPressure; null if unknown.
      type: bool
    pods:
      description: Number of pods that its kubelet reports.
      type: int
    processes:
      description: Processes of all its pods.
      type: int
    threads:
      description: Threads on the node, including those outside of pods.
      type: int
    pod_pids_limit:
      description: The kubelet's C(podPidsLimit); also null if it sets none.
      type: int
    limits:
      description: The limits shared by all pods of the node.
      type: dict
      contains:
        kernel:
          description:
            - The smaller of C(kernel.pid_max) and C(kernel.threads-max), which kubelets report as one figure, compared
              with all threads of the node.
          type: dict
          contains:
            limit:
              description: The limit in threads; null if there is none, or no data.
              type: int
            used:
              description: Threads that count against it.
              type: int
            free:
              description: How many more are possible. Negative if a limit was lowered below what is running.
              type: int
            used_percent:
              description: Used percentage of the limit.
              type: float
            source:
              description: Source of the limit.
              type: str
            cause:
              description: Why a figure is missing, V(no limit is set) included.
              type: str
        allocatable:
          description: The limit for all pods together, compared with their threads. Entries as in C(kernel).
          type: dict
        eviction:
          description:
            - The number of threads above which the kubelet reports PIDPressure and evicts pods, compared with all
              threads of the node. Entries as in C(kernel).
          type: dict
    causes:
      description: Why figures of this node are missing.
      type: list
      elements: str
  sample:
    - name: worker-1
      simulated: false
      pid_pressure: false
      pods: 31
      processes: 812
      threads: 2950
      pod_pids_limit: 4096
      limits:
        kernel:
          limit: 32768
          used: 2950
          free: 29818
          used_percent: 9.0
          source: "node.rlimit.maxpid: the smaller of kernel.pid_max and kernel.threads-max"
          cause: null
        allocatable:
          limit: 31768
          used: 2210
          free: 29558
          used_percent: 7.0
          source: pids.max of the cgroup of all pods
          cause: null
        eviction: {limit: null, used: 2950, free: null, used_percent: null, source: null, cause: no limit is set}
      causes: []
pods:
  description: The O(top) pods closest to their limit.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the pod.
      type: str
    name:
      description: Name of the pod.
      type: str
    uid:
      description: Uid of the pod.
      type: str
    node:
      description: Node that it runs on.
      type: str
    processes:
      description: Processes of its containers.
      type: int
    threads:
      description: Threads of its cgroup, including its sandbox. These are what the limit counts.
      type: int
    limit:
      description: Its own limit - the one in force in its cgroup, or else C(podPidsLimit).
      type: int
    used:
      description: The figure compared with the limit - its threads, or its processes if the threads are unknown.
      type: int
    used_percent:
      description: RV(pods[].used) in percent of RV(pods[].limit).
      type: float
    free:
      description: How many more threads it can start before it reaches a limit of the pod or of the node.
      type: int
    limited_by:
      description: Which limit that is, V(pod), V(allocatable) or V(kernel).
      type: str
    source:
      description: Source of the pod's limit.
      type: str
    cause:
      description: Why a figure is missing, V(no limit is set) included.
      type: str
  sample:
    - namespace: deploy-test-1
      name: build-auth-api-0-x7k2p
      uid: 0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11
      node: worker-1
      processes: 72
      threads: 73
      limit: 4096
      used: 73
      free: 4023
      used_percent: 1.8
      limited_by: pod
      source: pids.max of the pod's cgroup
      cause: null
nodes_total:
  description: Number of selected nodes.
  returned: success
  type: int
  sample: 12
nodes_with_data:
  description: Number of nodes whose kubelet reported its pods.
  returned: success
  type: int
  sample: 12
pods_total:
  description: Number of selected pods on the nodes with data; null if unknown.
  returned: success
  type: int
  sample: 240
pods_cause:
  description: Why no pods could be compared; null otherwise.
  returned: success
  type: str
  sample: null
tightest:
  description: The limit with the largest used share, over all nodes and pods; null if there is no data.
  returned: success
  type: dict
  sample: {node: worker-1, pod: null, name: kernel, limit: 32768, used: 2950, used_percent: 9.0}
no_data:
  description: Why figures are missing. Each cause has its number of nodes and one of them as an example.
  returned: success
  type: list
  elements: dict
  sample: [{cause: "summary: no answer within 10 s", nodes: 1, example: worker-7}]
requests:
  description: Number of requests sent to kubelets.
  returned: success
  type: int
  sample: 36
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS
from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import CLUSTER, check_libraries
from ..module_utils.node_pids.node_pids_info import run_module

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    "nodes": {"type": "list", "elements": "str", "default": []},
    "node_selector": {"type": "str", "default": ""},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "run_id": {"type": "str", "default": ""},
    "top": {"type": "int", "default": 20},
    "request_budget": {"type": "int", "default": 300},
    "max_concurrent": {"type": "int", "default": 5},
    "node_timeout": {"type": "float", "default": 10.0},
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(*CLUSTER)
        result = run_module(module.params)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
