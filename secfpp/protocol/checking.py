"""Checked dealing: two blinded challenges per dealer show whose shares lie off (protocol.md §9).

Every dealer adds two random columns to a sharing and two more sharings of zero to its masks, the
blinds. Its root fixes the challenge ρ_e; every recipient publishes blind_e + Σ_c ρ_e^c · share[c].
Honest columns combine to a polynomial of the right degree, whatever ρ is; others hardly ever do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from secfpp.algebra.field import FieldArray, P, from_integers, polynomial_value
from secfpp.errors import RoundFailed
from secfpp.protocol.commitments import Held, SignedRoots, is_bound
from secfpp.protocol.messages import Opening, Ready, Received
from secfpp.protocol.params import BLINDS, RoundParams

Readies = Mapping[str, Ready]


class BlameRule(Enum):
    """The rules of §9 by which a party is named."""

    TWO_ROOTS = "it signed two roots for one attempt"
    NO_WORD = "what it dealt lies on no polynomial, not even without the worst A recipients"
    BAD_LEAF = "the leaf that it signed lies off the polynomial of the others"
    FALSE_CHECK = "the check value that it signed is not that of the leaf which it then opened"


@dataclass(frozen=True, repr=False)
class Blame:
    """A party named by a rule, with the signed words that prove it to anyone with certificates.

    `dealer` is whose dealing was in conflict; `opening`, where a leaf was opened, comes from
    `recipient`.
    """

    blamed: str
    rule: BlameRule
    dealer: str
    readies: Readies
    recipient: str
    opening: Opening | None


def challenge(params: RoundParams, dealer: str, root: bytes, repetition: int) -> int:
    """ρ_e of a dealer: a hash of the attempt, the dealer's own root and e, modulo P."""
    text = f"secfpp challenge {params.digest.hex()} {dealer} {root.hex()} {repetition}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()) % P


def check_values(params: RoundParams, dealer: str, root: bytes, held: Held) -> tuple[int, ...]:
    """(f_1, f_2) of each sharing, then (g_1, g_2) of the masks, as far as there are any."""
    vectors = [*held.shares] + ([] if held.masks is None else [held.masks])
    points = [challenge(params, dealer, root, e) for e in range(BLINDS)]
    return tuple(
        _combined(vector, e, point) for vector in vectors for e, point in enumerate(points)
    )


def is_well_formed(params: RoundParams, item: Received) -> bool:
    """Whether one line of a `Ready` has as many check values as it owes, and a root with them."""
    vectors = len(params.sharings) * item.shares + item.masks
    owed = BLINDS * vectors if params.checked else 0
    rooted = bool(item.root) and bool(item.root_signature)
    return len(item.checks) == owed and rooted == (owed > 0)


def off_the_word(params: RoundParams, items: Mapping[str, Received]) -> frozenset[str] | None:
    """Which recipients' check values of one dealer lie off its polynomials.

    `items` has each recipient's line about the dealer. None where more than A of them lie off, or
    where the masks do not sum to zero: then it is the dealer. Sharings or masks of which fewer than
    n − S recipients tell are not looked at: they are not used.
    """
    off: set[str] = set()
    for column, (degree, zero_sum) in enumerate(_columns(params)):
        values = _column(params, items, column)
        if len(values) < params.parties - params.stragglers:
            continue
        wrong = _wrong(params, column, values, degree, zero_sum=zero_sum)
        if wrong is None:
            return None
        off |= wrong
    return frozenset(off) if len(off) <= params.adversaries else None


def conflict(
    params: RoundParams, dealer: str, readies: Readies, items: Mapping[str, Received]
) -> Blame | frozenset[str]:
    """Whose check values lie off the polynomials of `dealer`, or what names the dealer itself.

    `items` are the lines about it in `readies`, whose signatures have been checked.
    """
    if len({item.root for item in items.values() if item.root}) > 1:
        return Blame(dealer, BlameRule.TWO_ROOTS, dealer, readies, "", None)
    off = off_the_word(params, items)
    return Blame(dealer, BlameRule.NO_WORD, dealer, readies, "", None) if off is None else off


