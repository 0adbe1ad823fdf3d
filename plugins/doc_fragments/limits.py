# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of cluster/arguments.py LIMIT_ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  max_concurrent:
    description:
      - API requests in flight at once over the whole task, retries and lists included. Watches do not count.
      - Must be 1 to 2,000.
    type: int
    default: 50
  qps:
    description:
      - Requests begun per second, on average. V(0) is no limit beyond O(max_concurrent).
      - Must be 0 to 100,000.
    type: float
    default: 0.0
  burst:
    description:
      - How many requests may begin at once before O(qps) holds them back. V(0) means O(qps) rounded up.
      - Must be 0 to 100,000.
    type: int
    default: 0
  request_timeout:
    description:
      - Seconds until one attempt of a request counts as unanswered and is tried again.
      - Must be 1 to 3,600.
    type: float
    default: 60.0
  retry_deadline:
    description:
      - Seconds during which one operation is tried again after transient failures, all pauses included.
      - Outages that are sat out (O(outage_limit)) are not counted.
      - Must be 0 to 86,400.
    type: float
    default: 120.0
  outage_limit:
    description:
      - Seconds for which an outage of the API server is sat out, once it has answered. Nothing counts as late
        meanwhile, and what was being sent is sent afterwards. A longer outage ends the task at once.
      - With V(0) any outage does, that is when nobody answers for half a second and the API server does not say that it
        is ready.
      - Must be 0 to 86,400.
    type: float
    default: 300.0
"""
