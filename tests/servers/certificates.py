"""Certificates for a test server: an authority, a node for localhost, an administrator."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ADMIN: Final = "CN=admin,O=tenantry"
NODE: Final = "CN=localhost,O=tenantry"
_DAYS: Final = 30


def write(directory: Path) -> Path:
    """Writes `ca.pem`, `node.pem`, `node-key.pem`, `admin.pem` and `admin-key.pem`; answers the authority's."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _name("authority")
    ca = _builder(authority, authority, authority_key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    _pem(directory / "ca.pem", ca.sign(authority_key, hashes.SHA256()))
    for name, common in (("node", "localhost"), ("admin", "admin")):
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = _builder(_name(common), authority, key).add_extension(x509.SubjectAlternativeName(names), critical=False)
        _pem(directory / f"{name}.pem", made.sign(authority_key, hashes.SHA256()))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )  # OpenSearch reads PKCS#8 only
        (directory / f"{name}-key.pem").write_bytes(private)
    return directory / "ca.pem"


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "tenantry"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
    )


def _pem(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
