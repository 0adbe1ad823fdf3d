# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `storage_watch`: completes the connection from the variables kubestress_*."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction


class ActionModule(ModuleAction):
    """Files stay where the module runs."""
