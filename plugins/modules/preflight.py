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
  - Computes from the settings how many objects, pods, requests and processes a run has at its peak and how long it will
    take, reads what the cluster offers, and shows both as a table.
  - It fails, before anything is created, when a limit is passed, when a permission is missing, when a namespace exists
    that the run does not own, and when a risky profile has not been agreed to. All reasons are told at once.
  - It creates nothing. What may not be read (nodes, kubelets, quotas) counts as C(no data), never as zero.
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
  settings:
    description: The validated settings of all roles, as RV(kubestress.core.settings#module:ansible_facts) gives them.
    type: dict
    required: true
  run_id:
    description: Identifier of the run; namespaces and pods that carry it are the run's own.
    type: str
    required: true
  profile:
    description: Name of the profile, for messages.
    type: str
    default: ""
  accept_over_limit:
    description: Go on although a limit is passed. Each is then told as a warning.
    type: bool
    default: false
  accept_risk:
    description: Agree to what a profile with the setting C(preflight_risk) can do to a cluster.
    type: bool
    default: false
  nodes_sampled:
    description:
      - Number of nodes whose kubelet is asked for its process limits, through the API server's node proxy. V(0) asks
        none.
    type: int
    default: 10
  read_budget:
    description:
      - Seconds for counting the pods that run already. What is not read by then is told, and what was read is used.
    type: float
    default: 5.0
  results_dir:
    description:
      - Folder of the attempt, on the machine where the playbook runs. Its C(run.json) gets the entries C(cluster) and
        C(preflight), except in check mode.
    type: path
extends_documentation_fragment:
  - kubestress.core.auth
"""

EXAMPLES = r"""
- name: Stop here if the cluster cannot carry the run
  kubestress.core.preflight:
    settings: "{{ kubestress_settings }}"
    run_id: "{{ kubestress_run.run_id }}"
    profile: safe

- name: Go on in spite of passed limits, with consent to what the profile can do
  kubestress.core.preflight:
    settings: "{{ kubestress_settings }}"
    run_id: "{{ kubestress_run.run_id }}"
    profile: reproduce
    accept_over_limit: true
    accept_risk: true
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
      description: V(ok), V(over), V(warning), V(no data), or V(info) where there is nothing to compare with.
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
  returned: when the cluster could be read
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
  sample: {namespaces: 10, pods_at_peak: 90, build_pods_ceiling: 30, expected_seconds: 3919.5}
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
from ..module_utils.cluster.errors import ClusterError
from ..module_utils.machine.interpreter import leave_cycles
from ..module_utils.plan.demand import MissingSetting
from ..module_utils.preflight.preflight import Question, preflight, result_of


def main() -> None:
    """Ask, and end with the answer."""
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "run_id": {"type": "str", "required": True},
            "profile": {"type": "str", "default": ""},
            "accept_over_limit": {"type": "bool", "default": False},
            "accept_risk": {"type": "bool", "default": False},
            "nodes_sampled": {"type": "int", "default": 10},
            "read_budget": {"type": "float", "default": 5.0},
            "results_dir": {"type": "path"},
            **AUTH_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    question = Question(
        settings=module.params["settings"],
        run_id=module.params["run_id"],
        profile=module.params["profile"],
        accept_over_limit=module.params["accept_over_limit"],
        accept_risk=module.params["accept_risk"],
        check_mode=module.check_mode,
        nodes_sampled=module.params["nodes_sampled"],
        read_budget_seconds=module.params["read_budget"],
    )
    try:
        question.validate()
        answer = asyncio.run(preflight(auth_options(module.params), question))
    except (ClusterError, MissingSetting, ValueError) as error:
        module.fail_json(msg=f"preflight: {error}")
    result = result_of(answer, question)
    leave_cycles()
    if answer.problems:
        module.fail_json(msg=answer.message(), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
