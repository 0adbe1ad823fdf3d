# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `connectivity_variables`: how long the check of the Services may take."""

from __future__ import annotations

DOCUMENTATION = r"""
name: connectivity_variables
short_description: Figures that follow from the connectivity check's settings
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Gives the deadline of the check's Job, and how long to wait for it.
  - The deadline is what the check takes if the warm-up takes all of its time and every request its whole timeout, and
    a minute to start.
options:
  _input:
    description: The validated settings, C(kubestress_settings).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: How long a check may take
  ansible.builtin.debug:
    msg: "{{ (kubestress_settings | kubestress.core.connectivity_variables).connectivity_deadline_seconds }} s"
"""

RETURN = r"""
_value:
  description:
    - C(connectivity_deadline_seconds), for the Job; C(connectivity_wait_timeout), the seconds to wait for it, which
      include those that its Deployments may take first.
  type: dict
  sample:
    connectivity_deadline_seconds: 651
    connectivity_wait_timeout: 1251
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

#: For the pod to be scheduled and started.
START_SECONDS = 60


def connectivity_variables(settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the variables. Raises AnsibleFilterError, naming a setting that is missing."""
    try:
        rounds = settings["connectivity_count"]
        # A request that hangs is ended a second after its timeout; when the warm-up is over, each Service may be in
        # the middle of one, and of the second's pause after it.
        request_seconds = settings["connectivity_request_timeout"] + 2
        requests_seconds = settings["deployments_per_namespace"] * (rounds + 1) * request_seconds
        pauses_seconds = rounds * settings["connectivity_interval"]
        deadline = START_SECONDS + settings["connectivity_warm_up"] + requests_seconds + pauses_seconds
        wait = deadline + settings["deployments_ready_timeout"]
    except KeyError as error:
        raise AnsibleFilterError(f"connectivity_variables: the settings have no {error.args[0]}") from error
    return {"connectivity_deadline_seconds": deadline, "connectivity_wait_timeout": wait}


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., dict[str, int]]]:
        """Return the filter by name."""
        return {"connectivity_variables": connectivity_variables}
