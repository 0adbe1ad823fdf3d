# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `pod_variables`: the settings, and with them where pods run and as whom."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pod_variables
short_description: Settings with the variables that every workload's pods share
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Gives the settings back with C(pod_node_selector), C(pod_tolerations), C(pod_image_pull_secrets) and C(pod_user_id),
    ready to stand in a pod's spec.
  - C(pod_user_id) is C(run_user_id); where that is empty it is 65534, on OpenShift nothing.
options:
  _input:
    description: The validated settings, C(kubestress_settings).
    type: dict
    required: true
  openshift:
    description: Whether the cluster is an OpenShift, which gives each namespace its own range of user ids.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Variables of a plan fragment
  ansible.builtin.set_fact:
    fragment_variables: "{{ kubestress_settings | kubestress.core.pod_variables(openshift=false) }}"
"""

RETURN = r"""
_value:
  description: The settings and the four variables.
  type: dict
  sample:
    run_seed: 1
    pod_user_id: 65534
    pod_node_selector: {}
    pod_tolerations: []
    pod_image_pull_secrets: []
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.module_utils.plan.placement import placement


def pod_variables(settings: Mapping[str, Any], openshift: bool = False) -> dict[str, Any]:
    """Return the settings and the pods' variables. Raises AnsibleFilterError, naming a setting that is missing."""
    try:
        return {**settings, **placement(settings, openshift=openshift)}
    except KeyError as error:
        raise AnsibleFilterError(f"pod_variables: the settings have no {error.args[0]}") from error


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Return the filter by name."""
        return {"pod_variables": pod_variables}
