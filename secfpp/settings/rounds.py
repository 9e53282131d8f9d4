"""From a job and a roster to the parameters of an attempt: the only place where defaults meet n."""

from __future__ import annotations

from secfpp.algebra.fixedpoint import check_headroom, largest_fraction_bits
from secfpp.errors import ConfigError
from secfpp.protocol.params import (
    AttemptKey,
    Feature,
    QueryKind,
    RoundParams,
    SharingSpec,
    majority,
)
from secfpp.settings.files import JobSettings

MOST_ATTEMPTS = 3
"""A round is tried so often; parties hold the coordinator to it."""


def default_colluders(parties: int) -> int:
    """T = max(1, ⌊(n−1)/5⌋)."""
    return max(1, (parties - 1) // 5)


def with_colluders(job: JobSettings, parties: int) -> JobSettings:
    """The job with T chosen for the parties of its first round: a loss must not lower it later."""
    if job.protocol.colluders is not None:
        return job
    protocol = job.protocol.model_copy(update={"colluders": default_colluders(parties)})
    return job.model_copy(update={"protocol": protocol})


def default_stragglers(parties: int, colluders: int) -> int:
    """S = 1 where n ≥ 2T + 2 and n > T + 2 allow it, else 0."""
    return 1 if parties >= 2 * colluders + 2 and parties > colluders + 2 else 0


def choose_witnesses(
    roster: tuple[str, ...], number: int, colluders: int, stragglers: int, adversaries: int
) -> tuple[str, ...]:
    """The witnesses of a round whose first attempt is among `roster` (protocol.md §8).

    So many that all attempts but the last may lose S + 1 of them, the last S, and A may lie.
    """
    gone = MOST_ATTEMPTS * (stragglers + 1) - 1 + adversaries
    count = min(len(roster), colluders + 2 * gone + 1)
    return tuple(roster[(number + step) % len(roster)] for step in range(count))


def default_budget(parties: int) -> int:
    """Q = 3n², at most 2,000: what the adaptive clusterer needs even if everyone were alone."""
    return min(3 * parties * parties, 2_000)


def apart_levels(job: JobSettings, fraction_bits: int) -> int | None:
    """The job's scale, if it states one, as a squared distance in squared levels."""
    apart = job.clustering.apart
    return None if apart is None else round((apart * 2.0**fraction_bits) ** 2)


def round_params(
    job: JobSettings,
    key: AttemptKey,
    coordinator: str,
    roster: tuple[str, ...],
    dim: int,
    *,
    witnesses: tuple[str, ...] = (),
) -> RoundParams:
    """The parameters of one attempt among `roster` for prompts of `dim` values.

    `witnesses` are those of the round's earlier attempts; in the first they are chosen. S is
    lower than the job's where so many losses would leave too few of them. ConfigError
    carries the inequality that does not hold.
    """
    protocol = job.protocol
    parties = len(roster)
    colluders = default_colluders(parties) if protocol.colluders is None else protocol.colluders
    stragglers, adversaries = protocol.stragglers, protocol.adversaries
    if stragglers is None:
        stragglers = default_stragglers(parties, colluders)
    if witnesses:
        here = sum(witness in roster for witness in witnesses)
        spare = here - majority(len(witnesses), colluders) - adversaries
        stragglers = max(0, min(stragglers, spare))
    else:
        witnesses = choose_witnesses(roster, key.round, colluders, stragglers, adversaries)
    bits = protocol.fraction_bits
    if bits is None:
        bits = largest_fraction_bits(protocol.clip, dim, parties)
    check_headroom(protocol.clip, bits, dim, parties)
    pairwise = job.clustering.method == "one_shot"
    budget, smallest = job.clustering.query_budget, protocol.minimum_cluster
    if budget is None:
        budget = default_budget(parties)
    _check_queries(job, parties, dim, budget)
    return RoundParams(
        key=key,
        coordinator=coordinator,
        roster=roster,
        witnesses=witnesses,
        colluders=colluders,
        stragglers=stragglers,
        adversaries=adversaries,
        feature=Feature.DOMAIN,
        sharings=(SharingSpec("domain", dim, protocol.clip, bits),),
        minimum_cluster=max(3, colluders + 2) if smallest is None else smallest,
        query_kind=QueryKind.PAIRWISE if pairwise else QueryKind.MEANS,
        query_budget=budget,
        queries_per_party=min(budget, _queries_per_party(job, dim)),
        rounds=job.rounds,
        strict_queries=protocol.strict_queries,
    )


def check_job(job: JobSettings, coordinator: str, roster: tuple[str, ...]) -> None:
    """Hold a job against a roster before anybody is invited; ConfigError where it cannot be run.

    How long prompts are, only parties know: what depends on it is checked as for the shortest.
    """
    if job.training.kind == "vectors":
        dim = job.training.dim
    else:
        dim = 2 * job.rounds * max(1, len(roster) - 1)
    try:
        round_params(job, AttemptKey(job.name, 1, 1), coordinator, roster, dim)
    except ConfigError as error:
        raise ConfigError(
            f"the job does not fit the {len(roster)} parties of {coordinator}: {error}",
            fix=error.fix,
        ) from error


def _queries_per_party(job: JobSettings, dim: int) -> int:
    """The largest q with d' ≥ 2·R·q (protocol.md §1)."""
    return dim // (2 * job.rounds)


def _check_queries(job: JobSettings, parties: int, dim: int, budget: int) -> None:
    """Both clusterers begin by asking how far one party is from all others, or cannot begin."""
    first = parties - 1
    method, formula, needed = job.clustering.method, "at least n−1", first
    if method == "one_shot":
        formula, needed = "n(n−1)/2", parties * first // 2
    if budget < needed:
        raise ConfigError(
            f"{method} asks {formula} = {needed} distances, query_budget is {budget}",
            fix="raise clustering.query_budget",
        )
    if _queries_per_party(job, dim) < first:
        raise ConfigError(
            f"d' ≥ 2·R·(n−1) is needed (§1): {first} distances about one party are asked among "
            f"{parties}, in each of R = {job.rounds} rounds; d' = {dim} allows "
            f"{_queries_per_party(job, dim)}",
            fix="make fewer rounds, or the prompts longer (clip.tokens)",
        )
