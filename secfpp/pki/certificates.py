"""Making, signing and reading certificates (X.509, ECDSA on P-256, SHA-256).

A leaf names its owner (common name and DNS name) and its role (the URI `secfpp:role:<role>`), and
serves as TLS client and server certificate. Nothing here touches a file; see `secfpp.pki.store`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from secfpp.errors import ConfigError
from secfpp.pki.names import Role, checked_name

CA_DAYS: Final = 3650
LEAF_DAYS: Final = 365
_CLOCK_SKEW: Final = datetime.timedelta(minutes=5)  # Clocks of different sites differ a little.

PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Leaf:
    """What a certificate says: owner, role, SHA-256 fingerprint (hex), and until when (UTC)."""

    name: str
    role: Role
    fingerprint: str
    not_before: datetime.datetime
    expires: datetime.datetime

    @property
    def days_left(self) -> int:
        """Whole days until it expires; negative once it has."""
        return (self.expires - _now()).days


def new_key() -> PrivateKey:
    """A fresh private key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey) -> bytes:
    """The private key in PKCS #8, unencrypted: for a file that only its owner can read."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_key(pem: bytes, where: str) -> PrivateKey:
    """Read a private key of the file `where`; ConfigError without its content if it is none."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise ConfigError(f"{where} holds no readable private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"the private key in {where} is not an elliptic-curve key")
    return key


def make_authority(key: PrivateKey, federation: str) -> x509.Certificate:
    """A self-signed CA certificate that may sign leaves and nothing below them."""
    subject = _subject(federation)
    return (
        _builder(subject, subject, key.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def make_request(key: PrivateKey, name: str, role: Role) -> x509.CertificateSigningRequest:
    """A signing request for `name` in `role`."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(checked_name(name)))
        .add_extension(_alternative_names(name, role), critical=False)
        .sign(key, hashes.SHA256())
    )


def sign_request(
    request: x509.CertificateSigningRequest,
    authority: x509.Certificate,
    key: PrivateKey,
    *,
    role: Role,
    days: int = LEAF_DAYS,
) -> x509.Certificate:
    """Sign a request whose own signature holds and which asks for exactly this role."""
    if not request.is_signature_valid:
        raise ConfigError("the request's signature does not fit its key: it was changed on its way")
    name, asked = _identity(request.subject, request.extensions)
    if asked is not role:
        raise ConfigError(
            f"{name} asks for the role {asked.value}, it was to be signed as {role.value}",
            fix="sign it with the role it asks for, or have it made anew",
        )
    return (
        _builder(_subject(name), authority.subject, request.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
            ),
            critical=False,
        )
        .add_extension(_alternative_names(name, role), critical=False)
        .sign(key, hashes.SHA256())
    )


def read_leaf(certificate: x509.Certificate) -> Leaf:
    """Owner, role, fingerprint, expiry of a certificate; ConfigError if it is not one of ours."""
    name, role = _identity(certificate.subject, certificate.extensions)
    return Leaf(
        name,
        role,
        certificate.fingerprint(hashes.SHA256()).hex(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return constraints.value.ca


def check_issued(certificate: x509.Certificate, authority: x509.Certificate, what: str) -> None:
    """Refuse `what`, a certificate, if `authority` has not issued it, or it is not valid now."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise ConfigError(f"{what} was not issued by this federation's CA") from error
    if not certificate.not_valid_before_utc <= _now() <= certificate.not_valid_after_utc:
        raise ConfigError(
            f"{what} is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, now is {_now():%Y-%m-%d %H:%M}",
            fix="renew it: `secfpp pki request`, `sign` and `install --replace`; or set the clock",
        )


def belongs_to(
    certificate: x509.Certificate, authority: x509.Certificate, name: str, role: Role
) -> bool:
    """Whether `authority` issued this certificate to `name` in `role`, valid now or not any more.

    What was signed while it was valid stays signed.
    """
    try:
        certificate.verify_directly_issued_by(authority)
        leaf = read_leaf(certificate)
    except (ValueError, TypeError, InvalidSignature, ConfigError):
        return False
    return (leaf.name, leaf.role) == (name, role)


def sign_message(key: PrivateKey, message: bytes) -> bytes:
    """An ECDSA-SHA256 signature (DER)."""
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def signature_holds(certificate: x509.Certificate, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` is of the certificate's key."""
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return False
    try:
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """The certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _identity(subject: x509.Name, extensions: x509.Extensions) -> tuple[str, Role]:
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        alternative = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ConfigError("the certificate names no role: it was not made by secfpp pki") from error
    roles = [
        role
        for role in Role
        if role.uri in alternative.get_values_for_type(x509.UniformResourceIdentifier)
    ]
    dns = alternative.get_values_for_type(x509.DNSName)
    if len(names) != 1 or len(roles) != 1 or dns != [names[0].value]:
        raise ConfigError("the certificate must name one owner, alike in both places, and one role")
    return checked_name(str(names[0].value)), roles[0]


def _alternative_names(name: str, role: Role) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [x509.DNSName(name), x509.UniformResourceIdentifier(role.uri)]
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public: object, days: int
) -> x509.CertificateBuilder:
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ConfigError("the request's key is not an elliptic-curve key")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _CLOCK_SKEW)
        .not_valid_after(_now() + datetime.timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
