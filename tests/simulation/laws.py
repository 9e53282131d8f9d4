"""What must hold after each step of a run, whatever happens to it; `Broken` names the law.

The laws watch what honest participants post and what reaches the coordinator; what was opened is
reckoned from that and from the vectors in the clear, not from what a machine says of itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from secfpp.cluster.plain import plain_answers, run_plain
from secfpp.cluster.queries import Query, Task
from secfpp.protocol.disclosure import Disclosed, clusters_of
from secfpp.protocol.messages import (
    Answers,
    Ask,
    Assign,
    Deal,
    Echo,
    EchoStage,
    Open,
    SumShare,
)
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.transport.loopback import Post

from .broken import (
    BLAME,
    CLOSED,
    DEALS,
    EXACT,
    LEDGER,
    ONCE,
    ONE_SUM,
    REFUSAL,
    RISING,
    VOUCHES,
    WITNESSES,
    require,
)
from .coordinator_seat import CLUSTERER, CoordinatorSeat, Entry
from .operations import COORDINATOR, Setting
from .party_seat import RESTARTED, PartySeat
from .unseen import Secrets

Labels = tuple[tuple[str, int], ...]

NO_REFUSALS = {"silence", RESTARTED, "lost", "dealing", "answers", "round"}
"""How an attempt may end for an honest party: it lost patience, or the coordinator said why."""


class Laws:
    """The witness of one run."""

    def __init__(
        self, setting: Setting, parties: Mapping[str, PartySeat], coordinator: CoordinatorSeat
    ) -> None:
        self.spared: frozenset[str] = frozenset()
        self.params: dict[AttemptKey, RoundParams] = {}
        self.rounds_equal_to_plain = 0
        self.means_equal_to_plain = 0
        self._honest = {name: seat for name, seat in parties.items() if name != setting.liar}
        self._parties = parties
        self._coordinator = coordinator
        self._secrets = Secrets(setting.liar)
        self._invited: set[tuple[AttemptKey, str]] = set()
        self._payloads: dict[tuple[AttemptKey, str, str], Deal] = {}
        self._asked: dict[AttemptKey, list[Ask]] = defaultdict(list)
        self._answered: dict[tuple[AttemptKey, int], set[str]] = defaultdict(set)
        self._opened: dict[AttemptKey, list[tuple[int, Query, int]]] = defaultdict(list)
        self._assigned: dict[AttemptKey, Labels] = {}
        self._vouched: dict[tuple[str, int], tuple[tuple[str, ...], Labels]] = {}
        self._summed: dict[tuple[str, int], tuple[str, ...]] = {}
        self._written = 0
        self._finished: dict[str, int] = dict.fromkeys(parties, 0)
        self._failed: dict[str, int] = dict.fromkeys(parties, 0)

    def _require(self, holds: bool, law: str, text: str) -> None:
        require(holds or law in self.spared, law, text)

    # --- On what is said.

    def posted(self, post: Post) -> None:
        """An honest machine sends this (a liar's machine is honest until the network)."""
        match post.message:
            case Deal(key=key) as deal:
                self._secrets.note(deal)
                known = self._payloads.setdefault((key, post.sender, post.to), deal)
                self._require(known == deal, DEALS, f"{post.sender} to {post.to}, {key}")
            case SumShare(key=key, cluster=label) as share:
                self._secrets.note(share)
                self._on_sum(key, label)
            case Open(params=params):
                self._on_open(params, post.to)
            case Ask(key=key) as ask:
                if ask not in self._asked[key]:
                    self._asked[key].append(ask)
            case Assign(key=key, labels=labels):
                self._assigned[key] = labels
            case Echo(key=key, stage=EchoStage.ASSIGNMENT):
                word = self.params[key].roster, self._assigned[key]
                known = self._vouched.setdefault((post.sender, key.round), word)
                self._require(known == word, VOUCHES, f"{post.sender} in {key}")

    def _on_open(self, params: RoundParams, to: str) -> None:
        key = params.key
        again = (key, to) in self._invited
        self._invited.add((key, to))
        known = self.params.setdefault(key, params)
        later = not again and all(key >= other for other in self.params)
        self._require(known == params and later, RISING, f"{key} after {max(self.params)}")
        before = {self.params[other].witnesses for other in self.params if other.round == key.round}
        self._require(before == {params.witnesses}, WITNESSES, f"{key}: {sorted(before)}")
        closed = [other for other in self._assigned if other.round == key.round]
        self._require(not closed, CLOSED, f"{key} is opened though {closed} was assigned")

    def _on_sum(self, key: AttemptKey, label: int) -> None:
        cluster = clusters_of(self._assigned[key])[label]
        for member in cluster:
            known = self._summed.setdefault((member, key.round), cluster)
            self._require(known == cluster, ONE_SUM, f"{member} in round {key.round}")

    def arrived(self, post: Post) -> None:
        """This is about to reach the coordinator, which is up."""
        self._secrets.check_message(post)
        machine = self._coordinator.machine
        match post.message:
            case Answers(key=key, batch=batch, values=values) if (
                machine is not None and machine.result is None and key == machine.params.key
            ):
                current = self._asked[key][-1] if self._asked[key] else None
                if current is None or current.batch != batch:
                    return
                if post.sender in machine.lost or len(values) != len(current.queries):
                    return
                came = self._answered[key, batch]
                came.add(post.sender)
                if len(came) == machine.params.answers_needed:
                    values = plain_answers(self._levels(key), current.queries)
                    pairs = zip(current.queries, values, strict=True)
                    self._opened[key] += [(batch, query, value) for query, value in pairs]

    # --- After each step.

    def hold(self, touched: str) -> None:
        """Check everything that `touched` may have changed."""
        if touched == COORDINATOR:
            self._check_coordinator()
        else:
            self._check_party(self._parties[touched])

    def _check_coordinator(self) -> None:
        seat = self._coordinator
        self._secrets.check_state(seat)
        named = set(seat.violations)
        if seat.machine is not None:
            machine = seat.machine
            named |= {violation.peer for violation in machine.violations}
            named |= {blame.blamed for blame in machine.blames}
            self._check_ledger(Entry.of(machine))
        self._require(not named & set(self._honest), BLAME, f"{sorted(named)} by the coordinator")
        while self._written < len(seat.ledger):
            entry = seat.ledger[self._written]
            self._check_ledger(entry)
            if entry.closed:
                self._check_round(entry)
            self._written += 1
        rounds = [entry.params.key.round for entry in seat.ledger if entry.closed]
        self._require(len(rounds) == len(set(rounds)), ONCE, f"closed rounds {rounds}")

    def _check_ledger(self, entry: Entry) -> None:
        key, disclosed = entry.params.key, entry.disclosed
        disclosed = disclosed or Disclosed(key, (), (), (), ())
        told = [(line.batch, line.query, line.value) for line in disclosed.distances]
        self._require(told == self._opened[key], LEDGER, f"distances of {key}")
        labels = self._assigned.get(key, ())
        clusters, smallest = clusters_of(labels), entry.params.minimum_cluster
        means = tuple(cluster for cluster in clusters if len(cluster) >= smallest)
        small = tuple(cluster for cluster in clusters if len(cluster) < smallest)
        written = (disclosed.labels, disclosed.means, disclosed.small)
        self._require(written == (labels, means, small), LEDGER, f"assignment of {key}")
        out: tuple[Query, ...] = ()
        if not entry.closed and self._asked[key]:
            last = self._asked[key][-1]
            opened = any(batch == last.batch for batch, _, _ in told)
            out = () if opened else last.queries
        self._require(disclosed.unopened == out, LEDGER, f"what was out when {key} ended")

    def _check_round(self, entry: Entry) -> None:
        """A completed round equals the plain clustering of what was dealt."""
        disclosed, params = entry.disclosed, entry.params
        assert disclosed is not None
        levels = self._levels(params.key)
        dealers = tuple(party for party, _ in disclosed.labels)
        task = Task(
            dealers,
            params.query_budget,
            entry.previous,
            queries_per_party=params.queries_per_party,
        )
        assignment, transcript = run_plain(CLUSTERER, task, levels)
        opened = tuple((line.query, line.value) for line in disclosed.distances)
        self._require(opened == transcript, EXACT, f"distances of {params.key}")
        same = dict(disclosed.labels) == dict(assignment.labels)
        self._require(same, EXACT, f"assignment of {params.key}")
        self.rounds_equal_to_plain += 1

    def _check_party(self, seat: PartySeat) -> None:
        named = set(seat.violations)
        if seat.machine is not None:
            named |= {violation.peer for violation in seat.machine.violations}
        if seat.name in self._honest:
            self._require(not named & set(self._honest), BLAME, f"{sorted(named)} by {seat.name}")
            self._require(COORDINATOR not in named, BLAME, f"the coordinator, by {seat.name}")
            for key, failed in seat.failed[self._failed[seat.name] :]:
                refuses = failed.code not in NO_REFUSALS
                self._require(not refuses, REFUSAL, f"{seat.name} in {key}: {failed}")
        self._failed[seat.name] = len(seat.failed)
        keys = [key for key, _ in seat.finished]
        self._require(len(keys) == len(set(keys)), ONCE, f"{seat.name}: {keys}")
        for key, finished in seat.finished[self._finished[seat.name] :]:
            if finished.mean is not None:
                self._secrets.note_mean(finished.mean)
                self._check_mean(key, finished.cluster, finished.mean.tobytes())
        self._finished[seat.name] = len(seat.finished)

    def _check_mean(self, key: AttemptKey, cluster: tuple[str, ...], mean: bytes) -> None:
        levels = self._levels(key)
        total = sum(levels[member] for member in cluster)
        expected = self.params[key].prompt_sharing.quantiser.mean(total, len(cluster))
        self._require(mean == expected.tobytes(), EXACT, f"the mean of {cluster} in {key}")
        self._require(cluster in clusters_of(self._assigned[key]), LEDGER, f"the mean of {cluster}")
        self.means_equal_to_plain += 1

    def _levels(self, key: AttemptKey):
        """What every party has dealt in an attempt, in the clear."""
        seats = self._parties.values()
        return {seat.name: seat.dealt[key][0] for seat in seats if key in seat.dealt}
