"""Adaptive k-means on exact distances: the number of clusters is found, not given (§6).

The first round starts by farthest-first, later ones from the last assignment. Then parties move to
the nearest mean until nobody moves, and clusters are merged and split as long as the objective (the
mean silhouette, see `secfpp.cluster.silhouette`) strictly rises and the query budget allows. All
arithmetic is exact. Where a job states a public scale (`Task.apart`), clusters follow from that.

Ties: a party stays; else the cluster with the smallest member in roster order; farthest-first
starts at the first party, ties to the earlier.
"""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from itertools import combinations
from typing import Final

from secfpp.cluster.queries import Assignment, Batch, Dialogue, Known, Query, Task
from secfpp.cluster.silhouette import (
    ONE_CLUSTER,
    Cluster,
    FromMean,
    Partition,
    placed,
    silhouette,
)

WORTH_TRYING: Final = Fraction(3, 5)
"""A cluster is cut in two, to see if the objective rises, where that lowers its variance so far."""

LOOK_AHEAD: Final = 2
"""So many seeds are tried beyond the best number of clusters, though they place no better.

With settling that is (k + 2)·n + k·n queries at most, so within 3·n·k; one cluster needs none.
"""

Step = Generator[Batch, tuple[int, ...], Partition]


def adaptive_k_means(task: Task) -> Dialogue:
    """Partition the parties with at most `task.budget` distances; see the module."""
    search = _Search(task)
    if task.apart is not None:
        leaders = yield from search.leaders(task.apart)
        return Assignment.of(task.parties, leaders)
    if len(task.parties) <= 2:
        return Assignment.of(task.parties, [task.parties])
    start = _continued(task)
    if start is None:
        found = yield from search.farthest_first()
        found = yield from search.settle(found)
    else:
        found = yield from search.settle(start)
        before: Partition = ()
        while before != found:
            before = found
            found = yield from search.split(found)
    return Assignment.of(task.parties, found)


def _continued(task: Task) -> Partition | None:
    """The last partition without the departed; None where a fresh start is better.

    That is where there was none, where somebody new came, and where there was only one cluster or
    most parties were alone: farthest-first sees more of what has changed then.
    """
    if task.previous is None or not set(task.parties) <= set(task.previous.labels):
        return None
    present = set(task.parties)
    clusters = (
        tuple(party for party in cluster if party in present) for cluster in task.previous.clusters
    )
    partition = tuple(cluster for cluster in clusters if cluster)
    alone = sum(len(cluster) == 1 for cluster in partition)
    return partition if len(partition) > 1 and 2 * alone <= len(task.parties) else None


