"""Dealing, its checks and conflicts about it, to protobuf and back (protocol.md §4, §9)."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import Seed
from secfpp.protocol.messages import Commitment, Deal, Dispute, Opening, Ready, Received
from secfpp.protocol.params import MOST_CHECKED
from secfpp.wire import checks
from secfpp.wire.openings import read_key, write_key
from secfpp.wire.residues import RESIDUE_BYTES, Rows, Supply, read_residues, write_residues
from secfpp.wire.v1 import round_pb2 as wire

_MOST_CHECKS: Final = 2 * (checks.MAXIMUM_SHARINGS + 1)  # Two for each sharing and for the masks.


def write_deal(message: Deal, body: wire.Deal, rows: Rows) -> None:
    write_key(message.key, body.key)
    for share in checks.few("Deal.shares", message.shares, checks.MAXIMUM_SHARINGS):
        _write_vector(share, body.shares.add(), rows)
    if message.masks is not None:
        _write_vector(message.masks, body.masks, rows)
    body.params_digest = checks.digest("Deal.params_digest", message.params_digest)
    body.abstains = checks.reason("Deal.abstains", message.abstains, empty=True)
    if message.commitment is not None:
        _write_commitment(message.commitment, body.commitment)


def read_deal(body: wire.Deal, supply: Supply) -> Deal:
    shares = checks.few("Deal.shares", body.shares, checks.MAXIMUM_SHARINGS)
    return Deal(
        key=read_key(body.key),
        params_digest=body.params_digest,
        shares=tuple(_read_vector(share, supply) for share in shares),
        masks=_read_vector(body.masks, supply) if body.HasField("masks") else None,
        abstains=body.abstains,
        commitment=_read_commitment(body.commitment) if body.HasField("commitment") else None,
    )


def write_ready(message: Ready, body: wire.Ready) -> None:
    write_key(message.key, body.key)
    checks.names("Ready.received", [item.dealer for item in message.received])
    for item in message.received:
        _write_received(item, body.received.add())
    if message.signature:
        body.signature = checks.signature("Ready.signature", message.signature)


def read_ready(body: wire.Ready) -> Ready:
    received = checks.few("Ready.received", body.received, checks.MAXIMUM_PARTIES)
    return Ready(
        key=read_key(body.key),
        received=tuple(_read_received(item) for item in received),
        signature=body.signature,
    )


def write_dispute(message: Dispute, body: wire.Dispute) -> None:
    write_key(message.key, body.key)
    body.dealer = checks.name("Dispute.dealer", message.dealer)
    checks.few("Dispute.words", message.readies, MOST_CHECKED)
    checks.names("Dispute.words", [party for party, _ in message.readies])
    for party, ready in message.readies:
        checks.few("Dispute.words.received", ready.received, MOST_CHECKED)
        word = wire.Ready()
        write_ready(ready, word)
        body.words.add(party=party, ready=word.SerializeToString(deterministic=True))


def read_dispute(body: wire.Dispute) -> Dispute:
    words = checks.few("Dispute.words", body.words, MOST_CHECKED)
    readies = tuple((word.party, _read_word(word.ready)) for word in words)
    return Dispute(key=read_key(body.key), dealer=body.dealer, readies=readies)


def write_opening(message: Opening, body: wire.Opening, rows: Rows) -> None:
    write_key(message.key, body.key)
    body.dealer = checks.name("Opening.dealer", message.dealer)
    for share in checks.few("Opening.shares", message.shares, checks.MAXIMUM_SHARINGS):
        write_residues(share, body.shares.add(), rows)
    if message.masks is not None:
        write_residues(message.masks, body.masks, rows)
    _write_commitment(message.commitment, body.commitment)


def read_opening(body: wire.Opening, supply: Supply) -> Opening:
    shares = checks.few("Opening.shares", body.shares, checks.MAXIMUM_SHARINGS)
    return Opening(
        key=read_key(body.key),
        dealer=body.dealer,
        shares=tuple(read_residues(share, supply) for share in shares),
        masks=read_residues(body.masks, supply) if body.HasField("masks") else None,
        commitment=_read_commitment(body.commitment),
    )


# --- The parts of messages.


def _read_word(encoded: bytes) -> Ready:
    try:
        body = wire.Ready.FromString(encoded)
    except DecodeError:
        raise checks.Malformed("Dispute.words holds what is no Ready") from None
    checks.few("Dispute.words.received", body.received, MOST_CHECKED)
    return read_ready(body)


def _write_vector(value: FieldArray | Seed, body: wire.Vector, rows: Rows) -> None:
    if isinstance(value, Seed):
        body.seed = value.reveal()
    else:
        write_residues(value, body.residues, rows)


def _read_vector(body: wire.Vector, supply: Supply) -> FieldArray | Seed:
    match body.WhichOneof("form"):
        case "residues":
            return read_residues(body.residues, supply)
        case "seed":
            return Seed(body.seed)
        case _:
            raise checks.Malformed("a vector holds neither residues nor a seed")


def _write_commitment(commitment: Commitment, body: wire.Commitment) -> None:
    body.root = checks.digest("Commitment.root", commitment.root)
    body.signature = checks.signature("Commitment.signature", commitment.signature)
    body.salt = checks.digest("Commitment.salt", commitment.salt)
    for digest in checks.few("Commitment.path", commitment.path, checks.MAXIMUM_PATH):
        body.path.append(checks.digest("Commitment.path", digest))


def _read_commitment(body: wire.Commitment) -> Commitment:
    path = checks.few("Commitment.path", body.path, checks.MAXIMUM_PATH)
    return Commitment(root=body.root, signature=body.signature, salt=body.salt, path=tuple(path))


def _write_received(item: Received, body: wire.Received) -> None:
    if item.root or item.root_signature:
        checks.digest("Ready.received.root", item.root)
        checks.signature("Ready.received.root_signature", item.root_signature)
    if len(checks.few("Ready.received.checks", item.checks, _MOST_CHECKS)) % 2:
        raise checks.Malformed(f"Ready.received.checks are {len(item.checks)}, not pairs")
    body.dealer = item.dealer
    body.shares = item.shares
    body.masks = item.masks
    body.root = item.root
    body.root_signature = item.root_signature
    body.checks = b"".join(
        checks.number("Ready.received.checks", value, most=P - 1).to_bytes(RESIDUE_BYTES, "little")
        for value in item.checks
    )


def _read_received(body: wire.Received) -> Received:
    packed = checks.few("Ready.received.checks", body.checks, _MOST_CHECKS * RESIDUE_BYTES)
    return Received(
        dealer=body.dealer,
        shares=body.shares,
        masks=body.masks,
        root=body.root,
        root_signature=body.root_signature,
        checks=tuple(
            int.from_bytes(packed[start : start + RESIDUE_BYTES], "little")
            for start in range(0, len(packed), RESIDUE_BYTES)
        ),
    )
