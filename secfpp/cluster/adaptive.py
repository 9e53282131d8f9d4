"""Adaptive k-means on exact distances: the number of clusters is found, not given (§6).

The first round starts by farthest-first, later ones from the last assignment. Then parties move to
the nearest mean until nobody moves, and clusters are merged and split as long as the objective of
`secfpp.cluster.objective` strictly falls and the query budget allows. All arithmetic is exact.

Ties: a party stays; else the cluster with the smallest member in roster order; farthest-first
starts at the first party, ties to the earlier.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from secfpp.cluster.objective import everyone_alone, objective, pooled_variance, step
from secfpp.cluster.queries import Assignment, Batch, Dialogue, Known, Query, Task

Cluster = tuple[str, ...]
Partition = tuple[Cluster, ...]


@dataclass(frozen=True)
class Scored:
    """A partition and W, its sum of squared distances to the own means."""

    partition: Partition
    within: Fraction


def adaptive_k_means(task: Task) -> Dialogue:
    """Partition the parties with at most `task.budget` distances; see the module."""
    if len(task.parties) <= 2:
        return Assignment.of(task.parties, [task.parties])
    search = _Search(task)
    start = _continued(task)
    if start is None:
        found = yield from search.farthest_first()
    else:
        found = yield from search.settle(start)
        before: Partition = ()
        while before != found:
            before = found
            found = yield from search.split(found)
    return Assignment.of(task.parties, found)


def _look_ahead(clusters: int) -> int:
    """How many seeds to try beyond the best number of clusters, though they bring nothing.

    Many clusters equally far apart show only when most of them have a seed. Seeds and settling
    stay within 3·n·k queries: (k + 2)·n + k·n for k ≥ 3 clusters, and for one there is no settling.
    """
    return 1 if clusters == 2 else 2


def _continued(task: Task) -> Partition | None:
    """The last partition without the departed; None where a fresh start is better.

    That is where there was none, where somebody new came, or where nobody shared a cluster.
    """
    if task.previous is None or not set(task.parties) <= set(task.previous.labels):
        return None
    present = set(task.parties)
    clusters = (
        tuple(party for party in cluster if party in present) for cluster in task.previous.clusters
    )
    partition = tuple(cluster for cluster in clusters if cluster)
    return partition if len(partition) < len(task.parties) else None


Step = Generator[Batch, tuple[int, ...], Partition]


class _Search:
    """One clustering: the task and what has been learnt."""

    def __init__(self, task: Task) -> None:
        self._parties = task.parties
        self._dim = task.dim
        self._known = Known(task)

    # --- The first round.

    def farthest_first(self) -> Step:
        """Add the farthest party as a seed while that lowers the variance more than noise would.

        The best partition found on the way, by the objective, is then settled.
        """
        count = len(self._parties)
        seeds = [self._parties[0]]
        best = yield from self._scored_by_seeds(seeds)
        last = best
        while last is not None and last.within and len(seeds) < count - 1:
            seeds.append(self._farthest(seeds))
            following = yield from self._scored_by_seeds(seeds)
            if following is None:
                break
            if best is None or self._cost(following) < self._cost(best):
                best = following
            noise = step(count, len(last.partition), self._dim) * self._variance(last)
            found = len(best.partition) if best is not None else 1
            last = following
            if self._variance(following) >= noise and len(seeds) >= found + _look_ahead(found):
                break
        if best is None:
            return (self._parties,)
        if len(best.partition) == count - 1:
            seeds.append(self._farthest(seeds))
            pairs = [self._seed_distance(a, b) for a, b in combinations(seeds, 2)]
            if everyone_alone(pairs):
                return tuple((party,) for party in self._parties)
        return (yield from self.settle(best.partition))

    def _scored_by_seeds(
        self, seeds: list[str]
    ) -> Generator[Batch, tuple[int, ...], Scored | None]:
        """The partition by nearest seed, with W from one more query per cluster.

        W_M = Σ_{i∈M} ‖x_i − s‖² − |M|·‖s − c_M‖² for any s whose distances to M are known.
        """
        newest = seeds[-1]
        about = [Query(party, (newest,)) for party in self._parties if party not in seeds]
        if not (yield from self._known.learn(about)):
            return None
        partition = self._by_nearest_seed(seeds)
        means = [self._known.query(seed, m) for seed, m in zip(seeds, partition, strict=True)]
        if not (yield from self._known.learn(means)):
            return None
        within = Fraction(0)
        for seed, members in zip(seeds, partition, strict=True):
            within += sum(self._seed_distance(party, seed) for party in members)
            within -= len(members) * self._known.distance(seed, members)
        return Scored(partition, within)

    def _by_nearest_seed(self, seeds: list[str]) -> Partition:
        members: dict[str, list[str]] = {seed: [] for seed in seeds}
        for party in self._parties:
            nearest = min(seeds, key=lambda seed: self._seed_distance(party, seed))
            members[party if party in members else nearest].append(party)
        return tuple(tuple(members[seed]) for seed in seeds)

    def _farthest(self, seeds: list[str]) -> str:
        candidates = [party for party in self._parties if party not in seeds]
        return max(candidates, key=lambda p: min(self._seed_distance(p, seed) for seed in seeds))

    def _seed_distance(self, party: str, seed: str) -> Fraction:
        """‖x_party − x_seed‖²; of two seeds, the later was asked about the earlier."""
        if party == seed:
            return Fraction(0)
        try:
            return self._known.distance(party, (seed,))
        except KeyError:
            return self._known.distance(seed, (party,))

    # --- Any round.

    def settle(self, partition: Partition) -> Step:
        """Move parties to the nearest mean until nobody moves; merge where the objective falls."""
        seen: set[Partition] = set()
        while partition not in seen and len(partition) > 1:
            seen.add(partition)
            wanted = [
                self._known.query(party, members)
                for members in partition
                for party in self._parties
            ]
            if not (yield from self._known.learn(wanted)):
                break
            moved = self._moved(partition)
            partition = moved if moved != partition else self._merged(partition)
        return partition

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
        """The best merge of two clusters if it lowers the objective; it needs no query.

        |A|·‖c_A − c_B‖² = Σ_{i∈A} ‖x_i − c_B‖² − Σ_{i∈A} ‖x_i − c_A‖² (§5).
        """
        now = Scored(partition, sum((self._within(m) for m in partition), Fraction(0)))
        best = now
        for a, b in combinations(partition, 2):
            gap = (self._total(a, b) - self._within(a)) / len(a)
            within = now.within + gap * len(a) * len(b) / (len(a) + len(b))
            rest = tuple(members for members in partition if members not in (a, b))
            merged = Scored((self._known.ordered(a + b), *rest), within)
            if best is now and len(partition) == len(self._parties):
                continue
            if self._cost(merged) < self._cost(best):
                best = merged
        return best.partition

    def split(self, partition: Partition) -> Step:
        """Split clusters in two, each along the line through its mean and its farthest member.

        All candidates are tried in the same two batches; the splits that lower the objective are
        taken, the best first.
        """
        wide = [members for members in partition if len(members) > 3]
        wanted = [self._known.query(p, members) for members in partition for p in members]
        if not wide or not (yield from self._known.learn(wanted)):
            return partition
        ends = {members: self._end(members) for members in wide}
        wanted = [Query(p, (ends[m],)) for m in wide for p in m if not self._is_known(p, ends[m])]
        if not (yield from self._known.learn(wanted)):
            return partition
        halves = {members: self._halves(members, ends[members]) for members in wide}
        halves = {members: pair for members, pair in halves.items() if all(pair)}
        wanted = [self._known.query(ends[m], half) for m in halves for half in halves[m]]
        if not (yield from self._known.learn(wanted)):
            return partition
        within = sum((self._within(members) for members in partition), Fraction(0))
        current = Scored(partition, within)
        gains = {m: self._within(m) - self._within_halves(ends[m], halves[m]) for m in halves}
        for members in sorted(gains, key=lambda m: gains[m], reverse=True):
            rest = tuple(other for other in current.partition if other != members)
            divided = Scored((*rest, *halves[members]), current.within - gains[members])
            if self._cost(divided) < self._cost(current):
                current = divided
        if current.partition == partition:
            return partition
        return (yield from self.settle(current.partition))

    def _is_known(self, party: str, seed: str) -> bool:
        try:
            self._seed_distance(party, seed)
        except KeyError:
            return False
        return True

    def _end(self, members: Cluster) -> str:
        return max(members, key=lambda party: self._known.distance(party, members))

    def _halves(self, members: Cluster, end: str) -> tuple[Cluster, Cluster]:
        """Who lies on the far side of the mean's plane: 2⟨x − c, e − c⟩ > 0, from distances."""
        far = []
        for party in members:
            spread = self._known.distance(party, members) + self._known.distance(end, members)
            if spread > self._seed_distance(party, end):
                far.append(party)
        return tuple(party for party in members if party not in far), tuple(far)

    def _within_halves(self, end: str, halves: tuple[Cluster, Cluster]) -> Fraction:
        total = Fraction(0)
        for half in halves:
            total += sum(self._seed_distance(party, end) for party in half)
            total -= len(half) * self._known.distance(end, half)
        return total

    # --- Sums.

    def _total(self, subjects: Cluster, members: Cluster) -> Fraction:
        return sum((self._known.distance(party, members) for party in subjects), Fraction(0))

    def _within(self, members: Cluster) -> Fraction:
        return self._total(members, members)

    def _cost(self, scored: Scored) -> Fraction:
        return objective(scored.within, len(self._parties), len(scored.partition), self._dim)

    def _variance(self, scored: Scored) -> Fraction:
        return pooled_variance(scored.within, len(self._parties), len(scored.partition))
