"""Sums at a party: the shares it owes to clusters, and its own cluster's mean (protocol.md §7)."""

from __future__ import annotations

from dataclasses import replace

from secfpp.errors import PeerViolation
from secfpp.protocol.dealing import Randomness
from secfpp.protocol.disclosure import clusters_of
from secfpp.protocol.messages import Envelope, SumShare
from secfpp.protocol.opening import open_mean, sum_shares
from secfpp.protocol.party_states import Assigned, Finished, Summing


def release(state: Assigned, me: str) -> tuple[Summing, list[Envelope]]:
    """Send the sum shares that `me` owes; those for its own cluster come in from then on."""
    params, assign, pooled = state.params, state.assign, state.pooled
    owed = () if pooled is None else sum_shares(params, me, pooled, state.view.dealers, assign)
    own: dict[str, SumShare] = {}
    outbox = []
    for member, share in owed:
        if member == me:
            own[me] = share
        else:
            outbox.append(Envelope(member, share))
    label = dict(assign.labels).get(me)
    cluster = () if label is None else clusters_of(assign.labels)[label]
    return Summing(params, assign.labels, label, cluster, own), outbox


def admit(state: Summing, sender: str, share: SumShare) -> Summing:
    """With `sender`'s share of the sum; PeerViolation where it owes none."""
    if share.cluster != state.label or not state.params.helps(sender, share.cluster):
        raise PeerViolation(sender, "sent a sum of a cluster that is not ours, or is no helper")
    return replace(state, sums={**state.sums, sender: share})


def conclude(state: Summing, randomness: Randomness) -> tuple[Finished, tuple[str, ...]] | None:
    """The mean of the own cluster, where it gets one, and whose shares of it were wrong (§9).

    None while too few have come. RoundFailed as `open_mean`.
    """
    params, cluster = state.params, state.cluster
    if len(cluster) < params.minimum_cluster:
        return Finished(params, state.labels, cluster, None), ()
    if len(state.sums) < params.sums_needed:
        return None
    mean, liars = open_mean(params, state.sums, len(cluster), randomness)
    return Finished(params, state.labels, cluster, mean), liars
