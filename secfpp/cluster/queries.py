"""What a clusterer may ask, and what it answers with (docs/protocol.md §5, §6)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from secfpp.errors import Misuse


@dataclass(frozen=True)
class Query:
    """How far party `subject` is from the mean of `members` (in roster order, at least one).

    The answer is the exact integer m²·‖x_subject − mean(members)‖² in squared levels, with
    m = |members|.
    """

    subject: str
    members: tuple[str, ...]


Batch = tuple[Query, ...]


@dataclass(frozen=True)
class Assignment:
    """A partition: a label for each party, numbered from 0 by first appearance in roster order."""

    labels: Mapping[str, int]

    @classmethod
    def of(cls, parties: tuple[str, ...], clusters: Iterable[Iterable[str]]) -> Assignment:
        """The assignment of `parties` (in roster order) to `clusters`, a partition of them."""
        place = {party: index for index, cluster in enumerate(clusters) for party in cluster}
        if set(place) != set(parties):
            raise Misuse("the clusters are no partition of the parties")
        order: dict[int, int] = {}
        return cls({party: order.setdefault(place[party], len(order)) for party in parties})

    @property
    def clusters(self) -> tuple[tuple[str, ...], ...]:
        """The clusters by label, each in roster order."""
        count = max(self.labels.values(), default=-1) + 1
        return tuple(
            tuple(party for party, label in self.labels.items() if label == cluster)
            for cluster in range(count)
        )


@dataclass(frozen=True)
class Task:
    """What a clusterer is to do: partition `parties` (roster order) with at most `budget` queries.

    `previous` is the last round's assignment, of whoever took part then, or None. `apart` is a
    public scale, or None: parties at a squared distance above it are never alike (squared levels).
    """

    parties: tuple[str, ...]
    budget: int
    previous: Assignment | None = None
    apart: int | None = None


Dialogue = Generator[Batch, tuple[int, ...], Assignment]
"""Yields batches, is sent one integer per query, returns the assignment."""

Clusterer = Callable[[Task], Dialogue]


class Known:
    """The distances a clusterer has been told: nothing is asked twice, nothing about itself."""

    def __init__(self, task: Task) -> None:
        self._place = {party: index for index, party in enumerate(task.parties)}
        self._told: dict[Query, int] = {}
        self._left = task.budget

    def learn(self, wanted: Iterable[Query]) -> Generator[Batch, tuple[int, ...], bool]:
        """Ask in one batch what is not known; False, and nothing asked, beyond the budget."""
        batch = tuple(query for query in dict.fromkeys(wanted) if not self.told(query))
        if len(batch) > self._left:
            return False
        if batch:
            answers = yield batch
            self._left -= len(batch)
            self._told.update(zip(batch, answers, strict=True))
        return True

    def told(self, query: Query) -> bool:
        """Whether the answer is known (or is 0 by itself)."""
        return query in self._told or query.members == (query.subject,)

    def query(self, subject: str, members: Iterable[str]) -> Query:
        """The query about a set, its members put in roster order."""
        return Query(subject, self.ordered(members))

    def ordered(self, members: Iterable[str]) -> tuple[str, ...]:
        """Members in roster order."""
        return tuple(sorted(members, key=self._place.__getitem__))

    def distance(self, subject: str, members: Iterable[str]) -> Fraction:
        """‖x_subject − mean(members)‖², exact, of a query that was asked (or is 0 by itself)."""
        query = self.query(subject, members)
        if query.members == (subject,):
            return Fraction(0)
        return Fraction(self._told[query], len(query.members) ** 2)
