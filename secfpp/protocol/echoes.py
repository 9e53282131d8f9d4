"""Who vouches for which view of the round (docs/protocol.md §8)."""

from __future__ import annotations

from collections import Counter

from secfpp.protocol.messages import EchoStage
from secfpp.protocol.params import RoundParams

Position = tuple[EchoStage, int]


class Echoes:
    """The digests that parties have signed, for each batch and for the assignment."""

    def __init__(self) -> None:
        self._own: dict[Position, bytes] = {}
        self._heard: dict[Position, set[str]] = {}
        self._count: Counter[tuple[Position, bytes]] = Counter()

    def vouch(self, stage: EchoStage, batch: int, digest: bytes) -> None:
        """Record this party's own view."""
        self._own[stage, batch] = digest

    def add(self, sender: str, stage: EchoStage, batch: int, digest: bytes) -> None:
        """Record another party's view, its first word only; it may come before one's own."""
        heard = self._heard.setdefault((stage, batch), set())
        if sender not in heard:
            heard.add(sender)
            self._count[(stage, batch), digest] += 1

    def agreed(self, stage: EchoStage, batch: int) -> int:
        """How many parties saw what this one saw, itself included; 0 while it has seen nothing."""
        own = self._own.get((stage, batch))
        return 0 if own is None else 1 + self._count[(stage, batch), own]

    def different(self, stage: EchoStage, batch: int) -> int:
        """How many parties saw something else; 0 while this one has seen nothing."""
        own = self._own.get((stage, batch))
        heard = self._heard.get((stage, batch), ())
        return 0 if own is None else len(heard) - self._count[(stage, batch), own]


def echo_text(params: RoundParams, stage: EchoStage, batch: int, digest: bytes) -> bytes:
    """The bytes that an echo signs: no other statement of SecFPP begins like this one."""
    return f"secfpp echo {params.digest.hex()} {stage.value} {batch} {digest.hex()}".encode()
