"""What the coordinator and T parties see of a round in which nothing is lost (protocol.md §1).

Distances of the honest parties' vectors that were asked for, and the sums of the colluders' own
clusters, decide the distribution of everything else: total variation exactly 0. Colluders' seeds
are uniform values like their shares, and are counted as such.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from .distributions import View, total_variation
from .enumeration import Scene, TinyRound, alike, outcome, random_vectors, whole

SMALL = TinyRound(parties=5, chunks=2, colluders=1, modulus=11)
QUERIES = (
    (0, (1,)),
    (1, (0,)),
    (2, (3, 4)),
    (1, (1, 2, 3)),
    (4, (0, 1, 2, 3, 4)),
)


def farthest(scene: Scene, vectors: np.ndarray, count: int = 2) -> Fraction:
    """The largest total variation between the vectors' view and views of the same outcome."""
    base = scene.view(vectors)
    others = alike(scene, vectors, count)
    return max(total_variation(base, scene.view(other)) for other in others)


# --- The shortcut of the enumeration is the whole enumeration.


def with_everything_enumerated(view: View) -> View:
    """The slow twin of the shortcut: each run once for each value of all fresh residues."""
    residues = view.blinding.shape[1]
    fresh = np.array(list(itertools.product(range(view.modulus), repeat=residues)))
    values = view.offsets[:, None] + (fresh @ view.blinding.T)[None]
    twin = View(view.modulus)
    twin.see(values.reshape(-1, values.shape[-1]) % view.modulus)
    return twin


@pytest.mark.parametrize("masked", [True, False])
def test_the_shortcut_over_masks_equals_the_enumeration_of_all_randomness(masked):
    tiny = TinyRound(parties=3, chunks=1, colluders=1, modulus=7)
    scene = Scene(tiny, (2,), ((0, (1,)),), (0, 1), (0,) if masked else (), (0, 1, 2))
    assert masked == bool(scene.view(random_vectors(tiny, 0)).blinding.size)
    found = set()
    for seed in range(12):
        one, two = (scene.view(random_vectors(tiny, 2 * seed + k)) for k in (0, 1))
        distance = total_variation(one, two)
        twins = (with_everything_enumerated(one), with_everything_enumerated(two))
        assert distance == total_variation(*twins)
        found.add(distance)
    assert len(found) > 1


# --- One query, exhaustively.


@pytest.mark.parametrize("coalition", [(party,) for party in range(5)])
@pytest.mark.parametrize("p", [11, 13])
def test_of_all_pairs_of_vectors_exactly_those_with_equal_distances_look_alike(p, coalition):
    """One honest vector is 0, the other takes all p² values: alike if and only if equal norms."""
    tiny = TinyRound(5, 2, 1, p)
    one, other = [party for party in range(5) if party not in coalition][:2]
    dealers, mask_dealers = (one, other), tuple(sorted({one, *coalition}))
    scene = Scene(tiny, coalition, ((one, (other,)),), dealers, mask_dealers, tuple(range(5)))
    representatives: dict[int, View] = {}
    for values in itertools.product(range(p), repeat=2):
        vectors = np.zeros((5, 2, 1), dtype=np.int64)
        vectors[one, :, 0] = values
        view = scene.view(vectors)
        norm = int(outcome(scene, vectors)[0])
        assert total_variation(view, representatives.setdefault(norm, view)) == 0
    assert len(representatives) == p
    first, *rest = representatives.values()
    assert {total_variation(first, view) for view in rest} == {1}


# --- All answers to one query, and to two queries in two batches.


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_all_answers_to_one_query_tell_the_coordinator_and_any_party_the_distance_only(query):
    for colluder in range(5):
        scene = whole(SMALL, (colluder,), query)
        for seed in (1, 2):
            assert farthest(scene, random_vectors(SMALL, seed)) == 0


