"""What binds a dealer to its sharing: salted leaves, a Merkle root, a signature (protocol.md §9).

Leaf j hashes all that the dealer deals to party j, its own leaf included; the root over all leaves,
in roster order, is signed with the dealer's certificate key. A node without a sibling moves up as
it is. Leaves and nodes are hashed under different first bytes, so that neither passes as the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from blake3 import blake3

from secfpp.algebra.field import FieldArray
from secfpp.protocol.messages import Commitment, Received
from secfpp.protocol.params import RoundParams

SALT_BYTES = 32

Verify = Callable[[str, bytes, bytes], bool]
"""Whether (party, text, signature): the signature is of that party's certificate over the text."""


@dataclass(frozen=True, repr=False)
class Held:
    """What one party holds of one dealer, expanded.

    `shares` has (width + blinds,) per sharing, or is empty where the dealer sits the round out;
    `masks` is (queries + blinds,) or None; `commitment` binds them where dealing is checked.
    """

    shares: tuple[FieldArray, ...]
    masks: FieldArray | None
    commitment: Commitment | None = None


def root_text(params: RoundParams, dealer: str, root: bytes) -> bytes:
    """The bytes that a dealer signs: the attempt, itself, and the root of its tree."""
    return f"secfpp deal {params.digest.hex()} {dealer} {root.hex()}".encode()


def commit(
    params: RoundParams,
    dealer: str,
    dealt: Mapping[str, Held],
    randomness: Callable[[int], bytes],
    sign: Callable[[bytes], bytes],
) -> dict[str, Commitment]:
    """A commitment for every party of the roster to what it is dealt."""
    salts = {party: randomness(SALT_BYTES) for party in params.roster}
    levels = _tree(
        [_leaf(params, (dealer, party), dealt[party], salts[party]) for party in params.roster]
    )
    root = levels[-1][0]
    signature = sign(root_text(params, dealer, root))
    return {
        party: Commitment(root, signature, salts[party], _path(levels, params.index(party)))
        for party in params.roster
    }


def is_bound(params: RoundParams, dealer: str, recipient: str, held: Held) -> bool:
    """Whether what `recipient` holds is the leaf that the commitment's root promises it."""
    commitment = held.commitment
    if commitment is None:
        return False
    node = _leaf(params, (dealer, recipient), held, commitment.salt)
    index, count = params.index(recipient), params.parties
    siblings = list(commitment.path)
    while count > 1:
        if index ^ 1 < count:
            if not siblings:
                return False
            sibling = siblings.pop(0)
            node = _node(sibling, node) if index & 1 else _node(node, sibling)
        index, count = index // 2, (count + 1) // 2
    return not siblings and node == commitment.root


class SignedRoots:
    """Which roots their dealers signed in one attempt; each signature is verified once (§9)."""

    def __init__(self, params: RoundParams, verify: Verify) -> None:
        self._params = params
        self._verify = verify
        self._known: dict[tuple[str, bytes, bytes], bool] = {}

    def holds(self, dealer: str, root: bytes, signature: bytes) -> bool:
        """Whether `dealer` signed this root for this attempt."""
        signed = (dealer, root, signature)
        if signed not in self._known:
            text = root_text(self._params, dealer, root)
            self._known[signed] = self._verify(dealer, text, signature)
        return self._known[signed]

    def counts(self, item: Received) -> bool:
        """Whether a line of a `Ready` counts: it has no root, or one that its dealer signed."""
        return not item.root or self.holds(item.dealer, item.root, item.root_signature)


def _leaf(params: RoundParams, pair: tuple[str, str], held: Held, salt: bytes) -> bytes:
    dealer, recipient = pair
    vectors = held.shares if held.masks is None else (*held.shares, held.masks)
    sizes = " ".join(str(len(vector)) for vector in vectors)
    about = f"{dealer} {recipient} {len(held.shares)} {sizes}\n"
    digest = blake3(b"".join((b"\x00", params.digest, salt, about.encode())))
    for vector in vectors:
        digest.update(vector.buffer)
    return digest.digest()


def _node(left: bytes, right: bytes) -> bytes:
    return blake3(b"\x01" + left + right).digest()


def _tree(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels, from the leaves to the root."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [_node(*below[i : i + 2]) for i in range(0, len(below) - 1, 2)]
        levels.append(pairs + below[len(pairs) * 2 :])
    return levels


def _path(levels: Sequence[Sequence[bytes]], index: int) -> tuple[bytes, ...]:
    """The siblings from a leaf up, where there are any."""
    path = []
    for level in levels[:-1]:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index //= 2
    return tuple(path)
