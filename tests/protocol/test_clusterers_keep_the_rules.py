"""The coordinator's clusterers ask nothing that a party would refuse (docs/protocol.md §5, §6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from secfpp.cluster.adaptive import adaptive_k_means
from secfpp.cluster.plain import run_plain
from secfpp.cluster.queries import Assignment, Known, Query, Task
from secfpp.errors import PolicyRefusal
from secfpp.protocol.disclosure import View, check_batch

TASKS = 400


def drawn(federation, seed):
    """A federation of 5 to 20 parties, their vectors anyhow, and an assignment to start from."""
    rng = np.random.default_rng(seed)
    parties, dim = int(rng.integers(5, 21)), int(rng.choice([2, 8, 64]))
    centres = rng.normal(size=(int(rng.integers(1, parties + 1)), dim)) * rng.choice([0, 1, 5])
    true = rng.integers(0, len(centres), parties)
    points = centres[true] + rng.normal(size=(parties, dim)) * rng.choice([0, 0.1, 1])
    params = federation(parties=parties).params
    most = int(rng.choice([parties - 1, 2 * parties, 32]))
    params = replace(params, query_budget=3 * parties**2, queries_per_party=min(most, 32))
    levels = dict(zip(params.roster, np.rint(1000 * points).astype(np.int64), strict=True))
    labels = (None, true, rng.integers(0, int(rng.integers(1, parties + 1)), parties))[seed % 3]
    if labels is None:
        return params, levels, None
    places = list(zip(levels, labels, strict=True))
    clusters = [[party for party, place in places if place == label] for label in set(labels)]
    return params, levels, Assignment.of(params.roster, clusters)


def all_batches_are_answered(federation, seed, *, limited=True):
    """Every batch goes through the check that every party makes; PolicyRefusal if one does not."""
    params, levels, previous = drawn(federation, seed)
    view = View(params.roster, params.mask_dealers)

    def checked(task):
        nonlocal view
        dialogue = adaptive_k_means(task)
        try:
            batch = next(dialogue)
            while True:
                check_batch(params, view, batch)
                view = view.extended(batch)
                batch = dialogue.send((yield batch))
        except StopIteration as end:
            return end.value

    limit = params.queries_per_party if limited else None
    task = Task(params.roster, params.query_budget, previous, queries_per_party=limit)
    assignment, _ = run_plain(checked, task, levels)
    assert set(assignment.labels) == set(params.roster)
    pairs = [frozenset((q.subject, *q.members)) for q in told(view) if len(q.members) == 1]
    assert len(set(pairs)) == len(pairs)


def told(view):
    return [query for batch in view.batches for query in batch]


def all_tasks(federation, **changes):
    for seed in range(TASKS):
        all_batches_are_answered(federation, seed, **changes)


def test_every_batch_of_adaptive_k_means_is_one_that_parties_answer(federation):
    all_tasks(federation)


def test_a_clusterer_that_forgot_the_limit_of_each_party_would_be_refused(federation):
    with pytest.raises(PolicyRefusal, match="queries_per_party"):
        all_tasks(federation, limited=False)


@pytest.mark.parametrize(("alone", "asked"), [(3, True), (4, False)])
def test_more_than_half_of_the_parties_alone_are_not_asked_about_in_one_batch(alone, asked):
    parties = tuple(f"p{index}" for index in range(7))
    wanted = [Query("p6", (party,)) for party in parties[:alone]]
    asking = Known(Task(parties, 100)).learn(wanted)
    if asked:
        assert next(asking) == tuple(wanted)
    else:
        with pytest.raises(StopIteration) as end:
            next(asking)
        assert end.value.value is False


def test_a_round_whose_vectors_are_short_ends_well_within_the_limit(federation, equals_plain):
    setup = federation(parties=6, changes={"rounds": 3, "queries_per_party": 10})
    network = setup.network()
    network.run()
    assert equals_plain(setup, network) == 6
    lines = network.coordinator.result.disclosed.distances
    about = Counter(party for line in lines for party in line.query.about)
    assert max(about.values()) <= 10
