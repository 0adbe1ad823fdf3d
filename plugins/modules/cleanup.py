#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `cleanup`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cleanup
short_description: Delete everything that one run created
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Finds everything with the labels of one run (C(app.kubernetes.io/managed-by=kubestress) and
    C(kubestress.core/run-id)) in all kinds that the API server can list and delete - namespaces, objects in other
    namespaces, and cluster-wide objects - deletes it, and watches until it is gone.
  - Nothing without the label of the run is deleted. A namespace of the run that contains a foreign object is kept, the
    object is reported, and only the run's own objects are deleted from it. Objects that Kubernetes and OpenShift create
    in every namespace do not count as foreign, nor do objects owned by those of the run.
  - A namespace of the run that cannot be looked through completely is kept too, because nobody knows what else is in
    it. It is reported with the kinds that could not be listed and the right that is missing. Namespaces are looked
    through once more just before they are deleted.
  - If something still exists after O(wait_timeout), the module fails and reports what blocks it - the object and its
    finalizers, or the APIService that does not answer.
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
      - Namespaces to search if the user may not list the whole cluster. Kinds that may be listed cluster-wide are still
        searched everywhere.
    type: list
    elements: str
    default: []
  delete_foreign:
    description:
      - Delete a namespace of the run even if it contains foreign objects, which are then lost.
      - Otherwise such a namespace is kept, and the module fails after it has deleted the rest.
    type: bool
    default: false
  accept_unseen:
    description:
      - Delete a namespace of the run even if some kinds in it cannot be listed. Foreign objects of these kinds are
        then lost.
      - Otherwise such a namespace is kept, and the module fails after it has deleted the rest. It also fails if a kind
        of which the run may have objects elsewhere cannot be listed for another reason than a missing right.
      - With O(delete_foreign=true) namespaces are not looked through at all.
    type: bool
    default: false
  grace_period:
    description:
      - Grace period of pods in seconds, instead of the one in their specification.
      - V(0) removes pods from the API without waiting for the kubelet; their processes may run on for a while.
      - Must be 0 to 86,400.
    type: int
  wait:
    description: Whether to wait until everything is gone. V(false) only sends the requests.
  progress_file:
    description: File to which progress lines are appended; set by the action plug-in, which shows them.
    type: path
attributes:
  check_mode:
    description: Lists what would be deleted, and what would be kept and why.
    support: full
  diff_mode:
    description: The namespaces with their counts per kind, and single objects outside of them, at most 200 lines.
    support: full
  async:
    description: Works with C(async); progress is then not shown.
    support: full
notes:
  - Dependents are deleted in the background. Objects that a controller owns go with their owner.
  - Needs permission to list, watch and delete the kinds that the run created, and to list all other kinds in the run's
    namespaces. Kinds that could not be listed are in RV(unlisted) and in a warning.
  - An answer that does not come from an API server, such as the login page of a proxy, counts as an outage. The request
    is repeated until O(retry_deadline) and then fails.
seealso:
  - module: kubestress.core.batch
  - module: kubestress.core.wait
"""

EXAMPLES = r"""
- name: Delete everything of a run
  kubestress.core.cleanup:
    run_id: 20260115-101500-k3f9

- name: Show what would be deleted
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
  description: For each kind how many objects of the run were found and deleted (in check mode, would be deleted).
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
  description: The first 20 namespaces of the run that are kept.
  returned: always
  type: list
  elements: dict
  contains:
    namespace:
      description: Its name.
      type: str
    objects:
      description: The first 20 foreign objects in it.
      type: list
      elements: str
    unseen:
      description:
        - The kinds and API groups of which it is unknown what the namespace has, each with C(kind), C(cause), and
          C(missing_right), which is empty if the cause is not a missing right.
      type: list
      elements: dict
  sample:
    - {namespace: deploy-test-3, objects: [ConfigMap notes], unseen: []}
    - {namespace: deploy-test-4, objects: [], unseen: [{kind: secrets, cause: secrets is forbidden,
       missing_right: list secrets}]}
kept_total:
  description: Number of namespaces that are kept.
  returned: always
  type: int
  sample: 1
retained:
  description:
    - The first 20 PersistentVolumes and VolumeSnapshotContents that stay, because their policy is Retain, and of which
      claim or snapshot of the run they were. They are not the run's to delete.
  returned: always
  type: list
  elements: dict
  sample: [{"kind": "PersistentVolume", "name": "pvc-5f0e", "of": "load-1/volume-1"}]
retained_total:
  description: Number of these.
  returned: always
  type: int
  sample: 1
reclaiming:
  description:
    - How many PersistentVolumes and VolumeSnapshotContents of the run their driver has not deleted yet, by kind. It
      does so on its own, once they are unmounted and detached.
  returned: always
  type: dict
  sample: {"PersistentVolume": 12}
blockers:
  description: The first 20 objects or APIs that block a deletion.
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
      description: Its remaining finalizers.
      type: list
      elements: str
    holds:
      description: How many namespaces it blocks.
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
  description: The first 20 requests that failed, with the error message.
  returned: always
  type: dict
  sample: {}
unlisted:
  description: The first 20 kinds or API groups that could not be listed, and why.
  returned: always
  type: dict
  sample: {"secrets": "secrets is forbidden"}
seconds:
  description: Duration in seconds.
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
from ..module_utils.libraries import CLUSTER, check_libraries
from ..module_utils.settings.roles.cleanup import ROLE as CLEANUP

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **LIMIT_ARGUMENTS,
    **WAIT_ARGUMENTS,
    "run_id": {"type": "str", "required": True},
    "namespaces": CLEANUP["cleanup_namespaces"].argument_spec(),
    "delete_foreign": CLEANUP["cleanup_delete_foreign"].argument_spec(),
    "accept_unseen": CLEANUP["cleanup_accept_unseen"].argument_spec(),
    "grace_period": CLEANUP["cleanup_grace_period"].argument_spec(),
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
        error.result.pop("diff", None)
        module.fail_json(**{**error.result, "msg": str(error)})
    _warn(module, result)
    if not module._diff:
        del result["diff"]  # AWX stores results
    module.exit_json(**result)


def _warn(module: AnsibleModule, result: dict) -> None:
    unlisted = result.get("unlisted") or {}
    if unlisted:
        kind, cause = next(iter(unlisted.items()))
        more = f", and {len(unlisted) - 1} more kinds" if len(unlisted) > 1 else ""
        module.warn(f"cleanup could not list {kind} ({cause}){more}; objects of the run may be left there")


if __name__ == "__main__":
    main()
