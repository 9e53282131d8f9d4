"""What a round costs this process by phase: seconds, CPU seconds, payload bytes with each peer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Totals = Mapping[str, tuple[int, int]]
"""Payload bytes sent to and received from each peer."""


@dataclass(frozen=True)
class Cost:
    """Wall seconds, CPU seconds of the whole process, payload bytes with each peer."""

    seconds: float
    cpu_seconds: float
    by_peer: Totals

    @property
    def sent(self) -> int:
        """Payload bytes to all peers."""
        return sum(sent for sent, _ in self.by_peer.values())

    @property
    def received(self) -> int:
        """Payload bytes from all peers."""
        return sum(received for _, received in self.by_peer.values())

    def plus(self, other: Cost) -> Cost:
        """The sum of two costs."""
        return Cost(
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            _added(self.by_peer, other.by_peer, 1),
        )

    def since(self, earlier: Cost) -> Cost:
        """The difference of two readings."""
        return Cost(
            self.seconds - earlier.seconds,
            self.cpu_seconds - earlier.cpu_seconds,
            _added(self.by_peer, earlier.by_peer, -1),
        )


def _added(one: Totals, other: Totals, sign: int) -> Totals:
    """The sum or difference, peer by peer: one may have met peers that the other has not."""
    return {
        peer: (
            one.get(peer, (0, 0))[0] + sign * other.get(peer, (0, 0))[0],
            one.get(peer, (0, 0))[1] + sign * other.get(peer, (0, 0))[1],
        )
        for peer in {**one, **other}
    }


class Phases:
    """A stopwatch for the phases of one attempt; a phase ends when another begins."""

    def __init__(self, totals: Callable[[], Totals], first: str) -> None:
        self._totals = totals
        self._marks: list[tuple[str, Cost]] = []
        self.begin(first)

    def begin(self, phase: str) -> None:
        """`phase` begins now, unless it is the one that runs."""
        if not self._marks or self._marks[-1][0] != phase:
            self._marks.append((phase, self._now()))

    def summary(self) -> dict[str, Cost]:
        """The cost of each phase up to now, in order of appearance, and of all as `total`.

        A phase that came again is counted once, with all it took.
        """
        ends = [*(cost for _, cost in self._marks[1:]), self._now()]
        costs: dict[str, Cost] = {}
        for (phase, begin), end in zip(self._marks, ends, strict=True):
            spent = end.since(begin)
            costs[phase] = costs[phase].plus(spent) if phase in costs else spent
        return {**costs, "total": ends[-1].since(self._marks[0][1])}

    def _now(self) -> Cost:
        return Cost(time.monotonic(), time.process_time(), self._totals())


def written(costs: dict[str, Cost]) -> dict[str, object]:
    """The costs as a manifest holds them: by kind, then by phase; bytes also by peer."""
    return {
        "seconds": {phase: round(cost.seconds, 6) for phase, cost in costs.items()},
        "cpu_seconds": {phase: round(cost.cpu_seconds, 6) for phase, cost in costs.items()},
        "sent": {phase: cost.sent for phase, cost in costs.items()},
        "received": {phase: cost.received for phase, cost in costs.items()},
        "by_peer": {
            phase: {peer: list(moved) for peer, moved in cost.by_peer.items() if any(moved)}
            for phase, cost in costs.items()
            if phase != "total"
        },
    }


def spent(costs: dict[str, Cost]) -> Iterator[dict[str, object]]:
    """The costs as events `cost` hold them: one for each phase, whose sum is the whole."""
    for phase, cost in costs.items():
        if phase != "total":
            seconds, moved = round(cost.seconds, 6), cost.sent + cost.received
            yield {"phase": phase, "seconds": seconds, "bytes": moved, "text": phase}
