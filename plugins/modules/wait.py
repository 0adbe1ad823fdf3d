#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `wait`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wait
short_description: Wait for many Kubernetes objects at once, and report why some are not ready
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Watches objects by kind and label selector until all of them are ready, finished or gone. There is one list and
    watch per kind, however many objects there are.
  - Stops early if an object can never become ready - a failed Job, a Deployment past its progress deadline, pods with
    an invalid image name - and reports it with its cause, including the causes of its pods and events.
  - If no object is selected, the kind is not ready, unless its C(count) is V(0). A status of an older generation does
    not count. A succeeded pod and a complete Job are ready.
  - There are readiness rules for Namespace, Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController,
    Job, Service (a load balancer needs an address), PersistentVolumeClaim (bound, and as large as it asks for),
    PersistentVolume, VolumeAttachment, VolumeSnapshot, VolumeSnapshotContent, Node, PodDisruptionBudget,
    JobSet, Workload, LocalQueue, ClusterQueue (of Kueue),
    CustomResourceDefinition and APIService. Other Kubernetes kinds are ready when they exist. Kinds of other API
    groups are ready when their condition Ready, or else Available, is true; if they have no status (no subresource
    of that name), when they exist. M(kubestress.core.batch) has the same rules.
extends_documentation_fragment:
  - kubestress.core.auth
options:
  kinds:
    description: The kinds to wait for.
    type: list
    elements: dict
    required: true
    suboptions:
      api_version:
        description: API version.
        type: str
        required: true
      kind:
        description: Kind, as in a manifest.
        type: str
        required: true
      count:
        description: Minimum number of objects. Ignored with O(state=absent).
        type: int
        default: 1
  label_selector:
    description: Label selector in the syntax of kubectl. Either this or O(run_id) is required.
    type: str
    default: ""
  run_id:
    description: Selects the objects of this run, by the labels that M(kubestress.core.batch) sets.
    type: str
    default: ""
  namespaces:
    description: Only in these namespaces. Up to 20 are watched one by one, which needs no cluster-wide permission.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(ready) waits until every object is ready, V(absent) until none is left.
      - V(finished) waits until every Job or Pod has ended; those that failed are in RV(failed_objects).
    type: str
    choices: [ready, finished, absent]
    default: ready
  wait_timeout:
    description:
      - Maximum time to wait, in seconds, without outages that are sat out (O(outage_limit)). Objects that are not ready
        by then are reported with their cause.
    type: int
    default: 600
  outage_limit:
    description:
      - Seconds for which an outage of the API server is sat out, once it has answered. After a longer one the module
        fails.
      - Must be 0 to 86,400.
    type: float
    default: 300.0
  progress_file:
    description: File to which progress lines are appended; set by the action plug-in, which shows them.
    type: path
attributes:
  check_mode:
    description: Reports the current state; neither waits nor fails.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  async:
    description: Works with C(async); progress is then not shown.
    support: full
seealso:
  - module: kubestress.core.batch
  - module: kubestress.core.cleanup
"""

EXAMPLES = r"""
- name: Wait until the workloads of a run are ready
  kubestress.core.wait:
    run_id: nightly-7
    kinds:
      - {api_version: apps/v1, kind: Deployment, count: 30}
      - {api_version: apps/v1, kind: StatefulSet}

- name: Wait until all Jobs of a team have ended, for at most an hour
  kubestress.core.wait:
    label_selector: team=a,type in (build,test)
    namespaces: [team-a]
    kinds: [{api_version: batch/v1, kind: Job}]
    state: finished
    wait_timeout: 3600

- name: Wait until no claim is left
  kubestress.core.wait:
    run_id: nightly-7
    kinds: [{api_version: v1, kind: PersistentVolumeClaim}]
    state: absent
"""

RETURN = r"""
reached:
  description: Whether all objects have reached O(state). False only in check mode; otherwise the module fails.
  returned: when the API server was reached
  type: bool
  sample: true
objects:
  description:
    - For each kind how many objects exist, and how many are ready (including finished ones), have finished
      successfully, have failed, and are waited for.
  returned: when the API server was reached
  type: dict
  sample: {"Deployment": {"total": 30, "ready": 29, "finished": 0, "failed": 0, "waiting": 1}}
not_ready:
  description: The first 20 objects that have not reached O(state), with their causes; failed ones first.
  returned: when the API server was reached
  type: list
  elements: dict
  sample:
    - kind: Deployment
      namespace: team-a
      name: web
      cause: "0 of 1 replicas available; pod web-5d9c7-x2x4f: container main: ImagePullBackOff: Back-off pulling image"
not_ready_total:
  description: Number of objects that have not reached O(state), including missing ones.
  returned: when the API server was reached
  type: int
  sample: 1
failed_objects:
  description: The first 20 objects that failed, with their causes.
  returned: when the API server was reached
  type: list
  elements: dict
  sample: [{"kind": "Job", "namespace": "team-a", "name": "build-7", "cause": "BackoffLimitExceeded"}]
seconds:
  description: Duration in seconds.
  returned: when the API server was reached
  type: float
  sample: 12.7
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS, OUTAGE_LIMIT
from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import CLUSTER, check_libraries
from ..module_utils.wait.wait import run_module

KIND_OPTIONS = {
    "api_version": {"type": "str", "required": True},
    "kind": {"type": "str", "required": True},
    "count": {"type": "int", "default": 1},
}

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    "kinds": {"type": "list", "elements": "dict", "required": True, "options": KIND_OPTIONS},
    "label_selector": {"type": "str", "default": ""},
    "run_id": {"type": "str", "default": ""},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["ready", "finished", "absent"], "default": "ready"},
    "wait_timeout": {"type": "int", "default": 600},
    "outage_limit": OUTAGE_LIMIT.argument_spec(),
    "progress_file": {"type": "path"},
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(*CLUSTER)
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        _warn(module, error.result)
        module.fail_json(msg=str(error), **error.result)
    _warn(module, result)
    module.exit_json(**result)


def _warn(module: AnsibleModule, result: dict) -> None:
    for text in result.pop("warnings", ()):
        module.warn(text)


if __name__ == "__main__":
    main()