def judge(
    params: RoundParams,
    dealer: str,
    readies: Readies,
    roots: SignedRoots,
    opening: tuple[str, Opening] | None,
) -> Blame | None:
    """Who is to be named for a conflict about `dealer`, if the signed words show it.

    `readies` are those of whom the signatures have been checked; `opening` is a recipient and the
    leaf it opened. An honest party is never named while at most A parties lie.
    """
    items = lines_about([dealer], readies, roots)[dealer]
    off = conflict(params, dealer, readies, items)
    if isinstance(off, Blame):
        return off
    recipient, leaf = opening if opening is not None else ("", None)
    if leaf is None or recipient not in items or not opens(params, dealer, recipient, leaf):
        return None
    item = items[recipient]
    if leaf.commitment.root != item.root:
        return None
    held = Held(leaf.shares, leaf.masks, leaf.commitment)
    if check_values(params, dealer, item.root, held) != item.checks:
        return Blame(recipient, BlameRule.FALSE_CHECK, dealer, readies, recipient, leaf)
    if recipient not in off:
        return None
    return Blame(dealer, BlameRule.BAD_LEAF, dealer, readies, recipient, leaf)


def lines_about(
    dealers: Iterable[str], readies: Readies, roots: SignedRoots
) -> dict[str, dict[str, Received]]:
    """For each of the dealers, what each party's `Ready` says of it, where that counts."""
    lines: dict[str, dict[str, Received]] = {dealer: {} for dealer in dealers}
    for party, ready in readies.items():
        for item in ready.received:
            if item.dealer in lines and roots.counts(item):
                lines[item.dealer][party] = item
    return lines


def opens(params: RoundParams, dealer: str, recipient: str, leaf: Opening) -> bool:
    """Whether an opened leaf has the round's shape and is the one that its root promises."""
    shapes = [(width,) for width in params.share_widths] if leaf.shares else []
    if [share.shape for share in leaf.shares] != shapes:
        return False
    if leaf.masks is not None and leaf.masks.shape != (params.mask_count,):
        return False
    held = Held(leaf.shares, leaf.masks, leaf.commitment)
    return is_bound(params, dealer, recipient, held)


def _combined(vector: FieldArray, repetition: int, point: int) -> int:
    """blind_e + Σ_{c≥1} ρ^c · column c; the blinds are the last columns."""
    size = len(vector) - BLINDS
    blind = int(vector.values[size + repetition])
    return (blind + point * polynomial_value(vector, point, size)) % P


def _columns(params: RoundParams) -> list[tuple[int, bool]]:
    """(degree, zero sum) of each check value, in their order."""
    columns = [(code.share_degree, False) for code in params.codes for _ in range(BLINDS)]
    return columns + [(params.feature_code.product_degree, True)] * BLINDS


def _column(params: RoundParams, items: Mapping[str, Received], column: int) -> dict[str, int]:
    """One check value of all recipients that have it, in roster order."""
    first_mask = BLINDS * len(params.sharings)
    values = {}
    for party in params.roster:
        item = items.get(party)
        if item is None:
            continue
        if column < first_mask and item.shares:
            values[party] = item.checks[column]
        elif column >= first_mask and item.masks:
            values[party] = item.checks[column - first_mask - BLINDS]
    return values


def _wrong(
    params: RoundParams, column: int, values: Mapping[str, int], degree: int, *, zero_sum: bool
) -> set[str] | None:
    """Whose values lie off the polynomial of this degree, at most A, else None."""
    code = params.feature_code if zero_sum else params.codes[column // BLINDS]
    parties = list(values)
    places = [params.index(party) for party in parties]
    answers = from_integers([[values[party] for party in parties]])[0]
    try:
        wrong = code.locate(degree, places, answers, params.adversaries)
    except RoundFailed:
        return None
    if zero_sum:
        kept = [position for position in range(len(places)) if position not in wrong]
        right = from_integers([[values[parties[position]]] for position in kept])
        if code.decode_total(degree, [places[p] for p in kept], right).values.any():
            return None
    return {parties[position] for position in wrong}
