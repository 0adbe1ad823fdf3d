# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `cleanup`: shows progress while the module works."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction


class ActionModule(ProgressAction):
    """Nothing of its own to do on the controller."""
