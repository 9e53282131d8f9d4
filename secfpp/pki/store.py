"""Where keys and certificates lie: one directory (0700) per owner, keys 0600.

Nothing is overwritten but a request, which can be made again, and a certificate that is told to be
replaced.

authority/   ca.key  ca.crt
<owner>/     <owner>.key  <owner>.csr  <owner>.crt  ca.crt
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from secfpp.errors import ConfigError
from secfpp.pki.certificates import (
    LEAF_DAYS,
    Leaf,
    PrivateKey,
    certificate_pem,
    check_issued,
    is_authority,
    key_pem,
    load_key,
    make_authority,
    make_request,
    new_key,
    read_leaf,
    sign_message,
    sign_request,
)
from secfpp.pki.names import Role, checked_name


@dataclass(frozen=True, repr=False)
class Identity:
    """A participant's own key and certificate, and its federation's CA certificate (PEM)."""

    leaf: Leaf
    certificate: bytes
    authority: bytes
    _key: PrivateKey

    @property
    def name(self) -> str:
        """The owner's name."""
        return self.leaf.name

    @property
    def key(self) -> bytes:
        """The private key in PEM, for the TLS library only."""
        return key_pem(self._key)

    def sign(self, message: bytes) -> bytes:
        """An ECDSA-SHA256 signature of this owner over `message`."""
        return sign_message(self._key, message)

    def __repr__(self) -> str:
        return f"Identity({self.leaf.name}, {self.leaf.role.value})"  # Never the key.

    @classmethod
    def load(cls, directory: Path) -> Identity:
        """Read the one identity in `directory`; ConfigError says what does not fit."""
        keys = _keys(directory)
        if len(keys) != 1:
            raise ConfigError(
                f"{directory} holds {len(keys)} private keys, exactly one is expected",
                fix="make one with `secfpp pki request`, or point [tls] directory elsewhere",
            )
        if keys[0].stat().st_mode & 0o077:
            raise ConfigError(
                f"{keys[0]} can be read by others (mode {keys[0].stat().st_mode & 0o777:03o})",
                fix=f"chmod 600 {keys[0]}",
            )
        key = load_key(_read(keys[0]), str(keys[0]))
        path = keys[0].with_suffix(".crt")
        certificate = _load_certificate(path)
        authority = _load_certificate(directory / "ca.crt")
        check_issued(certificate, authority, str(path))
        if certificate.public_key() != key.public_key():
            raise ConfigError(f"{path} does not belong to {keys[0]}")
        pems = certificate_pem(certificate), certificate_pem(authority)
        return cls(read_leaf(certificate), *pems, key)


def init(directory: Path, federation: str = "secfpp") -> str:
    """Make a CA in `directory`; returns its fingerprint."""
    key = new_key()
    certificate = make_authority(key, federation)
    write_new(directory / "ca.key", key_pem(key), secret=True)
    write_new(directory / "ca.crt", certificate_pem(certificate))
    return _fingerprint(certificate)


def request(directory: Path, name: str, role: Role) -> Path:
    """Make a signing request for `name` in `directory`, of the key there or, if none is, a new one.

    Returns the request's path.
    """
    own = directory / f"{checked_name(name)}.key"
    if not own.exists():
        write_new(own, key_pem(new_key()), secret=True)
    path = own.with_suffix(".csr")
    path.unlink(missing_ok=True)
    write_new(path, _request_pem(make_request(load_key(_read(own), str(own)), name, role)))
    return path


def sign(authority: Path, csr: Path, *, role: Role, days: int = LEAF_DAYS) -> tuple[bytes, Leaf]:
    """Sign a request with the CA in `authority`; returns the certificate (PEM) and what it says."""
    try:
        asked = x509.load_pem_x509_csr(_read(csr))
    except ValueError as error:
        raise ConfigError(f"{csr} is no certificate signing request") from error
    own = authority / "ca.key"
    key = load_key(_read(own), str(own))
    certificate = sign_request(
        asked, _load_certificate(authority / "ca.crt"), key, role=role, days=days
    )
    return certificate_pem(certificate), read_leaf(certificate)


def install(
    directory: Path, certificate: bytes, authority: bytes, *, replace: bool = False
) -> Leaf:
    """Put a signed certificate beside its key, and the CA's; refuses one of another key or CA.

    With `replace` it takes the place of an older one; the CA's is never replaced.
    """
    parsed, issuer = _parse(certificate, "certificate"), _parse(authority, "CA certificate")
    leaf = read_leaf(parsed)
    check_issued(parsed, issuer, f"the certificate of {leaf.name}")
    path = directory / f"{leaf.name}.key"
    if not path.exists():
        raise ConfigError(
            f"the certificate is of {leaf.name}, and {directory} holds no key {path.name}",
            fix="install it where `secfpp pki request` made the key",
        )
    key = load_key(_read(path), str(path))
    if parsed.public_key() != key.public_key():
        raise ConfigError(f"the certificate of {leaf.name} does not belong to {path}")
    own, issuers = path.with_suffix(".crt"), directory / "ca.crt"
    if replace and own.exists():
        write_new(issuers, authority)  # Refuses another CA before anything changes.
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        write_new(new, certificate)
        os.replace(new, own)
    else:
        write_new(own, certificate, fix="to renew it, install with --replace")
        write_new(issuers, authority)
    return leaf


def throwaway_federation(directory: Path, roles: dict[str, Role]) -> dict[str, Path]:
    """A CA and one identity per name, by the same steps as by hand; for demos and tests.

    What is there already stays as it is. Returns each owner's directory. All keys lie under one
    directory of one machine, which is what makes it fit for nothing else.
    """
    authority = directory / "authority"
    if not (authority / "ca.crt").exists():
        init(authority, "throwaway")
    owners = {}
    for name, role in roles.items():
        home = owners[name] = directory / name
        if not (home / "ca.crt").exists():  # The last that `install` writes.
            certificate, _ = sign(authority, request(home, name, role), role=role)
            install(home, certificate, _read(authority / "ca.crt"))
    return owners


def show(path: Path) -> Leaf:
    """What the certificate at `path` says."""
    return read_leaf(_load_certificate(path))


def authority_fingerprint(path: Path) -> str | None:
    """The fingerprint of the CA certificate at `path`; None where it is a leaf."""
    certificate = _load_certificate(path)
    return _fingerprint(certificate) if is_authority(certificate) else None


def _load_certificate(path: Path) -> x509.Certificate:
    return _parse(_read(path), str(path))


def _parse(pem: bytes, what: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise ConfigError(f"{what} holds no readable certificate") from error


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _request_pem(asked: x509.CertificateSigningRequest) -> bytes:
    return asked.public_bytes(serialization.Encoding.PEM)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def write_new(path: Path, content: bytes, *, secret: bool = False, fix: str = "") -> None:
    """Create a file in a directory of its owner's; never replace one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except FileExistsError as error:
        if path.is_file() and path.read_bytes() == content:
            return
        raise ConfigError(
            f"{path} exists already and is not overwritten",
            fix=fix or "move it away first if it is to be replaced",
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def _keys(directory: Path) -> list[Path]:
    """All participants' keys in a directory; ConfigError where it is none, or cannot be read."""
    try:
        return sorted(
            path for path in directory.iterdir() if path.suffix == ".key" and path.stem != "ca"
        )
    except OSError as error:
        raise ConfigError(
            f"cannot read the directory {directory}: {error.strerror}",
            fix="point [tls] directory (or --tls) at the directory of `secfpp pki request`",
        ) from error
