#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `batch`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: batch
short_description: Create, patch or delete many Kubernetes objects, bounded and measured
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Runs a plan - fragments of templates over a range of namespaces - with true limits on requests in flight, rate,
    namespaces at work and unfinished Jobs, waits until what it made is ready, and returns counts, latencies and causes.
  - Every operation has exactly one outcome. Transient failures (429, 500, 502, 503, 504, broken connections, timeouts,
    etcd leader changes, answers that are incomplete or of something that is no API server) are tried again with
    jittered back-off and counted; all others fail at once, by name.
  - An object counts as created only if the answer proves it, with status 201 and the object's name and uid. What a
    proxy says with a login page and status 200 is no proof.
  - Every object gets the run's labels. An object that exists without the label of this run is never adopted, changed
    or deleted; it is a failure that names its owner.
  - The same call again creates nothing - what this run made already is C(unchanged).
requirements:
  - msgspec >= 0.20.0 (to read large clusters)
extends_documentation_fragment:
  - kubestress.core.auth
  - kubestress.core.limits
  - kubestress.core.wait
  - kubestress.core.plan
options:
  state:
    description:
      - V(present) creates what is missing. V(patched) patches objects of this run, V(absent) deletes them.
    type: str
    choices: [present, patched, absent]
    default: present
  patch_type:
    description: How O(state=patched) sends the templates.
    type: str
    choices: [merge, strategic, apply]
    default: merge
  namespaces_parallel:
    description:
      - Namespaces worked on at once. One that only waits for its Jobs no longer counts.
      - Must be 1 to 10,000.
    type: int
    default: 10
  results_dir:
    description:
      - Folder for C(failures.jsonl), C(batches/*.json) and C(observations/*.json), with every failure, the histograms,
        and what was read beside the batch. It is made if it is not there.
      - To be able to report on the batch, begin the play with the role C(kubestress.core.run), and give its
        C(kubestress_run.attempt_dir).
    type: path
  ledger:
    description: File that remembers finished Jobs, so that one whose TTL has removed it is not made again.
    type: path
  wait_timeout:
    description: Seconds for the whole batch; V(0) leaves it to the fragments.
    type: int
    default: 0
  observe:
    description:
      - What is read beside the batch, for C(observations/*.json) in O(results_dir); without that option, nothing.
      - Its requests pass the batch's own limits. What cannot be read is noted there with its cause, and never harms the
        batch.
    type: dict
    suboptions:
      enabled:
        description: Whether anything is read.
        type: bool
        default: true
      api_interval:
        description:
          - Seconds between two readings of the API server's metrics; V(0) reads before and after only.
          - Must be 1 to 3,600, or 0 for only before and after.
        type: float
        default: 15.0
      node_interval:
        description:
          - Seconds between two questions to the kubelet of a node that the batch's pods run on, through the API
            server's node proxy; V(0) asks none.
          - All questions together are at most 1 % of the batch's requests, or one a second if that is more. Simulated
            nodes are not asked.
          - Must be 1 to 3,600, or 0 for never.
        type: float
        default: 5.0
      events:
        description: Whether events of type Warning are watched and counted.
        type: bool
        default: true
  guard:
    description:
      - The signs of ill health by which the batch ends itself, with all that it has measured. Pods, Jobs and nodes are
        those of the batch.
      - Not for O(state=absent). Of each number V(0) is never.
    type: dict
    suboptions:
      enabled:
        description: Whether signs are looked for.
        type: bool
        default: true
      action:
        description: With V(stop) nothing more is sent once a threshold is reached, with V(warn) it is only told.
        type: str
        choices: [stop, warn]
        default: stop
      window:
        description:
          - Seconds over which is counted.
          - Must be 5 to 3,600.
        type: int
        default: 60
      failed_pods:
        description:
          - Pods that fail within O(guard.window).
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 10
      failed_jobs:
        description:
          - Jobs that fail within O(guard.window).
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 5
      image_pulls:
        description:
          - Pods that begin to wait for an image that cannot be pulled, within O(guard.window).
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 5
      crashes:
        description:
          - Restarts of containers, and containers that could not be started, within O(guard.window). Fragments with
            C(expect=restarts) do not count.
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 10
      evictions:
        description:
          - Pods that a kubelet evicts within O(guard.window).
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 3
      fork_failures:
        description:
          - Pods and events that say within O(guard.window) that no process or thread could be started.
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 5
      sandbox_failures:
        description:
          - Events C(FailedCreatePodSandBox) within O(guard.window).
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 10
      refused_volumes:
        description:
          - Events C(ProvisioningFailed) within O(guard.window) by which a claim's driver can never make its volume.
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 1
      lost_nodes:
        description:
          - Nodes with pods of the batch that are deleted or not Ready, at one moment.
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 1
      pressured_nodes:
        description:
          - Nodes with pods of the batch under pressure of memory, disk or process numbers, at one moment.
          - Must be 1 to 1,000,000, or 0 for never.
        type: int
        default: 1
      api_errors:
        description:
          - Percentage of the requests of O(guard.window), at least 20, that the API server did not serve. Those of an
            outage do not count.
          - Must be more than 0, up to 100, or 0 for never.
        type: float
        default: 50.0
      api_p99:
        description:
          - Seconds within which 99 % of the requests of O(guard.window), at least 100, were answered. Those of an
            outage do not count.
          - Must be more than 0, up to 3,600, or 0 for never.
        type: float
        default: 15.0
      outage:
        description:
          - Seconds of outages within O(guard.window), judged when the API server answers again.
          - Must be more than 0, up to 86,400, or 0 for never.
        type: float
        default: 0.0
  preflight:
    description:
      - What O(fragments) weigh is held against what the cluster offers before anything is created, as
        M(kubestress.core.preflight) does. V(refuse) ends there if it does not fit, V(report) shows the table and goes
        on, V(skip) asks nothing.
      - For O(state=present) only.
    type: str
    choices: [refuse, report, skip]
    default: refuse
  preflight_options:
    description: How preflight judges; each is an option of M(kubestress.core.preflight).
    type: dict
    suboptions:
      profile:
        description: Name of the profile, for messages.
        type: str
        default: ""
      risk:
        description: What the load can do to a cluster; it then needs O(preflight_options.accept_risk).
        type: str
        default: ""
      accept_over_limit:
        description: Go on although a limit is passed. Each becomes a warning.
        type: bool
        default: false
      accept_risk:
        description: Agree to O(preflight_options.risk).
        type: bool
        default: false
      cleans_up:
        description: Whether the permission to delete the namespaces is asked for as well.
        type: bool
        default: false
      nodes_sampled:
        description:
          - Number of nodes whose kubelet is asked for its process limits.
          - Must be 0 to 1,000.
        type: int
        default: 10
      read_budget:
        description:
          - Seconds for counting the pods that run already.
          - Must be more than 0, up to 600.
        type: float
        default: 5.0
      exact_pods:
        description:
          - Up to so many pods of the cluster are read one by one; the requests of more are estimated.
          - Must be 0 to 10,000,000.
        type: int
        default: 20000
      rbac_out:
        description:
          - File on the machine where the playbook runs, into which the Roles and bindings are written that the plan and
            its cleanup need, and no more. Also in check mode, and where permissions are missing.
          - A plan whose namespaces all exist gets Roles in these, any other a ClusterRole.
        type: path
      rbac_account:
        description:
          - C(NAMESPACE/NAME) of the ServiceAccount that O(preflight_options.rbac_out) binds them to. Empty is the user
            of the connection.
        type: str
        default: ""
  progress_file:
    description: File to which lines about the progress are appended; the action plug-in sets it and shows them.
    type: path
attributes:
  check_mode:
    description:
      - Renders the templates, asks for the kinds, holds the plan against the cluster, and lists what of it exists;
        sends nothing. The same keys are returned, with the counts of what would be done.
      - With O(state=patched), everything counts as C(patched), and a warning names what does not exist. An object of
        the same name that is not the run's own is found by the run only.
    support: full
  diff_mode:
    description: A batch reports counts, not the texts of objects.
    support: none
notes:
  - Supports C(async).
seealso:
  - module: kubestress.core.wait
  - module: kubestress.core.cleanup
"""

EXAMPLES = r"""
- name: A thousand ConfigMaps in each of ten namespaces, 50 requests in flight
  kubestress.core.batch:
    run_id: etcd-size-1
    namespace_prefix: config-load
    namespace_total: 10
    fragments:
      - role: namespaces
        # !unsafe keeps Ansible from filling in what differs from object to object; template files need no such word.
        steps: [[{definition: {apiVersion: v1, kind: Namespace, metadata: {name: !unsafe "{{ namespace }}"}}}]]
      - role: configmaps
        count: 1000
        steps: [[{template: configmap.yml.j2}]]
    variables:
      size_bytes: 1024

- name: Jobs of which two per namespace are unfinished at any time
  kubestress.core.batch:
    run_id: jobs-7
    namespaces: [team-a, team-b]
    existing_namespaces: [team-a, team-b]
    fragments:
      - role: batch_jobs
        count: 30
        active: 2
        ready_timeout: 3600
        steps: [[{template: job.yml.j2}]]

- name: Change every Deployment of a run
  kubestress.core.batch:
    run_id: etcd-size-1
    state: patched
    namespaces: [config-load-1]
    fragments:
      - role: deployments
        count: 3
        steps:
          - - definition:
                apiVersion: apps/v1
                kind: Deployment
                metadata: {name: !unsafe "app-{{ index }}"}
                spec: {replicas: 2}
"""

RETURN = r"""
preflight:
  description:
    - What M(kubestress.core.preflight) returns, with O(preflight=skip) nothing. Of a task that fails only its problems,
      cautions and existing namespaces, or, if O(results_dir) has a C(run.json), nothing, since everything is in there.
  returned: for O(state=present)
  type: dict
stopped_by:
  description:
    - Who or what ended the batch before its work was done - C(guard), C(signal), C(deletion) of its objects by somebody
      else, an C(outage) that lasted too long, C(time) that was over, C(playbook) where that is gone, or C(error); null
      if nobody did. The message says more.
  returned: always
  type: str
  sample: guard
objects:
  description:
    - For each kind how many objects were requested, created, unchanged, failed and ready, and, where some were,
      C(patched) and C(deleted).
    - C(ready) is null where nobody waited - with O(wait=false), O(state=absent), and in check mode. So are all of
      RV(jobs).
    - What nobody waits for, because its kind has no readiness or its fragment sets O(fragments[].ready=false), counts
      as ready once it is stored.
  returned: always
  type: dict
  sample: {"Deployment": {"requested": 30, "created": 30, "unchanged": 0, "failed": 0, "ready": 30}}
requests:
  description:
    - For each verb and kind the number of attempts, of those that failed, and the latency of all of them in
      milliseconds. A request that is tried three times is three attempts.
  returned: always, except by a task that fails, with O(results_dir)
  type: dict
  sample:
    create:
      Deployment:
        {"count": 31, "errors": 1, "p50_ms": 4.1, "p90_ms": 8.2, "p95_ms": 9.8, "p99_ms": 12.4, "max_ms": 12.5}
rate:
  description:
    - Objects per second, peak of requests in flight against its limit, and the seconds in which that limit was reached.
    - Failed attempts and retries by cause. Seconds that requests waited for a place and for the rate, all together.
  returned: always
  type: dict
  sample:
    {"objects_per_second": 612.4, "peak_in_flight": 50, "max_in_flight": 50, "full_seconds": 2.1,
     "errors": {"429": 3}, "retries": {"429": 3}, "limit_wait_seconds": {"in_flight": 0.2, "rate": 0.0}}
client:
  description:
    - The load generator itself. Processor time in parts of one core, seconds in which it had less than a tenth of a
      core left, and how much later than asked for its event loop woke.
  returned: always
  type: dict
  sample:
    {"cpu_seconds": 1.3, "wall_seconds": 3.4, "cpu_share": 0.38, "busy_seconds": 0, "loop_lag_p99_ms": 8.1,
     "loop_lag_max_ms": 31.0, "cores": 4}
jobs:
  description:
    - Jobs complete and failed; most Job pods active at once, and the ceiling that the plan allows.
    - How long the Jobs that ended took, in seconds, and how many of their pods failed and were replaced.
  returned: always
  type: dict
  sample:
    {"complete": 20, "failed": 0, "peak_active_pods": 30, "ceiling_active_pods": 30, "pods_retried": 1,
     "duration": {"count": 20, "p50_s": 61, "p90_s": 74, "p95_s": 80, "p99_s": 83, "max_s": 83}}
pods:
  description:
    - Pods succeeded, failed and restarted, start-up percentiles in seconds, and causes of failures.
    - C(pods.startup) has the stages of their start by group (stateless, stateful, job, other), C(pods.worst) the ten
      that took longest or never became ready, with the cause. A task that fails, with O(results_dir), returns
      neither, since both are in its files.
  returned: always
  type: dict
  sample:
    succeeded: 200
    failed: 1
    startup_p50_s: 0.9
    startup_p99_s: 1.6
    startup: {"job": {"total": {"count": 201, "p50_s": 1, "p90_s": 2, "p95_s": 2, "p99_s": 4, "max_s": 4}}}
    never_ready: 0
    worst:
      - {"namespace": "a-1", "name": "b-1-x7k2p", "group": "job", "node": "n-3", "total_s": 4, "waited_s": null,
         "stages": {"scheduled": 0, "initialized": 0, "started": 4, "ready": 0},
         "cause": "4 of 4 s from initialized to started"}
    causes: {"OOMKilled": 1}
statefulsets:
  description:
    - Of StatefulSets' pods those that were killed for memory, restarts, and kills, as kubelets report them.
    - Null where pods are not watched.
  returned: always
  type: dict
  sample: {"pods_killed": 4, "restarts": 8, "oom_kills": 10}
connectivity:
  description:
    - What the pods that check the Services told at their end. Codes, and cumulative buckets in seconds by phase.
    - Null where the batch made no such check.
  returned: always
  type: dict
  sample:
    cause: null
    pods: 1
    told: 1
    requests: 30
    failed: 0
    codes: {"200": 30}
    phases: {"total": {"buckets": {"0.001": 4, "0.002": 30, "+Inf": 30}}}
volumes:
  description:
    - How long claims, their pods and snapshots took, in seconds, by role and stage. Null for a batch without any.
    - By this machine's clock are C(bound), C(provisioned), C(attached), C(mounted), C(ready) and C(expanded); by
      times in the objects, which have whole seconds, C(mounted_own) and C(cut).
    - C(unconsumed) counts claims that are ready although they wait for a first consumer, since the plan has none.
      C(mounted_by) is what told that volumes are mounted, and of how many pods.
  returned: always
  type: dict
  sample:
    cause: null
    stages:
      volumes:
        bound: {"count": 30, "p50_s": 1.204, "p90_s": 1.9, "p95_s": 2.1, "p99_s": 2.4, "max_s": 2.41}
    unconsumed: 0
    mounted_by: {"condition": 30}
    attachments_cause: null
    clock_backwards: 0
accelerator_jobs:
  description:
    - How long accelerator jobs waited and for what, which pools of nodes they ran in, and how often they were
      restarted. Null for a batch without any. These jobs are all JobSets, all Jobs of the role C(accelerator_jobs), and
      others that have a queue, ask for accelerators or share their pool of nodes with no other.
    - C(waits) has a row for each role, queue and priority. C(reserved) and C(admitted) are those of Kueue's Workloads,
      from their creation; C(scheduled) is from the creation of the job until all of its pods have a node; all by this
      machine's clock. C(admitted_own) is by the Workload's own times, which have whole seconds.
    - C(unschedulable) counts what the scheduler told of pods, and the queue of jobs, each cause by itself.
  returned: always
  type: dict
  sample:
    cause: null
    workloads_cause: null
    waits:
      - role: accelerator_jobs
        queue: team
        priority: high
        jobs: 8
        waiting: 0
        waiting_longest_s: null
        first_admitted: "2026-11-22T16:44:05Z"
        last_admitted: "2026-11-22T16:44:36Z"
        evicted: {}
        stages:
          admitted: {"count": 8, "p50_s": 10.2, "p90_s": 31.0, "p95_s": 31.0, "p99_s": 31.0, "max_s": 31.02}
    pools:
      - role: accelerator_jobs
        label: cloud.google.com/gke-nodepool
        pool: v5e-a
        accelerator: tpu-v5-lite-podslice
        machine: ct5lp-hightpu-4t
        topology: 4x4
        nodes: 4
        nodes_used: 4
        pods: 32
        slices: 8
        slices_at_once: 1
    pools_cause: null
    restarts:
      - {"role": accelerator_jobs, "jobs": 8, "restarted": 1, "restarts": 1, "failed_pods": 1, "exit_codes": {"1": 1}}
    unschedulable:
      - role: accelerator_jobs
        by: scheduler
        cause: Insufficient google.com/tpu
        told: 4
        pending: 0
        longest_s: 12.4
        example: "0/5 nodes are available: 4 Insufficient google.com/tpu, 1 node(s) had untolerated taint(s)."
    clock_backwards: 0
not_ready:
  description:
    - The first 20 objects that are not ready, with their causes. Of a task that fails, with O(results_dir), only the
      first 5, shortened.
  returned: always
  type: list
  elements: dict
  sample: [{"kind": "Deployment", "namespace": "a-1", "name": "app-1", "cause": "ImagePullBackOff: image x not found"}]
failures:
  description: Number of failures, and by reason; all of them are in C(failures.jsonl) of O(results_dir).
  returned: always
  type: dict
  sample: {"total": 1, "by_reason": {"Forbidden": 1}}
first_failures:
  description:
    - The first 20 failures, whole, without those of objects that were not sent because something they need has failed.
      Of a task that fails, with O(results_dir), only the first 5, shortened.
  returned: always
  type: list
  elements: dict
seconds:
  description: From the first request until everything was settled.
  returned: always
  type: float
  sample: 8.3
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubestress.core.plugins.module_utils.cluster.arguments import (
    AUTH_ARGUMENTS,
    LIMIT_ARGUMENTS,
    WAIT_ARGUMENTS,
)
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.guard.arguments import GUARD_ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.libraries import (
    CLUSTER,
    MSGSPEC,
    TEMPLATES,
    check_libraries,
)
from ansible_collections.kubestress.core.plugins.module_utils.load.batch_module import run_module
from ansible_collections.kubestress.core.plugins.module_utils.machine.interpreter import (
    return_large_blocks,
    skip_final_collection,
)
from ansible_collections.kubestress.core.plugins.module_utils.observe.arguments import OBSERVE_ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.plan.arguments import PLAN_ARGUMENTS, PLAN_RULES
from ansible_collections.kubestress.core.plugins.module_utils.preflight.preflight import PREFLIGHT_OPTIONS
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.namespaces import ROLE as NAMESPACES

ARGUMENTS = {
    **AUTH_ARGUMENTS,
    **LIMIT_ARGUMENTS,
    **WAIT_ARGUMENTS,
    **PLAN_ARGUMENTS,
    "state": {"type": "str", "choices": ["present", "patched", "absent"], "default": "present"},
    "patch_type": {"type": "str", "choices": ["merge", "strategic", "apply"], "default": "merge"},
    "namespaces_parallel": NAMESPACES["namespaces_parallel"].argument_spec(),
    "results_dir": {"type": "path"},
    "ledger": {"type": "path"},
    "wait_timeout": {"type": "int", "default": 0},
    **OBSERVE_ARGUMENTS,
    **GUARD_ARGUMENTS,
    "preflight": {"type": "str", "choices": ["refuse", "report", "skip"], "default": "refuse"},
    "preflight_options": {"type": "dict", "options": PREFLIGHT_OPTIONS, "apply_defaults": True},
    "progress_file": {"type": "path"},
}


def main() -> None:
    """Run the batch; the one place where its errors become a module's failure."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        **PLAN_RULES,
    )
    return_large_blocks()
    try:
        check_libraries(*CLUSTER, *TEMPLATES, MSGSPEC)
        result = run_module(module.params, check_mode=module.check_mode, warn=module.warn)
    except ModuleFailed as error:
        module.fail_json(msg=str(error), **error.result)
    skip_final_collection()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
