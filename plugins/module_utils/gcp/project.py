# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ids of projects look like; pure."""

from __future__ import annotations

import re

#: An older one has a domain and a colon before it (example.com:train).
PROJECT = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?:)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
PROJECT_RULE = "is not the id of a project; allowed are lower-case letters, digits and -"
