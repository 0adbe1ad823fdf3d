#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write the reports of a run and show them as a table
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads the measurements in the results folder of a run and writes C(summary.json), C(timeline.json), C(report.html),
    C(junit.xml) and C(metrics.prom). Shows the end-of-run table and adds it to the run's log.
  - Works after a run that was killed, needs no cluster, and starts no new attempt. A figure that was not measured is
    null in C(summary.json). A run that did not finish gets the verdict V(aborted).
  - A bad verdict does not fail the task. The play decides what to do about it, as the playbook C(stress) does.
  - Runs on the controller, whatever the connection.
attributes:
  check_mode:
    description: Skipped, because check mode runs no load.
    support: full
  diff_mode:
    description: It only writes files of the run.
    support: none
  async:
    description: Not needed; it takes a second or two.
    support: none
options:
  results_dir:
    description:
      - Folder of the attempt, C(RESULTS/RUN_ID/attempts/NUMBER). The reports go there, and also to the top of the run
        if there is no newer attempt.
      - Exactly one of O(results_dir) and O(run_id) is required.
    type: path
  run_id:
    description: Id of a run in O(run_results_dir).
    type: str
  run_results_dir:
    description: Folder that contains the folders of all runs, for O(run_id).
    type: path
    default: kubestress-results
  attempt:
    description: Number of the attempt, for O(run_id). By default the newest.
    type: int
  error:
    description:
      - Message of the task that ended the play early, if any. It is kept in C(run.json) for later reports.
      - It makes the verdict V(aborted), unless the measurements themselves show what went wrong.
    type: str
    default: ""
  slo_required:
    description:
      - Whether the verdict is V(failed) if a service level of Kubernetes was missed in this run, or if none could be
        judged. By default, service levels are only reported.
    type: bool
    default: false
  formats:
    description:
      - Reports to write in addition to C(summary.json) and C(timeline.json) - C(report.html), C(junit.xml),
        C(metrics.prom).
    type: list
    elements: str
    choices: [html, junit, metrics]
    default: [html, junit, metrics]
  log_file:
    description: File to which the table is added. By default C(run.log) in the attempt's folder.
    type: path
  set_stats:
    description:
      - Set the summary as custom statistics C(kubestress_summary), which AWX keeps as an artifact.
      - The summary is complete up to 200 kB of JSON; beyond that, C(left_out) lists what is missing.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Report on the run
  kubestress.core.report:
    results_dir: "{{ kubestress_run.attempt_dir }}"
  register: report

- name: Fail with the reasons
  ansible.builtin.fail:
    msg: "{{ report.verdict }}: {{ report.reasons | join('; ') }}"
  when: report.verdict != 'passed'

- name: Write the metrics of an earlier run for node exporter
  kubestress.core.report:
    run_id: nightly
    run_results_dir: /srv/kubestress
    formats: [metrics]
"""

RETURN = r"""
verdict:
  description: V(passed), V(failed), or V(aborted) if the run did not finish.
  returned: except in check mode
  type: str
  sample: passed
reasons:
  description:
    - Why it is not V(passed), one line each. At most 20 of them name objects, each of these with a cause of its own.
  returned: except in check mode
  type: list
  elements: str
  sample: ["Deployment deploy-test-1/web-2: not ready: ImagePullBackOff"]
message:
  description: Verdict and the first reasons in a few hundred characters, for the last message of a play.
  returned: except in check mode
  type: str
  sample: "failed: Deployment: 2 of 30 not ready"
trust:
  description: How far the figures can be trusted - V(good), V(limited) or V(poor).
  returned: except in check mode
  type: str
  sample: good
summary:
  description: The summary without histograms, with long lists shortened, and with at most 20 namespaces, only those
    with failures.
  returned: except in check mode
  type: dict
summary_path:
  description: Path of the complete summary.
  returned: except in check mode
  type: str
  sample: /home/me/kubestress-results/nightly/summary.json
files:
  description: Paths of the other reports, by format.
  returned: except in check mode
  type: dict
  sample: {"html": "/home/me/kubestress-results/nightly/report.html"}
problems:
  description: One line for each report that could not be created; each is also a warning.
  returned: except in check mode
  type: list
  elements: str
commands:
  description: The commands that report on the run again (C(report)) and clean it up (C(clean up)), without secrets.
  returned: except in check mode
  type: dict
  sample:
    report: ansible-playbook kubestress.core.report -e run_id=nightly
    clean up: ansible-playbook kubestress.core.cleanup -e run_id=nightly
table:
  description: The table as lines of text.
  returned: except in check mode
  type: list
  elements: str
"""
