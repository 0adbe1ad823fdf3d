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
  - With O(truenas), compares volumes and contents with what a TrueNAS has behind democratic-csi, and reads how full its
    pools and the volumes' datasets are.
  - Deletes and changes nothing.
extends_documentation_fragment:
  - kubestress.core.auth
  - kubestress.core.storage
options:
  parts:
    description:
      - What to look at. What a part needs beside itself is read, too, such as pods for claims.
      - V(claims), V(volumes) and V(snapshots) are judged by the rules. V(attachments) are read so that nothing that is
        still attached to a node is called an orphan. V(usage) asks kubelets how full volumes are.
      - V(backend) is the comparison with O(truenas); without that it is nothing.
    type: list
    elements: str
    choices: [claims, volumes, snapshots, attachments, usage, backend]
    default: [claims, volumes, snapshots, attachments, usage, backend]
  thresholds:
    description:
      - From where on something is worth a warning. Only those that differ from the defaults need be given.
      - V(volume_warning) and V(volume_critical) in percent used (85 and 95), V(snapshot_age_days) (30), and
        V(snapshots_per_volume) (50).
      - Of the pools of O(truenas), V(pool_warning) and V(pool_critical) in percent used (80 and 90), and V(overcommit),
        what volumes may grow to as a multiple of what the pool holds (2).
    type: dict
    default: {}
  truenas:
    description:
      - The TrueNAS SCALE behind democratic-csi. Without it, or if it is empty, no box is asked.
      - A box that cannot be read makes the part C(backend) incomplete, and what depends on it V(unknown).
      - The API key is sent over TLS only and to O(truenas.url) only. It is in no output, no file and no command line.
    type: dict
    suboptions:
      url:
        description:
          - Address of the box, as V(https://HOST) or V(https://HOST:PORT). Falls back to E(TRUENAS_URL).
          - Required. An address without TLS is refused before anything is sent, since TrueNAS revokes a key that comes
            that way.
        type: str
      username:
        description:
          - User that the API key belongs to. Falls back to E(TRUENAS_USERNAME).
          - Required, except with O(truenas.transport=rest).
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
        description: V(auto) uses JSON-RPC, and REST only where nobody answers to that.
        type: str
        choices: [auto, jsonrpc, rest]
        default: auto
      volume_parents:
        description:
          - Datasets below which the driver makes volumes - its C(datasetParentName). Required.
        type: list
        elements: str
        default: []
      detached_parents:
        description:
          - Datasets below which the driver makes detached snapshots - its C(detachedSnapshotsDatasetParentName).
        type: list
        elements: str
        default: []
      instance_id:
        description:
          - The driver's C(instance_id), if it has one. Datasets of other instances are then V(foreign).
        type: str
      connect_timeout:
        description: Seconds for connection and login, 0.1 to 120.
        type: float
        default: 10.0
      timeout:
        description: Seconds for one reading of the box, 0.1 to 3600. Parts that are not read by then are incomplete.
        type: float
        default: 120.0
  other_clusters:
    description:
      - Connections of other clusters that have volumes below the same parents of O(truenas). What their volumes and
        contents name is in use. A cluster that is not named here is not known, and its datasets look like orphans.
      - Each needs O(other_clusters[].context), O(other_clusters[].host) or O(other_clusters[].kubeconfig), and rights
        to list PersistentVolumes and VolumeSnapshotContents. Where one of these lists cannot be read, no dataset and
        no ZFS snapshot that it might name is called an orphan.
      - The options are those of this module's own connection, without its environment variables.
    type: list
    elements: dict
    default: []
    suboptions:
      kubeconfig:
        description: Path of a kubeconfig, or its content. With a context alone, this task's own is used.
        type: raw
      context:
        description: Context in the kubeconfig.
        type: str
      host:
        description: URL of the API server.
        type: str
      api_key:
        description: Bearer token.
        type: str
      username:
        description: User name for HTTP basic authentication.
        type: str
      password:
        description: Password for HTTP basic authentication.
        type: str
      client_cert:
        description: Path of a client certificate.
        type: path
        aliases: [cert_file]
      client_key:
        description: Path of its key.
        type: path
        aliases: [key_file]
      ca_cert:
        description: Path of a CA certificate.
        type: path
        aliases: [ssl_ca_cert]
      validate_certs:
        description: Whether the API server's certificate is verified.
        type: bool
        aliases: [verify_ssl]
      proxy:
        description: URL of an HTTP proxy.
        type: str
      proxy_headers:
        description: Headers for the proxy, a dictionary or its JSON.
        type: raw
      no_proxy:
        description: Hosts that are asked without the proxy.
        type: str
      impersonate_user:
        description: User to act as.
        type: str
      impersonate_groups:
        description: Groups to act as.
        type: list
        elements: str
  strict:
    description: Fail if a part is not complete. The result is returned all the same.
    type: bool
    default: false
  top:
    description:
      - How many rows of each list to return, the most important first. Must be 0 to 100,000.
      - The files in O(dest) have all, and RV(summary) counts all.
    type: int
    default: 100
  dest:
    description:
      - Folder on the controller for the files; it is made if necessary, and files of an earlier scan are replaced.
      - Without it nothing is written.
    type: path
  formats:
    description:
      - The files to write. V(json) is C(storage.json), V(csv) is C(findings.csv) and C(claims.csv), V(yaml) is
        C(storage.yaml), V(metrics) is C(metrics.prom) for node exporter, and V(html) is C(storage.html).
    type: list
    elements: str
    choices: [json, csv, yaml, metrics, html]
    default: [json, csv, html, metrics]
  metrics_per_object:
    description:
      - Whether C(metrics.prom) has samples of each claim, and of each snapshot with a finding, too.
    type: bool
    default: false
attributes:
  check_mode:
    description: Only reads the cluster, so check mode makes no difference there. It writes no file.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  async:
    description: Works without O(dest). Files are made from the module's answer.
    support: partial
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

- name: Compare with the TrueNAS behind democratic-csi, which another cluster uses too
  kubestress.core.storage_info:
    truenas:
      url: https://truenas.example
      username: reader
      api_key: "{{ truenas_api_key }}"
      ca_cert: /etc/ssl/truenas.pem
      volume_parents: [tank/k8s/v]
      detached_parents: [tank/k8s/s]
    other_clusters:
      - kubeconfig: /etc/kubernetes/staging.conf

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
  description:
    - How far each list was read, by its name; C(usage) is what kubelets told, C(backend) the box, and
      C(other_clusters) the lists of these.
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
      description: Where the figures come from, V(kubelet) or V(zfs). A claim may have a row of each.
      type: str
    level:
      description: V(ok), V(warning) or V(critical), by the thresholds.
      type: str
    cause:
      description: Why figures are missing; null otherwise.
      type: str
box:
  description: What was read of O(truenas); null without it. C(matched) counts what has an object in some cluster.
  returned: success
  type: dict
  sample:
    url: https://truenas.example
    version: TrueNAS-25.10.1
    transport: jsonrpc
    pools:
      - name: tank
        status: ONLINE
        healthy: true
        size_bytes: 10995116277760
        allocated_bytes: 2748779069440
        free_bytes: 8246337208320
        used_percent: 25.0
        overcommit_ratio: 0.4
        level: ok
    volumes: 40
    snapshots: 12
    matched: 51
    complete: true
    cause: null
files:
  description: Paths of the files in O(dest); in check mode those that would be written.
  returned: success
  type: list
  elements: str
  sample: [/home/me/storage/storage.json, /home/me/storage/storage.html]
failures:
  description: A line for each of C(orphans), C(incomplete) and C(over_threshold) that the scan has.
  returned: success
  type: dict
  sample:
    orphans: "3 orphans of 30 GiB (2 × PersistentVolumeClaim, 1 × VolumeSnapshotContent)"
message:
  description: All of them on one line, or that there is none.
  returned: success
  type: str
  sample: nothing is left over, and nothing is nearly full
table:
  description: The table as lines of text.
  returned: success
  type: list
  elements: str
msg:
  description: The scan in one line.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS, CONNECTION_ARGUMENTS
from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import CLUSTER, MSGSPEC, check_libraries
from ..module_utils.machine.interpreter import return_large_blocks, skip_final_collection
from ..module_utils.settings.roles.storage import ROLE
from ..module_utils.storage.storage_info import run_module
from ..module_utils.truenas.arguments import BOX_ARGUMENTS

#: Options that are the role's variables, without the prefix.
_SETTINGS = (
    "namespaces",
    "exclude_namespaces",
    "label_selector",
    "storage_classes",
    "drivers",
    "parts",
    "min_age",
    "confirm",
    "thresholds",
    "strict",
    "top",
    # The action plug-in of the same name takes these.
    "formats",
    "metrics_per_object",
)
ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **{name: ROLE[f"storage_{name}"].argument_spec() for name in _SETTINGS},
    "dest": {"type": "path"},
    "truenas": {"type": "dict", "options": BOX_ARGUMENTS},
    # Not from the environment: that names the cluster that is scanned.
    "other_clusters": {"type": "list", "elements": "dict", "default": [], "options": CONNECTION_ARGUMENTS},
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
