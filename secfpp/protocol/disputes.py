"""A recipient's side of a conflict: it opens a leaf only if the others' signed words ask for it."""

from __future__ import annotations

from secfpp.errors import PeerViolation
from secfpp.protocol.checking import lines_about, off_the_word
from secfpp.protocol.commitments import SignedRoots, Verify
from secfpp.protocol.messages import Dispute, Opening, Ready
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party_states import Checking
from secfpp.protocol.settlement import check_ready


def leaf_in_dispute(state: Checking, me: str, dispute: Dispute, verify: Verify) -> Opening:
    """The leaf to open, if at least n − S signed words put it off the dealer's polynomial (§9).

    Then the dealer or this party is corrupt; otherwise the coordinator asks for what is none of its
    business, and PeerViolation names it. Words about another root than ours do not count.
    """
    params, held = state.params, state.held.get(dispute.dealer)
    if held is None or held.commitment is None:
        raise PeerViolation(params.coordinator, "disputes a leaf that this party does not hold")
    readies = dict(dispute.readies)
    for party, ready in readies.items():
        _check_word(params, party, ready, verify)
    if readies.get(me) != state.ready:
        raise PeerViolation(params.coordinator, "shows another word of this party than it gave")
    lines = lines_about([dispute.dealer], readies, SignedRoots(params, verify))[dispute.dealer]
    root = held.commitment.root
    alike = {party: item for party, item in lines.items() if item.root == root}
    off = off_the_word(params, alike)
    if len(alike) < params.parties - params.stragglers or off is None or me not in off:
        raise PeerViolation(
            params.coordinator,
            f"disputes a leaf of {dispute.dealer} that the signed words do not put off its word",
        )
    return Opening(params.key, dispute.dealer, held.shares, held.masks, held.commitment)


def _check_word(params: RoundParams, party: str, ready: Ready, verify: Verify) -> None:
    """PeerViolation of the coordinator for a word that it should not have taken from `party`."""
    if party not in params.places or ready.key != params.key:
        raise PeerViolation(params.coordinator, f"shows a word of {party}, which has none here")
    try:
        check_ready(params, party, ready, verify)
    except PeerViolation as violation:
        raise PeerViolation(
            params.coordinator, f"shows a word of {party} that does not count: {violation.reason}"
        ) from violation
