# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of all settings: every variable of every role, each described once, in the file of its role in `roles`.

Generated from it are each role's defaults/main.yml and meta/argument_specs.yml and the tables in docs/settings.md;
`make docs` writes them. A module whose option is one of these settings takes type, default and range from the role's
file, without importing the rest of the table.
"""

from __future__ import annotations

from .roles import (
    accelerator_jobs,
    accelerator_run,
    build_jobs,
    capacity,
    cleanup,
    compare,
    connectivity,
    deployments,
    guard,
    local_cluster,
    must_gather,
    namespaces,
    observe,
    preflight,
    report,
    run,
    statefulsets,
    storage,
    volumes,
)
from .setting import Setting

#: In the order in which the documentation lists them: as a run goes through them.
ROLES = {
    module.ROLE.name: module.ROLE
    for module in (
        run,
        preflight,
        namespaces,
        deployments,
        statefulsets,
        volumes,
        connectivity,
        build_jobs,
        accelerator_jobs,
        accelerator_run,
        observe,
        guard,
        report,
        cleanup,
        local_cluster,
        must_gather,
        compare,
        capacity,
        storage,
    )
}

SETTINGS: dict[str, Setting] = {setting.name: setting for role in ROLES.values() for setting in role.settings}

#: Those that `run.json` and the fact kubestress_settings hold.
RUN_SETTINGS = {name: setting for name, setting in SETTINGS.items() if setting.of_run}
