#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `truenas_info`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: truenas_info
short_description: Read pools, datasets, snapshots and shares of a TrueNAS
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Reads from a TrueNAS SCALE what a storage driver such as democratic-csi works with - pools, datasets and zvols, ZFS
    snapshots with their holds and clones, and the shares by which datasets are exported. The form is the same for all
    versions of TrueNAS.
  - Uses JSON-RPC 2.0 over WebSocket, with one connection and one login, and REST v2.0 where that is all there is.
  - The API key is sent over TLS only and to O(url) only - a redirect is not followed. It is in no output, no file and
    no command line.
  - What could not be read is named with its cause in RV(parts), and does not fail the task unless O(strict) is set.
  - Changes nothing on the box.
options:
  url:
    description:
      - Address of the box, as V(https://HOST) or V(https://HOST:PORT). Falls back to E(TRUENAS_URL).
      - Required. An address without TLS is refused before anything is sent, since TrueNAS revokes a key that comes
        that way.
    type: str
  username:
    description:
      - User that the API key belongs to. Falls back to E(TRUENAS_USERNAME).
      - Required, except with O(transport=rest).
    type: str
  api_key:
    description: API key. Required. Falls back to E(TRUENAS_API_KEY).
    type: str
  ca_cert:
    description:
      - Path of the certificates by which the box is trusted, such as its own if it is self-signed.
        Falls back to E(TRUENAS_CA_CERT).
    type: path
  validate_certs:
    description:
      - Whether the box's certificate is verified. The default is V(true). Falls back to E(TRUENAS_VALIDATE_CERTS).
    type: bool
  transport:
    description:
      - V(auto) uses JSON-RPC, and REST only where nobody answers to that. REST is deprecated in TrueNAS 25.04 and
        removed in 26.
    type: str
    choices: [auto, jsonrpc, rest]
    default: auto
  volume_parents:
    description:
      - Datasets below which the driver makes volumes - its C(datasetParentName).
      - Only datasets and snapshots below these and O(detached_parents) are returned; of the whole box without any.
        One that the box does not have makes the datasets incomplete.
    type: list
    elements: str
    default: []
  detached_parents:
    description: Datasets below which the driver makes detached snapshots - its C(detachedSnapshotsDatasetParentName).
    type: list
    elements: str
    default: []
  instance_id:
    description:
      - The driver's C(instance_id), if it has one. Only the cross-check of a storage scan uses it.
    type: str
  connect_timeout:
    description: Seconds for connection and login, 0.1 to 120.
    type: float
    default: 10.0
  timeout:
    description: Seconds for reading everything, 0.1 to 3600. Parts that are not read by then are incomplete.
    type: float
    default: 120.0
  parts:
    description: What to read.
    type: list
    elements: str
    choices: [pools, datasets, snapshots, shares]
    default: [pools, datasets, snapshots, shares]
  strict:
    description: Fail if a part could not be read completely. The result is returned all the same.
    type: bool
    default: false
attributes:
  check_mode:
    description: Only reads, so check mode makes no difference.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  async:
    description: Works with C(async).
    support: full
notes:
  - Give the key to a user with the role C(READONLY_ADMIN); more is not needed.
requirements:
  - aiohttp >= 3.13.5
  - msgspec >= 0.20.0
"""

EXAMPLES = r"""
- name: Read the box
  kubestress.core.truenas_info:
    url: https://truenas.example
    username: reader
    api_key: "{{ truenas_api_key }}"
    ca_cert: /etc/ssl/truenas.pem
    volume_parents: [tank/k8s/v]
    detached_parents: [tank/k8s/s]
  register: box

- name: Stop if a pool is nearly full or not healthy
  ansible.builtin.assert:
    that: item.healthy and item.level != 'critical'
  loop: "{{ box.pools }}"
  loop_control:
    label: "{{ item.name }}"

- name: Read the pools only, with credentials from the environment
  kubestress.core.truenas_info:
    parts: [pools]
    strict: true
"""

RETURN = r"""
url:
  description: Address of the box.
  returned: success
  type: str
  sample: https://truenas.example
version:
  description: Its version, in its own words.
  returned: success
  type: str
  sample: TrueNAS-25.10.1
transport:
  description: How it was read, V(jsonrpc) or V(rest).
  returned: success
  type: str
  sample: jsonrpc
complete:
  description: Whether everything that was asked for was read completely.
  returned: success
  type: bool
  sample: true
cause:
  description: Why not; null if it was.
  returned: success
  type: str
  sample: null
parts:
  description: By part, whether it is complete, why not, how many objects were read, and in how many seconds.
  returned: success
  type: dict
  sample:
    pools: {complete: true, cause: null, objects: 1, seconds: 0.02}
    snapshots: {complete: false, cause: "pool.snapshot.query: EACCES: Not authorized", objects: 0, seconds: 0.01}
pools:
  description: The pools, by name. A figure that the box does not give is null.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the pool.
      type: str
    status:
      description: Its status, such as V(ONLINE).
      type: str
    healthy:
      description: Whether it is healthy.
      type: bool
    warning:
      description: Whether the box warns of it.
      type: bool
    size_bytes:
      description: Size, with parity on RAIDZ.
      type: int
    allocated_bytes:
      description: What of it is used.
      type: int
    free_bytes:
      description: What of it is free.
      type: int
    freeing_bytes:
      description: What is being freed after deletions.
      type: int
    fragmentation_percent:
      description: Fragmentation of its free space.
      type: float
    scan:
      description: The last scrub or resilver, and its state.
      type: str
    used_percent:
      description: RV(pools[].allocated_bytes) in percent of RV(pools[].size_bytes).
      type: float
    overcommit_ratio:
      description: The refquotas and volsizes of all its datasets, as a multiple of what it can hold.
      type: float
    level:
      description:
        - V(critical) from 90 % on, V(warning) from 80 % on or from an overcommit of 2 on, otherwise V(ok).
      type: str
  sample:
    - name: tank
      status: ONLINE
      healthy: true
      warning: false
      size_bytes: 10995116277760
      allocated_bytes: 2748779069440
      free_bytes: 8246337208320
      freeing_bytes: 0
      fragmentation_percent: 7
      scan: SCRUB FINISHED
      used_percent: 25.0
      overcommit_ratio: 0.4
      level: ok
datasets:
  description:
    - Datasets and zvols, by id. C(used_bytes) is with snapshots and children, C(used_by_dataset_bytes) without;
      C(quota_bytes) is the refquota or volsize; C(created) is in seconds since 1970; C(properties) are the driver's
      user properties, without C(democratic-csi:) and inherited ones included.
  returned: success
  type: list
  elements: dict
  sample:
    - id: tank/k8s/v/pvc-0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11
      type: FILESYSTEM
      used_bytes: 57344
      used_by_dataset_bytes: 49152
      available_bytes: 8246337208320
      quota_bytes: 1073741824
      created: 1767225600
      origin: null
      mountpoint: /mnt/tank/k8s/v/pvc-0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11
      properties: {managed_resource: "true", provision_success: "true"}
      pool: tank
      parent: tank/k8s/v
snapshots:
  description: ZFS snapshots, by id, with the tags of their holds and the datasets that were made of them.
  returned: success
  type: list
  elements: dict
  sample:
    - id: tank/k8s/v/pvc-0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11@auto-2026-01-01
      dataset: tank/k8s/v/pvc-0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11
      name: auto-2026-01-01
      created: 1767225600
      used_bytes: 8192
      holds: []
      clones: []
      properties: {managed_resource: "true", provision_success: "true"}
shares:
  description: Shares. C(kind) is V(nfs), V(smb), V(iscsi_target) or V(iscsi_extent).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: nfs, id: 1, name: /mnt/tank/data, path: /mnt/tank/data}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import AIOHTTP, MSGSPEC, check_libraries
from ..module_utils.truenas.arguments import BOX_ARGUMENTS, PARTS_ARGUMENT
from ..module_utils.truenas.truenas_info import run_module

ARGUMENTS = {**BOX_ARGUMENTS, "parts": PARTS_ARGUMENT, "strict": {"type": "bool", "default": False}}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(AIOHTTP, MSGSPEC)
        result = run_module(module.params)
    except ModuleFailed as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
