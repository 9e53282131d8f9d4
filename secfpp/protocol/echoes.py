"""Who vouches for which view of the round, by signed words to everyone (docs/protocol.md §8)."""

from __future__ import annotations

from collections import Counter

from secfpp.errors import PeerViolation, PolicyRefusal
from secfpp.protocol.circumstances import Credentials
from secfpp.protocol.messages import Echo, EchoStage, Envelope
from secfpp.protocol.params import RoundParams

Position = tuple[EchoStage, int]


class Echoes:
    """The digests that witnesses have signed, for each batch and for the assignment."""

    def __init__(self, me: str, credentials: Credentials) -> None:
        self._me = me
        self._credentials = credentials
        self._own: dict[Position, bytes] = {}
        self._heard: dict[Position, set[str]] = {}
        self._count: Counter[tuple[Position, bytes]] = Counter()

    def vouch(
        self, params: RoundParams, stage: EchoStage, batch: int, digest: bytes
    ) -> list[Envelope]:
        """Record this party's own view; a witness's signed digest, to all others.

        PolicyRefusal where too many witnesses have been shown something else.
        """
        self._own[stage, batch] = digest
        self._check_split(params, stage, batch)
        if self._me not in params.witnesses:
            return []
        signature = self._credentials.sign(echo_text(params, stage, batch, digest))
        echo = Echo(params.key, stage, batch, digest, signature)
        return [Envelope(party, echo) for party in params.roster if party != self._me]

    def hear(self, params: RoundParams, sender: str, echo: Echo) -> None:
        """Record a witness's view, its first word only; it may come before one's own.

        PeerViolation names who did not sign it; PolicyRefusal as `vouch`.
        """
        text = echo_text(params, echo.stage, echo.batch, echo.digest)
        if not self._credentials.verify(sender, text, echo.signature):
            raise PeerViolation(sender, "the signature of its echo is not of its certificate")
        position = (echo.stage, echo.batch)
        heard = self._heard.setdefault(position, set())
        if sender not in heard:
            heard.add(sender)
            self._count[position, echo.digest] += 1
        self._check_split(params, *position)

    def agreed(self, params: RoundParams, stage: EchoStage, batch: int) -> bool:
        """Whether enough witnesses saw what this party saw; not while it has seen nothing."""
        return self.count(params, stage, batch) >= params.echo_quorum

    def count(self, params: RoundParams, stage: EchoStage, batch: int) -> int:
        """How many witnesses saw what this party saw, itself included if it is one."""
        own = self._own.get((stage, batch))
        if own is None:
            return 0
        return (self._me in params.witnesses) + self._count[(stage, batch), own]

    def _check_split(self, params: RoundParams, stage: EchoStage, batch: int) -> None:
        """Refuse once so many witnesses saw something else that no quorum can agree with us."""
        own = self._own.get((stage, batch))
        heard = self._heard.get((stage, batch), ())
        others = 0 if own is None else len(heard) - self._count[(stage, batch), own]
        if params.witnesses_here - others < params.echo_quorum:
            raise PolicyRefusal(
                "echo",
                f"{others} of {params.witnesses_here} witnesses were shown something else at "
                f"{stage.value} {batch}; {params.echo_quorum} equal views are needed",
            )


def echo_text(params: RoundParams, stage: EchoStage, batch: int, digest: bytes) -> bytes:
    """The bytes that an echo signs: no other statement of SecFPP begins like this one."""
    return f"secfpp echo {params.digest.hex()} {stage.value} {batch} {digest.hex()}".encode()
