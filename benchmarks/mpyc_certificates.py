"""Certificates as MPyC wants them for `--ssl`: subject "MPyC party i", signed by one CA."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_certificates(folder: Path, parties: int) -> None:
    """mpyc_ca.crt, and party_i.crt and party_i.key for each party."""
    folder.mkdir(parents=True)
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = _named("MPyC CA")
    ca = _builder(issuer, issuer, authority.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    _write(folder / "mpyc_ca.crt", ca.sign(authority, hashes.SHA256()))
    for index in range(parties):
        name = f"MPyC party {index}"
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _builder(_named(name), issuer, key.public_key()).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        )
        _write(folder / f"party_{index}.crt", leaf.sign(authority, hashes.SHA256()))
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / f"party_{index}.key").write_bytes(pem)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