@pytest.mark.parametrize("first", QUERIES, ids=str)
def test_all_answers_to_two_queries_in_two_batches_tell_the_two_distances_only(first):
    for colluder, second in itertools.product(range(5), QUERIES):
        scene = whole(SMALL, (colluder,), first, second)
        assert farthest(scene, random_vectors(SMALL, 3), 1) == 0


def test_vectors_of_several_columns_are_hidden_alike():
    """Each column has noise of its own; squares of all columns are added in one answer."""
    for colluder in (2, 4):
        queries = ((0, (1,)), (1, (0, 1, colluder)))
        scene = Scene(SMALL, (colluder,), queries, (0, 1, colluder), (0, colluder), tuple(range(5)))
        assert farthest(scene, random_vectors(SMALL, 4, width=2)) == 0


@pytest.mark.parametrize(
    "tiny", [TinyRound(5, 1, 2, 11), TinyRound(7, 2, 2, 13)], ids=["K=1", "K=2"]
)
def test_any_two_colluders_of_two_learn_the_distances_only(tiny):
    everybody = tuple(range(tiny.parties))
    for coalition in itertools.combinations(everybody, 2):
        one, other, *_ = [party for party in everybody if party not in coalition]
        queries = ((one, (other,)), (other, (one, *coalition)))
        dealers, mask_dealers = (one, other, *coalition), (one, *coalition)
        scene = Scene(tiny, coalition, queries, dealers, mask_dealers, everybody)
        assert farthest(scene, random_vectors(tiny, 5), 1) == 0


@pytest.mark.parametrize("colluder", range(5))
def test_other_distances_are_told_apart_with_certainty(colluder):
    """The answers do carry the distance: a view that were the same for all would prove nothing."""
    scene = whole(SMALL, (colluder,), (0, (1, 2)))
    one, two = (random_vectors(SMALL, seed) for seed in (1, 2))
    assert outcome(scene, one)[0] != outcome(scene, two)[0]
    assert total_variation(scene.view(one), scene.view(two)) == 1


# --- Sums of clusters at a colluding member.


@pytest.mark.parametrize("colluder", range(5))
def test_a_member_learns_the_sum_of_its_cluster_and_the_distances_only(colluder):
    """The sum shares of all helpers, with all answers: same sum and distances, same view."""
    cluster = tuple(sorted((colluder + step) % 5 for step in range(3)))
    one, other = [party for party in cluster if party != colluder]
    queries = ((one, (other,)), (other, cluster))
    scene = Scene(SMALL, (colluder,), queries, cluster, cluster, tuple(range(5)), (cluster,))
    assert farthest(scene, random_vectors(SMALL, 8, width=2)) == 0


@pytest.mark.parametrize("colluder", range(5))
def test_where_nothing_is_asked_a_member_learns_the_sum_only(colluder):
    everyone = replace(whole(SMALL, (colluder,)), clusters=(tuple(range(5)),))
    assert farthest(everyone, random_vectors(SMALL, 8, width=3)) == 0


def test_another_sum_is_told_apart_with_certainty():
    scene = Scene(SMALL, (2,), (), (0, 1, 2), (), (), ((0, 1, 2),))
    vectors = random_vectors(SMALL, 9)
    other = vectors.copy()
    other[0, 0] = (other[0, 0] + 1) % 11
    assert total_variation(scene.view(vectors), scene.view(other)) == 1


@pytest.mark.parametrize("coalition", list(itertools.combinations(range(7), 2)), ids=str)
def test_two_colluders_in_two_clusters_learn_the_two_sums_only(coalition):
    tiny = TinyRound(parties=7, chunks=2, colluders=2, modulus=13)
    others = [party for party in range(7) if party not in coalition]
    clusters = ((coalition[0], *others[:3]), (coalition[1], *others[3:]))
    scene = replace(whole(tiny, coalition), clusters=clusters)
    assert farthest(scene, random_vectors(tiny, 10)) == 0
