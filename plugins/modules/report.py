#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Make summary.json of a run and show it as a table
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads what the batches of a run left in its results folder, writes C(summary.json), shows the end-of-run table, and
    adds it to the run's log.
  - It works after a run that was killed as well. What was not measured is null in C(summary.json), and the verdict is
    then V(aborted).
  - A bad verdict does not fail the task. Whoever asked decides what follows, as the playbook C(stress) does.
  - Runs where the playbook runs, whatever the connection.
attributes:
  check_mode:
    description: Skipped, because check mode runs nothing that could be reported.
    support: full
  diff_mode:
    description: Only files of the run itself are written.
    support: none
  async:
    description: Not needed; it takes a fraction of a second.
    support: none
options:
  results_dir:
    description: Folder of the attempt, C(RESULTS/RUN_ID/attempts/NUMBER). The run's summary goes there and to the top.
    type: path
    required: true
  error:
    description:
      - Message of the task that ended the play early, if one did.
      - It makes the verdict V(aborted), unless the measurements themselves tell what went wrong, which is more.
    type: str
    default: ""
  log_file:
    description: File to which the table is added. By default C(run.log) in O(results_dir).
    type: path
  set_stats:
    description: Give the whole summary out as custom statistics C(kubestress_summary), which AWX keeps as an artifact.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Sum the run up
  kubestress.core.report:
    results_dir: "{{ kubestress_run.attempt_dir }}"
  register: report

- name: Fail with the reasons
  ansible.builtin.fail:
    msg: "{{ report.verdict }}: {{ report.reasons | join('; ') }}"
  when: report.verdict != 'passed'
"""

RETURN = r"""
verdict:
  description: V(passed), V(failed), or V(aborted) when the run did not come to its end.
  returned: except in check mode
  type: str
  sample: passed
reasons:
  description: Why it is not V(passed), one line each; at most 20 of them name single objects.
  returned: except in check mode
  type: list
  elements: str
  sample: ["Deployment deploy-test-1/web-2: not ready: ImagePullBackOff"]
summary:
  description: The summary without histograms, with at most 20 namespaces, of those where something failed.
  returned: except in check mode
  type: dict
summary_path:
  description: Where the whole summary lies.
  returned: except in check mode
  type: str
  sample: /home/me/kubestress-results/nightly/summary.json
table:
  description: The table as lines of text.
  returned: except in check mode
  type: list
  elements: str
"""
