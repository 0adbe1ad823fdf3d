#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Compare what a run needs with what the cluster offers, before anything is created
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Compiles the same fragments that M(kubestress.core.batch) runs, and reads from the objects that would be sent how
    many objects, pods, requests and processes there are at the peak, and how long they take. It reads what the cluster
    offers, and shows both as a table.
  - It fails, before anything is created, when a limit is passed, when a permission is missing, when a namespace exists
    that the run does not own, and when a risk has not been agreed to. All reasons are reported at once.
  - What a custom resource's controller makes of it cannot be known, and is shown as C(unknown). What may not be read
    (nodes, kubelets, quotas) is C(no data), never zero.
  - It creates nothing.
attributes:
  check_mode:
    description: Runs the same way; a risky profile is only announced, because check mode starts nothing.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to compare.
    support: none
  async:
    description: Works with C(async); the table is then not shown.
    support: full
options:
  profile:
    description: Name of the profile, for messages.
    type: str
    default: ""
  risk:
    description: What the load can do to a cluster, in words. Such a run needs O(accept_risk).
    type: str
    default: ""
  accept_over_limit:
    description: Go on although a limit is passed. Each becomes a warning.
    type: bool
    default: false
  accept_risk:
    description: Agree to what O(risk) says.
    type: bool
    default: false
  cleans_up:
    description: Whether the run deletes its namespaces in the end, which needs a permission.
    type: bool
    default: false
  nodes_sampled:
    description:
      - Number of nodes whose kubelet is asked for its process limits, through the API server's node proxy.
        V(0) asks none.
      - Must be 0 to 1,000.
    type: int
    default: 10
  read_budget:
    description:
      - Seconds for counting the pods that run already. What could not be read by then is said, and what was
        read is used.
      - Must be more than 0, up to 600.
    type: float
    default: 5.0
  exact_pods:
    description:
      - Up to so many pods of the cluster are read one by one. Of more, their number and their requests are estimated
        from a sample of the nodes, and the table says so.
      - Must be 0 to 10,000,000.
    type: int
    default: 20000
  rbac_out:
    description:
      - File on the machine where the playbook runs, into which the Roles and bindings are written that the plan and
        its cleanup need, and no more. Also in check mode, and where permissions are missing.
      - A plan whose namespaces all exist gets Roles in these, any other a ClusterRole.
    type: path
  rbac_account:
    description:
      - C(NAMESPACE/NAME) of the ServiceAccount that O(rbac_out) binds them to. Empty is the user of the connection.
    type: str
    default: ""
  results_dir:
    description:
      - Folder of the attempt, on the machine where the playbook runs. Its C(run.json) gets the entries C(cluster) and
        C(preflight), except in check mode.
    type: path
requirements:
  - msgspec >= 0.20.0 (to read large clusters)
extends_documentation_fragment:
  - kubestress.core.auth
  - kubestress.core.plan
"""

EXAMPLES = r"""
- name: Stop here if the cluster cannot carry 300 pods more
  kubestress.core.preflight:
    run_id: web-1
    namespace_prefix: web
    namespace_total: 10
    fragments:
      - role: namespaces
        steps: [[{definition: {apiVersion: v1, kind: Namespace, metadata: {name: !unsafe "{{ namespace }}"}}}]]
      - role: web
        count: 3
        steps: [[{template: deployment.yml.j2}]]
    variables:
      replicas: 10

- name: Go on in spite of passed limits, and say so
  kubestress.core.preflight:
    run_id: web-1
    namespaces: [web]
    existing_namespaces: [web]
    fragments:
      - role: web
        steps: [[{template: deployment.yml.j2}]]
    accept_over_limit: true
"""

RETURN = r"""
rows:
  description: The table. At most 60 rows.
  returned: when the cluster could be read
  type: list
  elements: dict
  contains:
    name:
      description: What is compared.
      type: str
    needed:
      description: What the run needs. CPU in thousandths of a core, memory in bytes, lengths in seconds.
      type: float
    offered:
      description: What the cluster offers, in the same unit; null where there is no data or no limit.
      type: float
    unit:
      description: V(cores), V(bytes), V(seconds), or empty for things that are counted.
      type: str
    verdict:
      description:
        - V(ok), V(over), V(warning), V(no data) for what could not be read, V(unknown) for what nobody can know before
          the run, or V(info) where there is nothing to compare with.
      type: str
    cure:
      description: What to change, with the settings' names and values.
      type: str
    note:
      description: Where a figure comes from, or why it is missing.
      type: str
  sample:
    - {name: pods at peak, needed: 90, offered: 5000, unit: "", verdict: ok, cure: "", note: ""}
table:
  description: The same as lines of text.
  returned: when the run may start
  type: list
  elements: str
problems:
  description: Why the run must not start, one line each. Empty when it may.
  returned: when the cluster could be read
  type: list
  elements: str
cautions:
  description: What should be known, one line each.
  returned: when the cluster could be read
  type: list
  elements: str
demand:
  description: The figures of the run as plain numbers.
  returned: when the cluster could be read
  type: dict
  sample: {namespaces: 10, pods_at_peak: 90, processes_at_peak: 2160, fragments: [{role: build_jobs, rounds: 80}]}
needed_access:
  description: The permissions that the run needs, such as C(create jobs.batch).
  returned: when the cluster could be read
  type: list
  elements: str
cluster:
  description: Version, kind and nodes of the cluster, nodes that are alike as one entry with a count.
  returned: when the cluster could be read
  type: dict
  sample: {version: v1.36.3, platform: linux/amd64, openshift: false, nodes: {total: 10, ready: 10}}
existing:
  description: Those of the run's namespaces that exist, C(own) by label or C(allowed) by C(namespaces_existing).
  returned: when the cluster could be read
  type: dict
  sample: {own: [], allowed: [team-a-1]}
"""

import asyncio

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS, auth_options
from ..module_utils.errors import KubestressError, ModuleFailed
from ..module_utils.libraries import CLUSTER, MSGSPEC, TEMPLATES, check_libraries
from ..module_utils.machine.interpreter import skip_final_collection
from ..module_utils.plan.arguments import PLAN_ARGUMENTS, PLAN_RULES
from ..module_utils.preflight.preflight import PREFLIGHT_OPTIONS, run_module


def main() -> None:
    """Ask, and end with the answer."""
    module = AnsibleModule(
        argument_spec={**PLAN_ARGUMENTS, **PREFLIGHT_OPTIONS, "results_dir": {"type": "path"}, **AUTH_ARGUMENTS},
        supports_check_mode=True,
        **PLAN_RULES,
    )
    try:
        check_libraries(*CLUSTER, *TEMPLATES, MSGSPEC)
        result = asyncio.run(run_module(module.params, auth_options(module.params), check_mode=module.check_mode))
    except ModuleFailed as error:
        module.fail_json(msg=str(error), **error.result)
    except KubestressError as error:
        module.fail_json(msg=f"preflight: {error}")
    skip_final_collection()
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
