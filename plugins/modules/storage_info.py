#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `storage_info`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: storage_info
short_description: Find claims, volumes and snapshots that nobody needs, and tell how full volumes are
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads PersistentVolumeClaims, PersistentVolumes, VolumeSnapshots and their contents, StorageClasses and
    VolumeAttachments, and everything that may use a claim, and tells which of them are orphans.
  - An orphan is something that nobody needs by all the rules in the guide C(docs/storage.md), and that a second look
    has confirmed. What only looks like one has a state of its own, such as V(retained), and is never called an orphan.
  - What could not be read is named with its cause in RV(parts). A verdict that depends on it is V(unknown).
  - Reads used and free space of mounted volumes from the kubelets, through the API server's node proxy.
  - Deletes and changes nothing.
extends_documentation_fragment:
  - kubestress.core.auth
options:
  namespaces:
    description:
      - Only these namespaces, each of which is listed by itself, so that rights in them suffice for what lies in them.
      - Of volumes and contents, only those that belong to them. The default is all namespaces.
    type: list
    elements: str
    default: []
  exclude_namespaces:
    description: All namespaces but these.
    type: list
    elements: str
    default: []
  label_selector:
    description:
      - Label selector in the syntax of kubectl. Only claims, volumes, snapshots and contents with such labels of their
        own are told of.
    type: str
    default: ""
  storage_classes:
    description:
      - Names of StorageClasses. Only claims and volumes of these classes are told of, and snapshots of such claims.
    type: list
    elements: str
    default: []
  drivers:
    description: Names of CSI drivers or provisioners. Only what belongs to them is told of.
    type: list
    elements: str
    default: []
  parts:
    description:
      - What to look at. What a part needs beside itself is read, too, such as pods for claims.
      - V(claims), V(volumes) and V(snapshots) are judged by the rules. V(attachments) are read so that nothing that is
        still attached to a node is called an orphan. V(usage) asks kubelets how full volumes are.
    type: list
    elements: str
    choices: [claims, volumes, snapshots, attachments, usage]
    default: [claims, volumes, snapshots, attachments, usage]
  min_age:
    description:
      - How old an orphan is at least. For a released volume its age is the time since its release.
      - A number of seconds, or with a unit such as V(90m), V(24h), V(7d) or V(2w).
    type: str
    default: 24h
  confirm:
    description:
      - Look again at everything that seems to be an orphan, with lists that are newer than all of the first look, so
        that a pod that is created during the scan is seen.
    type: bool
    default: true
  thresholds:
    description:
      - From where on something is worth a warning. Only those that differ from the defaults need be given.
      - V(volume_warning) and V(volume_critical) in percent used (85 and 95), V(snapshot_age_days) (30), and
        V(snapshots_per_volume) (50).
    type: dict
    default: {}
  strict:
    description: Fail if a part is not complete. The result is returned all the same.
    type: bool
    default: false
  top:
    description:
      - How many rows of each list to return, 0 to 100,000, the most important first. The file in O(dest) has all, and
        RV(summary) counts all.
    type: int
    default: 100
  dest:
    description: Folder for the files. It is made if it does not exist. Without it no file is written.
    type: path
  formats:
    description: The files to write. V(json) is C(storage.json).
    type: list
    elements: str
    choices: [json]
    default: [json]
attributes:
  check_mode:
    description: Only reads the cluster, so check mode makes no difference there. It writes no file.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  async:
    description: Works with C(async).
    support: full
requirements:
  - msgspec >= 0.20.0
notes:
  - Needs C(list) on the kinds that it reads, in the whole cluster or in O(namespaces), and for V(usage) C(list) on
    C(nodes) and C(get) on C(nodes/proxy). What is missing makes the scan incomplete, not a failure.
seealso:
  - module: kubestress.core.node_pids_info
"""

EXAMPLES = r"""
- name: Find what nobody needs, all over the cluster
  kubestress.core.storage_info:
  register: storage

- name: Show the orphans
  ansible.builtin.debug:
    msg: "{{ item.kind }} {{ item.namespace | default('', true) }}/{{ item.name }}: {{ item.evidence | join('; ') }}"
  loop: "{{ storage.findings | selectattr('state', 'equalto', 'orphan') }}"
  loop_control:
    label: "{{ item.name }}"

- name: Look at the claims of two teams that are at least a week old, and keep the whole document
  kubestress.core.storage_info:
    namespaces: [team-a, team-b]
    parts: [claims, attachments, usage]
    min_age: 7d
    thresholds:
      volume_warning: 80
    dest: ~/storage

- name: Stop if something could not be read, or a volume is nearly full
  kubestress.core.storage_info:
    strict: true
  register: storage
  failed_when: storage is failed or storage.usage | selectattr('level', 'equalto', 'critical') | list
"""

RETURN = r"""
complete:
  description: Whether everything that was asked for could be read.
  returned: success
  type: bool
  sample: true
