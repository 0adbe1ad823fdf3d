#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Write the objects of a plan as YAML, without a cluster
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Compiles the same fragments that M(kubestress.core.batch) runs, and writes the objects that it would send, field by
    field, with the run's labels, as one YAML document each. C(kubectl apply -f) takes the file.
  - Namespaces come first, then what is made once for the run, then what lies in each namespace. Those of
    O(existing_namespaces) are left out.
  - The only addition is C(metadata.namespace), which requests have in their path.
  - No cluster is asked, so that values which only a cluster gives are those of plain Kubernetes. OpenShift's user ids
    are an example. Objects of a kind that Kubernetes does not define are taken to lie in namespaces.
  - Runs on the controller, whatever the connection.
attributes:
  check_mode:
    description: Writes O(dest), too, because it is what was asked for, and no part of what a run would make.
    support: none
  diff_mode:
    description: The file is shown by any diff tool.
    support: none
  async:
    description: Not needed; it takes a few milliseconds.
    support: none
options:
  dest:
    description:
      - File on the machine where the playbook runs; its folder is made if necessary.
      - A manifest that is there already is replaced. Any other file is refused and stays as it is.
      - Empty writes none, and only says what there would be.
    type: path
    default: ""
  notes:
    description: Lines of comment at the beginning of the file, which are shown as well.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - kubestress.core.plan
seealso:
  - module: kubestress.core.batch
"""

EXAMPLES = r"""
- name: Write what a batch of this plan would send
  kubestress.core.manifest:
    run_id: web-1
    namespace_prefix: web
    namespace_total: 10
    fragments:
      - role: namespaces
        steps: [[{definition: {apiVersion: v1, kind: Namespace, metadata: {name: !unsafe "{{ namespace }}"}}}]]
      - role: web
        count: 3
        steps: [[{template: deployment.yml.j2}]]
    dest: web.yml
"""

RETURN = r"""
dest:
  description: Absolute path of the file; empty if none was asked for.
  returned: success
  type: str
  sample: /home/me/web.yml
objects:
  description: How many objects of each kind there are.
  returned: success
  type: dict
  sample: {Namespace: 10, Deployment: 30}
"""
