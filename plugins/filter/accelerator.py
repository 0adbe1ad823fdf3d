# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `accelerator`: what a manifest says of an accelerator."""

from __future__ import annotations

DOCUMENTATION = r"""
name: accelerator
short_description: Node selector, tolerations, resources and completions of an accelerator job
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Looks a type of accelerator up in the catalogue and gives what the manifest of a Job or JobSet says of it.
  - Names with a number such as C(v5p-8) are refused, because tools disagree on whether it counts cores or chips.
options:
  _input:
    description: The type, such as V(v5e) or V(nvidia-h100-80gb); empty for a job of CPUs.
    type: str
    required: true
  topology:
    description: How the chips of a slice are arranged, such as V(4x4) or V(2x2x4); only of types that have it.
    type: str
    default: ""
  machine:
    description:
      - Machine type of the nodes. If empty, the one that holds the whole topology, else the one of which larger slices
        are made, else the only one there is.
    type: str
    default: ""
  nodes:
    description: Nodes of a slice; V(0) is what the topology says, and without one a single node.
    type: int
    default: 0
  slices:
    description: How many slices.
    type: int
    default: 1
  catalogue:
    description: Types of your own, by name, in the form of the role's variable C(accelerator_jobs_catalogue).
    type: dict
    default: {}
seealso:
  - name: Guide
    description: Accelerator jobs.
    link: https://github.com/kubestress/kubestress.core/blob/main/docs/accelerators.md
"""

EXAMPLES = r"""
- name: How many nodes has a slice?
  ansible.builtin.debug:
    msg: "{{ ('v5e' | kubestress.core.accelerator(topology='4x4')).nodes }}"

- name: A pod's selector for eight H100
  ansible.builtin.debug:
    msg: "{{ ('nvidia-h100-80gb' | kubestress.core.accelerator(machine='a3-highgpu-8g')).node_selector }}"
"""

RETURN = r"""
_value:
  description:
    - C(type), C(resource), C(machine), C(topology), C(architecture); C(chips) and C(nodes) of a slice,
      C(chips_per_node), C(slices); C(completions) and C(parallelism) of a slice's Job.
    - C(node_selector), C(tolerations) and C(limits) of a pod; C(taints) of the nodes; C(pool_label), the label whose
      value the nodes of a slice share, empty where the pods of a slice may be anywhere.
  type: dict
  sample:
    type: v5e
    topology: 4x4
    machine: ct5lp-hightpu-4t
    nodes: 4
    chips: 16
    completions: 4
    parallelism: 4
    limits: {google.com/tpu: "4"}
    pool_label: cloud.google.com/gke-nodepool
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.errors import AcceleratorError
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.shape import shape_of


def accelerator(
    name: str | None,
    topology: str | None = "",
    machine: str | None = "",
    nodes: int | str = 0,
    slices: int | str = 1,
    catalogue: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the shape as a dictionary. Raises AnsibleFilterError naming the option."""
    try:
        found = shape_of(
            name or "",
            topology=topology or "",
            machine=machine or "",
            nodes=_number("nodes", nodes),
            slices=_number("slices", slices),
            catalogue=catalogue,
        )
    except AcceleratorError as error:
        raise AnsibleFilterError(f"accelerator: {error}") from error
    return found.as_dict()


def _number(option: str, value: int | str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise AcceleratorError(option, f"{value!r} is not allowed; a whole number is needed") from error


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Return the filter by name."""
        return {"accelerator": accelerator}
