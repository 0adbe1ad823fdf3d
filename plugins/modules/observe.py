#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `observe`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: observe
short_description: Measure a cluster while other tasks run
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Starts a background process that runs while the play continues. It reads the API server's metrics and, through the
    node proxy, kubelets; it counts Warning events, and watches pods, Jobs and StatefulSets.
  - The result is C(observations/NNN-NAME.json) in O(results_dir), on the task's host. The file is written every ten
    seconds and at the end, so that at most ten seconds are lost if the process is killed.
  - The task returns after the first readings, or fails with the reason why the cluster cannot be read.
  - The process is identified by its pid and start time, so that no other process is ever stopped.
  - What cannot be read, for lack of permission or of an answer, is reported with its cause and is no failure. Only pods
    must be readable.
extends_documentation_fragment:
  - kubestress.core.auth
options:
  state:
    description:
      - V(started) starts an observation, unless the same one is already running.
      - V(stopped) ends it and returns when the file is complete. If none is running, nothing is changed.
    type: str
    choices: [started, stopped]
    default: started
  run_id:
    description: Identifies the run in the observation, and selects the pods if O(namespaces) is empty.
    type: str
    required: true
  results_dir:
    description: Folder of C(observations/); in a run C(kubestress_run.attempt_dir). It is created if missing.
    type: path
    required: true
  name:
    description: Name of the observation. Observations with different names may run at the same time.
    type: str
    default: observe
  namespaces:
    description:
      - Namespaces whose pods, Jobs, StatefulSets and events count. Up to 20 are watched one by one, which needs no
        cluster-wide permission.
      - Empty means everything with the label of the run, as set by M(kubestress.core.batch).
    type: list
    elements: str
    default: []
  api_interval:
    description:
      - Seconds between reads of the API server's metrics; V(0) reads them only before and after.
      - Must be 1 to 3,600, or 0 for only before and after.
    type: float
    default: 15.0
  node_interval:
    description:
      - Seconds between reads of a kubelet whose node runs such pods; V(0) reads none.
      - There is at most one such request per second in all. Simulated nodes have no kubelet to read.
      - Must be 1 to 3,600, or 0 for never.
    type: float
    default: 5.0
  events:
    description: Whether to count events of type Warning.
    type: bool
    default: true
  max_seconds:
    description:
      - Seconds after which the process ends by itself if it is not stopped.
      - Must be 1 to 2,592,000.
    type: float
    default: 86400.0
attributes:
  check_mode:
    description: Reports what would be started or stopped, and checks that the cluster answers.
    support: full
  diff_mode:
    description: Nothing in the cluster is changed.
    support: none
  async:
    description: Not needed, and refused. The task returns at once, and the process it started keeps running.
    support: none
notes:
  - If processes are killed at the end of a login (C(KillUserProcesses) of systemd-logind) or with their container, so
    is the observation; in its file C(finished) is then null.
  - Nothing in the cluster is created or changed.
seealso:
  - module: kubestress.core.batch
  - module: kubestress.core.report
"""

EXAMPLES = r"""
- name: Start to observe two namespaces
  kubestress.core.observe:
    state: started
    run_id: release-7
    results_dir: /var/tmp/release-7
    namespaces: [shop, shop-db]

- name: Run the tasks to observe
  kubernetes.core.helm:
    name: shop
    chart_ref: ./shop
    release_namespace: shop
    wait: true

- name: Stop the observation
  kubestress.core.observe:
    state: stopped
    run_id: release-7
    results_dir: /var/tmp/release-7
  register: observed

- name: Show the warning events
  ansible.builtin.debug:
    var: observed.observation.events.warnings
"""

RETURN = r"""
running:
  description: Whether the process is running.
  returned: always
  type: bool
  sample: true
pid:
  description: Pid of the process, null if none is running.
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
    - The observation without series and histograms, and with the first 10 rows of each list; the file has everything.
      Null while it is running.
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
from ..module_utils.libraries import CLUSTER, check_libraries
from ..module_utils.observe.arguments import INTERVAL_OPTIONS
from ..module_utils.observe.observe import run_module
from ..module_utils.settings.roles.observe import ROLE as OBSERVE

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **INTERVAL_OPTIONS,
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "run_id": {"type": "str", "required": True},
    "results_dir": {"type": "path", "required": True},
    "name": OBSERVE["observe_name"].argument_spec(),
    "namespaces": OBSERVE["observe_namespaces"].argument_spec(),
    "max_seconds": OBSERVE["observe_max_seconds"].argument_spec(),
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(*CLUSTER)
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    for text in result.pop("warnings"):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
