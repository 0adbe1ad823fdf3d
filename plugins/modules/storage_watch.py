#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `storage_watch`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: storage_watch
short_description: Watch claims, volumes and snapshots, and report findings as they appear and vanish
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Watches what M(kubestress.core.storage_info) reads, judges it by the same rules, and keeps three files in O(dest) up
    to date, on the task's host.
  - C(events.jsonl) has a line for each change of an object, and for each finding that appears, changes or vanishes.
    C(metrics.prom) is for Prometheus. C(storage.json) is the document of a scan, as of the newest list of everything
    and of the end.
  - A watch that breaks is opened again; where the API server has forgotten where it was, its list is read anew. While
    one is closed, nothing is judged. If that takes longer than 30 s, its part is not complete, and what depends on it
    is V(unknown).
  - Every orphan is confirmed by a second look before it is reported, as in a scan. Deletes and changes nothing.
  - When it is stopped, by a limit, by O(state=stopped), SIGTERM or SIGINT, it judges once more and completes its files.
extends_documentation_fragment:
  - kubestress.core.auth
  - kubestress.core.storage
options:
  state:
    description:
      - V(started) starts a process that watches while the play goes on, unless the same one is already running. The
        task returns once everything was read and judged for the first time, or fails with the reason why it cannot be.
      - V(stopped) ends it and returns what it has seen. If none is running, nothing is changed.
      - V(foreground) watches in the task itself, until O(max_seconds) or O(max_events).
    type: str
    choices: [foreground, started, stopped]
    default: started
  dest:
    description:
      - Folder on the task's host for the files; it is made if necessary. One watch at a time writes into a folder.
      - A file C(events.jsonl) of an earlier watch is added to. One of more than 64 MiB becomes C(events.1.jsonl).
    type: path
    required: true
  max_seconds:
    description:
      - Seconds after which the watch ends by itself. Must be 1 to 31,622,400, or 0 for no limit.
    type: float
    default: 86400.0
  max_events:
    description:
      - Changes of claims, volumes, snapshots and contents after which it ends; what is there when it begins is no
        change. Must be 1 to 1,000,000,000, or 0 for no limit.
    type: int
    default: 0
  resync_interval:
    description:
      - Seconds after which each list is read anew, beside its watch, and C(storage.json) is written. What may not be
        read is asked for again after that time, or after a minute. Must be 1 to 86,400.
    type: float
    default: 600.0
  metrics_file:
    description:
      - File for the metrics, such as one in the folder of node exporter's textfile collector. Must end with C(.prom).
      - By default C(metrics.prom) in O(dest).
    type: path
  metrics_interval:
    description:
      - Seconds between two metrics files at least. Without a change, one is written each minute. Must be 0.1 to 3,600.
    type: float
    default: 15.0
  metrics_per_object:
    description:
      - Whether the metrics have samples of each claim, and of each snapshot with a finding, too.
    type: bool
    default: false
  http_port:
    description:
      - Port at which the metrics can be read, too, at C(/metrics), as long as the watch goes on. Must be 1 to 65,535,
        or 0 for none.
      - Needs the Python library prometheus-client on the task's host.
    type: int
    default: 0
  http_address:
    description:
      - IP address to listen on. Another than a loopback address is a warning, because there is neither a password nor
        TLS, and the metrics have names in them.
    type: str
    default: 127.0.0.1
  parts:
    description:
      - What to look at. What a part needs beside itself is read, too, such as pods for claims.
      - V(claims), V(volumes) and V(snapshots) are judged by the rules. V(attachments) are read so that nothing that is
        still attached to a node is called an orphan. V(usage) asks kubelets how full volumes are.
      - V(backend), a scan's comparison with a TrueNAS, is nothing here.
    type: list
    elements: str
    choices: [claims, volumes, snapshots, attachments, usage, backend]
    default: [claims, volumes, snapshots, attachments, usage, backend]
  thresholds:
    description:
      - From where on something is worth a warning. Only those that differ from the defaults need be given.
      - V(volume_warning) and V(volume_critical) in percent used (85 and 95), V(snapshot_age_days) (30), and
        V(snapshots_per_volume) (50).
    type: dict
    default: {}
  top:
    description:
      - How many rows of each list to return, the most important first. Must be 0 to 100,000.
      - C(storage.json) has all, and RV(summary) counts all.
    type: int
    default: 100
attributes:
  check_mode:
    description: Checks the options and that the cluster answers, and says what would be written or stopped.
    support: full
  diff_mode:
    description: Nothing in the cluster is changed.
    support: none
  async:
    description: Works with O(state=foreground). With V(started) the task returns at once anyway.
    support: full
requirements:
  - msgspec >= 0.20.0
  - prometheus-client >= 0.22.0, only with O(http_port)
