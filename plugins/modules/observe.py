#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `observe`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: observe
short_description: Start and stop measuring a cluster around any tasks
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Starts a process that goes on while the play does other things. It reads the API server's metrics, asks kubelets
    through the node proxy, counts events of type Warning, and watches pods, Jobs and StatefulSets.
  - What it finds is in C(observations/NNN-NAME.json) of O(results_dir), on the host of the task. The file is written
    whole every ten seconds and at the end, so that a process that is killed loses ten seconds at most.
  - The task returns when the first readings are done, or fails with the reason why the cluster cannot be read.
  - Only the very process that was started is ever stopped. It is known by its pid and the moment it started.
  - What cannot be read, by permission or because nobody answers, is told with its cause, and is no failure; but for the
    pods, without which there is nothing to tell.
extends_documentation_fragment:
  - kubestress.core.auth
options:
  state:
    description:
      - V(started) begins to observe, unless the same observation runs already.
      - V(stopped) ends it and returns when the file is whole. Where none runs, nothing is changed.
    type: str
    choices: [started, stopped]
    default: started
  run_id:
    description: Identity of the run. It stands in the observation, and selects the pods if O(namespaces) is empty.
    type: str
    required: true
  results_dir:
    description: Folder in which C(observations/) lies, C(kubestress_run.attempt_dir) in a run. It is made if need be.
    type: path
    required: true
  name:
    description: Name of the observation. Those of different names may go on at once.
    type: str
    default: observe
  namespaces:
    description:
      - Namespaces whose pods, Jobs, StatefulSets and events count. Up to 20 are watched one by one, which needs no
        permission for the whole cluster.
      - Empty means everything with the label of the run, as M(kubestress.core.batch) gives it.
    type: list
    elements: str
    default: []
  api_interval:
    description: Seconds between two readings of the API server's metrics, 1 to 3600; V(0) reads before and after only.
    type: float
    default: 15.0
  node_interval:
    description:
      - Seconds between two questions to the kubelet of a node that such pods run on, 1 to 3600; V(0) asks none.
      - All questions together are one a second at most. Simulated nodes are not asked.
    type: float
    default: 5.0
  events:
    description: Whether events of type Warning are watched and counted.
    type: bool
    default: true
  max_seconds:
    description: Seconds after which the process ends by itself if nobody stops it.
    type: float
    default: 86400.0
attributes:
  check_mode:
    description: Says whether something would be started or stopped, and whether the cluster answers; starts nothing.
    support: full
  diff_mode:
    description: Nothing in the cluster is changed.
    support: none
  async:
    description: Not needed, and refused. The task returns at once, and what it started goes on.
    support: none
notes:
  - Where the processes of a login end with it (C(KillUserProcesses) of systemd-logind, a container that is removed), so
    does the observation; its file then has no end.
  - Nothing in the cluster is created or changed.
seealso:
  - module: kubestress.core.batch
  - module: kubestress.core.report
"""

EXAMPLES = r"""
- name: Begin to observe what the next tasks do to two namespaces
  kubestress.core.observe:
    state: started
    run_id: release-7
    results_dir: /var/tmp/release-7
    namespaces: [shop, shop-db]

- name: Somebody else's work
  kubernetes.core.helm:
    name: shop
    chart_ref: ./shop
    release_namespace: shop
    wait: true

- name: End observing
  kubestress.core.observe:
    state: stopped
    run_id: release-7
    results_dir: /var/tmp/release-7
  register: observed

- name: Show what was warned of
  ansible.builtin.debug:
    var: observed.observation.events.warnings
"""

RETURN = r"""
running:
  description: Whether the process runs now.
  returned: always
  type: bool
  sample: true
pid:
  description: Number of the process, null if none runs.
  returned: always
  type: int
  sample: 41712
observation_path:
  description: File of the observation on the task's host, null if there is none.
  returned: always
  type: str
  sample: /var/tmp/release-7/observations/001-observe.json
observation:
  description:
    - The observation without series and histograms, and with the first 10 rows of each list; the whole is in the file.
      Null as long as it is not at its end.
  returned: always
  type: dict
  sample:
    name: observe
    started: "2026-01-01T10:00:00.000Z"
    finished: "2026-01-01T10:04:10.512Z"
    pods: {"succeeded": 0, "failed": 0, "startup_p50_s": 1.1, "startup_p99_s": 2.4}
    events: {"source": "watch", "total": 2, "warnings": [{"reason": "BackOff", "kind": "Pod", "count": 2}]}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS
from ..module_utils.errors import ModuleFailed
from ..module_utils.observe.arguments import INTERVAL_OPTIONS
from ..module_utils.observe.observe import run_module

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **INTERVAL_OPTIONS,
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "run_id": {"type": "str", "required": True},
    "results_dir": {"type": "path", "required": True},
    "name": {"type": "str", "default": "observe"},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "max_seconds": {"type": "float", "default": 86400.0},
}


def main() -> None:
    """Start or stop; the one place where its errors become a module's failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    for text in result.pop("warnings"):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
