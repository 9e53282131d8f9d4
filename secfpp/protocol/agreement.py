"""Agreeing on whose vectors and whose masks a round uses (docs/protocol.md §4, §5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from secfpp.errors import RoundFailed
from secfpp.protocol.commitments import SignedRoots
from secfpp.protocol.disclosure import View
from secfpp.protocol.messages import Ready
from secfpp.protocol.params import RoundParams

Item = tuple[str, str]


def agree(
    params: RoundParams,
    readies: Mapping[str, Ready],
    roots: SignedRoots,
    named: Collection[str] = (),
) -> View:
    """Choose the dealers U and mask dealers V so that at least n − S parties hold all of them.

    What came under a root that its dealer did not sign is not held.
    Dealers that have been `named` for what they dealt (§9) are left out from the start.
    Whatever the fewest parties hold is left out first (ties: later on the roster) until enough hold
    the rest. Too few parties, dealers or mask dealers raise RoundFailed with the numbers.
    """
    needed = params.parties - params.stragglers
    if len(readies) < needed:
        missing = ", ".join(party for party in params.roster if party not in readies)
        raise RoundFailed(
            f"{len(readies)} parties are ready, n − S = {needed} are needed; missing: {missing}"
        )
    holdings = {party: _holdings(ready, roots) for party, ready in readies.items()}
    items = [("shares", party) for party in params.roster if party not in named]
    items += [("masks", party) for party in params.mask_dealers if party not in named]
    while sum(held.issuperset(items) for held in holdings.values()) < needed:
        rarest = min(reversed(items), key=lambda item: sum(item in h for h in holdings.values()))
        items.remove(rarest)
    dealers = tuple(party for kind, party in items if kind == "shares")
    mask_dealers = tuple(party for kind, party in items if kind == "masks")
    if len(mask_dealers) <= params.colluders:
        raise RoundFailed(
            f"masks of {len(mask_dealers)} dealers reached {needed} parties, T+1 = "
            f"{params.colluders + 1} are needed"
        )
    if len(dealers) < params.minimum_cluster:
        raise RoundFailed(
            f"vectors of {len(dealers)} dealers reached {needed} parties, minimum_cluster = "
            f"{params.minimum_cluster} are needed"
        )
    return View(dealers, mask_dealers)


def _holdings(ready: Ready, roots: SignedRoots) -> frozenset[Item]:
    received = [item for item in ready.received if roots.counts(item)]
    shares = {("shares", item.dealer) for item in received if item.shares}
    masks = {("masks", item.dealer) for item in received if item.masks}
    return frozenset(shares | masks)
