"""What a node knows of its peers: addresses, certificates, traffic, the last sign of life."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509

from secfpp.errors import PeerViolation
from secfpp.pki.certificates import Leaf, read_leaf, signature_holds
from secfpp.pki.names import Role


@dataclass
class Traffic:
    """Payload bytes and calls with one peer, each way, since the node started.

    Sent is what was given to be sent, once and at that time, so that it belongs to the phase which
    caused it.
    """

    sent: int = 0
    received: int = 0
    calls_sent: int = 0
    calls_received: int = 0


@dataclass
class Peer:
    """One peer: `last_seen` in Unix time.

    `streams` counts the streams to it that it has confirmed something on; it needs but one, unless
    one breaks.
    """

    name: str
    address: str = ""
    certificate: bytes = b""
    traffic: Traffic = field(default_factory=Traffic)
    last_seen: float | None = None
    streams: int = 0


class Peers:
    """All peers by name; those that have called us have shown their certificate."""

    def __init__(self) -> None:
        self._peers: dict[str, Peer] = {}

    def __getitem__(self, name: str) -> Peer:
        return self._peers.setdefault(name, Peer(name))

    def known(self) -> list[Peer]:
        """All peers by now, in the order of their names; any thread may ask."""
        return sorted(self._peers.copy().values(), key=lambda peer: peer.name)

    def traffic(self) -> dict[str, Traffic]:
        """A snapshot of the traffic with each peer."""
        return {peer.name: Traffic(**vars(peer.traffic)) for peer in self.known()}

    def certificates(self) -> dict[str, bytes]:
        """The certificates (PEM) of those that have called us, by name."""
        return {name: peer.certificate for name, peer in self._peers.items() if peer.certificate}

    def verify(self, name: str, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is of the certificate with which `name` has called us."""
        pem = self[name].certificate
        if not pem:
            return False
        return signature_holds(_loaded(pem), message, signature)


def caller(auth: dict[str, list[bytes]]) -> tuple[str, Role, bytes]:
    """Name, role and certificate (PEM) of a caller, from the TLS layer alone.

    PeerViolation where the connection is not TLS 1.3 or the certificate is not one of ours.
    """
    version = b"".join(auth.get("ssl_tls_version", []) or auth.get("tls_version", []))
    pem = b"".join(auth.get("x509_pem_cert", []))
    if version != b"TLSv1.3":
        raise PeerViolation("a caller", f"speaks {version.decode() or 'no TLS'}, not TLS 1.3")
    leaf = _leaf(pem)
    return leaf.name, leaf.role, pem


@lru_cache(maxsize=2048)
def _loaded(pem: bytes) -> x509.Certificate:
    """A certificate, parsed once: every call of a connection shows the same."""
    return x509.load_pem_x509_certificate(pem)


@lru_cache(maxsize=2048)
def _leaf(pem: bytes) -> Leaf:
    return read_leaf(_loaded(pem))
