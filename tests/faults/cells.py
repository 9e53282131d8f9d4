"""The cells of the fault matrix as data: who is hit, when, by what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What happens to the victim, while it stands in the phase of the cell."""

    KILL = "SIGKILL"
    STOP = "SIGSTOP for good"
    PAUSE = "SIGSTOP, SIGCONT"
    RESTART = "kill and restart"
    REQUEST_LOST = "request lost"
    RESPONSE_LOST = "response lost"
    HALF_OPEN = "half-open TCP"
    RESET = "reset"

    @property
    def is_of_the_network(self) -> bool:
        """Whether the process goes on and only its connections suffer."""
        return self in BROKEN_CONNECTIONS


BROKEN_CONNECTIONS = (Kind.REQUEST_LOST, Kind.RESPONSE_LOST, Kind.HALF_OPEN, Kind.RESET)


class Victim(Enum):
    """Who is hit."""

    PARTY = "a party"
    TWO = "two parties"
    COORDINATOR = "coordinator"


PARTY_PHASES = {
    "waiting": "accepted",
    "training": "preparing",
    "sharing": "sharing",
    "checking": "checking",
    "answering": "answering",
    # Where all echoes and sums have come before the assignment a party has summed at once.
    "summing": "assigned,summing,finished",
}
"""The events of a party that say that it has come to a phase."""

COORDINATOR_PHASES = {
    "before the first round": "parameters",  # All have accepted.
    "gathering": "gathering",
    "settling": "settling",
    "asking": "asking",
    "closing": "closing",
    "between rounds": "closed",
}
"""The events of the coordinator that say that it has come to a phase."""


@dataclass(frozen=True)
class Cell:
    """One cell: the `victim` is hit in a `phase` of round `number` by `kind`.

    With `colluders` T = 2 of six parties nobody can be spared: two lost parties end the run. With
    T = 1 four parties are enough for another attempt.
    """

    phase: str
    victim: Victim
    kind: Kind
    number: int = 1
    colluders: int = 1
    rounds: int = 2

    @property
    def events(self) -> str:
        """The events that say that a victim has come to the phase, separated by commas."""
        at = COORDINATOR_PHASES if self.victim is Victim.COORDINATOR else PARTY_PHASES
        return at[self.phase]

    @property
    def place(self) -> int:
        """The round that those events bear: 0 before the first is thought of."""
        if self.phase == "before the first round":
            return 1
        return 0 if self.phase == "waiting" else self.number

    @property
    def begun(self) -> bool:
        """Whether a round has been opened when the victim is hit."""
        return self.phase not in ("waiting", "before the first round")

    def __str__(self) -> str:
        spared = "" if self.colluders == 1 else f", T = {self.colluders}"
        return f"{self.phase}, {self.victim.value}{spared}, {self.kind.value}"
