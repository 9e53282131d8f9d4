"""Small attempts at the real modulus, dealt by the product's own code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import numpy as np

from secfpp.algebra.fixedpoint import largest_fraction_bits
from secfpp.cluster.adaptive import adaptive_k_means
from secfpp.protocol.circumstances import Circumstances
from secfpp.protocol.commitments import Held
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.dealing import deal, receive
from secfpp.protocol.disclosure import Policy
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams, SharingSpec
from secfpp.protocol.party import PartyRound
from secfpp.transport.loopback import Fault, Loopback, in_order

from .distributions import Matrix


def attempt(
    *,
    parties: int,
    dim: int,
    colluders: int = 1,
    stragglers: int = 0,
    adversaries: int = 0,
    queries: int = 2,
) -> RoundParams:
    """The parameters of an attempt with a budget of so many queries."""
    names = tuple(f"party-{index}" for index in range(parties))
    return RoundParams(
        key=AttemptKey("run", 1, 1),
        coordinator="coordinator",
        roster=names,
        witnesses=names,
        colluders=colluders,
        stragglers=stragglers,
        adversaries=adversaries,
        feature=Feature.DOMAIN,
        sharings=(SharingSpec("domain", dim, 1.0, largest_fraction_bits(1.0, dim, parties)),),
        minimum_cluster=max(3, colluders + 2),
        query_kind=QueryKind.MEANS,
        query_budget=queries,
        queries_per_party=dim // 2,
        rounds=1,
        strict_queries=False,
    )


def sign(party: str, text: bytes) -> bytes:
    """A signature that only tells who signed what: real ones are tested with the transport."""
    return party.encode() + b" signed " + hashlib.sha256(text).digest()


def verify(party: str, text: bytes, signature: bytes) -> bool:
    """Whether `sign` made it."""
    return signature == sign(party, text)


def everything_dealt(
    params: RoundParams, randomness: Callable[[int], bytes]
) -> tuple[Matrix, dict[str, dict[str, Held]]]:
    """The levels (n, dim), and what each party holds of each dealer when all have dealt."""
    levels = np.random.default_rng(2).integers(-9, 9, (params.parties, params.sharings[0].dim))
    held: dict[str, dict[str, Held]] = {party: {} for party in params.roster}
    for dealer, vector in zip(params.roster, levels, strict=True):
        messages, held[dealer][dealer] = deal(
            params, dealer, (vector,), randomness, Signer(dealer).sign
        )
        for party, message in messages.items():
            held[party][dealer] = receive(params, party, dealer, message)
    return levels, held


class Signer:
    """The credentials of one participant."""

    def __init__(self, me: str) -> None:
        self._me = me

    def sign(self, message: bytes) -> bytes:
        return sign(self._me, message)

    def verify(self, party: str, message: bytes, signature: bytes) -> bool:
        return verify(party, message, signature)


def network(params: RoundParams, levels: Matrix, fault: Fault) -> Loopback:
    """Machines of everybody on a network in memory; row i of `levels` (n, dim) is party i's."""
    policy = Policy(params.coordinator)
    parties = {
        name: PartyRound(name, Circumstances(policy, Signer(name), os.urandom))
        for name in params.roster
    }
    coordinator = CoordinatorRound(
        params, adaptive_k_means, None, Signer(params.coordinator), os.urandom
    )
    vectors = {name: (vector,) for name, vector in zip(params.roster, levels, strict=True)}
    return Loopback(coordinator, parties, vectors, in_order, fault)
