"""What one round cost each participant, and what the network and the cores would have it cost.

    seconds predicted = flights × one-way latency + critical bytes / link rate + CPU seconds / cores

(docs/protocol.md §10). Flights are messages that must follow each other. Critical bytes: all links
carry at once, so that of each phase the fullest link from a party counts, and after it the fullest
from the coordinator.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secfpp.bench.links import Network, Pair
from secfpp.demo.launcher import COORDINATOR

Row = dict[str, object]


@dataclass(frozen=True)
class Spent:
    """One participant in one phase: seconds, CPU seconds, payload bytes with each peer."""

    seconds: float
    cpu_seconds: float
    by_peer: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Turn:
    """One round: what each participant spent in each phase, and the flights of each phase."""

    spent: Mapping[str, Mapping[str, Spent]]
    flights: Mapping[str, int]

    @property
    def slowest(self) -> str:
        """The party that took longest."""
        parties = (name for name in self.spent if name != COORDINATOR)
        return max(parties, key=self.seconds_of)

    @property
    def seconds(self) -> float:
        """What the slowest party took."""
        return self.seconds_of(self.slowest)

    @property
    def cpu_seconds(self) -> float:
        """Of all processes."""
        return sum(one.cpu_seconds for phases in self.spent.values() for one in phases.values())

    @property
    def payload(self) -> int:
        """Bytes that all have sent, before TLS and framing."""
        return sum(
            sent
            for phases in self.spent.values()
            for one in phases.values()
            for sent, _ in one.by_peer.values()
        )

    def seconds_of(self, name: str) -> float:
        """What one participant took, over all phases."""
        return sum(one.seconds for one in self.spent[name].values())

    def bytes_by(self) -> list[Row]:
        """[{party, peer, phase, sent, received}], nothing left out but what is nothing."""
        return [
            {"party": name, "peer": peer, "phase": phase, "sent": sent, "received": received}
            for name, phases in self.spent.items()
            for phase, one in phases.items()
            for peer, (sent, received) in one.by_peer.items()
            if sent or received
        ]

    def predicted(self, network: Network) -> float:
        """The seconds of the formula above."""
        wires = sum(self._wire(network, phase) for phase in self.flights)
        return wires + self.cpu_seconds / (os.cpu_count() or 1)

    def split(self, network: Network) -> dict[str, dict[str, float]]:
        """Where the slowest party's seconds went, by phase: compute, wire, wait.

        Compute is its own CPU time, wire what the formula has for latency and bytes (at most what
        was left), wait the rest: for others, for a core, for timers.
        """
        found = {}
        for phase, one in self.spent[self.slowest].items():
            compute = min(one.seconds, one.cpu_seconds)
            wire = min(one.seconds - compute, self._wire(network, phase))
            found[phase] = {
                "compute": compute,
                "wait": one.seconds - compute - wire,
                "wire": wire,
            }
        return found

    def _wire(self, network: Network, phase: str) -> float:
        """Seconds that latency and critical bytes take in one phase."""
        parties = [name for name in self.spent if name != COORDINATOR]
        others = [(one, other) for one in parties for other in (COORDINATOR, *parties)]
        pairs = [(one, other) for one, other in others if one != other]
        latency = max(network.between(*pair).latency for pair in pairs)
        from_parties = max(self._transmission(network, pair, phase) for pair in pairs)
        from_coordinator = max(
            self._transmission(network, (COORDINATOR, party), phase) for party in parties
        )
        return self.flights.get(phase, 0) * latency + from_parties + from_coordinator

    def _transmission(self, network: Network, pair: tuple[str, str], phase: str) -> float:
        """Seconds that a link needs for what was sent over it in a phase."""
        one, other = pair
        rate = network.between(one, other).bytes_per_second
        spent = self.spent[one].get(phase)
        sent = 0 if spent is None else spent.by_peer.get(other, (0, 0))[0]
        return sent / rate if rate else 0.0


@dataclass(frozen=True)
class Measured:
    """One mode over one network: its warm rounds, and on average of each what the relays carried
    and how many CPU seconds they took for it, which are no participant's.

    `details` are those of its row that are not of both modes.
    """

    mode: str
    network: Network
    turns: Sequence[Turn]
    carried: Mapping[Pair, float]
    relay_seconds: float
    details: Row


def row_of(settings: Row, measured: Measured) -> Row:
    """One result; bytes by party are of the last round, all others of the warm rounds."""
    turns, network = measured.turns, measured.network
    splits = [turn.split(network) for turn in turns]
    phases = {
        phase: {
            kind: statistics.fmean(split[phase][kind] for split in splits if phase in split)
            for kind in ("compute", "wait", "wire")
        }
        for phase in dict.fromkeys(phase for split in splits for phase in split)
    }
    return {
        **settings,
        "net": network.name,
        "mode": measured.mode,
        "engine": "processes",
        "flights": statistics.median_low([sum(turn.flights.values()) for turn in turns]),
        "seconds_median": statistics.median(turn.seconds for turn in turns),
        "seconds_all": [turn.seconds for turn in turns],
        "seconds_predicted": statistics.median(turn.predicted(network) for turn in turns),
        "cpu_seconds": statistics.median(turn.cpu_seconds for turn in turns),
        "cpu_seconds_of_relays": measured.relay_seconds,
        "phases": phases,
        "bytes_total": round(sum(measured.carried.values())) if measured.carried else None,
        "bytes_payload": turns[-1].payload,
        "bytes_by": turns[-1].bytes_by(),
        "bytes_wire_by": [
            {"party": one, "peer": other, "sent": round(count)}
            for (one, other), count in sorted(measured.carried.items())
        ],
        **measured.details,
    }


def ratios_of(secure: Row, plain: Row, clock: Row | None = None) -> Row:
    """Secure over plain; over what is predicted; and what the clock makes of the same round."""
    seconds = _over(secure, "seconds_median", secure, "seconds_predicted")
    modelled = None if clock is None else _over(clock, "seconds_median", secure, "seconds_median")
    return {
        **{key: secure[key] for key in ("parties", "dim", "net", "engine")},
        "seconds": _over(secure, "seconds_median", plain),
        "seconds_to_predicted": seconds,
        "seconds_of_clock_to_measured": modelled,
        **{
            key: _over(secure, key, plain)
            for key in ("cpu_seconds", "flights", "bytes_total", "bytes_payload")
        },
    }


def _over(one: Row, key: str, other: Row, other_key: str = "") -> float | None:
    """One figure over another; None where there is either not."""
    above, below = one.get(key), other.get(other_key or key)
    both = isinstance(above, int | float) and isinstance(below, int | float)
    return above / below if both else None  # type: ignore[operator]
