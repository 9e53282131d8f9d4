"""Dealing and receiving: one party's vectors become everyone's shares and masks (§4, §5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.field import FieldArray, beside
from secfpp.algebra.masking import deal_zero
from secfpp.algebra.randomness import SEED_BYTES, Seed, expand, uniform
from secfpp.errors import Misuse, PeerViolation, PolicyRefusal
from secfpp.protocol.commitments import Held, SignedRoots, Verify, commit, is_bound
from secfpp.protocol.messages import Commitment, Deal
from secfpp.protocol.params import RoundParams

Randomness = Callable[[int], bytes]

MASKS = "masks"  # The kind of a mask's seed; a sharing's kind is its own name.


@dataclass(frozen=True)
class Abstention:
    """A dealer sits the round out: it still answers and helps, but shares no vector."""

    reason: str


Vectors = tuple[NDArray[np.int64], ...]


def deal(
    params: RoundParams,
    dealer: str,
    vectors: Vectors | Abstention,
    randomness: Randomness,
    sign: Callable[[bytes], bytes],
) -> tuple[dict[str, Deal], Held]:
    """Share `vectors` (levels, one (dim,) array per sharing) with the roster, and deal masks.

    Returns the message for every other party and what the dealer itself holds. A vector of another
    dimension than the round's raises PolicyRefusal, one beyond ±B Misuse. `sign` binds the dealer
    where dealing is checked (§9).
    """
    seeds: dict[tuple[str, str], Seed] = {}
    seeder = _Seeder(seeds, randomness)
    columns: list[FieldArray] = []
    if not isinstance(vectors, Abstention):
        for index, levels in enumerate(_checked(params, vectors)):
            columns.append(_share(params, dealer, index, levels, seeder))
    masks = _masks(params, dealer, seeder) if dealer in params.mask_dealers else None
    dealt = {
        party: Held(tuple(column[j] for column in columns), None if masks is None else masks[j])
        for j, party in enumerate(params.roster)
    }
    commitments: dict[str, Commitment] = {}
    if params.checked and (columns or masks is not None):
        commitments = commit(params, dealer, dealt, randomness, sign)
    kinds = [sharing.kind for sharing in params.sharings]
    messages = {
        party: Deal(
            key=params.key,
            params_digest=params.digest,
            shares=tuple(
                seeds.get((party, kind), share)
                for kind, share in zip(kinds, held.shares, strict=False)
            ),
            masks=seeds.get((party, MASKS), held.masks),
            abstains=vectors.reason if isinstance(vectors, Abstention) else "",
            commitment=commitments.get(party),
        )
        for party, held in dealt.items()
        if party != dealer
    }
    return messages, replace(dealt[dealer], commitment=commitments.get(dealer))


def receive(params: RoundParams, me: str, dealer: str, message: Deal) -> Held:
    """Expand and check what `dealer` sent to `me`.

    A wrong shape or kind raises PeerViolation, and so does what was dealt under other parameters
    (§7) and, where dealing is checked, what is not the leaf that the dealer's root promises: that
    has not been received (§9). Whether the root is signed is the coordinator's to check, once for
    all (see `disown`).
    """
    if message.params_digest != params.digest:
        raise PeerViolation(dealer, "dealt under other parameters than were opened here")
    if bool(message.shares) == bool(message.abstains):
        raise PeerViolation(dealer, "a deal holds either shares or the reason why it has none")
    if message.shares and len(message.shares) != len(params.sharings):
        raise PeerViolation(
            dealer, f"dealt {len(message.shares)} sharings, the round has {len(params.sharings)}"
        )
    if (message.masks is not None) != (dealer in params.mask_dealers):
        raise PeerViolation(dealer, "dealt masks though it is no mask dealer, or none though it is")
    pairs = zip(message.shares, params.sharings, params.share_widths, strict=False)
    seeded = me in params.share_seeded(dealer)
    shares = tuple(
        _expanded(params, (dealer, me, spec.kind), value, seeded, width)
        for value, spec, width in pairs
    )
    masks = None
    if message.masks is not None:
        seeded = me in params.mask_seeded(dealer)
        about = (dealer, me, MASKS)
        masks = _expanded(params, about, message.masks, seeded, params.mask_count)
    held = Held(shares, masks, message.commitment)
    _require_bound(params, me, dealer, held)
    return held


def disown(
    params: RoundParams, held: Mapping[str, Held], unsigned: Collection[str], verify: Verify
) -> dict[str, Held]:
    """What is held, without what came of dealers whose roots the coordinator calls `unsigned` (§9).

    Where one of them did sign the root that is held, PeerViolation names the coordinator.
    """
    roots = SignedRoots(params, verify)
    for dealer in unsigned:
        found = held[dealer].commitment if dealer in held else None
        if found is None or roots.holds(dealer, found.root, found.signature):
            raise PeerViolation(
                params.coordinator, f"calls the root of {dealer} unsigned, which it is not"
            )
    return {dealer: own for dealer, own in held.items() if dealer not in unsigned}


def _require_bound(params: RoundParams, me: str, dealer: str, held: Held) -> None:
    """Hold what was dealt against the dealer's commitment, which is due only if it is checked."""
    commitment = held.commitment
    due = params.checked and (held.shares != () or held.masks is not None)
    if (commitment is not None) != due:
        raise PeerViolation(dealer, "dealt with a commitment that is not due, or without one")
    if commitment is None:
        return
    if not commitment.signature:
        raise PeerViolation(dealer, "dealt under a root without a signature")
    if not is_bound(params, dealer, me, held):
        raise PeerViolation(dealer, "dealt something else than its root promises")


