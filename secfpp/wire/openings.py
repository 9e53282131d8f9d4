"""An attempt's key and parameters, to protobuf and back (proto/…/round.proto).

A `RoundParams` is built only if its own rules hold, so the rules that keep those checks short and
finite are applied here before it is built.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from secfpp.algebra.field import P
from secfpp.algebra.fixedpoint import MOST_FRACTION_BITS
from secfpp.protocol.messages import Open
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams, SharingSpec
from secfpp.wire import checks
from secfpp.wire.v1 import round_pb2 as wire

_FEATURES: Final = {
    wire.FEATURE_DOMAIN: Feature.DOMAIN,
    wire.FEATURE_PERSONALISED: Feature.PERSONALISED,
}
_QUERY_KINDS: Final = {
    wire.QUERY_KIND_MEANS: QueryKind.MEANS,
    wire.QUERY_KIND_PAIRWISE: QueryKind.PAIRWISE,
}
_FEATURE_NUMBERS: Final = {feature: number for number, feature in _FEATURES.items()}
_QUERY_KIND_NUMBERS: Final = {kind: number for number, kind in _QUERY_KINDS.items()}


def write_key(key: AttemptKey, body: wire.AttemptKey) -> None:
    body.run = checks.name("key.run", key.run)
    body.round = checks.number("key.round", key.round)
    body.attempt = checks.number("key.attempt", key.attempt)


def read_key(body: wire.AttemptKey) -> AttemptKey:
    return AttemptKey(run=body.run, round=body.round, attempt=body.attempt)


def write_open(message: Open, body: wire.Open) -> None:
    params, filled = message.params, body.params
    _check(params.roster, params.sharings)
    checks.names("Open.witnesses", params.witnesses)
    write_key(params.key, filled.key)
    filled.coordinator = checks.name("Open.coordinator", params.coordinator)
    filled.roster.extend(params.roster)
    filled.colluders = checks.number("Open.colluders", params.colluders)
    filled.stragglers = checks.number("Open.stragglers", params.stragglers)
    filled.adversaries = checks.number("Open.adversaries", params.adversaries)
    filled.feature = _FEATURE_NUMBERS[params.feature]
    for sharing in params.sharings:
        filled.sharings.add(
            kind=sharing.kind,
            dim=sharing.dim,
            clip=sharing.clip,
            fraction_bits=sharing.fraction_bits,
        )
    filled.minimum_cluster = checks.number("Open.minimum_cluster", params.minimum_cluster)
    filled.query_kind = _QUERY_KIND_NUMBERS[params.query_kind]
    filled.query_budget = checks.number("Open.query_budget", params.query_budget)
    filled.queries_per_party = checks.number("Open.queries_per_party", params.queries_per_party)
    filled.rounds = checks.number("Open.rounds", params.rounds)
    filled.strict_queries = params.strict_queries
    filled.witnesses.extend(params.witnesses)


def read_open(body: wire.Open) -> Open:
    params = body.params
    roster = tuple(checks.few("Open.roster", params.roster, checks.MAXIMUM_PARTIES))
    listed = checks.few("Open.sharings", params.sharings, checks.MAXIMUM_SHARINGS)
    sharings = tuple(_read_sharing(sharing) for sharing in listed)
    _check(roster, sharings)
    witnesses = checks.few("Open.witnesses", params.witnesses, checks.MAXIMUM_PARTIES)
    if params.feature not in _FEATURES or params.query_kind not in _QUERY_KINDS:
        raise checks.Malformed("Open.feature or Open.query_kind is not a known value")
    return Open(
        RoundParams(
            key=read_key(params.key),
            coordinator=params.coordinator,
            roster=roster,
            witnesses=tuple(witnesses),
            colluders=params.colluders,
            stragglers=params.stragglers,
            adversaries=params.adversaries,
            feature=_FEATURES[params.feature],
            sharings=sharings,
            minimum_cluster=params.minimum_cluster,
            query_kind=_QUERY_KINDS[params.query_kind],
            query_budget=params.query_budget,
            queries_per_party=params.queries_per_party,
            rounds=params.rounds,
            strict_queries=params.strict_queries,
        )
    )


def _check(roster: Collection[str], sharings: Collection[SharingSpec]) -> None:
    checks.names("Open.roster", roster)
    checks.distinct("Open.sharings", [sharing.kind for sharing in sharings])
    for sharing in sharings:
        checks.name("Open.sharings.kind", sharing.kind)
        checks.number("Open.sharings.dim", sharing.dim, least=1)
        checks.number("Open.sharings.fraction_bits", sharing.fraction_bits, most=MOST_FRACTION_BITS)
        # No level reaches the modulus, so a larger clip means nothing; NaN fails this as well.
        if not 0.0 < sharing.clip < P:
            raise checks.Malformed("Open.sharings.clip must be above 0 and below the modulus")


def _read_sharing(body: wire.SharingSpec) -> SharingSpec:
    return SharingSpec(
        kind=body.kind, dim=body.dim, clip=body.clip, fraction_bits=body.fraction_bits
    )
