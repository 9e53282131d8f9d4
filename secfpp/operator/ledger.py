"""The disclosure ledger of a run as a reader meets it: checked on reading, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from secfpp.cluster.queries import Query
from secfpp.errors import ConfigError
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams, SharingSpec


class Asked(BaseModel):
    """A query that was asked."""

    subject: str
    members: tuple[str, ...]

    @property
    def query(self) -> Query:
        """As the protocol knows it."""
        return Query(self.subject, self.members)


class Distance(Asked):
    """A query that was opened in a batch; the value is an integer as a decimal string."""

    batch: int
    value: int


class Parameters(BaseModel):
    """What the participants of an attempt had agreed on."""

    coordinator: str
    witnesses: tuple[str, ...]
    colluders: int
    stragglers: int
    adversaries: int
    feature: Feature
    sharings: tuple[SharingSpec, ...]
    minimum_cluster: int
    query_kind: QueryKind
    query_budget: int
    queries_per_party: int
    rounds: int
    strict_queries: bool


class ToCoordinator(BaseModel):
    """What the coordinator opened."""

    distances: list[Distance]


class ToEveryone(BaseModel):
    """What everyone was told: a label for each dealer, in roster order."""

    assignment: dict[str, int]


class ToMembers(BaseModel):
    """The clusters whose mean went to their members."""

    cluster_means: list[tuple[str, ...]]


class Attempt(BaseModel):
    """One attempt of a round: what was opened, and to whom."""

    round: int
    attempt: int
    roster: tuple[str, ...]
    dealers: tuple[str, ...]
    parameters: Parameters
    opened_to_coordinator: ToCoordinator
    asked_and_not_opened: list[Asked]
    opened_to_everyone: ToEveryone
    opened_to_members: ToMembers

    def params(self, run: str) -> RoundParams:
        """The parameters of the attempt; ConfigError where an inequality does not hold."""
        return RoundParams(
            key=AttemptKey(run, self.round, self.attempt),
            roster=self.roster,
            **dict(self.parameters),
        )


class LedgerFile(BaseModel):
    """`ledger.json`: the rounds that reached their goal, and the attempts that did not."""

    schema_version: Literal[1]
    run: str
    rounds: list[Attempt]
    unfinished: list[Attempt]


def read_ledger(run: Path) -> LedgerFile:
    """The ledger in a run directory; ConfigError where there is none, or none that can be read."""
    path = run / "ledger.json"
    try:
        return LedgerFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}",
            fix="name a run directory of a coordinator, state_dir/<run>, or one evidence file",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path} is no ledger of SecFPP: {place}: {first['msg']}",
            fix="use the version of SecFPP that wrote it, and the file as it was written",
        ) from error
