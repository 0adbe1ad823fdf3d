#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `runs_info`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runs_info
short_description: List the runs that have objects on a cluster
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Finds everything with the labels of any run (C(app.kubernetes.io/managed-by=kubestress) and
    C(kubestress.core/run-id)) in all kinds that the API server can list and delete, and returns for each run its id,
    its age, how many objects of which kinds it has and in which namespaces, and what made them.
  - Changes nothing. For somebody who lost a run's id, and for M(kubestress.core.cleanup), which deletes one run.
extends_documentation_fragment:
  - kubestress.core.auth
  - kubestress.core.limits
options:
  namespaces:
    description: Namespaces to search if the user may not list the whole cluster.
    type: list
    elements: str
    default: []
  older_than:
    description:
      - Only runs whose newest object is at least so many seconds old, as the API server's clock has it. Objects that
        controllers make, such as pods, do not count, because they are replaced long after a run.
      - Fails if a kind cannot be listed, because then nobody knows whether the run made some of it lately.
      - Must be 1 to 315,360,000.
    type: int
  accept_unseen:
    description: With O(older_than), go by the kinds that can be listed.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Reads only.
    support: none
  async:
    description: Takes a few seconds.
    support: full
seealso:
  - module: kubestress.core.cleanup
"""

EXAMPLES = r"""
- name: List all runs
  kubestress.core.runs_info:
  register: found

- name: Show them
  ansible.builtin.debug:
    msg: "{{ found.table }}"

- name: Runs that made nothing for a week
  kubestress.core.runs_info:
    older_than: 604800
"""

RETURN = r"""
runs:
  description: The runs, those that were started last first.
  returned: success
  type: list
  elements: dict
  contains:
    run_id:
      description: The run, as M(kubestress.core.cleanup) takes it.
      type: str
    started:
      description: When its oldest object was made.
      type: str
    last_created:
      description: When its newest object was made that has no controller.
      type: str
    age_seconds:
      description: Seconds since C(started).
      type: int
    idle_seconds:
      description: Seconds since C(last_created).
      type: int
    objects:
      description: Number of objects by kind.
      type: dict
    objects_total:
      description: Number of all of them.
      type: int
    namespaces:
      description: The first 20 namespaces with objects of the run.
      type: list
      elements: str
    namespaces_total:
      description: Number of all of them.
      type: int
    roles:
      description: The roles that made them, by their label.
      type: list
      elements: str
    made_by:
      description:
        - The programs that made them, as the objects' C(managedFields) name them, and users that OpenShift recorded.
          Kubernetes itself does not keep the user in an object.
      type: list
      elements: str
  sample:
    - run_id: nightly
      started: "2026-11-21T04:36:42Z"
      last_created: "2026-11-21T04:58:02Z"
      age_seconds: 90000
      idle_seconds: 88720
      objects: {"Job": 200, "Namespace": 10}
      objects_total: 210
      namespaces: [deploy-test-1, deploy-test-2]
      namespaces_total: 10
      roles: [build_jobs, namespaces]
      made_by: [kubestress.core]
unlisted:
  description: Kinds or API groups that could not be listed, and why. Runs that only have objects of these are missing.
  returned: always
  type: dict
  sample: {"secrets": "secrets is forbidden"}
table:
  description: The runs as lines of text.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cleanup.runs import run_module
from ..module_utils.cluster.arguments import AUTH_ARGUMENTS, LIMIT_ARGUMENTS
from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import CLUSTER, check_libraries
from ..module_utils.settings.roles.cleanup import ROLE as CLEANUP

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **LIMIT_ARGUMENTS,
    "namespaces": CLEANUP["cleanup_namespaces"].argument_spec(),
    "older_than": CLEANUP["cleanup_older_than"].argument_spec(),
    "accept_unseen": CLEANUP["cleanup_accept_unseen"].argument_spec(),
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(*CLUSTER)
        result = run_module(module.params)
    except ModuleFailed as error:
        module.fail_json(msg=str(error), **error.result)
    if result["unlisted"]:
        kinds = ", ".join(list(result["unlisted"])[:5])
        module.warn(f"runs_info could not list {kinds}: runs may have more objects than are counted")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
