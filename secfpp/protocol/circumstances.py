"""What a participant brings to an attempt from outside: consent, credentials, chance, its past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from secfpp.errors import PolicyRefusal
from secfpp.protocol.dealing import Randomness
from secfpp.protocol.disclosure import Policy
from secfpp.protocol.params import RoundParams


class Credentials(Protocol):
    """Signs with this participant's certificate key and checks the others' signatures."""

    def sign(self, message: bytes) -> bytes:
        """The signature of this participant's certificate key over `message`."""

    def verify(self, party: str, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is `party`'s over `message`."""


@dataclass(frozen=True)
class Release:
    """This party has accepted an assignment of a round, and so its sums (§7).

    Its own sum shares may not have left yet, but others' may have because of its word. `roster` are
    the parties of that attempt, `labels` the assignment.
    """

    roster: tuple[str, ...]
    labels: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Circumstances:
    """What a party brings to an attempt from outside.

    Its `policy`, its `credentials`, a source of random bytes like `os.urandom`; the
    `witnesses` of the round, if the party knows them, and what it has `released` in earlier
    attempts of the round.
    """

    policy: Policy
    credentials: Credentials
    randomness: Randomness
    witnesses: tuple[str, ...] = ()
    released: Release | None = None

    def check_opening(self, me: str, params: RoundParams) -> None:
        """PolicyRefusal where `me` does not consent to an attempt, or its past forbids it (§7)."""
        self.policy.check_opening(me, params)
        if self.witnesses not in ((), params.witnesses):
            raise PolicyRefusal(
                "attempt",
                "this round has other witnesses: with two sets of them two assignments of one "
                "round could be agreed to",
            )
        if self.released is not None and self.released.roster != params.roster:
            raise PolicyRefusal(
                "attempt",
                "this party accepted an assignment of this round among another roster; with a "
                "second attempt among others one sum could be subtracted from the other",
            )