summary:
  description:
    - Figures of the whole scan. C(orphans) counts them by kind, C(states) all objects by kind and state, and
      C(findings) all findings. C(used_bytes) is null where no claim's usage is known.
  returned: success
  type: dict
  sample:
    claims: 120
    volumes: 118
    snapshots: 40
    contents: 41
    classes: 2
    attachments: 95
    orphans: {PersistentVolumeClaim: 2, VolumeSnapshotContent: 1}
    orphan_bytes: 32212254720
    states: {PersistentVolumeClaim: {in_use: 110, orphan: 2, retained: 8}}
    findings: 31
    capacity_bytes: 1288490188800
    used_bytes: 403726925824
    over_threshold: 3
findings:
  description: What is worth a look, orphans first, then what cannot be judged; the largest of each first.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
    namespace:
      description: Its namespace; null for kinds of the whole cluster.
      type: str
    name:
      description: Its name.
      type: str
    state:
      description: V(orphan), V(unknown), or one of the states in the guide, such as V(retained).
      type: str
    reason:
      description: A short stable word to count by.
      type: str
    age_seconds:
      description: Its age, by the API server's clock; null if it cannot be told.
      type: float
    bytes:
      description: Its size; null if it cannot be told.
      type: int
    evidence:
      description: What speaks for the state.
      type: list
      elements: str
    confirmed:
      description: Whether the second look came to the same verdict; null if there was none.
      type: bool
  sample:
    - kind: PersistentVolumeClaim
      namespace: team-a
      name: data-old
      state: orphan
      reason: unused
      age_seconds: 2592000.0
      bytes: 10737418240
      evidence: ["no pod and no template names it, and it has no owner"]
      confirmed: true
parts:
  description: How far each list was read, by its name; C(usage) is what kubelets told.
  returned: success
  type: dict
  sample:
    claims: {complete: true, cause: null, objects: 120, seconds: 0.04}
    snapshots:
      complete: false
      cause: the cluster does not serve snapshot.storage.k8s.io/v1; are CustomResourceDefinitions missing?
      objects: 0
      seconds: 0.0
totals:
  description:
    - Sums of the claims by namespace, class and driver, in C(by_namespace), C(by_class) and C(by_driver), the largest
      first. Orphans of all kinds count where they belong.
  returned: success
  type: dict
  sample:
    by_namespace:
      - namespace: team-a
        claims: 12
        capacity_bytes: 128849018880
        used_bytes: null
        orphans: 2
        orphan_bytes: 21474836480
    by_class: []
    by_driver: []
usage:
  description: How full the bound claims are, the fullest first. What is not known is null, with the cause.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the claim.
      type: str
    name:
      description: Name of the claim.
      type: str
    storage_class:
      description: Its StorageClass.
      type: str
    driver:
      description: CSI driver or provisioner of its volume.
      type: str
    capacity_bytes:
      description: Size of the filesystem; of a claim without figures, the claim's.
      type: int
    used_bytes:
      description: Used bytes.
      type: int
    available_bytes:
      description: Bytes that can still be written.
      type: int
    used_percent:
      description: Used percentage, as C(df) has it.
      type: float
    inodes:
      description: Inodes of the filesystem; null for filesystems that make them as needed.
      type: int
    inodes_used:
      description: Inodes in use.
      type: int
    node:
      description: Node that it is mounted on.
      type: str
    time:
      description: When the kubelet measured it.
      type: str
    shared:
      description: Whether the figures are those of a filesystem that several claims lie on.
      type: bool
    source:
      description: Where the figures come from.
      type: str
    level:
      description: V(ok), V(warning) or V(critical), by the thresholds.
      type: str
    cause:
      description: Why there are no figures; null otherwise.
      type: str
files:
  description: Paths of the files in O(dest); in check mode those that would be written.
  returned: success
  type: list
  elements: str
  sample: [/home/me/storage/storage.json]
msg:
  description: The scan in one line.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS
from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import CLUSTER, MSGSPEC, check_libraries
from ..module_utils.machine.interpreter import return_large_blocks, skip_final_collection
from ..module_utils.storage.options import FORMATS, PARTS
from ..module_utils.storage.storage_info import run_module

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
    "label_selector": {"type": "str", "default": ""},
    "storage_classes": {"type": "list", "elements": "str", "default": []},
    "drivers": {"type": "list", "elements": "str", "default": []},
    "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
    "min_age": {"type": "str", "default": "24h"},
    "confirm": {"type": "bool", "default": True},
    "thresholds": {"type": "dict", "default": {}},
    "strict": {"type": "bool", "default": False},
    "top": {"type": "int", "default": 100},
    "dest": {"type": "path"},
    "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(FORMATS)},
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(*CLUSTER, MSGSPEC)
        return_large_blocks()
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        known = {name: value for name, value in error.result.items() if name not in ("msg", "warnings")}
        module.fail_json(msg=str(error), **known)
    # Ansible shows them by itself, and takes none in a result.
    for warning in result.pop("warnings"):
        module.warn(warning)
    skip_final_collection()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
