"""What a clusterer may ask, and what it answers with (docs/protocol.md §5, §6)."""

from __future__ import annotations

from collections import Counter
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

    @property
    def turned(self) -> Query:
        """The same distance seen from the other party, where there is one other; else itself."""
        return Query(self.members[0], (self.subject,)) if len(self.members) == 1 else self

    @property
    def about(self) -> tuple[str, ...]:
        """Whom the answer is about (§1): the subject, and the other member if it is the only one.

        m·x_i − Σ_M is x_i − x_s where M is {i, s}: no less about s than the query with M = {s}.
        """
        subject, members = self.subject, self.members
        if len(members) == 2 and subject in members:
            return (subject, members[members[0] == subject])
        return (subject, *members) if len(members) == 1 and members[0] != subject else (subject,)


Batch = tuple[Query, ...]


def are_all_pairs(batch: Batch, parties: int) -> bool:
    """Whether more than half of the `parties` stand as single members in the batch (§5)."""
    return 2 * len({query.members for query in batch if len(query.members) == 1}) > parties


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

    No more than `queries_per_party` may be about one party (`Query.about`); None sets no limit.
    `previous` is the last round's assignment, of whoever took part then, or None. `apart` is a
    public scale, or None: parties at a squared distance above it are never alike (squared levels).
    """

    parties: tuple[str, ...]
    budget: int
    previous: Assignment | None = None
    apart: int | None = None
    queries_per_party: int | None = None


Dialogue = Generator[Batch, tuple[int, ...], Assignment]
"""Yields batches, is sent one integer per query, returns the assignment."""

Clusterer = Callable[[Task], Dialogue]


class Known:
    """The distances a clusterer has been told: nothing is asked twice, nothing about itself.

    It asks no batch that a party would refuse where means were agreed on (§5).
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._place = {party: index for index, party in enumerate(task.parties)}
        self._told: dict[Query, int] = {}
        self._about: Counter[str] = Counter()

    def learn(self, wanted: Iterable[Query]) -> Generator[Batch, tuple[int, ...], bool]:
        """Ask in one batch what is not known; False, and nothing asked, if that is too much."""
        unknown: dict[Query, None] = {}
        for query in wanted:
            if not self.told(query) and query.turned not in unknown:
                unknown[query] = None
        batch = tuple(unknown)
        about = self._about + Counter(party for query in batch for party in query.about)
        if not self._may_ask(batch, about):
            return False
        if batch:
            answers = yield batch
            self._about = about
            self._told.update(zip(batch, answers, strict=True))
        return True

    def _may_ask(self, batch: Batch, about: Counter[str]) -> bool:
        most = self._task.queries_per_party
        return (
            len(self._told) + len(batch) <= self._task.budget
            and (most is None or max(about.values(), default=0) <= most)
            and not are_all_pairs(batch, len(self._task.parties))
        )

    def told(self, query: Query) -> bool:
        """Whether the answer is known (or is 0 by itself)."""
        if query in self._told or query.members == (query.subject,):
            return True
        return len(query.members) == 1 and query.turned in self._told

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
        told = self._told[query if query in self._told else query.turned]
        return Fraction(told, len(query.members) ** 2)
