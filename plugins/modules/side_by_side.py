#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: side_by_side
short_description: Show the summaries of several runs beside each other
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads the C(summary.json) of each run and shows one table with a column for each, such as a run before and one after
    a change of the nodes' limits.
  - A figure that a run did not measure is shown as V(no data).
  - Runs where the playbook runs, whatever the connection.
attributes:
  check_mode:
    description: It only reads.
    support: full
  diff_mode:
    description: It changes nothing.
    support: none
  async:
    description: Not needed; it takes a fraction of a second.
    support: none
options:
  runs:
    description: The runs, in the order of the columns.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What stands above the column.
        type: str
        required: true
      summary_path:
        description: The run's C(summary.json).
        type: path
        required: true
"""

EXAMPLES = r"""
- name: Show what the raised limit has changed
  kubestress.core.side_by_side:
    runs:
      - name: before
        summary_path: kubestress-results/monday/summary.json
      - name: after
        summary_path: kubestress-results/tuesday/summary.json
"""

RETURN = r"""
rows:
  description: The table's rows, each C(what) with one text a run in C(values).
  returned: always
  type: list
  elements: dict
  sample: [{"what": "Jobs failed", "values": ["7", "0"]}]
fork_failures:
  description: Of each run, the pods that failed because no process could be started in them any more.
  returned: always
  type: list
  elements: int
  sample: [17, 0]
fork_events:
  description:
    - Of each run, the Warnings that tell that nothing could be started, such as those of the container runtime. Null
      where nobody watched them.
  returned: always
  type: list
  elements: int
  sample: [4, 0]
table:
  description: The table as lines of text.
  returned: always
  type: list
  elements: str
"""