class _Search:
    """One clustering: the task and what has been learnt."""

    def __init__(self, task: Task) -> None:
        self._parties = task.parties
        self._known = Known(task)

    # --- The first round.

    def farthest_first(self) -> Step:
        """Add the farthest party as a seed, and return the division by seeds that places best.

        Parties are placed by their distances to the seeds alone: to the nearest, beside the second
        nearest. The search ends when more seeds place them no better.
        """
        seeds = [self._parties[0]]
        best: Partition = (self._parties,)
        highest = Fraction(0)
        while (yield from self._ask_about(seeds[-1], seeds)):
            quality = self._placed_by_seeds(seeds)
            if quality > highest:
                best, highest = self._by_nearest_seed(seeds), quality
            ahead = len(seeds) - len(best)
            if len(seeds) + 1 >= len(self._parties) or ahead >= LOOK_AHEAD:
                break
            seeds.append(self._farthest(seeds))
        return best if highest > ONE_CLUSTER else (self._parties,)

    def leaders(self, apart: int) -> Step:
        """With a known scale: a seed for whoever is apart from all seeds, then nearest seeds.

        Hochbaum and Shmoys, 1985 (doi 10.1287/moor.10.2.180). Everyone alone is found, and one
        cluster, and no silhouette is needed; where the budget ends, the last division stands.
        """
        seeds = [self._parties[0]]
        best: Partition = (self._parties,)
        while (yield from self._ask_about(seeds[-1], seeds)):
            best = self._by_nearest_seed(seeds)
            if len(seeds) == len(self._parties):
                break
            farthest = self._farthest(seeds)
            if min(self._between(farthest, seed) for seed in seeds) <= apart:
                break
            seeds.append(farthest)
        return best

    def _ask_about(self, newest: str, seeds: list[str]) -> Generator[Batch, tuple[int, ...], bool]:
        return (
            yield from self._known.learn(
                Query(party, (newest,)) for party in self._parties if party not in seeds
            )
        )

    def _by_nearest_seed(self, seeds: list[str]) -> Partition:
        members: dict[str, list[str]] = {seed: [] for seed in seeds}
        for party in self._parties:
            nearest = min(seeds, key=lambda seed: self._between(party, seed))
            members[party if party in members else nearest].append(party)
        return tuple(tuple(members[seed]) for seed in seeds)

    def _placed_by_seeds(self, seeds: list[str]) -> Fraction:
        """How well the parties that are no seeds are placed by their two nearest seeds."""
        if len(seeds) < 2:
            return Fraction(0)
        total = Fraction(0)
        others = [party for party in self._parties if party not in seeds]
        for party in others:
            nearest, second = sorted(self._between(party, seed) for seed in seeds)[:2]
            total += placed(nearest, second)
        return total / len(others)

    def _farthest(self, seeds: list[str]) -> str:
        candidates = [party for party in self._parties if party not in seeds]
        return max(candidates, key=lambda p: min(self._between(p, seed) for seed in seeds))

    def _between(self, party: str, other: str) -> Fraction:
        """‖x_party − x_other‖²."""
        return self._known.distance(party, (other,))

    # --- Any round.

    def settle(self, partition: Partition) -> Step:
        """Move parties to the nearest mean until nobody moves; merge where the objective rises."""
        seen: set[Partition] = set()
        while partition not in seen and len(partition) > 1:
            seen.add(partition)
            if not (yield from self._learn_means(partition)):
                break
            moved = self._moved(partition)
            partition = moved if moved != partition else self._merged(partition)
        return partition

    def _learn_means(self, partition: Partition) -> Generator[Batch, tuple[int, ...], bool]:
        return (
            yield from self._known.learn(
                self._known.query(party, members)
                for members in partition
                for party in self._parties
            )
        )

    def _moved(self, partition: Partition) -> Partition:
        ranked = sorted(partition, key=lambda members: self._parties.index(members[0]))
        target: dict[Cluster, list[str]] = {members: [] for members in partition}
        for party in self._parties:
            own = next(members for members in partition if party in members)
            nearest = min(ranked, key=lambda members: self._known.distance(party, members))
            here = self._known.distance(party, own)
            stays = here <= self._known.distance(party, nearest)
            target[own if stays else nearest].append(party)
        return tuple(tuple(members) for members in target.values() if members)

    def _merged(self, partition: Partition) -> Partition:
        """The best merge of two clusters if it raises the objective; it needs no query."""
        best, highest = partition, silhouette(partition, self._known.distance)
        for a, b in combinations(partition, 2):
            joined = self._known.ordered(a + b)
            rest = tuple(members for members in partition if members not in (a, b))
            quality = silhouette((joined, *rest), self._with_union(a, b))
            if quality > highest:
                best, highest = (joined, *rest), quality
        return best

    def _with_union(self, a: Cluster, b: Cluster) -> FromMean:
        """Distances to all means and to that of A ∪ B, which follow from those to A and B.

        ‖x − c‖² = (|A|·‖x − c_A‖² + |B|·‖x − c_B‖²) / m − |A|·|B|/m² · ‖c_A − c_B‖², and |A|·‖c_A −
        c_B‖² = Σ_{i∈A} ‖x_i − c_B‖² − Σ_{i∈A} ‖x_i − c_A‖² (§5).
        """
        known, size = self._known.distance, len(a) + len(b)
        gap = sum((known(p, b) - known(p, a) for p in a), Fraction(0)) / len(a)
        union = self._known.ordered(a + b)

        def from_mean(party: str, members: Cluster) -> Fraction:
            if members != union:
                return known(party, members)
            near = len(a) * known(party, a) + len(b) * known(party, b)
            return near / size - Fraction(len(a) * len(b), size**2) * gap

        return from_mean

    def split(self, partition: Partition) -> Step:
        """Cut clusters in two where that looks worth it; keep the cuts if the objective rises.

        A cluster is cut by the plane through its mean, across the line to its farthest member; all
        clusters are tried in the same two batches.
        """
        wide = tuple(members for members in partition if len(members) > 3)
        if not wide or not (yield from self._learn_means(partition)):
            return partition
        ends = {members: self._end(members) for members in wide}
        wanted = [Query(p, (ends[m],)) for m in wide for p in m]
        if not (yield from self._known.learn(wanted)):
            return partition
        halves = {members: self._halves(members, ends[members]) for members in wide}
        halves = {members: pair for members, pair in halves.items() if all(pair)}
        wanted = [self._known.query(ends[m], half) for m in halves for half in halves[m]]
        if not (yield from self._known.learn(wanted)):
            return partition
        cut = {m for m in halves if self._worth_trying(m, ends[m], halves[m])}
        if not cut:
            return partition
        pieces = tuple(p for m in partition for p in (halves[m] if m in cut else (m,)))
        found = yield from self.settle(pieces)
        if not (yield from self._learn_means(found)):
            return partition
        before, after = (silhouette(p, self._known.distance) for p in (partition, found))
        return found if after > before else partition

    def _end(self, members: Cluster) -> str:
        return max(members, key=lambda party: self._known.distance(party, members))

    def _halves(self, members: Cluster, end: str) -> tuple[Cluster, Cluster]:
        """Who lies on the far side of the mean's plane: 2⟨x − c, e − c⟩ > 0, from distances."""
        far = [
            party
            for party in members
            if self._known.distance(party, members) + self._known.distance(end, members)
            > self._between(party, end)
        ]
        return tuple(party for party in members if party not in far), tuple(far)

    def _worth_trying(self, members: Cluster, end: str, halves: tuple[Cluster, Cluster]) -> bool:
        """Whether the variance W / (m − clusters) falls to three fifths by the cut.

        W of a half H follows from one query: Σ_{i∈H} ‖x_i − e‖² − |H|·‖e − c_H‖².
        """
        whole = sum((self._known.distance(p, members) for p in members), Fraction(0))
        cut = Fraction(0)
        for half in halves:
            cut += sum(self._between(party, end) for party in half)
            cut -= len(half) * self._known.distance(end, half)
        return cut / (len(members) - 2) < WORTH_TRYING * whole / (len(members) - 1)
