"""Dealing and receiving: one party's vectors become everyone's shares and masks (§4, §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.field import FieldArray
from secfpp.algebra.masking import deal_zero
from secfpp.algebra.randomness import SEED_BYTES, Seed, expand
from secfpp.errors import Misuse, PeerViolation
from secfpp.protocol.messages import Deal
from secfpp.protocol.params import RoundParams

Randomness = Callable[[int], bytes]

MASKS = "masks"  # The kind of a mask's seed; a sharing's kind is its own name.


@dataclass(frozen=True)
class Abstention:
    """A dealer sits the round out: it still answers and helps, but shares no vector."""

    reason: str


Vectors = tuple[NDArray[np.int64], ...]


@dataclass(frozen=True, repr=False)
class Held:
    """What one party holds of one dealer: a share (width,) per sharing, and masks (queries,)."""

    shares: tuple[FieldArray, ...]
    masks: FieldArray | None


def deal(
    params: RoundParams, dealer: str, vectors: Vectors | Abstention, randomness: Randomness
) -> tuple[dict[str, Deal], Held]:
    """Share `vectors` (levels, one (dim,) array per sharing) with the roster, and deal masks.

    Returns the message for every other party and what the dealer itself holds. A vector of another
    dimension or beyond ±B raises Misuse.
    """
    seeds: dict[tuple[str, str], Seed] = {}
    columns: list[dict[str, FieldArray]] = []
    if not isinstance(vectors, Abstention):
        for index, levels in enumerate(_checked(params, vectors)):
            columns.append(_share(params, dealer, index, levels, _Seeder(seeds, randomness)))
    masks: dict[str, FieldArray] = {}
    if dealer in params.mask_dealers:
        masks = _masks(params, dealer, _Seeder(seeds, randomness))
    kinds = [sharing.kind for sharing in params.sharings]
    messages = {
        party: Deal(
            key=params.key,
            shares=tuple(
                seeds.get((party, kind), column[party])
                for kind, column in zip(kinds, columns, strict=False)
            ),
            masks=seeds.get((party, MASKS), masks.get(party)),
            abstains=vectors.reason if isinstance(vectors, Abstention) else "",
            commitment=None,
        )
        for party in params.roster
        if party != dealer
    }
    return messages, Held(tuple(column[dealer] for column in columns), masks.get(dealer))


def receive(params: RoundParams, me: str, dealer: str, message: Deal) -> Held:
    """Expand and check what `dealer` sent to `me`; a wrong shape or kind raises PeerViolation."""
    if bool(message.shares) == bool(message.abstains):
        raise PeerViolation(dealer, "a deal holds either shares or the reason why it has none")
    if message.shares and len(message.shares) != len(params.sharings):
        raise PeerViolation(
            dealer, f"dealt {len(message.shares)} sharings, the round has {len(params.sharings)}"
        )
    if (message.masks is not None) != (dealer in params.mask_dealers):
        raise PeerViolation(dealer, "dealt masks though it is no mask dealer, or none though it is")
    pairs = zip(message.shares, params.sharings, params.codes, strict=False)
    seeded = me in params.share_seeded(dealer)
    shares = tuple(
        _expanded(params, (dealer, me, spec.kind), value, seeded, code.width(spec.dim))
        for value, spec, code in pairs
    )
    masks = None
    if message.masks is not None:
        seeded = me in params.mask_seeded(dealer)
        about = (dealer, me, MASKS)
        masks = _expanded(params, about, message.masks, seeded, params.query_budget)
    return Held(shares, masks)


class _Seeder:
    """Draws seeds, remembers them for the messages, and expands them to residues."""

    def __init__(self, seeds: dict[tuple[str, str], Seed], randomness: Randomness) -> None:
        self._seeds = seeds
        self._randomness = randomness

    def pinned(
        self, params: RoundParams, dealer: str, kind: str, recipients: tuple[str, ...], count: int
    ) -> Mapping[int, FieldArray]:
        """Fresh residues (count,) for each recipient, by its roster index."""
        values = {}
        for party in recipients:
            seed = Seed(self._randomness(SEED_BYTES))
            self._seeds[party, kind] = seed
            context = params.key.context(dealer, party, kind)
            values[params.index(party)] = expand(seed, context, count)
        return values


def _checked(params: RoundParams, vectors: Vectors) -> Vectors:
    if len(vectors) != len(params.sharings):
        raise Misuse(f"{len(vectors)} vectors were given for {len(params.sharings)} sharings")
    for levels, spec in zip(vectors, params.sharings, strict=True):
        if levels.shape != (spec.dim,) or levels.dtype != np.int64:
            raise Misuse(f"{spec.kind} levels must be int64 ({spec.dim},), not {levels.shape}")
        if int(np.abs(levels).max(initial=0)) > spec.quantiser.bound:
            raise Misuse(f"{spec.kind} levels exceed ±{spec.quantiser.bound}: quantise first")
    return vectors


def _share(
    params: RoundParams, dealer: str, index: int, levels: NDArray[np.int64], seeder: _Seeder
) -> dict[str, FieldArray]:
    code, spec = params.codes[index], params.sharings[index]
    recipients = params.share_seeded(dealer)
    pinned = seeder.pinned(params, dealer, spec.kind, recipients, code.width(spec.dim))
    shares = code.share(FieldArray.from_signed(levels), pinned)
    return {party: shares[j] for j, party in enumerate(params.roster)}


def _masks(params: RoundParams, dealer: str, seeder: _Seeder) -> dict[str, FieldArray]:
    recipients = params.mask_seeded(dealer)
    pinned = seeder.pinned(params, dealer, MASKS, recipients, params.query_budget)
    masks = deal_zero(params.feature_code, params.query_budget, pinned)
    return {party: masks[j] for j, party in enumerate(params.roster)}


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
