# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files: one for the administrator, one for each part that is a client."""

from __future__ import annotations

import base64
from pathlib import Path

from .pki import Identity, Pki

CLUSTER_NAME = "kubestress-local"

TEMPLATE = """\
apiVersion: v1
kind: Config
clusters:
  - name: {cluster}
    cluster:
      server: {server}
      certificate-authority-data: {authority}
users:
  - name: {user}
    user:
      token: {token}
contexts:
  - name: {cluster}
    context:
      cluster: {cluster}
      user: {user}
current-context: {cluster}
"""


def write_kubeconfig(path: Path, *, server: str, pki: Pki, identity: Identity) -> None:
    """Write the kubeconfig of one client, readable by this user only; complete at every moment."""
    text = TEMPLATE.format(
        cluster=CLUSTER_NAME,
        server=server,
        authority=base64.b64encode(pki.ca_certificate.read_bytes()).decode(),
        user=identity.name,
        token=pki.token(identity),
    )
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
