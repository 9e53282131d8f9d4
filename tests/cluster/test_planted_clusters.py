"""Planted clusters are found without being told their number, within 3·n·k queries.

"4σ apart" is read as: the centres are at least four root-mean-square radii apart, σ√d for noise of
σ a coordinate in d dimensions (§1 needs d' of dozens at least). Sizes differ, from 3 up.
"""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score

from secfpp.cluster.adaptive import adaptive_k_means
from secfpp.cluster.one_shot import average_linkage, best_partition, one_shot
from secfpp.cluster.plain import adjusted_rand_index, plain_answers, run_plain
from secfpp.cluster.queries import Assignment, Query, Task
from secfpp.cluster.silhouette import silhouette
from secfpp.errors import ConfigError


def planted(seed, parties, clusters, dim, radii):
    """Levels and true labels: centres at least `radii` within-cluster radii apart."""
    rng = np.random.default_rng(seed)
    sizes = np.full(clusters, 3)
    for _ in range(parties - 3 * clusters):
        sizes[rng.integers(clusters)] += 1
    labels = rng.permutation(np.repeat(np.arange(clusters), sizes))
    centres = rng.normal(size=(clusters, dim))
    if clusters > 1:
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)
        centres *= radii * np.sqrt(dim) / gaps[np.triu_indices(clusters, 1)].min()
    levels = np.rint((centres[labels] + rng.normal(size=(parties, dim))) * 1000).astype(np.int64)
    names = [f"p{i:02d}" for i in range(parties)]
    return (
        dict(zip(names, levels, strict=True)),
        dict(zip(names, labels.tolist(), strict=True)),
    )


