# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of cluster/arguments.py AUTH_ARGUMENTS; names and environment variables are those of kubernetes.core."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file, or its content as a dictionary.
      - Without it E(KUBECONFIG), then C(~/.kube/config), then the service account of the pod that the module runs in.
      - Falls back to the environment variable E(K8S_AUTH_KUBECONFIG).
    type: raw
  context:
    description: Context of the kubeconfig. Falls back to E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server. Alone it means that no kubeconfig is read. Falls back to E(K8S_AUTH_HOST).
    type: str
  api_key:
    description: Bearer token. Falls back to E(K8S_AUTH_API_KEY).
    type: str
  username:
    description: User name for basic authentication. Falls back to E(K8S_AUTH_USERNAME).
    type: str
  password:
    description: Password for basic authentication. Falls back to E(K8S_AUTH_PASSWORD).
    type: str
  client_cert:
    description: Path of the client certificate. Falls back to E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description: Path of the client certificate's key. Falls back to E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  ca_cert:
    description: Path of the certificates by which the server is trusted. Falls back to E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether the server's certificate is verified. Only this option, and the same in the kubeconfig, turns it off.
      - Falls back to E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description: URL of an HTTP proxy for the way to the API server. Falls back to E(K8S_AUTH_PROXY).
    type: str
  proxy_headers:
    description:
      - Headers for the proxy, by name, such as C(Proxy-Authorization). A dictionary, or its text, which is JSON or
        C(name=value) by comma. Falls back to E(K8S_AUTH_PROXY_HEADERS).
      - Can hold a password, so Ansible shows none of the values.
    type: raw
  no_proxy:
    description:
      - Host names and domains that are reached without the proxy, by comma. Falls back to E(K8S_AUTH_NO_PROXY).
    type: str
  impersonate_user:
    description: User to act as. Falls back to E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description: Groups to act as. Falls back to E(K8S_AUTH_IMPERSONATE_GROUPS).
    type: list
    elements: str
requirements:
  - kubernetes >= 36.0.1 (for kubernetes.aio)
  - aiohttp >= 3.13.5
"""
