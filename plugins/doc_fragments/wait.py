# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of cluster/arguments.py WAIT_ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  wait:
    description: Whether to wait until what was asked for has happened.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at most. What is not ready by then is named with its cause.
    type: int
    default: 600
"""
