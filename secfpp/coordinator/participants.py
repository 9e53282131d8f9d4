"""Who takes part in a run, who is away, and what each party was last heard to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secfpp.coordinator.invitation import Geometry, differences
from secfpp.protocol.messages import Invite, Peer, Progress


class Participants:
    """The parties of a run, by name and address in roster order.

    The roster changes between attempts only: whoever is lost leaves it at once, whoever accepts
    later joins at the next opening.
    """

    def __init__(self, parties: Mapping[str, str]) -> None:
        self._addresses = dict(parties)
        self._taking_part: set[str] = set()
        self._returned: set[str] = set()
        self._unaware: set[str] = set()
        self._geometry: Geometry = {}
        self._told: dict[str, tuple[int, str, int, int]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All parties of the run, here or away."""
        return tuple(self._addresses)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where each of them listens."""
        return self._addresses

    @property
    def away(self) -> tuple[str, ...]:
        """Those who take part in no attempt now and have not come back."""
        here = self._taking_part | self._returned
        return tuple(name for name in self._addresses if name not in here)

    @property
    def dim(self) -> int:
        """The dimension of the prompts that they share."""
        return int(self._geometry["dim"])

    def invitation(self, run: str, job: str) -> Invite:
        """What each of them is told."""
        return Invite(run, job, tuple(Peer(*known) for known in self._addresses.items()))

    def begin(self, geometry: Geometry) -> None:
        """What all who take part must have alike; nobody does so yet."""
        self._geometry = geometry

    def change(self, parties: Mapping[str, str]) -> tuple[str, ...]:
        """The operator has other parties now; returns those who are no longer wanted."""
        removed = tuple(name for name in self._addresses if name not in parties)
        news = any(self._addresses.get(name) != where for name, where in parties.items())
        self._addresses = dict(parties)
        self._taking_part &= parties.keys()
        self._returned &= parties.keys()
        self._unaware = set(self._taking_part) if news else self._unaware & parties.keys()
        return removed

    def accepted(self, party: str, geometry: Geometry) -> str:
        """A party joins at the next opening; what keeps it from that, in words, or nothing."""
        if party not in self._addresses:
            return "is not on the roster"
        self._unaware.discard(party)
        odd = differences(geometry, self._geometry)
        if odd:
            return f"would learn with another model: {', '.join(odd)}"
        if party not in self._taking_part:
            self._returned.add(party)
        return ""

    def lost(self, parties: Iterable[str]) -> None:
        """These take part no longer, unless they have come back meanwhile."""
        self._taking_part -= set(parties)

    def left(self, party: str) -> None:
        """It has said that it takes part no longer."""
        self._taking_part.discard(party)
        self._returned.discard(party)

    def roster(self) -> tuple[str, ...]:
        """Who takes part in the attempt that is opened now.

        Those who are new wait until every other party has heard of them and said so.
        """
        if not self._unaware & self._taking_part:
            self._taking_part |= self._returned
            self._returned = set()
        return tuple(name for name in self._addresses if name in self._taking_part)

    def is_news(self, party: str, progress: Progress) -> bool:
        """Whether a party tells of another phase or round than before."""
        return self._told.get(party, (0, ""))[:2] != (progress.round, progress.phase)

    def moved(self, party: str, progress: Progress) -> bool:
        """Whether a sign of life tells of new steps, not only of life."""
        now = (progress.round, progress.phase, progress.done, progress.total)
        before = self._told.get(party)
        self._told[party] = now
        return progress.total > 0 and now != before

    def is_heard_of(self, party: str) -> bool:
        """Whether a party has given a sign of life."""
        return party in self._told

    def doing(self, party: str) -> str:
        """What a party was last heard to do."""
        if party not in self._told:
            return "not heard of"
        _, phase, done, total = self._told[party]
        return f"{phase}, {done} of {total}" if total > 1 else phase
