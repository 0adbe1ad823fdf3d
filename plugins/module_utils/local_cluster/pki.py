# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, certificates and tokens of one cluster.

One authority signs the serving certificate of every part. Clients show static tokens: comparing one costs the server
next to nothing, while a client certificate is verified anew with each request, and that would be measured as well.
"""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = datetime.timedelta(days=365)
# The clock of a virtual machine may go back a little after it was resumed.
BACKDATE = datetime.timedelta(hours=1)

SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


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

    def create(self, addresses: Sequence[str]) -> None:
        """Write everything, for a server that is reached at `addresses`."""
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _certificate(subject="kubestress local cluster", key=ca_key, issuer_key=ca_key, issuer=None)
        server_key = ec.generate_private_key(ec.SECP256R1())
        server = _certificate(
            subject="kube-apiserver", key=server_key, issuer_key=ca_key, issuer=ca, addresses=addresses
        )
        _write(self.ca_key, _pem(ca_key))
        _write(self.ca_certificate, ca.public_bytes(serialization.Encoding.PEM))
        _write(self.server_key, _pem(server_key))
        _write(self.server_certificate, server.public_bytes(serialization.Encoding.PEM))
        _write(self.service_account_key, _pem(ec.generate_private_key(ec.SECP256R1())))
        lines = [_token_line(identity) for identity in IDENTITIES]
        _write(self.tokens, "".join(lines).encode())


def _token_line(identity: Identity) -> str:
    groups = ",".join(identity.groups)
    return f'{secrets.token_hex(32)},{identity.user},{identity.name},"{groups}"\n'


def _certificate(
    *,
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    addresses: Sequence[str] = (),
) -> x509.Certificate:
    """A serving certificate signed by `issuer`, or an authority that signs itself if there is none."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.UTC)
    is_authority = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Python's strict verification (3.13) asks for it.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_authority:
        names: list[x509.GeneralName] = [x509.DNSName(text) for text in SERVER_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(text)) for text in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    # Made unreadable for others before anything stands in it.
    path.touch(mode=0o600)
    path.write_bytes(content)
