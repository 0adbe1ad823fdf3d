#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Make the reports of a run from its files, and show it as a table
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads what the batches and observers of a run left in its results folder, writes C(summary.json), C(timeline.json),
    C(report.html), C(junit.xml) and C(metrics.prom), shows the end-of-run table, and adds it to the run's log.
  - It works after a run that was killed as well, needs no cluster, and begins no new attempt. What was not measured is
    null in C(summary.json). The verdict of what did not come to its end is V(aborted).
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
    description: Not needed; it takes a second or two.
    support: none
options:
  results_dir:
    description:
      - Folder of the attempt, C(RESULTS/RUN_ID/attempts/NUMBER). The reports go there, and to the top of the run where
        no newer attempt is there.
      - Exactly one of O(results_dir) and O(run_id) is needed.
    type: path
  run_id:
    description: Run that is in O(run_results_dir), by its id.
    type: str
  run_results_dir:
    description: Folder under which the folder of each run lies, for O(run_id).
    type: path
    default: kubestress-results
  attempt:
    description: Number of the attempt, for O(run_id). By default the newest.
    type: int
  error:
    description:
      - Message of the task that ended the play early, if one did. It is kept in C(run.json) for later reports.
      - It makes the verdict V(aborted), unless the measurements themselves tell what went wrong, which is more.
    type: str
    default: ""
  slo_required:
    description:
      - Whether a service level of Kubernetes that was missed in this run makes the verdict V(failed), and whether it
        does if none could be judged. Without it they are told, and nothing more.
    type: bool
    default: false
  formats:
    description:
      - What to make beside C(summary.json) and C(timeline.json) - C(report.html), C(junit.xml), C(metrics.prom).
    type: list
    elements: str
    choices: [html, junit, metrics]
    default: [html, junit, metrics]
  log_file:
    description: File to which the table is added. By default C(run.log) in the attempt's folder.
    type: path
  set_stats:
    description:
      - Give the summary out as custom statistics C(kubestress_summary), which AWX keeps as an artifact.
      - It is the whole one up to 200 kB of JSON; of a larger one C(left_out) says what it lacks.
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

- name: Make the figures of an earlier run ready for a node exporter
  kubestress.core.report:
    run_id: nightly
    run_results_dir: /srv/kubestress
    formats: [metrics]
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
trust:
  description: How far the figures can be trusted, V(good), V(limited) or V(poor).
  returned: except in check mode
  type: str
  sample: good
summary:
  description: The summary without histograms, with the first rows of long lists, and with at most 20 namespaces, of
    those where something failed.
  returned: except in check mode
  type: dict
summary_path:
  description: Where the whole summary lies.
  returned: except in check mode
  type: str
  sample: /home/me/kubestress-results/nightly/summary.json
files:
  description: Where the other reports lie, by their format.
  returned: except in check mode
  type: dict
  sample: {"html": "/home/me/kubestress-results/nightly/report.html"}
problems:
  description: One line for each report that could not be made; they are warnings as well.
  returned: except in check mode
  type: list
  elements: str
table:
  description: The table as lines of text.
  returned: except in check mode
  type: list
  elements: str
"""
