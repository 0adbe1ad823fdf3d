# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, certificates and tokens of one cluster.

One authority signs the serving certificate of every part. Clients show static tokens: comparing one costs the server
next to nothing, while a client certificate is verified anew with each request, and that would be measured as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import certificates


@dataclass(frozen=True)
class Identity:
    """A client of the API server. The groups decide what it may do."""

    name: str
    user: str
    groups: tuple[str, ...] = ()


# system:masters also exempts the administrator and kwok from the server's own queues. For kwok that is on purpose: it
# stands for many kubelets, each with a queue share of its own.
ADMIN = Identity("admin", "kubestress-admin", ("system:masters",))
CONTROLLER_MANAGER = Identity("kube-controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("kube-scheduler", "system:kube-scheduler")
KWOK = Identity("kwok", "kubestress-kwok", ("system:masters",))
# As whom the API server asks a kubelet; bound to Kubernetes' own role for it.
KUBELET_CLIENT = "kubestress-kubelet-client"
# As whom the DNS server reads Services; there is a role of ours for it.
DNS_CLIENT = "kubestress-coredns"
IDENTITIES = (ADMIN, CONTROLLER_MANAGER, SCHEDULER, KWOK)


@dataclass(frozen=True)
class Pki:
    """The files below one folder."""

    folder: Path

    @property
    def ca_certificate(self) -> Path:
        """What clients trust."""
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """Signs further certificates, such as a kubelet's."""
        return self.folder / "ca.key"

    @property
    def server_certificate(self) -> Path:
        """Shown by every part that serves HTTPS."""
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
        """The key of a client or server that has a certificate of its own."""
        return self.folder / f"{name}.key"

    def certificate_of(self, name: str) -> Path:
        """Its certificate."""
        return self.folder / f"{name}.crt"

    def create(self, addresses: Sequence[str]) -> None:
        """Write everything, for a server that is reached at `addresses`."""
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
        """Have a serving certificate that is good for `addresses` as well; the authority stays."""
        known = certificates.addresses_of(self.server_certificate.read_bytes())
        if not set(addresses) <= known:
            self._serve("server", "kube-apiserver", [*known, *addresses])

    def create_for_node(self, node: str, address: str) -> None:
        """Have the certificates of a real node and of those who talk to its kubelet. What is there stays."""
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
    # Made unreadable for others before anything stands in it.
    path.touch(mode=0o600)
    path.write_bytes(content)
