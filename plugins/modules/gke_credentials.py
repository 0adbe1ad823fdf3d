#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `gke_credentials`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gke_credentials
short_description: Find out how a cluster of Google Kubernetes Engine is reached
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Returns the address of a cluster's API server, its issuer's certificate and a token, by REST and without gcloud.
  - Writes into a kubeconfig only with O(kubeconfig), and then merges. Everything else in that file stays.
  - The token is that of the credentials and lasts about an hour. It is in the registered variable, and never in the
    output.
requirements:
  - google-auth >= 2.40
  - requests >= 2.32
  - PyYAML
options:
  project:
    description: Id of the cluster's project.
    type: str
    required: true
  location:
    description: The cluster's region or zone, such as V(europe-west4) or V(us-east1-b).
    type: str
    required: true
  name:
    description: The cluster's name.
    type: str
    required: true
  address:
    description: Which of the API server's addresses is used. That of V(dns) has a certificate of a public issuer.
    type: str
    choices: [public, private, dns]
    default: public
  credentials_file:
    description:
      - File of credentials for Google Cloud, of a service account or of a user.
      - Without it, the file in E(GOOGLE_APPLICATION_CREDENTIALS), that of C(gcloud auth application-default login), or
        the metadata server, in this order.
    type: path
  endpoints:
    description:
      - Other addresses of services, such as those of a private network or a stand-in, C(https://HOST[:PORT][/PATH]).
        Without TLS only on this machine.
    type: dict
    suboptions:
      container:
        description: The API of GKE; by default C(https://container.googleapis.com).
        type: str
      token:
        description: Where tokens are given; by default what the credentials name.
        type: str
  ca_file:
    description: File to which the certificate of the issuer is written, for modules that want a path.
    type: path
  kubeconfig:
    description:
      - File into which the cluster, a user with the token and a context are merged. It is made if it is missing.
      - Without it no kubeconfig is read or written.
    type: path
  context:
    description:
      - Name of the three entries in O(kubeconfig). Entries that have it are replaced.
      - The default is C(kubestress_PROJECT_LOCATION_NAME), so that entries that gcloud made stay.
    type: str
  current_context:
    description: Whether the context becomes the current one. It does in any case if the file has none.
    type: bool
    default: false
attributes:
  check_mode:
    description: Asks for the cluster and a token, and says what would be written.
    support: full
  diff_mode:
    description: The module returns no diff, which would have the token.
    support: none
  async:
    description: Works with C(async).
    support: full
notes:
  - Needs the right C(container.clusters.get), as in C(roles/container.clusterViewer).
seealso:
  - module: kubestress.core.image
"""

EXAMPLES = r"""
- name: Find out how the cluster is reached
  kubestress.core.gke_credentials:
    project: my-project
    location: europe-west4
    name: training
    ca_file: training-ca.pem
  register: cluster

- name: Use it
  kubestress.core.runs_info:
    host: "{{ cluster.host }}"
    ca_cert: "{{ cluster.ca_cert }}"
    api_key: "{{ cluster.api_key }}"

- name: Add it to a kubeconfig
  kubestress.core.gke_credentials:
    project: my-project
    location: europe-west4
    name: training
    kubeconfig: ~/.kube/config
"""

RETURN = r"""
host:
  description: URL of the API server.
  returned: success
  type: str
  sample: https://203.0.113.10
ca_data:
  description: The certificate of its issuer, PEM. Empty with O(address=dns).
  returned: success
  type: str
  sample: "-----BEGIN CERTIFICATE-----"
ca_cert:
  description: Path of the file with the certificate.
  returned: with O(ca_file), unless there is no certificate
  type: str
  sample: /home/me/training-ca.pem
api_key:
  description: The token. It is not shown in the output.
  returned: success
  type: str
  sample: ya29.a0AfH6SM
expires:
  description: When the token expires, RFC 3339. Null if nobody knows.
  returned: success
  type: str
  sample: "2026-05-04T12:30:00Z"
context:
  description: Name of the entries in the kubeconfig, whether they were written or not.
  returned: success
  type: str
  sample: kubestress_my-project_europe-west4_training
version:
  description: Version of the API server.
  returned: success
  type: str
  sample: 1.36.3-gke.1000
status:
  description: State of the cluster, such as V(RUNNING).
  returned: success
  type: str
  sample: RUNNING
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import ModuleFailed
from ..module_utils.gcp.gke import ARGUMENTS, run_module


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
