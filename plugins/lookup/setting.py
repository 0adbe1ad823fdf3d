# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: setting
short_description: Default of a role variable from environment, profile or the collection
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - The defaults of the roles consist of this lookup. Ansible uses role defaults last, so extra vars and inventory win
    over everything that the lookup reads.
  - The value is that of the environment variable, if it is set and not empty and C(run_environment) is not false; else
    that of the profile, which the variable C(profile) names; else the default.
  - A value from the environment is text here. P(kubestress.core.settings#module) converts it.
options:
  _terms:
    description: Name of the role variable.
    required: true
    type: list
    elements: str
  env:
    description: Environment variable that comes first, on the machine where the playbook runs.
    type: str
  default:
    description: The value if neither the environment variable nor the profile has one.
    type: raw
seealso:
  - module: kubestress.core.settings
"""

EXAMPLES = r"""
- name: Show a setting as environment, profile or default give it
  ansible.builtin.debug:
    msg: "{{ lookup('kubestress.core.setting', 'namespaces_total', env='TOTAL_NAMESPACES', default=100) }}"
"""

RETURN = r"""
_raw:
  description: The value of each variable.
  type: list
  elements: raw
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.kubestress.core.plugins.module_utils.settings.environment import environment_that_counts
from ansible_collections.kubestress.core.plugins.module_utils.settings.precedence import Fallback
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from ansible_collections.kubestress.core.plugins.plugin_utils.setting_files import load_profile, profile_path


class LookupModule(LookupBase):
    """One value for each name."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the value of each name. Raises AnsibleError for an unknown profile or one that cannot be read."""
        self.set_options(var_options=variables, direct=kwargs)
        profile = self._templar.template((variables or {}).get("profile"))
        try:
            path = profile_path(profile, basedir=self._loader.get_basedir())
            values = load_profile(path)
            environment: Mapping[str, str] = os.environ
            if self.get_option("env"):
                environment = environment_that_counts(
                    os.environ, variables or {}, values, template=self._templar.template
                )
            fallback = Fallback(environment=environment, profile_values=values)
        except SettingError as error:
            raise AnsibleError(str(error)) from error
        variable, default = self.get_option("env"), self.get_option("default")
        return [fallback.find(name, environment=variable, default=default).value for name in terms]
