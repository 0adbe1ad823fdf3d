# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `build_variables`: what the build jobs' template needs beside the settings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: build_variables
short_description: Figures that follow from the build jobs' settings
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Gives the phases of a build as its script reads them, as bounds in seconds, and the length of a simulated build.
options:
  _input:
    description: The validated settings, C(kubestress_settings).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: How long a build takes at most
  ansible.builtin.debug:
    msg: "{{ (kubestress_settings | kubestress.core.build_variables).build_longest }}"
"""

RETURN = r"""
_value:
  description:
    - C(build_phases), the phases with their lengths in milliseconds; C(build_phase_bounds), the shortest and longest
      length of each in seconds; C(build_busy_phase), the number of the one that compiles;
      C(build_shortest) and C(build_longest), a build's bounds as Go durations.
  type: dict
  sample:
    build_phases: environment:idle:2000:5000 dependencies:cpu:5000:15000
    build_phase_bounds: [[2.0, 5.0], [5.0, 15.0]]
    build_shortest: 29s
    build_longest: 88s
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.module_utils.plan.build_farm import (
    busy_phase,
    longest_build,
    phase_bounds,
    phases_text,
    shortest_build,
)


def build_variables(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables. Raises AnsibleFilterError, naming a setting that is missing."""
    try:
        time_scale = settings["build_jobs_time_scale"]
    except KeyError as error:
        raise AnsibleFilterError(f"build_variables: the settings have no {error.args[0]}") from error
    return {
        "build_phases": phases_text(time_scale=time_scale),
        "build_phase_bounds": phase_bounds(time_scale=time_scale),
        "build_busy_phase": busy_phase(),
        "build_shortest": shortest_build(time_scale=time_scale),
        "build_longest": longest_build(time_scale=time_scale),
    }


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Return the filter by name."""
        return {"build_variables": build_variables}
