#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: settings
short_description: Check the variables of all roles, and define the run
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Takes every variable of every role of this collection from the play's variables - extra vars, inventory, and,
    through the roles' defaults, environment, profile and default, in this order - and converts it to the type that the
    role documents. Text is taken for numbers, booleans, lists and dictionaries too, as AWX surveys and the environment
    send it; an empty string or null counts as not given.
  - Refuses wrong types, numbers out of range, values that contradict each other, an unknown profile, and names that no
    role has, all at once, one line each, before anything is created.
  - Chooses the run id, makes the folder of this attempt under C(run_results_dir), and writes C(run.json) there.
  - Used by the role P(kubestress.core.run#role), which sets the facts that the other roles read.
attributes:
  check_mode:
    description: Checks the same way and writes nothing.
    support: full
  diff_mode:
    description: It only adds a folder.
    support: none
  async:
    description: It takes a few dozen milliseconds.
    support: none
options:
  attempt:
    description:
      - With V(new) the next attempt of the run begins.
      - With V(current) the attempt that this play has begun goes on with these settings, unless they name another run.
        If there is none, it is as V(new). The variable C(kubestress_run) holds that attempt.
      - With V(latest) the result describes the newest attempt on disk, and nothing is written.
      - With V(none) the run has an id, but no attempt and no files, as where only preflight or cleanup is asked for.
    type: str
    choices: [new, current, latest, none]
    default: new
  complete:
    description: Whether the variables must be given without which O(role) can do nothing.
    type: bool
    default: true
  role:
    description:
      - Check only the variables of this role, which also works without a run, and those that it reads of other roles.
      - O(attempt) then has no effect. There is no run, and nothing is written.
    type: str
    choices: [report, cleanup, local_cluster, must_gather, compare]
seealso:
  - plugin: kubestress.core.setting
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Check the variables of one role, without a run
  kubestress.core.settings:
    role: cleanup
  register: cleanup_checked

- name: Check the settings of all roles
  kubestress.core.settings:
  register: checked

- name: Fix them for the roles that follow
  ansible.builtin.set_fact:
    kubestress_settings: "{{ checked.settings }}"
    kubestress_run: "{{ checked.run }}"
"""

RETURN = r"""
settings:
  description: Every variable of every role with its value, in the documented type.
  returned: success
  type: dict
  sample: {"namespaces_total": 10, "build_jobs_enabled": true}
run:
  description: What the run is.
  returned: success, unless O(role) is given
  type: dict
  contains:
    run_id:
      description: The run's identifier.
      type: str
    attempt:
      description: 1, or more if the run id has been used before in the same results folder. 0 with O(attempt=none).
      type: int
    results_dir:
      description: Absolute path of the run's folder. This and the other paths are empty with O(attempt=none).
      type: str
    attempt_dir:
      description: Absolute path of the folder in which this attempt writes.
      type: str
    log_file:
      description: File to which the log is added.
      type: str
    profile:
      description: Name of the profile; empty without one.
      type: str
    settings_hash:
      description: SHA-256 of the settings that say what the run does.
      type: str
    started:
      description: Time of this attempt's start, UTC, RFC 3339.
      type: str
  sample:
    run_id: 20261121-043642-k3fzq
    attempt: 1
    results_dir: /home/me/kubestress-results/20261121-043642-k3fzq
    attempt_dir: /home/me/kubestress-results/20261121-043642-k3fzq/attempts/1
    log_file: /home/me/kubestress-results/20261121-043642-k3fzq/attempts/1/run.log
    profile: safe
    settings_hash: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    started: "2026-11-21T04:36:42Z"
"""
