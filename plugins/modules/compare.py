#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: compare
short_description: Compare two groups of runs, metric by metric
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Sets the runs before a change beside those after it, one or more of each, and says for each metric whether it
    improved, is the same or regressed. What M(kubestress.core.must_gather_info) has written can be compared in the same
    way.
  - A difference counts if it is beyond the metric's tolerance, beyond a floor below which it is noise, and beyond what
    runs of one group differ among themselves. With five runs a side that is an exact rank test; with fewer, a rule that
    the notes state; with one run a side nothing is known about it, and tolerances are wider.
  - Failures decide first. Times decide only if failures are the same, since times of runs in which more failed are
    times of what survived.
  - What else differs between the groups, such as settings, version or nodes, is in RV(notes).
  - Runs on the controller, whatever the connection.
attributes:
  check_mode:
    description: Compares, says whether the files of O(dest) would change, and writes none.
    support: full
  diff_mode:
    description: Nothing but the files of O(dest) is written.
    support: none
  async:
    description: Not needed; it takes a fraction of a second.
    support: none
options:
  before:
    description:
      - The runs before. Each is a run id, the path of a results folder or of an attempt in it, or the path of what
        M(kubestress.core.must_gather_info) has written.
    type: list
    elements: str
    required: true
  after:
    description: The runs after, given in the same way.
    type: list
    elements: str
    required: true
  tolerances:
    description:
      - Tolerances in percent that replace the metrics' own, by the metric's name, such as V(startup_p99), or by the
        name of one of its figures, such as V(startup_p99[job started]).
      - Floors stay as they are.
    type: dict
    default: {}
  run_results_dir:
    description: Folder in which run ids are looked up.
    type: path
    default: kubestress-results
  dest:
    description:
      - Folder on the controller for C(comparison.json) and C(comparison.html); it is made if necessary.
      - Without it nothing is written.
    type: path
seealso:
  - module: kubestress.core.report
  - module: kubestress.core.must_gather_info
"""

EXAMPLES = r"""
- name: Say what the raised limit changed
  kubestress.core.compare:
    before: [monday]
    after: [tuesday]
  register: compared

- name: Stop if something got worse
  ansible.builtin.assert:
    that: compared.verdict != 'regressed'
    fail_msg: "{{ compared.message }}"

- name: Compare five runs with five, and keep the page
  kubestress.core.compare:
    before: [a-1, a-2, a-3, a-4, a-5]
    after: [b-1, b-2, b-3, b-4, b-5]
    tolerances:
      job_duration_mean: 10
    dest: kubestress-results/compare-a-b

- name: Put two must-gathers beside each other
  kubestress.core.compare:
    before: [kubestress-results/must-gather-april]
    after: [kubestress-results/must-gather-may]
"""

RETURN = r"""
verdict:
  description: V(improved), V(same), V(regressed) or V(not comparable).
  returned: success
  type: str
  sample: improved
message:
  description: The verdict with its first reasons, on one line.
  returned: success
  type: str
  sample: "improved: runs that did not pass 1 → 0; Jobs failed 12 → 0; pods failed 24 → 0"
reasons:
  description: Names of the metrics that made the verdict.
  returned: success
  type: list
  elements: str
  sample: [runs_not_passed, jobs_failed, pods_failed]
metrics:
  description: By name, the metrics that made the verdict and the key metrics. All of them are in C(comparison.json).
  returned: success
  type: dict
  sample:
    pods_failed:
      name: pods_failed
      what: pods failed
      unit: ""
      better: lower
      weight: failures
      key: true
      before: [24]
      after: [0]
      middle_before: 24
      middle_after: 0
      difference_percent: -100
      tolerance_percent: 50
      floor: 0
      beyond_spread: null
      p: null
      verdict: improved
      note: ""
notes:
  description: What else differs between the groups, and what limits the comparison. C(comparison.json) calls them
    C(warnings).
  returned: success
  type: list
  elements: str
  sample: ["nodes differ: pid_max 700 → 4096"]
files:
  description: Paths of the files in O(dest); in check mode those that would be written.
  returned: success
  type: list
  elements: str
  sample: [/home/me/results/compare-a-b/comparison.json, /home/me/results/compare-a-b/comparison.html]
table:
  description: The table as lines of text.
  returned: success
  type: list
  elements: str
"""
