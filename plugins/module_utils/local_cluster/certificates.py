# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority and the certificates that it signs, all with P-256 keys."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    CRYPTOGRAPHY_IMPORT_ERROR: str | None = str(error)
else:
    CRYPTOGRAPHY_IMPORT_ERROR = None

VALIDITY = datetime.timedelta(days=365)
# The clock of a virtual machine may be set back a little after it resumes.
BACKDATE = datetime.timedelta(hours=1)

SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class KeyPair:
    """A key and the certificate for it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        """The key in PEM."""
        return _pem(self.key)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def authority(name: str) -> KeyPair:
    """A new, self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    return KeyPair(key, _build(subject=name, key=key, issuer_key=key, issuer=None))


def issue(name: str, *, authority: KeyPair, addresses: Sequence[str]) -> KeyPair:
    """A new serving certificate for a server at these addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _build(
        subject=name, key=key, issuer_key=authority.key, issuer=authority.certificate, addresses=addresses
    )
    return KeyPair(key, certificate)


def issue_client(name: str, *, authority: KeyPair, groups: Sequence[str] = ()) -> KeyPair:
    """A new client certificate: `name` and `groups` become user and groups at the API server."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _build(
        subject=name, key=key, issuer_key=authority.key, issuer=authority.certificate, groups=groups, client=True
    )
    return KeyPair(key, certificate)


def load(*, key_pem: bytes, certificate_pem: bytes) -> KeyPair:
    """A pair from PEM."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key is not on an elliptic curve")
    return KeyPair(key, x509.load_pem_x509_certificate(certificate_pem))


def addresses_of(certificate_pem: bytes) -> set[str]:
    """The addresses for which a serving certificate is valid."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def new_key_pem() -> bytes:
    """A new key without a certificate."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def _build(
    *,
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    addresses: Sequence[str] = (),
    groups: Sequence[str] = (),
    client: bool = False,
) -> x509.Certificate:
    """A serving or client certificate signed by `issuer`; without one, a self-signed authority."""
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    name = x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, subject)])
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
        # Required by Python's strict verification (3.13).
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if client:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    elif not is_authority:
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
