#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `must_gather`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: must_gather
short_description: Collect a must-gather from any cluster
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Collects nodes, namespaces, pods, Jobs, Events, the logs of containers and those of nodes into a folder with the
    layout of a must-gather, which M(kubestress.core.must_gather_info) reads.
  - On OpenShift, where there is C(oc) on PATH, C(oc adm must-gather) is run first; then what it leaves out is collected
    from the API, that is namespaces that it does not gather, and logs of nodes whose journals it does not have.
  - On any other cluster, all is collected from the API server, the logs of nodes through its node proxy.
  - What could not be had is named with its cause in RV(missing), and each single thing in C(missing.jsonl) of the
    gather. This is no failure, unless nothing could be read at all.
  - Secrets are never read. Values of environment variables and C(last-applied-configuration) annotations are left out
    of the objects. Logs are copied as they are, and may hold anything; the folder is readable by its owner only.
  - Answers go to the disk as they come, so memory does not grow with them.
  - An interrupted collection leaves a gather whose C(gather.json) says that it is partial.
requirements:
  - msgspec >= 0.20.0 (to read large clusters)
extends_documentation_fragment:
  - kubestress.core.auth
options:
  dest:
    description: Folder for the gather, on the host of the task. It must be empty or not exist.
    type: path
    required: true
  namespaces:
    description:
      - Only what lies in these namespaces. Needed by users without rights in the whole cluster.
      - Nodes are collected all the same.
    type: list
    elements: str
    default: []
  since:
    description:
      - Only lines of containers' logs and journals of the last so many seconds. V(0) is all of them. Files of nodes are
        copied whole, because they cannot be asked for by time.
      - Must be 0 to 604,800.
    type: int
    default: 0
  max_size:
    description:
      - MiB of the whole gather. Where it is reached, the collection is stopped, and the gather is partial.
      - Must be 1 to 1,048,576.
    type: int
    default: 2048
  max_file_size:
    description:
      - MiB of one file. What is longer is cut, and named in RV(missing). Files of C(oc) are not cut.
      - Must be 1 to 1,048,576.
    type: int
    default: 256
  time_limit:
    description:
      - Seconds for the whole collection. Then it is stopped, and the gather is partial.
      - C(oc) gets three quarters of it.
      - Must be 1 to 86,400.
    type: int
    default: 600
  file_timeout:
    description:
      - Seconds for one log. What was read until then is kept.
      - Must be 1 to 3,600.
    type: int
    default: 60
  max_concurrent:
    description:
      - API requests in flight at once, retries included.
      - Must be 1 to 100.
    type: int
    default: 5
  oc:
    description:
      - V(auto) runs C(oc adm must-gather) where C(oc) is on PATH and the cluster is OpenShift. If it fails, the
        cause is in RV(missing), and the API is read.
      - V(always) fails where it cannot be run. V(never) only reads the API.
    type: str
    choices: [auto, always, never]
    default: auto
  progress_file:
    description: File to which progress lines are appended; set by the action plug-in, which shows them.
    type: path
attributes:
  check_mode:
    description: Says what would be collected, and writes nothing.
    support: full
  diff_mode:
    description: The gather is new each time.
    support: none
  async:
    description: Works with C(async), then without progress lines.
    support: full
notes:
  - Each collection is a new one; a folder that has something in it is refused.
  - Rights that are needed are C(list) on C(nodes), C(namespaces), C(pods), C(jobs) and C(events), C(get) on
    C(pods/log) and on named namespaces, and C(get) on C(nodes/proxy) for the logs of nodes. Each may be missing.
seealso:
  - module: kubestress.core.must_gather_info
"""

EXAMPLES = r"""
- name: Collect from the whole cluster
  kubestress.core.must_gather:
    dest: gathers/after-the-outage

- name: Collect the last two hours of two namespaces, 200 MiB at most
  kubestress.core.must_gather:
    dest: gathers/builds
    namespaces: [team-a, team-b]
    since: 7200
    max_size: 200
  register: collected

- name: Say what it tells
  kubestress.core.must_gather_info:
    path: "{{ collected.path }}"
"""

RETURN = r"""
path:
  description: The folder.
  returned: success
  type: str
  sample: /home/me/gathers/after-the-outage
state:
  description:
    - V(complete) if everything was read, V(incomplete) if some could not be had or not whole, V(partial) if the
      collection was stopped before its end.
  returned: success
  type: str
  sample: incomplete
stopped:
  description: Why it was stopped before its end; null if it was not.
  returned: success
  type: str
  sample: null
source:
  description: V(api), or V(oc and api).
  returned: success
  type: str
  sample: api
version:
  description: Version of the API server.
  returned: success
  type: str
  sample: v1.36.3
objects:
  description: Objects by kind.
  returned: success
  type: dict
  sample: {nodes: 3, namespaces: 12, pods: 140, jobs: 12, events: 310}
pod_logs:
  description: Logs of containers that are not empty.
  returned: success
  type: int
  sample: 151
node_logs:
  description: Files of nodes.
  returned: success
  type: int
  sample: 6
simulated:
  description: Simulated C(nodes), and C(pods) on them. They run nothing, so that they have no logs.
  returned: success
  type: dict
  sample: {nodes: 0, pods: 0}
files:
  description: Files in the gather, without those of C(oc).
  returned: success
  type: int
  sample: 190
bytes:
  description: Bytes in the gather.
  returned: success
  type: int
  sample: 48201733
missing:
  description: What could not be had, or not whole, by kind and cause.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: Kind of thing.
      type: str
    cause:
      description: Why.
      type: str
    number:
      description: How many.
      type: int
    examples:
      description: Five of them.
      type: list
      elements: str
  sample: [{what: log of a node, cause: the user may not get nodes/proxy, number: 3, examples: [worker-1, worker-2]}]
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 12.4
would_collect:
  description: In check mode, the number of nodes, pods and Jobs, or why they cannot be counted.
  returned: in check mode
  type: dict
  sample: {nodes: 3, pods: 140, jobs: 12}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS
from ..module_utils.errors import ModuleFailed
from ..module_utils.gathering.must_gather import run_module
from ..module_utils.libraries import CLUSTER, MSGSPEC, check_libraries
from ..module_utils.settings.roles.must_gather import ROLE

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    "dest": {"type": "path", "required": True},
    "namespaces": ROLE["must_gather_namespaces"].argument_spec(),
    "since": ROLE["must_gather_since"].argument_spec(),
    "max_size": ROLE["must_gather_max_size"].argument_spec(),
    "max_file_size": ROLE["must_gather_max_file_size"].argument_spec(),
    "time_limit": ROLE["must_gather_time_limit"].argument_spec(),
    "file_timeout": ROLE["must_gather_file_timeout"].argument_spec(),
    "max_concurrent": ROLE["must_gather_max_concurrent"].argument_spec(),
    "oc": ROLE["must_gather_oc"].argument_spec(),
    "progress_file": {"type": "path"},
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(*CLUSTER, MSGSPEC)
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
