#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `node_pids_info`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_pids_info
short_description: Processes and threads of nodes and pods against every limit that applies
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Asks kubelets, through the API server's node proxy, how many processes and threads live in each pod and on each
    node, and compares them with the pod's limit, with what the node has for all pods together, with the kernel's limit,
    and with the threshold of eviction.
  - Three requests a node - C(stats/summary), C(metrics/cadvisor) and C(configz) - each made once, and never more in all
    than O(request_budget).
  - What cannot be had is null, with its cause beside it, never zero. That is so for simulated nodes, for kubelets that
    do not answer or answer with something else, and for a user who may not get C(nodes/proxy).
  - Figures are as fresh as the kubelet's own, which counts every 10 to 15 seconds unless it is told otherwise.
extends_documentation_fragment:
  - kubestress.core.auth
options:
  nodes:
    description:
      - Names of nodes. Without it and O(node_selector) all nodes.
      - With names alone no permission to list nodes is needed.
    type: list
    elements: str
    default: []
  node_selector:
    description: Label selector of nodes, as kubectl takes it. With O(nodes), both must hold.
    type: str
    default: ""
  namespaces:
    description: Only pods of these namespaces are compared. A node's own figures count all pods.
    type: list
    elements: str
    default: []
  run_id:
    description:
      - Only pods of this run are compared, by the labels that M(kubestress.core.batch) gives. Kubelets know no labels,
        so pods are listed for it. A node's own figures count all pods.
    type: str
    default: ""
  top:
    description: How many pods to return, those nearest to their limit first. 0 to 1000.
    type: int
    default: 20
  request_budget:
    description:
      - Requests to kubelets at most, 3 to 30000. With more nodes than it is good for, an even sample of them is asked.
    type: int
    default: 300
  max_concurrent:
    description: Requests in flight at once, 1 to 100.
    type: int
    default: 5
  node_timeout:
    description: Seconds that one answer of a kubelet may take, 0.1 to 120.
    type: float
    default: 10.0
attributes:
  check_mode:
    description: Only reads, so it runs the same way.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  async:
    description: Works with C(async).
    support: full
notes:
  - Needs C(get) and C(list) on C(nodes), and C(get) on C(nodes/proxy). The latter also permits to read logs and run
    commands on some versions of Kubernetes, so it is often given to administrators only.
seealso:
  - module: kubestress.core.preflight
  - module: kubestress.core.batch
"""

EXAMPLES = r"""
- name: The 20 pods nearest to their limit, over all nodes
  kubestress.core.node_pids_info:
  register: pids

- name: Stop where a node has used most of what its kernel allows
  ansible.builtin.assert:
    that: item.limits.kernel.used_percent is none or item.limits.kernel.used_percent < 80
  loop: "{{ pids.nodes }}"
  loop_control:
    label: "{{ item.name }}"

- name: The build pods of one run, on the workers of one pool
  kubestress.core.node_pids_info:
    run_id: nightly-7
    node_selector: node-role.kubernetes.io/worker=,pool=builds
    top: 100
"""

RETURN = r"""
nodes:
  description: The first 100 nodes, those that gave figures first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
    simulated:
      description: Whether it is simulated and runs nothing; null where the Node may not be read.
      type: bool
    pid_pressure:
      description: Condition PIDPressure; null where it is unknown.
      type: bool
    pods:
      description: Pods that its kubelet knows.
      type: int
    processes:
      description: Processes of the pods' containers together.
      type: int
    threads:
      description: Threads that live on the node, those outside of pods included.
      type: int
    pod_pids_limit:
      description: The kubelet's C(podPidsLimit); null also where it sets none.
      type: int
    limits:
      description: The limits for all pods of the node together.
      type: dict
      contains:
        kernel:
          description:
            - The smaller of C(kernel.pid_max) and C(kernel.threads-max), which kubelets do not tell apart, against all
              threads of the node.
          type: dict
          contains:
            limit:
              description: The limit, in threads; null where there is none, or no data.
              type: int
            used:
              description: Threads that count against it.
              type: int
            free:
              description: How many more there may be. Below 0 where a limit was lowered under what runs.
              type: int
            used_percent:
              description: The share of the limit that is used.
              type: float
            source:
              description: Where the limit is from.
              type: str
            cause:
              description: Why a figure is missing, V(no limit is set) included.
              type: str
        allocatable:
          description: What all pods together may have, against the threads of all pods. Entries as in C(kernel).
          type: dict
        eviction:
          description:
            - The threads above which the kubelet reports PIDPressure and evicts, against all threads of the node.
              Entries as in C(kernel).
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
  description: The O(top) pods that are nearest to their limit.
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
      description: Threads of its cgroup, its sandbox included. That is what the limit counts.
      type: int
    limit:
      description: Its own limit - what its cgroup has in force, else C(podPidsLimit).
      type: int
    used:
      description: What is compared - its threads, or its processes where the threads are not known.
      type: int
    used_percent:
      description: RV(pods[].used) in percent of RV(pods[].limit).
      type: float
    free:
      description: How many more threads it can start before some limit stops it, be it the pod's or the node's.
      type: int
    limited_by:
      description: Which limit that is, V(pod), V(allocatable) or V(kernel).
      type: str
    source:
      description: Where the pod's limit is from.
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
  description: Number of nodes in question.
  returned: success
  type: int
  sample: 12
nodes_with_data:
  description: Number of those whose kubelet told of its pods.
  returned: success
  type: int
  sample: 12
pods_total:
  description: Number of pods in question on the nodes with data; null where that is not known.
  returned: success
  type: int
  sample: 240
pods_cause:
  description: Why there are no pods to compare; null where there can be.
  returned: success
  type: str
  sample: null
tightest:
  description: The limit of which the largest share is used, over all nodes and pods; null where there is no data.
  returned: success
  type: dict
  sample: {node: worker-1, pod: null, name: kernel, limit: 32768, used: 2950, used_percent: 9.0}
no_data:
  description: Why figures are missing, each cause once, with the number of nodes and one of them.
  returned: success
  type: list
  elements: dict
  sample: [{cause: "summary: no answer within 10 s", nodes: 1, example: worker-7}]
requests:
  description: Requests to kubelets that were made.
  returned: success
  type: int
  sample: 36
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS
from ..module_utils.errors import ModuleFailed
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
    """Ask; the one place where its errors become a module's failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run_module(module.params)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
