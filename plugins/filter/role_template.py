# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `role_template`: a role's own template by its path, anything else as it is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_template
short_description: Path of a role's own template
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - A plan is made by one role and run by another, so a template that lies in the first one's C(templates) folder needs
    its path. Any other name is given back unchanged, to be searched for beside the playbook.
positional: role_path
options:
  _input:
    description: A template's name or path.
    type: str
    required: true
  role_path:
    description: The role's folder.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: A step of a plan fragment
  ansible.builtin.set_fact:
    step: [{template: "{{ deployments_template | kubestress.core.role_template(role_path) }}"}]
"""

RETURN = r"""
_value:
  description: The path, or the name as it was.
  type: str
  sample: /home/me/collections/ansible_collections/kubestress/core/roles/deployments/templates/deployment.yml.j2
"""

from collections.abc import Callable
from pathlib import Path


def role_template(name: str, role_path: str) -> str:
    """Return the path of the role's template of that name, or the name where the role has none."""
    own = Path(role_path) / "templates" / name
    return str(own) if own.is_file() else name


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[[str, str], str]]:
        """Return the filter by name."""
        return {"role_template": role_template}
