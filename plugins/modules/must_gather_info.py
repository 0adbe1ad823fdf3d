#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `must_gather_info`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: must_gather_info
short_description: Show what a must-gather's logs and objects say about an outage
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
requirements:
  - PyYAML >= 5.1
description:
  - Reads a must-gather, as a folder or an archive, and counts the network plug-in's operations by source, hour and
    minute, failed forks, sandboxes and networks, and builds. Finds the first failure and counts the window before it.
  - An operation is one distinct request, container id and verb, however many lines tell of it. ADD and DEL are counted
    apart, and each source by itself, because several sources log the same pod.
  - A failure that is not found is null, never guessed. Lines that no rule reads are counted by file.
  - Reads files as streams and unpacks nothing. Needs no cluster.
  - Members of archives whose names lead elsewhere, links, devices and what expands without end are not read. A
    truncated archive is read as far as it is sound. Each is a warning in RV(gather.warnings).
options:
  path:
    description:
      - The gather's folder, an archive of it (tar, in gzip, xz or zstd), or a single log. Files inside may be
        compressed as well.
      - What is in zstd can be read with Python 3.14 or newer.
    type: path
    required: true
  window:
    description: Seconds before the first failure that are counted apart, 1 to 604800.
    type: int
    default: 7200
  compare:
    description: Another gather, whose figures are put beside this one's.
    type: path
    default: ""
  rules_file:
    description:
      - YAML file with a list of more rules, which come behind the collection's own. Each has C(name), C(gives)
        (V(operation), V(error) or V(processes)), C(words) of which one is in each line, and C(pattern), a regular
        expression.
      - The pattern of an operation has groups C(verb) and C(id), and may have C(failed) and C(epoch); its rule has a
        C(source). The rule of an error has a C(kind). The pattern of processes has a group C(processes).
      - C(files) limits a rule to files whose path matches it.
    type: path
    default: ""
  dest:
    description:
      - Folder on the controller for C(must-gather.json) and C(must-gather.html); it is made if necessary.
      - Without it nothing is written.
    type: path
attributes:
  check_mode:
    description: Reads, says whether the files of O(dest) would change, and writes none.
    support: full
  diff_mode:
    description: Nothing but the files of O(dest) is written.
    support: none
  async:
    description: The table and the files are made from the module's answer.
    support: none
seealso:
  - module: kubestress.core.report
"""

EXAMPLES = r"""
- name: Find out what a must-gather tells
  kubestress.core.must_gather_info:
    path: must-gather.local.5421342344627712289.tar.gz
    dest: kubestress-results/outage
  register: told

- name: Stop if a process could not be started
  ansible.builtin.assert:
    that: told.gather.first_failure is none
    fail_msg: "{{ told.failures | join('; ') }}"

- name: Put the gathers before and after a fix side by side
  kubestress.core.must_gather_info:
    path: after.tar.gz
    compare: before.tar.gz
"""

RETURN = r"""
gather:
  description:
    - The analysis, as in C(must-gather.json), which also has C(minutes), each build, and all files of C(read) and
      C(unread).
  returned: success
  type: dict
  contains:
    rule:
      description: What an operation is.
      type: str
    hours:
      description:
        - One row for each hour of the clock with data, with C(start), C(sources) (C(add), C(del) and C(failed) by
          source), C(errors), C(errors_by_source), C(builds_started) and C(processes).
      type: list
      elements: dict
    growth:
      description: For each source and hour, the growth in percent on the hour before and on the first; null without it.
      type: dict
    first_failure:
      description: C(time), C(kind), C(source), C(node), C(text) and C(file) of the first failure, or null.
      type: dict
    window:
      description: C(from), C(to), and what was counted between them; null without a failure.
      type: dict
    builds:
      description: Builds created, started, finished and failed, the most at once, and by namespace.
      type: dict
    processes:
      description: The most processes of a node; null if nothing logs them.
      type: dict
    reference:
      description: The figures beside those of the outage of record.
      type: list
      elements: dict
    comparison:
      description: The figures beside those of O(compare); null without it.
      type: dict
    warnings:
      description: What was not read, and what was assumed, such as the year of logs that have none.
      type: list
      elements: str
  sample:
    hours:
      - start: "2025-04-19T22:00:00Z"
        sources: {multus: {add: 720, del: 478, failed: 0}}
        errors: {}
        errors_by_source: {}
        builds_started: 24
        processes: null
    growth: {multus: [{hour: "2025-04-19T22:00:00Z", on_previous_percent: 65.9, on_first_percent: 65.9}]}
    first_failure:
      time: "2025-04-19T23:56:44Z"
      kind: fork failed
      source: kubelet
      node: worker-1
      text: "fork/exec /usr/bin/runc: resource temporarily unavailable"
      file: nodes/worker-1/worker-1_logs_kubelet
failures:
  description: One line for each kind of failure that was found.
  returned: success
  type: list
  elements: str
  sample: ["7 × fork failed, first at 2025-04-19T23:56:44Z"]
files:
  description: Paths of the files in O(dest); in check mode those that would be written.
  returned: success
  type: list
  elements: str
  sample: [/home/me/kubestress-results/outage/must-gather.json, /home/me/kubestress-results/outage/must-gather.html]
table:
  description: The table as lines of text.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import YAML, check_libraries
from ..module_utils.must_gather.must_gather_info import run_module

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "window": {"type": "int", "default": 7200},
    "compare": {"type": "path", "default": ""},
    "rules_file": {"type": "path", "default": ""},
    # The action plug-in of the same name takes it.
    "dest": {"type": "path"},
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(YAML)
        result = run_module(module.params)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
