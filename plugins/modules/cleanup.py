#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `cleanup`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cleanup
short_description: Remove what one run made, verify that it is gone, name what blocks
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Finds everything that carries the labels of one run (C(app.kubernetes.io/managed-by=kubestress) and
    C(kubestress.core/run-id)) in all kinds that the API server can list and delete - namespaces, objects in namespaces
    that are not the run's, and cluster-wide objects - deletes it, and watches until it is gone.
  - Nothing without this run's label is touched. A namespace of the run that holds an object of somebody else is kept,
    that object is named, and only the run's own objects are removed from it. What Kubernetes and OpenShift put into
    every namespace by themselves does not count, nor does what the run's own objects own.
  - If something is still there when O(wait_timeout) is over, the module fails and names what holds it - the object and
    its finalizers, or the APIService that does not answer.
extends_documentation_fragment:
  - kubestress.core.auth
  - kubestress.core.limits
  - kubestress.core.wait
options:
  run_id:
    description: The run, by the value of its label C(kubestress.core/run-id).
    type: str
    required: true
  namespaces:
    description:
      - Namespaces to look into, for a user who may not list the whole cluster. Kinds and namespaces that may be listed
        cluster-wide are looked through everywhere all the same.
    type: list
    elements: str
    default: []
  delete_foreign:
    description:
      - Delete a namespace of the run even if it holds objects of somebody else, which are lost with it.
      - Without it such a namespace is kept, and the module fails after it has removed the rest.
    type: bool
    default: false
  grace_period:
    description:
      - Seconds that pods get to end, instead of what each pod's own specification says.
      - V(0) removes pods from the API without waiting for the kubelet; their processes may live on for a while.
    type: int
  wait:
    description: Whether to wait until everything is gone. V(false) only sends the requests.
  progress_file:
    description: File to which lines about the progress are appended; the action plug-in sets it and shows them.
    type: path
attributes:
  check_mode:
    description: Lists what would be deleted, and what would be kept and why.
    support: full
  diff_mode:
    description: The namespaces with their counts per kind and the single objects outside, at most 200 lines.
    support: full
  async:
    description: Works with C(async); progress is then not shown.
    support: full
notes:
  - Dependents are deleted in the background. Objects that a controller owns go with their owner.
  - Needs permission to list, watch and delete the kinds that the run made. A kind that could not be listed is told in
    RV(unlisted) and as a warning.
seealso:
  - module: kubestress.core.batch
  - module: kubestress.core.wait
"""

EXAMPLES = r"""
- name: Remove a run
  kubestress.core.cleanup:
    run_id: 20260115-101500-k3f9

- name: See what would be removed
  kubestress.core.cleanup:
    run_id: 20260115-101500-k3f9
  check_mode: true
  diff: true

- name: As a user of two namespaces, not of the cluster
  kubestress.core.cleanup:
    run_id: nightly-7
    namespaces: [team-a, team-b]
"""

RETURN = r"""
objects:
  description: For each kind how many objects of the run were found and are deleted (in check mode, would be).
  returned: always
  type: dict
  sample: {"Namespace": {"found": 10, "deleted": 10}, "Deployment": {"found": 30, "deleted": 30}}
namespaces:
  description: The first 20 namespaces to delete; RV(namespaces_total) is their number.
  returned: always
  type: list
  elements: str
  sample: [deploy-test-1, deploy-test-2]
namespaces_total:
  description: Number of namespaces to delete.
  returned: always
  type: int
  sample: 2
kept:
  description: The first 20 namespaces of the run that stay, with the objects of somebody else that they hold.
  returned: always
  type: list
  elements: dict
  sample: [{"namespace": "deploy-test-3", "objects": ["ConfigMap notes"]}]
kept_total:
  description: Number of namespaces that stay.
  returned: always
  type: int
  sample: 1
blockers:
  description: The first 20 things that hold a deletion back.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object that blocks.
      type: str
    namespace:
      description: Its namespace, empty for cluster-wide kinds.
      type: str
    name:
      description: Its name.
      type: str
    cause:
      description: Why it blocks.
      type: str
    finalizers:
      description: Finalizers that nobody has removed yet.
      type: list
      elements: str
    holds:
      description: How many namespaces wait for it.
      type: int
  sample:
    - {kind: ConfigMap, namespace: deploy-test-1, name: held, cause: held by finalizer example.com/hold,
       finalizers: [example.com/hold], holds: 1}
blockers_total:
  description: Number of blockers.
  returned: always
  type: int
  sample: 0
errors:
  description: The first 20 requests that the API server refused, with its words.
  returned: always
  type: dict
  sample: {}
unlisted:
  description: The first 20 kinds, or API groups, that could not be looked through, and why.
  returned: always
  type: dict
  sample: {"secrets": "secrets is forbidden"}
seconds:
  description: Time from the first request to the answer.
  returned: always
  type: float
  sample: 14.2
msg:
  description: The result in one line.
  returned: always
  type: str
  sample: "312 of 312 objects of run nightly-7 deleted: 30 Deployment, 10 Namespace, …"
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cleanup.cleanup import run_module
from ..module_utils.cluster.arguments import AUTH_ARGUMENTS, LIMIT_ARGUMENTS, WAIT_ARGUMENTS
from ..module_utils.errors import ModuleFailed

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **LIMIT_ARGUMENTS,
    **WAIT_ARGUMENTS,
    "run_id": {"type": "str", "required": True},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "delete_foreign": {"type": "bool", "default": False},
    "grace_period": {"type": "int"},
    "progress_file": {"type": "path"},
}


def main() -> None:
    """Clean up; the one place where its errors become a module's failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        _warn(module, error.result)
        error.result.pop("diff", None)
        module.fail_json(**{**error.result, "msg": str(error)})
    _warn(module, result)
    if not module._diff:
        del result["diff"]  # AWX keeps results; nobody would read it
    module.exit_json(**result)


def _warn(module: AnsibleModule, result: dict) -> None:
    unlisted = result.get("unlisted") or {}
    if unlisted:
        what, why = next(iter(unlisted.items()))
        more = f", and {len(unlisted) - 1} more kinds" if len(unlisted) > 1 else ""
        module.warn(f"cleanup could not look through {what} ({why}){more}; what the run made there may be left")


if __name__ == "__main__":
    main()
