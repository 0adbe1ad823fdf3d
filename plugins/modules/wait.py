#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `wait`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wait
short_description: Wait for many Kubernetes objects at once, and tell why those that are not ready are not
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Watches the objects of some kinds that a label selector selects until all of them are ready, finished or gone. One
    list and watch per kind, however many objects there are.
  - Stops early when an object can never become ready - a Job that failed, a Deployment past its progress deadline, pods
    whose image name cannot be one - and names it with its cause, the causes of its pods and of events included.
  - Nothing selected is not ready, unless a C(count) of V(0) says so. A status that speaks of an older generation does
    not count. A pod that succeeded and a Job that is complete are ready.
  - What ready means is known for Namespace, Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController,
    Job, Service (an address, where it is a load balancer), PersistentVolumeClaim, PersistentVolume, Node,
    CustomResourceDefinition and APIService. Other kinds of Kubernetes are ready when they exist, and kinds of other API
    groups when their condition Ready, or else Available, is true.
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
        description: How many objects have to exist at least. Not looked at with O(state=absent).
        type: int
        default: 1
  label_selector:
    description: Which objects, as kubectl takes it. Give this or O(run_id), or both.
    type: str
    default: ""
  run_id:
    description: The objects of this run, by the labels that M(kubestress.core.batch) gives.
    type: str
    default: ""
  namespaces:
    description: Only in these namespaces. Up to 20 are watched one by one, without permission for the whole cluster.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(ready) waits until every object is ready, V(absent) until none is left.
      - V(finished) waits until every Job or Pod has ended, well or not; those that failed are in RV(failed_objects).
    type: str
    choices: [ready, finished, absent]
    default: ready
  wait_timeout:
    description: Seconds to wait at most. What is not ready by then is named with its cause.
    type: int
    default: 600
  progress_file:
    description: File to which lines about the progress are appended; the action plug-in sets it and shows them.
    type: path
attributes:
  check_mode:
    description: Looks once, reports, and does not wait nor fail.
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
- name: Until a run's workloads are ready
  kubestress.core.wait:
    run_id: nightly-7
    kinds:
      - {api_version: apps/v1, kind: Deployment, count: 30}
      - {api_version: apps/v1, kind: StatefulSet}

- name: Until all Jobs of a team have ended, for an hour at most
  kubestress.core.wait:
    label_selector: team=a,type in (build,test)
    namespaces: [team-a]
    kinds: [{api_version: batch/v1, kind: Job}]
    state: finished
    wait_timeout: 3600

- name: Until no claim is left
  kubestress.core.wait:
    run_id: nightly-7
    kinds: [{api_version: v1, kind: PersistentVolumeClaim}]
    state: absent
"""

RETURN = r"""
reached:
  description: Whether everything is as asked for. False only in check mode; else the module fails.
  returned: when the API server was asked
  type: bool
  sample: true
objects:
  description:
    - For each kind how many objects there are and how many of them are ready (those that finished well included), have
      finished well, have failed, and are waited for.
  returned: when the API server was asked
  type: dict
  sample: {"Deployment": {"total": 30, "ready": 29, "finished": 0, "failed": 0, "waiting": 1}}
not_ready:
  description: The first 20 objects that are not as asked for, with their causes; those that failed come first.
  returned: when the API server was asked
  type: list
  elements: dict
  sample:
    - kind: Deployment
      namespace: team-a
      name: web
      cause: "0 of 1 replicas available; pod web-5d9c7-x2x4f: container main: ImagePullBackOff: Back-off pulling image"
not_ready_total:
  description: Number of objects that are not as asked for, missing ones included.
  returned: when the API server was asked
  type: int
  sample: 1
failed_objects:
  description: The first 20 objects that failed, with their causes.
  returned: when the API server was asked
  type: list
  elements: dict
  sample: [{"kind": "Job", "namespace": "team-a", "name": "build-7", "cause": "BackoffLimitExceeded"}]
seconds:
  description: How long it took.
  returned: when the API server was asked
  type: float
  sample: 12.7
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS
from ..module_utils.errors import ModuleFailed
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
    "progress_file": {"type": "path"},
}


def main() -> None:
    """Wait; the one place where its errors become a module's failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
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
