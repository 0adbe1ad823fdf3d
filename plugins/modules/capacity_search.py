#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: capacity_search
short_description: Keep the books of a capacity search
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Says which run of a capacity search comes next, judges a run by its results, and writes C(capacity.json) and
    C(capacity.html). It starts no run itself.
  - Used by the role P(kubestress.core.capacity#role), whose variables it reads. The role runs and removes what is next.
  - Each task is one state of the search. What is known between them lies in C(capacity.json), so that a search goes on
    wherever it was interrupted.
options:
  state:
    description:
      - With V(begun), the settings of all steps are checked, with one line for what is refused, before anything is
        created. Then the search of O(capacity_id) begins, or is resumed, and the first run is noted as begun.
      - With V(judged), the run O(run_id) is judged by its C(summary.json).
      - With V(closed), everything that the run O(run_id) made is gone, and the next run is noted as begun.
      - With V(planned), in check mode, the runs of O(checks) are shown.
      - With V(ended), the table of the search is shown, and the answer set as custom statistics C(kubestress_capacity),
        which AWX keeps as an artifact.
      - With V(broken_off), the same, and O(error) is noted as what ended it.
    type: str
    choices: [begun, judged, closed, planned, ended, broken_off]
    required: true
  capacity_id:
    description: Name of the search; with O(state=begun), empty means that of the variable C(capacity_id), or a new one.
    type: str
    default: ""
  run_id:
    description: Id of the run that was judged or closed.
    type: str
    default: ""
  gather:
    description: Folder of what was collected after the run, below that of the search. The run's record keeps it.
    type: str
    default: ""
  error:
    description: What ended the search.
    type: str
    default: ""
  checks:
    description:
      - For each run, C(run_id), C(label), C(preflight) (what the module P(kubestress.core.batch#module) returns) and
        C(error), which is empty if preflight accepts the run.
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    description: With O(state=begun), checks the same way, and writes nothing.
    support: full
  diff_mode:
    description: Nothing but the files of the search is written.
    support: none
  async:
    description: It takes a few dozen milliseconds.
    support: none
seealso:
  - module: kubestress.core.batch
  - module: kubestress.core.report
"""

EXAMPLES = r"""
- name: Check all steps, and find out what comes next
  kubestress.core.capacity_search:
    state: begun
  register: capacity_search

- name: Judge the run
  kubestress.core.capacity_search:
    state: judged
    capacity_id: "{{ capacity_search.capacity_id }}"
    run_id: "{{ capacity_search.next.run_id }}"
"""

RETURN = r"""
capacity_id:
  description: Name of the search.
  returned: success
  type: str
  sample: 20261121-043642-k3fzq
state:
  description: V(running), V(ended) or V(broken off).
  returned: success
  type: str
results_dir:
  description: Folder of C(capacity.json) and C(capacity.html).
  returned: success
  type: str
next:
  description: The next run; null if there is none.
  returned: success
  type: dict
  contains:
    run_id:
      description: Its run id.
      type: str
    label:
      description: The value of its step, as text.
      type: str
    clean_first:
      description: Whether objects of an interrupted run of this id may be there.
      type: bool
    clean_only:
      description: Whether the run was judged, and only has to be removed.
      type: bool
    values:
      description: The settings that come before all others in this run.
      type: dict
  sample: {run_id: 20261121-043642-k3fzq-5, label: "5", clean_first: false, clean_only: false,
           values: {build_jobs_parallelism: 5, namespaces_prefix: deploy-test-5}}
rounds:
  description: How many runs there may still be, at most.
  returned: success
  type: int
gather:
  description: Whether a must-gather is collected after each run.
  returned: success
  type: bool
plan:
  description: With O(state=begun) in check mode, the runs of the given steps that are not finished, as in RV(next).
  returned: in check mode
  type: list
  elements: dict
settle:
  description: With O(state=judged), seconds to wait before the run is removed.
  returned: with O(state=judged)
  type: int
answered:
  description: Whether the search has ended with a value that is safe, or one that broke, and every run was measured.
  returned: success
  type: bool
answer:
  description: The answer in a sentence.
  returned: success
  type: str
  sample: build_jobs_parallelism 5 is safe; 8 broke.
cause:
  description: Why the search ended where it did; null if nothing broke.
  returned: success
  type: str
highest_safe:
  description: The highest value below all that broke whose runs were healthy; null if there is none.
  returned: success
  type: raw
broke_at:
  description: The lowest value that broke; null if none did.
  returned: success
  type: raw
steps:
  description: The steps that were begun, with C(value), C(label), C(runs), C(verdict), C(reasons) and C(figures).
  returned: success
  type: list
  elements: dict
message:
  description: Answer and cause in one line, for a play that fails.
  returned: success
  type: str
table:
  description: The table as lines of text.
  returned: with O(state=planned), O(state=ended) or O(state=broken_off)
  type: list
  elements: str
"""
