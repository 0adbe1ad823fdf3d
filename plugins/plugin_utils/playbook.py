# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that a plug-in works for, as a process."""

from __future__ import annotations

import multiprocessing

from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process


def playbook_process() -> Process | None:
    """The `ansible-playbook` whose worker this process is; None in a process that no playbook started."""
    worker_of = multiprocessing.parent_process()
    return Process.of(worker_of.pid) if worker_of is not None and worker_of.pid is not None else None
