"""Evidence against a named party, as a file that anyone with the federation's CA can check.

It holds the attempt's parameters, the signed words and, where one was opened, a leaf, each in the
wire's one encoding, and the certificates of those who signed. Where a leaf was opened the file
shows what one dealer dealt one recipient; one of the two is corrupt (docs/protocol.md §9).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from secfpp.errors import ConfigError, PeerViolation
from secfpp.journal.files import read_json, write_json
from secfpp.pki.certificates import belongs_to, signature_holds
from secfpp.pki.names import Role
from secfpp.protocol.checking import Blame, is_well_formed, judge
from secfpp.protocol.commitments import SignedRoots
from secfpp.protocol.messages import Message, Open, Opening, Ready
from secfpp.protocol.opening import ready_text
from secfpp.protocol.params import RoundParams
from secfpp.wire.codec import decode, encode

Verify = Callable[[str, bytes, bytes], bool]
Kind = TypeVar("Kind", Open, Ready, Opening)


def write_evidence(
    path: Path, params: RoundParams, blame: Blame, certificates: Mapping[str, bytes]
) -> None:
    """Write one blame; `certificates` are PEM, of at least everyone who signed."""
    opening = None
    if blame.opening is not None:
        opening = {"recipient": blame.recipient, "message": _packed(blame.opening)}
    write_json(
        path,
        {
            "blamed": blame.blamed,
            "rule": blame.rule.name,
            "meaning": f"{blame.blamed}: {blame.rule.value}",
            "dealer": blame.dealer,
            "parameters": _packed(Open(params)),
            "words": [
                {"party": party, "message": _packed(ready)}
                for party, ready in blame.readies.items()
            ],
            "opening": opening,
            "certificates": {party: pem.decode() for party, pem in certificates.items()},
        },
    )


def check_evidence(path: Path, authority: bytes) -> str:
    """Whom the evidence in a file proves to be at fault, and by which rule, in words.

    `authority` is the federation's CA certificate (PEM). ConfigError says what does not hold.
    """
    held = read_json(path)
    try:
        verify = _verifier(held["certificates"], authority)
        found = _judged(held, verify)
    except (KeyError, TypeError, ValueError, AttributeError, PeerViolation) as error:
        raise ConfigError(f"{path} is no evidence of SecFPP: {error}") from error
    if found is None or (found.blamed, found.rule.name) != (held["blamed"], held["rule"]):
        raise ConfigError(
            f"{path} does not prove that {held['blamed']} is at fault by {held['rule']}",
            fix="whoever wrote it has named somebody without proof",
        )
    return f"{found.blamed}: {found.rule.value}"


def _judged(held: Mapping[str, object], verify: Verify) -> Blame | None:
    """Judge again what was judged, from words whose signatures hold."""
    params = _unpacked(held["parameters"], Open).params
    dealer = str(held["dealer"])
    readies = {}
    for word in held["words"]:  # type: ignore[attr-defined]  # JSON.
        party, ready = word["party"], _unpacked(word["message"], Ready)
        if party not in params.roster or ready.key != params.key:
            raise ValueError(f"the word of {party} is of another attempt")
        if not verify(party, ready_text(params, ready.received), ready.signature):
            raise ValueError(f"{party} did not sign the word that is shown as its own")
        if not all(is_well_formed(params, item) for item in ready.received):
            raise ValueError(f"the word of {party} has not the check values that it owes")
        readies[party] = ready
    opening = None
    if held["opening"] is not None:
        shown = held["opening"]
        opening = (shown["recipient"], _unpacked(shown["message"], Opening))  # type: ignore[index]
    return judge(params, dealer, readies, SignedRoots(params, verify), opening)


def _verifier(certificates: Mapping[str, str], authority: bytes) -> Verify:
    """Checks signatures against certificates that the CA issued to parties of those names."""
    issuer = x509.load_pem_x509_certificate(authority)
    known = {}
    for party, pem in certificates.items():
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if not belongs_to(certificate, issuer, party, Role.PARTY):
            raise ValueError(f"the certificate of {party} is not one of this federation")
        known[party] = certificate

    def verify(party: str, message: bytes, signature: bytes) -> bool:
        return party in known and signature_holds(known[party], message, signature)

    return verify


def _packed(message: Message) -> str:
    return base64.b64encode(encode(message)).decode()


def _unpacked(text: object, kind: type[Kind]) -> Kind:
    message = decode(base64.b64decode(str(text), validate=True), sender="the evidence")
    if not isinstance(message, kind):
        raise TypeError(f"a {kind.__name__} was expected, not a {type(message).__name__}")
    return message