notes:
  - Needs C(list) and C(watch) on the kinds that it reads, in the whole cluster or in O(namespaces), and for V(usage)
    C(list) and C(watch) on C(nodes) and C(get) on C(nodes/proxy). What is missing makes a part incomplete.
  - If processes are killed at the end of a login (C(KillUserProcesses) of systemd-logind) or with their container, as
    in AWX, so is a watch that was started. Use V(foreground) there.
  - A TrueNAS is not asked; M(kubestress.core.storage_info) compares with one.
seealso:
  - module: kubestress.core.storage_info
"""

EXAMPLES = r"""
- name: Watch while the play goes on, for node exporter
  kubestress.core.storage_watch:
    state: started
    dest: /var/tmp/storage-watch
    metrics_file: /var/lib/node_exporter/textfile_collector/storage.prom

- name: Do something that should leave nothing behind
  ansible.builtin.import_role:
    name: upgrade_shop

- name: Stop it, and see what was left over
  kubestress.core.storage_watch:
    state: stopped
    dest: /var/tmp/storage-watch
  register: watched

- name: Show the orphans
  ansible.builtin.debug:
    var: watched.findings | selectattr('state', 'equalto', 'orphan')

- name: Watch two namespaces until there were 1000 changes, at most an hour, with an endpoint for Prometheus
  kubestress.core.storage_watch:
    state: foreground
    dest: ~/storage-watch
    namespaces: [team-a, team-b]
    parts: [claims]
    max_events: 1000
    max_seconds: 3600
    http_port: 9105
"""

RETURN = r"""
running:
  description: Whether a process is watching now.
  returned: success
  type: bool
  sample: true
pid:
  description: Pid of that process, null if there is none.
  returned: success
  type: int
  sample: 41712
files:
  description: Paths of the files on the task's host.
  returned: success
  type: list
  elements: str
  sample: [/var/tmp/watch/events.jsonl, /var/tmp/watch/metrics.prom, /var/tmp/watch/storage.json]
watch:
  description: What the watch has seen, once it has ended; null before, and if it was killed.
  returned: success
  type: dict
  contains:
    reason:
      description: Why it ended, V(max_seconds), V(max_events), or which signal stopped it.
      type: str
    seconds:
      description: How long it watched.
      type: float
    complete:
      description: Whether everything could be read at the end.
      type: bool
    events:
      description: Events of all watched kinds after the first lists.
      type: int
    objects:
      description: Changes of claims, volumes, snapshots and contents, by kind and change.
      type: dict
    findings:
      description: Findings that appeared, changed and vanished, those of the beginning included.
      type: dict
    second_looks:
      description: How often orphans were looked at again.
      type: int
    resyncs:
      description: How often a list was read anew.
      type: int
    breaks:
      description: How often a watch broke and was opened again.
      type: int
  sample:
    reason: max_seconds
    seconds: 600.1
    complete: true
    events: 4211
    objects: {PersistentVolumeClaim: {added: 12, deleted: 10, modified: 31}}
    findings: {appeared: 40, vanished: 3}
    second_looks: 2
    resyncs: 18
    breaks: 1
complete:
  description: Whether everything that was asked for could be read.
  returned: after the end
  type: bool
  sample: true
summary:
  description:
    - Figures of the whole scan. C(orphans) counts them by kind, C(states) all objects by kind and state, and
      C(findings) all findings. C(used_bytes) is null where no claim's usage is known.
  returned: after the end
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
  returned: after the end
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
  returned: after the end
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
  returned: after the end
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
  returned: after the end
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
msg:
  description: What was seen in one line.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.arguments import AUTH_ARGUMENTS
from ..module_utils.errors import ModuleFailed
from ..module_utils.libraries import CLUSTER, MSGSPEC, check_libraries
from ..module_utils.machine.interpreter import return_large_blocks, skip_final_collection
from ..module_utils.settings.roles.storage import ROLE
from ..module_utils.storage_watch.storage_watch import run_module

#: Options that are the role's variables, without the prefix: of a scan, and of a watch.
_OF_SCAN = (
    "namespaces",
    "exclude_namespaces",
    "label_selector",
    "storage_classes",
    "drivers",
    "parts",
    "min_age",
    "confirm",
    "thresholds",
    "top",
    "metrics_per_object",
)
_OF_WATCH = ("max_events", "resync_interval", "metrics_interval", "http_port", "http_address")
ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **{name: ROLE[f"storage_{name}"].argument_spec() for name in _OF_SCAN},
    **{name: ROLE[f"storage_watch_{name}"].argument_spec() for name in _OF_WATCH},
    # A process that is left behind is not to be ended by a limit that a task needs.
    "state": {**ROLE["storage_watch_state"].argument_spec(), "default": "started"},
    "max_seconds": {**ROLE["storage_watch_max_seconds"].argument_spec(), "default": 86400.0},
    "dest": {"type": "path", "required": True},
    "metrics_file": {"type": "path"},
}


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        check_libraries(*CLUSTER, MSGSPEC)
        return_large_blocks()
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    # Ansible shows them by itself, and takes none in a result.
    for warning in result.pop("warnings"):
        module.warn(warning)
    skip_final_collection()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
