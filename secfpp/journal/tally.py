"""What has happened in a daemon's runs, in numbers: the events of the runs, counted.

A tally knows no more than `events.jsonl`. Of what depends on prompts it has the number of
distances, which the ledger holds too, and at a party the number of its own clipped values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from secfpp.journal.events import Event

UNTAUGHT: Final = "all keep their own prompts"
"""So ends what is said of a round in which no mean was opened."""


def taught_nobody(events: Iterable[Event]) -> bool:
    """Whether rounds of a run were closed, and none of them opened a mean to anybody."""
    told = list(events)
    closed = {event.round for event in told if event.event == "closed"}
    return closed != set() and closed <= {e.round for e in told if e.text.endswith(UNTAUGHT)}


@dataclass
class Tally:
    """What has happened in this daemon's runs since it started, by their events."""

    attempts: dict[str, int] = field(default_factory=lambda: {"completed": 0, "failed": 0})
    phases: dict[str, tuple[int, float]] = field(default_factory=dict)
    distances: int = 0
    clipped: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    violations: dict[str, int] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Count what an event tells of; most tell of nothing that is counted."""
        match event.event:
            case "closed" | "finished":
                self.attempts["completed"] += 1
                self.distances += event.count
            case "failed":
                self.attempts["failed"] += 1
                self.distances += event.count
            case "cost":
                times, seconds = self.phases.get(event.phase, (0, 0.0))
                self.phases[event.phase] = (times + 1, seconds + event.seconds)
            case "clipped":
                self.clipped += event.count
            case "lost":
                _count(self.lost, event.peer)
            case "named":
                _count(self.named, event.peer)
            case "violation":
                _count(self.violations, event.peer, 1 + event.count)


def _count(counts: dict[str, int], peer: str, more: int = 1) -> None:
    counts[peer] = counts.get(peer, 0) + more
