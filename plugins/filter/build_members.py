# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `build_members`: the build jobs' names as a plan fragment's members."""

from __future__ import annotations

DOCUMENTATION = r"""
name: build_members
short_description: Names of the build jobs of a namespace
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Gives the C(members) of the build jobs' plan fragment, each with its Job's name.
  - Names are C(build-{service}-{component}-{major}-{minor}-{patch}-s-1), all different, and follow from O(seed) alone;
    a smaller O(_input) gives the beginning of the same list.
positional: seed
options:
  _input:
    description: How many, 0 to 720000.
    type: int
    required: true
  seed:
    description: The run's seed, a number or a text.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: The Jobs of each namespace
  ansible.builtin.debug:
    msg: "{{ 20 | kubestress.core.build_members(1) }}"
"""

RETURN = r"""
_value:
  description: One dictionary for each build, with the key C(build_name).
  type: list
  elements: dict
  sample: [{"build_name": "build-api-cache-1-4-31-s-1"}]
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.module_utils.plan.build_farm import build_names


def build_members(count: int | str, seed: int | str) -> list[dict[str, str]]:
    """Return one dictionary for each build. Raises AnsibleFilterError where there are not so many names."""
    try:
        return [{"build_name": name} for name in build_names(seed=seed, count=int(count))]
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        """Return the filter by name."""
        return {"build_members": build_members}
