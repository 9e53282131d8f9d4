"""What the coordinator and T parties see when dealers, masks or answers are lost (protocol.md §9).

n = 6, T = S = 1, K = 2, over the field of 11 elements: five answers of six open a distance, and
masks come from the first T + 1 + S = 3 parties of the roster.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest

from secfpp.algebra.coding import maximal_chunks
from secfpp.errors import RoundFailed
from secfpp.protocol.agreement import agree
from secfpp.protocol.commitments import SignedRoots
from secfpp.protocol.messages import Ready, Received

from .distributions import Matrix, View, total_variation
from .enumeration import Scene, TinyRound, alike, outcome, random_vectors, whole
from .real_rounds import attempt

TINY = TinyRound(parties=6, chunks=2, colluders=1, modulus=11)
MASK_DEALERS = (0, 1, 2)
EVERYBODY = tuple(range(6))


def between_two_honest(colluder: int, mask_dealers: tuple[int, ...] = MASK_DEALERS) -> Scene:
    """Two honest parties and the colluder deal; the honest are asked about in two batches."""
    one, other = [party for party in (3, 4, 5) if party != colluder][:2]
    dealers = tuple(sorted({one, other, colluder}))
    queries = ((one, (other,)), (other, dealers))
    return Scene(TINY, (colluder,), queries, dealers, mask_dealers, EVERYBODY)


@pytest.mark.parametrize("colluder", EVERYBODY)
def test_any_subset_of_the_answers_tells_the_distances_at_most(colluder):
    scene = between_two_honest(colluder)
    vectors = random_vectors(TINY, 11)
    (other,) = alike(scene, vectors, 1)
    subsets = [some for size in (4, 5, 6) for some in itertools.combinations(EVERYBODY, size)]
    assert len(subsets) == 22
    for answering in subsets:
        partial = replace(scene, answering=answering)
        assert total_variation(partial.view(vectors), partial.view(other)) == 0


@pytest.mark.parametrize("colluder", EVERYBODY)
def test_answers_of_d_parties_colluders_included_do_not_even_tell_the_distance(colluder):
    """Where more than S are lost, what came opens nothing, whatever the vectors are.

    A colluder's own answer is always known, whether it was sent or not.
    """
    scene = between_two_honest(colluder)
    one, two = random_vectors(TINY, 12), random_vectors(TINY, 13)
    two[colluder] = one[colluder]
    assert (outcome(scene, one) != outcome(scene, two)).any()
    code, sets, hidden = TINY.code, 0, 0
    for answering in itertools.combinations(EVERYBODY, code.product_degree):
        sets += colluder in answering
        points = [code.alphas[j] for j in answering]
        weight = sum(np.prod([b - a for a in points]) for b in code.betas[: code.chunks])
        if colluder in answering and weight % 11:  # At weight 0 these D decide a mask's total.
            partial = replace(scene, answering=answering)
            assert total_variation(partial.view(one), partial.view(two)) == 0
            hidden += 1
    assert (sets, hidden >= 8) == (10, True)
    assert total_variation(scene.view(one), scene.view(two)) == 1


@pytest.mark.parametrize("colluder", EVERYBODY)
def test_with_its_own_answer_a_colluder_needs_only_d_others_to_tell_the_distance(colluder):
    """D + 1 − T answers of others open a distance to the coalition before C has D + 1 of them."""
    scene = between_two_honest(colluder)
    one, two = random_vectors(TINY, 12), random_vectors(TINY, 13)
    two[colluder] = one[colluder]
    assert (outcome(scene, one) != outcome(scene, two)).any()
    others = [party for party in EVERYBODY if party != colluder]
    for answering in itertools.combinations(others, TINY.code.product_degree):
        partial = replace(scene, answering=answering)
        assert total_variation(partial.view(one), partial.view(two)) == 1


@pytest.mark.parametrize("colluder", EVERYBODY)
@pytest.mark.parametrize("mask_dealers", [(0, 1), (0, 2), (1, 2)], ids=str)
def test_the_masks_of_t_plus_one_dealers_are_enough(mask_dealers, colluder):
    """One of three mask dealers is lost; the colluder may be one of the two that remain."""
    scene = between_two_honest(colluder, mask_dealers)
    vectors = random_vectors(TINY, 14)
    for other in alike(scene, vectors, 2):
        assert total_variation(scene.view(vectors), scene.view(other)) == 0


@dataclass(frozen=True)
class LeftOut(Scene):
    """Some dealers are in neither U nor V, though their shares and masks have reached colluders."""

    left_out: tuple[int, ...] = ()

    def view(self, vectors: Matrix) -> View:
        view, tiny, seen = super().view(vectors), self.round, list(self.coalition)
        for dealer in self.left_out:
            sharing, masks = tiny.sharing_matrix(dealer)[seen], tiny.mask_matrix(dealer)[seen]
            for column in range(vectors.shape[-1]):
                offsets = sharing[:, : tiny.chunks] @ vectors[dealer, :, column] % tiny.modulus
                view.see(offsets[None], {("noise", dealer, column): sharing[:, tiny.chunks :]})
            view.see(np.zeros((1, len(seen)), dtype=np.int64), {("mask", dealer, 0): masks})
        return view


@pytest.mark.parametrize("colluder", EVERYBODY)
def test_of_a_dealer_that_is_left_out_the_colluder_learns_nothing_at_all(colluder):
    scene = LeftOut(**vars(between_two_honest(colluder, (0, 1))))
    lost = next(party for party in (2, 3, 4, 5) if party not in scene.dealers)
    scene = replace(scene, left_out=(lost,))
    vectors = random_vectors(TINY, 15)
    (other,) = alike(scene, vectors, 1)
    other[lost] = (other[lost] + 1) % 11
    assert total_variation(scene.view(vectors), scene.view(other)) == 0


@pytest.mark.parametrize("colluder", EVERYBODY)
def test_who_is_lost_after_dealing_stays_in_distances_and_sums_and_shows_no_more(colluder):
    """The victim's own answers are missing, and its vector is in the sum of the colluder's."""
    scene = between_two_honest(colluder)
    victim = scene.honest[0]
    answering = tuple(party for party in EVERYBODY if party != victim)
    scene = replace(scene, answering=answering, clusters=(scene.dealers,))
    vectors = random_vectors(TINY, 16, width=2)
    (other,) = alike(scene, vectors, 1)
    assert (other[victim] != vectors[victim]).any()
    assert total_variation(scene.view(vectors), scene.view(other)) == 0


@pytest.mark.parametrize("colluder", range(5))
def test_a_second_attempt_with_fresh_randomness_and_another_code_adds_nothing(colluder):
    """Party 5 is lost and K falls from 2 to 1: the two views are independent, each tells nothing.

    Independent views that are each equally distributed are so together.
    """
    chunks = maximal_chunks(parties=5, colluders=1, stragglers=1, adversaries=0, dim=2)
    second = TinyRound(parties=5, chunks=chunks, colluders=1, modulus=11)
    assert (TINY.chunks, second.chunks) == (2, 1)
    one, other = [party for party in range(5) if party != colluder][:2]
    dealers, query = tuple(sorted({one, other, colluder})), (one, (other,))
    first = Scene(TINY, (colluder,), (query,), dealers, (0, 1), EVERYBODY)
    again = Scene(second, (colluder,), (query,), dealers, (0, 1), tuple(range(5)))
    vectors = random_vectors(TINY, 17)
    for twin in alike(first, vectors, 2):
        assert total_variation(first.view(vectors), first.view(twin)) == 0
        wide, wide_twin = (some[:5].reshape(5, 1, 2) for some in (vectors, twin))
        assert (outcome(again, wide) == outcome(again, wide_twin)).all()
        assert total_variation(again.view(wide), again.view(wide_twin)) == 0


def test_two_colluders_with_two_losses():
    """T = S = 2, K = 1, n = 7: any five answers or more, masks of T + 1 = 3 dealers."""
    tiny = TinyRound(parties=7, chunks=1, colluders=2, modulus=13)
    vectors = random_vectors(tiny, 18)
    for coalition in ((0, 1), (0, 6), (3, 5)):
        one, other = [party for party in (2, 4, 5, 6) if party not in coalition][:2]
        everyone = whole(tiny, coalition, (one, (other, coalition[0])))
        mask_dealers = (0, 1, 2)
        scene = replace(everyone, dealers=(one, other, *coalition), mask_dealers=mask_dealers)
        (twin,) = alike(scene, vectors, 1)
        for answering in itertools.combinations(range(7), 5):
            partial = replace(scene, answering=answering)
            assert total_variation(partial.view(vectors), partial.view(twin)) == 0


def test_the_agreement_of_the_coordinator_ends_the_round_rather_than_use_masks_of_t_dealers():
    params = attempt(parties=6, dim=4, stragglers=1)
    assert params.mask_dealers == params.roster[:3]

    def ready(masks: set[str]) -> Ready:
        items = tuple(
            Received(party, True, party in masks, b"", b"", ()) for party in params.roster
        )
        return Ready(params.key, items, b"")

    roots = SignedRoots(params, lambda *_: False)
    two = {party: ready({"party-1", "party-2"}) for party in params.roster}
    assert agree(params, two, roots).mask_dealers == ("party-1", "party-2")
    one = {party: ready({"party-2"}) for party in params.roster}
    with pytest.raises(RoundFailed, match=r"masks of 1 dealers .* T\+1 = 2 are needed"):
        agree(params, one, roots)