class _Seeder:
    """Draws seeds, remembers them for the messages, and expands them to residues."""

    def __init__(self, seeds: dict[tuple[str, str], Seed], randomness: Randomness) -> None:
        self._seeds = seeds
        self.randomness = randomness

    def pinned(
        self, params: RoundParams, dealer: str, kind: str, recipients: tuple[str, ...], count: int
    ) -> Mapping[int, FieldArray]:
        """Fresh residues (count,) for each recipient, by its roster index."""
        values = {}
        for party in recipients:
            seed = Seed(self.randomness(SEED_BYTES))
            self._seeds[party, kind] = seed
            context = params.key.context(dealer, party, kind)
            values[params.index(party)] = expand(seed, context, count)
        return values


def _checked(params: RoundParams, vectors: Vectors) -> Vectors:
    due = [(spec.dim,) for spec in params.sharings]
    own = [levels.shape for levels in vectors]
    if own != due:
        raise PolicyRefusal(
            "sharings", f"are vectors of {_sizes(due)} values, this party's are of {_sizes(own)}"
        )
    for levels, spec in zip(vectors, params.sharings, strict=True):
        if levels.dtype != np.int64:
            raise Misuse(f"{spec.kind} levels must be int64, not {levels.dtype}")
        if int(np.abs(levels).max(initial=0)) > spec.quantiser.bound:
            raise Misuse(f"{spec.kind} levels exceed ±{spec.quantiser.bound}: quantise first")
    return vectors


def _sizes(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join("×".join(map(str, shape)) for shape in shapes)


def _share(
    params: RoundParams, dealer: str, index: int, levels: NDArray[np.int64], seeder: _Seeder
) -> FieldArray:
    """All parties' shares (n, width), the blinds as further columns."""
    code, spec, width = params.codes[index], params.sharings[index], params.share_widths[index]
    recipients = params.share_seeded(dealer)
    pinned = seeder.pinned(params, dealer, spec.kind, recipients, width)
    chunks = code.split(FieldArray.from_signed(levels))
    extra = width - chunks.shape[1]
    blinds = uniform(code.chunks * extra, seeder.randomness).reshape(code.chunks, extra)
    return code.share_chunks(beside(chunks, blinds), pinned)


def _masks(params: RoundParams, dealer: str, seeder: _Seeder) -> FieldArray:
    """All parties' masks (n, queries), the blinds as further queries."""
    recipients = params.mask_seeded(dealer)
    pinned = seeder.pinned(params, dealer, MASKS, recipients, params.mask_count)
    return deal_zero(params.feature_code, params.mask_count, pinned)


def _expanded(
    params: RoundParams,
    about: tuple[str, str, str],
    value: FieldArray | Seed,
    seeded: bool,
    count: int,
) -> FieldArray:
    """The residues (count,) that a dealer sent, expanded where a seed is due and only there."""
    dealer, recipient, kind = about
    match value:
        case Seed() if seeded:
            return expand(value, params.key.context(dealer, recipient, kind), count)
        case FieldArray() if not seeded and value.shape == (count,):
            return value
        case _:
            due = "a seed" if seeded else f"{count} residues"
            raise PeerViolation(dealer, f"{kind}: {due} were due and something else came")
