#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: side_by_side
short_description: Show the summaries of several runs side by side
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads the C(summary.json) of each run and shows one table with a column per run, for example before and after a
    change of the nodes' limits.
  - A figure that was not measured is shown as V(no data).
  - Runs on the controller, whatever the connection.
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
        description: Heading of the column.
        type: str
        required: true
      summary_path:
        description: Path of the run's C(summary.json).
        type: path
        required: true
"""

EXAMPLES = r"""
- name: Show what the raised limit changed
  kubestress.core.side_by_side:
    runs:
      - name: before
        summary_path: kubestress-results/monday/summary.json
      - name: after
        summary_path: kubestress-results/tuesday/summary.json
"""

RETURN = r"""
rows:
  description: Rows of the table. C(what) is the label, C(values) has one text per run.
  returned: always
  type: list
  elements: dict
  sample: [{"what": "Jobs failed", "values": ["7", "0"]}]
fork_failures:
  description: For each run, the number of pods that failed because no process could be started in them.
  returned: always
  type: list
  elements: int
  sample: [17, 0]
fork_events:
  description:
    - For each run, the number of Warnings about a process that could not be started, such as those of the container
      runtime. Null if Warnings were not watched.
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
