# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan that cannot be used raises."""

from __future__ import annotations

from ..errors import KubestressError


class PlanError(KubestressError):
    """A fragment cannot be used; the text names the option, its value and what is allowed."""
