"""What a party looks at before it takes part: in a run, and in each attempt that is opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import replace

from secfpp.errors import ConfigError, PolicyRefusal
from secfpp.party.learner import Learner, OnProgress
from secfpp.party.memory import RunMemory
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.settings.consent import policy_of
from secfpp.settings.files import JobSettings, PartySettings, job_from
from secfpp.settings.rounds import MOST_ATTEMPTS, default_stragglers, round_params


async def prepared(
    learner: Learner, told: OnProgress, told_to_end: asyncio.Event
) -> dict[str, str] | None:
    """What all must have alike; None where the run ends before: models take long to load."""
    preparing = asyncio.create_task(learner.prepare(told))
    ending = asyncio.create_task(told_to_end.wait())
    try:
        await asyncio.wait({preparing, ending}, return_when=asyncio.FIRST_COMPLETED)
        return preparing.result() if preparing.done() else None
    finally:
        ending.cancel()
        preparing.cancel()
        await asyncio.wait({preparing, ending})


def check_first_opening(
    me: str, memory: RunMemory, *, job: JobSettings, settings: PartySettings, dim: int
) -> None:
    """Refuse at once what the first attempt would ask among all; each attempt is checked too.

    Thresholds that do not fit are left to the coordinator, which says so once for all.
    PolicyRefusal names the setting that says no.
    """
    roster = tuple(peer.name for peer in memory.peers)
    key = AttemptKey(memory.run, 1, 1)
    with contextlib.suppress(ConfigError):
        params = round_params(job, key, settings.coordinator, roster, dim)
        policy_of(settings).check_opening(me, params)


def check_is_new(memory: RunMemory, job: JobSettings, others: Iterable[RunMemory]) -> None:
    """Refuse to train as in another run, unless all else is as it was there (protocol.md §7).

    The first prompts would be those of that run, and `memory.objection` would keep them back, when
    much has been trained already. PolicyRefusal names the run.
    """
    roster = tuple(sorted(peer.name for peer in memory.peers))
    for other in others:
        rosters = set().union(*(dealing.rosters for dealing in other.dealings.values()))
        is_the_same = other.job == memory.job and rosters == {roster}
        if rosters and not is_the_same and _trains_as(job, other.job):
            raise PolicyRefusal(
                "seed",
                f"this party trained so in {other.run}, by another job or among other parties, and "
                "two means of one prompt can show it",
                fix="give the job another seed",
            )


def _trains_as(job: JobSettings, text: str) -> bool:
    """Whether another job leads to the same prompts; of given vectors no job tells that."""
    try:
        other = job_from(text)
    except ConfigError:  # Written by another version.
        return False
    alike = (job.seed, job.clip, job.training) == (other.seed, other.clip, other.training)
    return alike and job.training.kind == "clip"


def is_agreed(job: JobSettings, params: RoundParams) -> bool:
    """Whether an attempt is the one that the job which was agreed to describes.

    Rounds are those of the job, attempts few: each attempt may open a budget of distances. S may be
    lower, where few witnesses are left; T is the coordinator's choice where the job leaves it open.
    """
    key, protocol = params.key, job.protocol
    if not (1 <= key.round <= job.rounds and 1 <= key.attempt <= MOST_ATTEMPTS):
        return False
    if protocol.colluders is None:
        protocol = protocol.model_copy(update={"colluders": params.colluders})
    stragglers = protocol.stragglers
    if stragglers is None:
        stragglers = default_stragglers(params.parties, params.colluders)
    try:
        agreed = round_params(
            job.model_copy(update={"protocol": protocol}),
            key,
            params.coordinator,
            params.roster,
            params.feature_sharing.dim,
            witnesses=params.witnesses,
        )
        return params.stragglers <= stragglers and params == replace(
            agreed, stragglers=params.stragglers
        )
    except ConfigError:
        return False


def is_past(memory: RunMemory, key: AttemptKey) -> bool:
    """Whether an attempt was opened here before, or a later one: never twice under one key (§8)."""
    return memory.latest is not None and key <= memory.latest
