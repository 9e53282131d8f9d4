"""Who vouches for which view of the round (docs/protocol.md §8)."""

from __future__ import annotations

from secfpp.protocol.messages import EchoStage
from secfpp.protocol.params import RoundParams

Position = tuple[EchoStage, int]


class Echoes:
    """The digests that parties have signed, for each batch and for the assignment."""

    def __init__(self) -> None:
        self._own: dict[Position, bytes] = {}
        self._others: dict[Position, dict[str, bytes]] = {}

    def vouch(self, stage: EchoStage, batch: int, digest: bytes) -> None:
        """Record this party's own view."""
        self._own[stage, batch] = digest

    def add(self, sender: str, stage: EchoStage, batch: int, digest: bytes) -> None:
        """Record another party's view; it may come before one's own."""
        self._others.setdefault((stage, batch), {})[sender] = digest

    def agreed(self, stage: EchoStage, batch: int) -> int:
        """How many parties saw what this one saw, itself included; 0 while it has seen nothing."""
        own = self._own.get((stage, batch))
        if own is None:
            return 0
        return 1 + sum(digest == own for digest in self._at(stage, batch))

    def different(self, stage: EchoStage, batch: int) -> int:
        """How many parties saw something else; 0 while this one has seen nothing."""
        own = self._own.get((stage, batch))
        if own is None:
            return 0
        return sum(digest != own for digest in self._at(stage, batch))

    def _at(self, stage: EchoStage, batch: int) -> tuple[bytes, ...]:
        return tuple(self._others.get((stage, batch), {}).values())


def echo_text(params: RoundParams, stage: EchoStage, batch: int, digest: bytes) -> bytes:
    """The bytes that an echo signs: no other statement of SecFPP begins like this one."""
    return f"secfpp echo {params.digest.hex()} {stage.value} {batch} {digest.hex()}".encode()
