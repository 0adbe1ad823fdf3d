# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of plan/arguments.py PLAN_ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  run_id:
    description: Identity of the run; the value of the label C(kubestress.core/run-id). At most 63 characters.
    type: str
    required: true
  namespaces:
    description:
      - Names of the namespaces, in order. Give this or O(namespace_prefix), unless all of O(fragments) are made once.
    type: list
    elements: str
  namespace_prefix:
    description: The namespaces are C({prefix}-{n}), with n from O(namespace_first).
    type: str
  namespace_total:
    description: How many namespaces O(namespace_prefix) stands for.
    type: int
  namespace_first:
    description: The first number, for load generators that share a range.
    type: int
    default: 1
  existing_namespaces:
    description: Namespaces that exist and are used as they are; they are neither created nor labelled.
    type: list
    elements: str
    default: []
  fragments:
    description:
      - What to make in each namespace, in order. No fragment waits for the one before it, but for the Namespace itself,
        what makes pods for the namespace's ServiceAccount, and what O(fragments[].after) names.
    type: list
    elements: dict
    required: true
    suboptions:
      role:
        description: Value of the label C(kubestress.core/role), and name of the phase in the results. Once per batch.
        type: str
        required: true
      count:
        description: Members per namespace; the variable C(index) counts them from 1.
        type: int
      members:
        description: Further variables for each member, one dictionary for each.
        type: list
        elements: dict
      steps:
        description:
          - Lists of templates. A step is sent when the API has stored everything of the step before it. A list of
            templates that is in no other list is one step.
          - Each template has C(template) (a file, searched like those of a role) or C(definition) (an object, or YAML
            text), and may have C(count); the variable C(item) then counts from 1.
          - Each object needs a name of its own among those of its kind in the namespace, or in the cluster for kinds of
            Kubernetes that lie in no namespace; what would be made twice is refused before anything is sent.
          - Ansible fills in the expressions of a task before the module sees them. What is to vary from object to
            object in a C(definition) is therefore written as C(!unsafe "{{ index }}"). Files are read as they are.
        type: list
        elements: raw
        required: true
      scope:
        description:
          - With V(run) the members are made once, and not in each namespace, for kinds that lie in none, such as a
            CustomResourceDefinition or a ClusterRole. C(namespace) and C(namespace_index) are not there then. A batch
            of such fragments alone needs no namespaces.
          - By default that is so where all objects are of kinds of Kubernetes that lie in no namespace, and no template
            uses C(namespace) or C(namespace_index). For other kinds that lie in none, V(run) has to be given.
          - Kinds that such a fragment defines can be used by other fragments; their objects are sent once the API
            server serves them.
        type: str
        choices: [namespace, run]
      patch:
        description:
          - The templates are no objects to make, but patches of objects that earlier fragments make, and are sent in
            this form; C(after) has to name one of those. Each has C(apiVersion), C(kind) and C(metadata.name), and what
            is to change.
          - With the fragment's turn such an object is waited for once more, by the same rules. It counts as one more
            that is requested.
          - Objects keep their labels. Those without the run's are refused. With C(state=absent) the fragment is left
            out.
        type: str
        choices: [merge, strategic, apply]
      variables:
        description: Variables of this fragment's templates.
        type: dict
      wave:
        description: C(size) members at a time, then a pause of C(pause) seconds.
        type: dict
      active:
        description: Unfinished members (Jobs) of a namespace at once; the next is made when one ends. V(0) is all.
        type: int
      after:
        description:
          - Roles of earlier fragments whose objects in the namespace, or of the run, must be ready first.
          - What is made once can only come after what is made once.
        type: list
        elements: str
      ready:
        description:
          - Whether to wait for this fragment's objects. The default is V(true).
          - The rules are those of M(kubestress.core.wait). Custom resources whose controller sets neither of the
            conditions Ready and Available need V(false).
        type: bool
      ready_timeout:
        description:
          - Seconds from the last created member until all are ready. The default is V(600).
          - For objects that end, such as Jobs, it is an absolute limit that counts from the start (with
            O(fragments[].after) from the last created member), and V(0), no such limit, is the default.
        type: float
      stall_timeout:
        description:
          - The wait is over when nothing of the fragment has come forward for so many seconds. Coming forward is an
            object that is stored, ready or finished, and a pod that runs for the first time or has ended.
          - For objects that end, the default is the longest C(activeDeadlineSeconds) of the fragment's Jobs and a
            minute, or V(600) where they have none. For others there is no such limit by default. V(0) is the default.
        type: float
      expect:
        description:
          - V(restarts) means that the pods of StatefulSets are meant to be killed. A set is ready when a container of
            each of its pods has ended or was restarted once.
        type: str
        choices: [normal, restarts]
      processes:
        description: Live processes of one pod, for the comparison with the limits of nodes and pods. V(0) is unknown.
        type: int
      pod_phases:
        description:
          - The phases of a pod that ends, each as its shortest and its longest length in seconds; the expected length
            of the run is derived from them.
        type: list
        elements: list
      busy_phase:
        description:
          - In which of C(pod_phases), counted from 1, a pod has its C(processes); the report compares when it is
            expected with when it was seen. V(0) is unknown.
        type: int
      levers:
        description:
          - What makes the fragment smaller, for messages, as C(figure) to settings with their values. Figures are
            C(namespaces), C(objects), C(pods), C(requests), C(processes), C(storage), C(volume_mode), C(nodes) for
            what says which nodes take its pods, and C(queue) for the queue that they wait in.
        type: dict
      most:
        description:
          - Kind to a number. A plan of which all fragments together make more objects of it is over a limit, and
            preflight refuses it unless limits may be passed.
        type: dict
  variables:
    description:
      - Variables of all templates. C(namespace), C(namespace_index), C(index), C(item), C(run_id) and the members' own
        come with each object.
      - C(pod_user_id), C(pod_node_selector), C(pod_tolerations) and C(pod_image_pull_secrets) are there as well. They
        follow from C(run_user_id), C(run_node_selector), C(run_tolerations) and C(run_image_pull_secrets); the user id
        is 65534 where none is given, and null on OpenShift.
      - A value keeps its type and cannot change the structure of the document, whatever it contains.
    type: dict
    default: {}
  labels:
    description: Further labels for every object and its pods.
    type: dict
    default: {}
requirements:
  - jinja2 >= 3.1 and PyYAML >= 5.1, which a host has if ansible-core is installed there
"""
