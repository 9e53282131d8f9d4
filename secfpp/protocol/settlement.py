"""From what has come to whose vectors are used, with every conflict settled first (§4, §9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from secfpp.errors import PeerViolation
from secfpp.protocol.agreement import agree
from secfpp.protocol.checking import Blame, conflict, is_well_formed, lines_about
from secfpp.protocol.commitments import SignedRoots, Verify
from secfpp.protocol.disclosure import View
from secfpp.protocol.messages import Dispute, Envelope, Ready
from secfpp.protocol.opening import ready_text
from secfpp.protocol.params import RoundParams

Conflict = tuple[str, str]
"""A dealer, and the recipient whose check value lies off the dealer's polynomial."""


@dataclass(frozen=True, repr=False)
class Settlement:
    """The dealing of one attempt under examination: who was named, and what needs no more word."""

    blames: tuple[Blame, ...] = ()
    settled: frozenset[Conflict] = frozenset()

    def answered(self, conflict: Conflict, blame: Blame) -> Settlement:
        """After the recipient has opened its leaf, which shows who is to be named."""
        return Settlement((*self.blames, blame), self.settled | {conflict})


def check_ready(params: RoundParams, sender: str, ready: Ready, verify: Verify) -> None:
    """PeerViolation where a `Ready` is not signed, or its lines are not such as it owes.

    Its signature is evidence of what it says of a dealing, and due where dealing is checked. A line
    about a root that its dealer did not sign is in order, and does not count.
    """
    if not params.checked and ready.signature:
        raise PeerViolation(sender, "its Ready is signed though no dealing is checked")
    if params.checked and not verify(sender, ready_text(params, ready.received), ready.signature):
        raise PeerViolation(sender, "the signature of its Ready is not of its certificate")
    dealers = [item.dealer for item in ready.received]
    named = set(dealers)
    if dealers != [party for party in params.roster if party in named]:
        raise PeerViolation(sender, "its Ready names parties that are not on the roster")
    if not all(is_well_formed(params, item) for item in ready.received):
        raise PeerViolation(sender, "its Ready has not the check values that it owes")


def examine(
    params: RoundParams,
    readies: Mapping[str, Ready],
    roots: SignedRoots,
    settlement: Settlement,
) -> tuple[View | None, Settlement, frozenset[Conflict]]:
    """The view that the readies allow, the settlement, and every conflict that is still open.

    Where nothing is disputed the view stands. None where dealers have just been named: then it is
    to be agreed on anew, without them. Too few parties, dealers or mask dealers raise RoundFailed.
    """
    named = {blame.blamed for blame in settlement.blames if blame.blamed == blame.dealer}
    view = agree(params, readies, roots, named)
    if not params.checked:
        return view, settlement, frozenset()
    used = [p for p in params.roster if p in view.dealers or p in view.mask_dealers]
    lines = lines_about(used, readies, roots)
    found = {dealer: conflict(params, dealer, readies, lines[dealer]) for dealer in used}
    blames = tuple(blame for blame in found.values() if isinstance(blame, Blame))
    if blames:
        return None, replace(settlement, blames=settlement.blames + blames), frozenset()
    off = frozenset(
        (dealer, recipient)
        for dealer, recipients in found.items()
        if not isinstance(recipients, Blame)
        for recipient in recipients
    )
    return view, settlement, off - settlement.settled


def disputes(
    params: RoundParams, readies: Mapping[str, Ready], disputed: Collection[Conflict]
) -> list[Envelope]:
    """To each recipient in dispute: what all have signed, so that it can see it, and opens."""
    words = tuple((party, readies[party]) for party in params.roster if party in readies)
    return [
        Envelope(recipient, Dispute(params.key, dealer, words))
        for dealer, recipient in sorted(disputed)
    ]