def trial(seed, dim, radii, parties=(6, 50), clusters=(1, 6)):
    draw = random.Random(seed)
    n = draw.randint(*parties)
    k = draw.randint(clusters[0], max(clusters[0], min(clusters[1], n // 3)))
    levels, true = planted(seed, n, k, dim, radii)
    task = Task(tuple(levels), 3 * n * k)
    assignment, transcript = run_plain(adaptive_k_means, task, levels)
    assert len(transcript) <= 3 * n * k
    return adjusted_rand_index(assignment.labels, true) == 1.0


@pytest.mark.parametrize(("dim", "radii"), [(32, 4), (64, 4), (256, 2), (1024, 1.5)])
def test_the_planted_number_is_found_in_99_of_100_seeds_within_3nk_queries(
    record_property, dim, radii
):
    exact = sum(trial(seed, dim, radii) for seed in range(100))
    record_property(f"of 100 planted partitions found: d = {dim}, {radii} radii apart", exact)
    assert exact >= 99


@pytest.mark.parametrize("dim", [32, 64, 1024])
def test_one_cluster_is_left_whole(dim):
    exact = sum(trial(seed, dim, 4, clusters=(1, 1)) for seed in range(100))
    assert exact >= 99


def names_of(points):
    return {f"p{i:02d}": np.array(point, dtype=np.int64) for i, point in enumerate(points)}


@pytest.mark.parametrize("clusterer", [adaptive_k_means, one_shot])
def test_everyone_alone_at_equal_distances_cannot_be_told_from_one_cluster(clusterer):
    """No scale is known to a clusterer, and the geometry of both is the same: one is the answer."""
    levels = names_of(np.eye(8, 64, dtype=np.int64) * 1000)
    assignment, _ = run_plain(clusterer, Task(tuple(levels), 500), levels)
    assert len(assignment.clusters) == 1


@pytest.mark.parametrize("dim", [2, 16, 256])
def test_with_a_public_scale_everyone_alone_and_one_cluster_are_told_apart(dim):
    """Centres 4σ√d apart, the scale at 3σ√d: everyone alone, one cluster, and what lies between."""
    exact = 0
    for seed in range(100):
        draw = random.Random(seed)
        parties = draw.randint(6, 30)
        rng = np.random.default_rng(seed)
        alone = rng.integers(0, 2, 1)[0] == 1
        spots = np.arange(parties) if alone else np.zeros(parties)
        step = 4 * 1000 * np.sqrt(dim)
        levels = {
            f"p{i:02d}": np.rint(
                np.r_[spot * step, np.zeros(dim - 1)] + rng.normal(size=dim) * 300
            ).astype(np.int64)
            for i, spot in enumerate(spots)
        }
        scale = round((3 * 1000 * np.sqrt(dim)) ** 2)
        task = Task(tuple(levels), 3 * parties * parties, apart=scale)
        assignment, transcript = run_plain(adaptive_k_means, task, levels)
        clusters = parties if alone else 1
        exact += len(assignment.clusters) == clusters
        assert len(transcript) <= 3 * parties * clusters
    assert exact >= 99


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_parties_are_one_cluster_without_a_question(count):
    levels = names_of(np.arange(count * 4).reshape(count, 4))
    assignment, transcript = run_plain(adaptive_k_means, Task(tuple(levels), 9), levels)
    assert (len(assignment.clusters), transcript) == (1, ())


def test_a_warm_round_with_unchanged_clusters_takes_at_most_three_batches():
    levels, true = planted(3, 12, 3, 256, 3)
    previous = Assignment.of(tuple(levels), [[p for p in levels if true[p] == c] for c in range(3)])
    batches = 0

    def counted(task):
        nonlocal batches
        dialogue = adaptive_k_means(task)
        batch = next(dialogue)
        while True:
            batches += 1
            answers = yield batch
            try:
                batch = dialogue.send(answers)
            except StopIteration as end:
                return end.value

    assignment, _ = run_plain(counted, Task(tuple(levels), 500, previous), levels)
    assert 1 <= batches <= 3
    assert adjusted_rand_index(assignment.labels, true) == 1.0


def test_a_warm_round_finds_clusters_that_have_split_merged_or_lost_a_member():
    levels, true = planted(4, 12, 3, 256, 3)
    everyone = tuple(levels)
    starts = {
        "one": [list(everyone)],
        "mixed": [list(everyone[::2]), list(everyone[1::2])],
        "too many": [[p for p in everyone if true[p] == c][:2] for c in range(3)],
    }
    starts["too many"].append([p for p in everyone if not any(p in c for c in starts["too many"])])
    for name, clusters in starts.items():
        task = Task(everyone, 600, Assignment.of(everyone, clusters))
        assignment, _ = run_plain(adaptive_k_means, task, levels)
        assert adjusted_rand_index(assignment.labels, true) == 1.0, name
    previous = Assignment.of(everyone, [[p for p in everyone if true[p] == c] for c in range(3)])
    left = {p: levels[p] for p in everyone[1:]}
    assignment, _ = run_plain(adaptive_k_means, Task(tuple(left), 600, previous), left)
    assert adjusted_rand_index(assignment.labels, {p: true[p] for p in left}) == 1.0


@given(st.integers(0, 2**32), st.integers(2, 50), st.integers(-(10**6), 10**6))
def test_shifting_and_stretching_all_vectors_changes_no_assignment(seed, scale, shift):
    levels, _ = planted(seed, 9, 3, 16, 2)
    task = Task(tuple(levels), 200)
    moved = {name: scale * vector + shift for name, vector in levels.items()}
    one, _ = run_plain(adaptive_k_means, task, levels)
    two, _ = run_plain(adaptive_k_means, task, moved)
    assert dict(one.labels) == dict(two.labels)


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_the_budget_is_kept_and_the_answer_is_a_partition(seed, budget):
    levels, _ = planted(seed, 12, 3, 32, 2)
    assignment, transcript = run_plain(adaptive_k_means, Task(tuple(levels), budget), levels)
    assert len(transcript) <= budget
    assert set(assignment.labels) == set(levels)
    assert len(set(transcript)) == len({query for query, _ in transcript})
    assert all(query.members != (query.subject,) for query, _ in transcript)


@given(st.integers(0, 2**32))
def test_average_linkage_and_silhouette_agree_with_scikit_learn(seed):
    levels, _ = planted(seed, 9, 3, 8, 1)
    names = tuple(levels)
    matrix = np.array(
        [[plain_answers(levels, (Query(a, (b,)),))[0] for b in names] for a in names], dtype=float
    )
    pairs = {
        (a, b): plain_answers(levels, (Query(a, (b,)),))[0] for a in names for b in names if a != b
    }

    def from_mean(party, members):
        (answer,) = plain_answers(levels, (Query(party, members),))
        return Fraction(answer, len(members) ** 2)

    for partition in average_linkage(names, pairs)[1:-1]:
        model = AgglomerativeClustering(len(partition), metric="precomputed", linkage="average")
        theirs = model.fit_predict(matrix)
        ours = [next(i for i, c in enumerate(partition) if name in c) for name in names]
        assert adjusted_rand_score(theirs, ours) == 1.0
        expected = silhouette_score(matrix, ours, metric="precomputed")
        assert float(silhouette(partition, from_mean)) == pytest.approx(expected)
    assert best_partition(names, pairs)


TIED = [0, 7, 7, 7, 9, 0, 0, 0, 9, 1, 1, 9, 2, 9, 9]
"""Distances of six points, by pairs, at which differences of rounded means deceived."""


@given(
    st.integers(2, 8).flatmap(
        lambda n: st.lists(
            st.sampled_from([0, 1, 2, 7, 9, 2**55, 2**55 + 1]),
            min_size=n * (n - 1) // 2,
            max_size=n * (n - 1) // 2,
        )
    )
)
@example(TIED)
def test_the_partition_chosen_by_floats_is_that_chosen_by_exact_fractions(distances):
    """The obvious twin compares nothing but fractions; few different distances mean many ties."""
    parties = next(n for n in range(2, 9) if n * (n - 1) // 2 == len(distances))
    names = tuple(f"p{index}" for index in range(parties))
    pairs = {}
    for (a, b), distance in zip(combinations(names, 2), distances, strict=True):
        pairs[a, b] = pairs[b, a] = distance

    def mean(two):
        return Fraction(sum(pairs[x, y] for x in two[0] for y in two[1]), len(two[0]) * len(two[1]))

    def from_mean(party, members):
        near = sum(pairs[party, p] for p in members if p != party)
        inside = sum(pairs[a, b] for a, b in combinations(members, 2))
        return Fraction(near, len(members)) - Fraction(inside, len(members) ** 2)

    partition = tuple((name,) for name in names)
    tree = [partition]
    while len(partition) > 1:
        a, b = min(combinations(partition, 2), key=mean)
        joined = tuple(name for name in names if name in a + b)
        partition = tuple(joined if members == a else members for members in partition)
        partition = tuple(members for members in partition if members != b)
        tree.append(partition)
    assert average_linkage(names, pairs) == tuple(tree)
    best = max(reversed(tree), key=lambda partition: silhouette(partition, from_mean))
    assert best_partition(names, pairs) == best


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_the_adjusted_rand_index_agrees_with_scikit_learn(pairs):
    found = {f"p{i}": a for i, (a, _) in enumerate(pairs)}
    true = {f"p{i}": b for i, (_, b) in enumerate(pairs)}
    expected = adjusted_rand_score(list(true.values()), list(found.values()))
    assert adjusted_rand_index(found, true) == pytest.approx(expected)


def test_one_shot_beyond_the_budget_is_refused_before_anything_is_asked():
    levels, _ = planted(0, 9, 3, 16, 4)
    with pytest.raises(ConfigError, match="asks 36 distances, the query budget is 35"):
        run_plain(one_shot, Task(tuple(levels), 35), levels)


def test_plain_answers_are_exact_where_64_bits_are_not():
    big = 2**40
    levels = names_of([[big, -big, 7], [-big, big, 5], [1, 2, 3]])
    query = Query("p00", ("p00", "p01", "p02"))
    total = [sum(int(levels[p][j]) for p in levels) for j in range(3)]
    expected = sum((3 * int(levels["p00"][j]) - total[j]) ** 2 for j in range(3))
    assert plain_answers(levels, (query,)) == (expected,)
    assert expected > 2**64


def test_integers_decide_where_floats_would_see_a_tie():
    """The third party is nearer to the second cluster by one part in 10^17."""
    far = 2**30
    levels = names_of([[0, 0], [2 * far, 0], [far + 1, 0], [0, 1], [2 * far, 1]])
    near = Query("p02", ("p01",)), Query("p02", ("p00",))
    a, b = plain_answers(levels, near)
    assert a < b
    assert float(a + 2**60 * 2**60) == float(b + 2**60 * 2**60)
