# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, certificates and tokens of one cluster.

One authority signs the serving certificate of every part. Clients have static tokens, which cost the server almost
nothing; a client certificate is verified with each request, which would distort measurements.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import certificates


@dataclass(frozen=True)
class Identity:
    """A client of the API server. The groups determine its permissions."""

    name: str
    user: str
    groups: tuple[str, ...] = ()


# system:masters also exempts the administrator and kwok from the server's queues. For kwok this is intended: it acts
# for many kubelets, each of which would have its own share of the queues.
ADMIN = Identity("admin", "kubestress-admin", ("system:masters",))
CONTROLLER_MANAGER = Identity("kube-controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("kube-scheduler", "system:kube-scheduler")
KWOK = Identity("kwok", "kubestress-kwok", ("system:masters",))
# The API server's user at a kubelet; bound to Kubernetes' role for it.
KUBELET_CLIENT = "kubestress-kubelet-client"
# The DNS server's user; bound to a role of ours.
DNS_CLIENT = "kubestress-coredns"
# The user of the controllers of volumes and snapshots; bound to a role of ours.
STORAGE_CLIENT = "kubestress-storage"
IDENTITIES = (ADMIN, CONTROLLER_MANAGER, SCHEDULER, KWOK)


@dataclass(frozen=True)
class Pki:
    """The files in one folder."""

    folder: Path

    @property
    def ca_certificate(self) -> Path:
        """The certificate of the authority."""
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """The key of the authority."""
        return self.folder / "ca.key"

    @property
    def server_certificate(self) -> Path:
        """The certificate of every part that serves HTTPS."""
        return self.folder / "server.crt"

    @property
    def server_key(self) -> Path:
        """Its key."""
        return self.folder / "server.key"

    @property
    def service_account_key(self) -> Path:
        """Signs and verifies the tokens of service accounts."""
        return self.folder / "service-account.key"

    @property
    def tokens(self) -> Path:
        """The API server's `--token-auth-file`."""
        return self.folder / "tokens.csv"

    def token(self, identity: Identity) -> str:
        """The token of one client."""
        for line in self.tokens.read_text().splitlines():
            token, user, _rest = line.split(",", 2)
            if user == identity.user:
                return token
        raise KeyError(identity.user)

    @property
    def complete(self) -> bool:
        """Whether `create` finished here; the tokens are written last."""
        return self.tokens.exists()

    def key_of(self, name: str) -> Path:
        """The key of a client or server with its own certificate."""
        return self.folder / f"{name}.key"

    def certificate_of(self, name: str) -> Path:
        """Its certificate."""
        return self.folder / f"{name}.crt"

    def create(self, addresses: Sequence[str]) -> None:
        """Write everything, for a server at `addresses`."""
        authority = certificates.authority("kubestress local cluster")
        server = certificates.issue("kube-apiserver", authority=authority, addresses=addresses)
        _write(self.ca_key, authority.key_pem)
        _write(self.ca_certificate, authority.certificate_pem)
        _write(self.server_key, server.key_pem)
        _write(self.server_certificate, server.certificate_pem)
        _write(self.service_account_key, certificates.new_key_pem())
        lines = [_token_line(identity) for identity in IDENTITIES]
        _write(self.tokens, "".join(lines).encode())

    def cover(self, addresses: Sequence[str]) -> None:
        """Extend the serving certificate to `addresses`, with the same authority."""
        known = certificates.addresses_of(self.server_certificate.read_bytes())
        if not set(addresses) <= known:
            self._serve("server", "kube-apiserver", [*known, *addresses])

    def create_for_node(self, node: str, address: str) -> None:
        """Create the certificates of a real node and of the clients of its kubelet. Valid ones are kept."""
        if not self.certificate_of("kubelet-server").exists() or address not in certificates.addresses_of(
            self.certificate_of("kubelet-server").read_bytes()
        ):
            self._serve("kubelet-server", node, [address])
        clients = (
            ("kubelet", f"system:node:{node}", ("system:nodes",)),
            ("kube-proxy", "system:kube-proxy", ()),
            ("coredns", DNS_CLIENT, ()),
            ("kubelet-client", KUBELET_CLIENT, ()),
        )
        for name, user, groups in clients:
            self.create_client(name, user, groups)

    def create_client(self, name: str, user: str, groups: Sequence[str] = ()) -> None:
        """Create the certificate `name` of a client; a valid one is kept. The server knows it without a restart."""
        if not self.certificate_of(name).exists():
            pair = certificates.issue_client(user, authority=self._authority(), groups=groups)
            _write(self.key_of(name), pair.key_pem)
            _write(self.certificate_of(name), pair.certificate_pem)

    def _serve(self, name: str, subject: str, addresses: Sequence[str]) -> None:
        pair = certificates.issue(subject, authority=self._authority(), addresses=addresses)
        _write(self.key_of(name), pair.key_pem)
        _write(self.certificate_of(name), pair.certificate_pem)

    def _authority(self) -> certificates.KeyPair:
        return certificates.load(key_pem=self.ca_key.read_bytes(), certificate_pem=self.ca_certificate.read_bytes())


def _token_line(identity: Identity) -> str:
    groups = ",".join(identity.groups)
    return f'{secrets.token_hex(32)},{identity.user},{identity.name},"{groups}"\n'


def _write(path: Path, content: bytes) -> None:
    # Unreadable for others before it has content.
    path.touch(mode=0o600)
    path.write_bytes(content)
