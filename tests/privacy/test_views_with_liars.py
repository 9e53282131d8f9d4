"""What the coordinator and T parties see when A of these lie (protocol.md §9).

A colluding dealer may choose its vector and its masks after it has seen what the honest dealt to
the coalition. What that is does not depend on any vector, and all that it may then deal is tried:
where no fixed choice separates two inputs, a choice made in view of one's shares does not either.
Checked dealing shows C a blinded combination of every sharing and of every mask; the leaves that it
opens are between a liar and another party, so that the coalition knows them already.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from .distributions import Matrix, total_variation
from .enumeration import Scene, TinyRound, alike, random_vectors, whole

ONE_LIAR = TinyRound(parties=5, chunks=1, colluders=1, modulus=11)  # n = D + 1 + 2A, A = 1.
WIDER = TinyRound(parties=7, chunks=2, colluders=1, modulus=11)
ONE_OF_TWO = TinyRound(parties=7, chunks=1, colluders=2, modulus=13)


def indistinguishable(scene: Scene, vectors: Matrix, count: int = 1) -> bool:
    """Whether vectors of the same outcome give exactly the same distribution of views."""
    base = scene.view(vectors)
    return all(
        total_variation(base, scene.view(other)) == 0 for other in alike(scene, vectors, count)
    )


def among(tiny: TinyRound, coalition: tuple[int, ...]) -> Scene:
    """Two honest dealers and the colluders; V has T + 1 dealers, all colluders among them."""
    honest = [party for party in range(tiny.parties) if party not in coalition]
    one, other = honest[:2]
    dealers = tuple(sorted((one, other, *coalition)))
    mask_dealers = tuple(sorted((honest[-1], *coalition)))
    queries = ((one, (other,)), (coalition[0], dealers))
    return Scene(tiny, coalition, queries, dealers, mask_dealers, tuple(range(tiny.parties)))


# --- Vectors of a liar.


@pytest.mark.parametrize("liar", range(5))
def test_whatever_polynomial_a_liar_deals_only_distances_to_it_are_learnt(liar):
    """K = T = 1: all 121 polynomials, asked about alone and against an honest vector."""
    honest = [party for party in range(5) if party != liar]
    one, other = honest[:2]
    queries = ((liar, (one,)), (one, (other,)))
    scene = Scene(ONE_LIAR, (liar,), queries, (one, other, liar), (liar, one), tuple(range(5)))
    for vector, value in itertools.product(range(11), repeat=2):
        vectors = random_vectors(ONE_LIAR, 20)
        vectors[liar] = vector
        own = ONE_LIAR.share(liar, vectors[liar], np.array([[value]]))
        assert indistinguishable(replace(scene, own={liar: own}), vectors)


@pytest.mark.parametrize("seed", range(12))
def test_with_more_chunks_a_liars_polynomial_teaches_no_more(seed):
    vectors = random_vectors(WIDER, 30 + seed)
    liar = seed % 7
    scene = among(WIDER, (liar,))
    value = np.random.default_rng(seed).integers(0, 11, (1, 1))
    own = WIDER.share(liar, vectors[liar], value)
    assert indistinguishable(replace(scene, own={liar: own}), vectors)


@pytest.mark.parametrize("coalition", [(0, 1), (2, 6), (4, 5)], ids=str)
def test_one_liar_with_another_curious_colluder_learns_the_distances_only(coalition):
    vectors = random_vectors(ONE_OF_TWO, 40)
    scene = among(ONE_OF_TWO, coalition)
    own = ONE_OF_TWO.share(coalition[0], vectors[coalition[0]], np.array([[5], [9]]))
    assert indistinguishable(replace(scene, own={coalition[0]: own}), vectors)


# --- Masks of a liar.


@dataclass(frozen=True)
class MasksInAnswer(Scene):
    """Liars deal masks that depend linearly on what they hold of the honest dealers' masks.

    `gain` (n, T) carries the colluders' mask shares of an honest dealer to what the liars' masks
    add at every party; constants are known to the coalition and would change nothing.
    """

    gain: Matrix = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    def masks_in_answers(self, dealer: int) -> Matrix:
        masks = self.mask_matrix(dealer)
        answered: Matrix = (masks + self.gain @ masks[list(self.coalition)]) % self.round.modulus
        return answered


@pytest.mark.parametrize(
    ("tiny", "coalition"),
    [(ONE_LIAR, (0,)), (ONE_LIAR, (3,)), (WIDER, (6,)), (ONE_OF_TWO, (0, 1)), (ONE_OF_TWO, (3, 5))],
    ids=str,
)
def test_whatever_masks_liars_deal_one_honest_mask_hides_all_but_the_distances(tiny, coalition):
    """Legal masks, masks off every polynomial, and masks that cancel their own view of others."""
    vectors, scene = random_vectors(tiny, 50), among(tiny, coalition)
    n, p, rng = tiny.parties, tiny.modulus, np.random.default_rng(5)
    legal = tiny.mask_matrix(coalition[0]) @ rng.integers(0, p, (tiny.code.product_degree, 1)) % p
    cancelling = np.zeros((n, len(coalition)), dtype=np.int64)
    cancelling[list(coalition)] = -np.eye(len(coalition), dtype=np.int64)
    gains = [
        np.zeros((n, len(coalition)), dtype=np.int64),
        np.repeat(legal, len(coalition), axis=1),
        cancelling % p,
        np.full((n, len(coalition)), p - 1),
        rng.integers(0, p, (n, len(coalition))),
    ]
    for gain in gains:
        assert indistinguishable(MasksInAnswer(**vars(scene), gain=gain), vectors)


@pytest.mark.parametrize("liar", range(5))
def test_a_liar_that_deals_nothing_learns_the_distances_only(liar):
    honest = tuple(party for party in range(5) if party != liar)
    queries = ((honest[0], honest[1:3]), (honest[2], (honest[1],)))
    scene = Scene(ONE_LIAR, (liar,), queries, honest, honest[:2], tuple(range(5)))
    assert indistinguishable(replace(scene, dealers=honest[:3]), random_vectors(ONE_LIAR, 60))


# --- Checked dealing: what is published to convict liars.


@pytest.mark.parametrize("colluder", range(5))
def test_the_check_values_of_vectors_tell_nothing_at_any_pair_of_challenges(colluder):
    """All 121 pairs (ρ_1, ρ_2), with three columns and every dealer at a challenge of its own."""
    scene = whole(ONE_LIAR, (colluder,))
    one, other = (random_vectors(ONE_LIAR, seed, width=3) for seed in (70, 71))
    other[colluder] = one[colluder]
    for pair in itertools.product(range(11), repeat=2):
        challenges = {dealer: tuple((r + dealer) % 11 for r in pair) for dealer in range(5)}
        checked = replace(scene, challenges=challenges)
        assert total_variation(checked.view(one), checked.view(other)) == 0


@pytest.mark.parametrize(
    ("tiny", "coalition"),
    [(ONE_LIAR, (0,)), (ONE_LIAR, (4,)), (WIDER, (2,)), (ONE_OF_TWO, (0, 4))],
    ids=str,
)
@pytest.mark.parametrize("pair", [(0, 1), (2, 2), (3, 7), (10, 5)], ids=str)
def test_check_values_and_all_answers_together_tell_the_distances_only(tiny, coalition, pair):
    """f and g of every dealer, the masks of one honest dealer, and a liar's polynomial."""
    vectors, scene = random_vectors(tiny, 80), among(tiny, coalition)
    noise = np.full((tiny.colluders, 1), 4)
    own = {liar: tiny.share(liar, vectors[liar], noise) for liar in coalition[:1]}
    dealers = {*scene.dealers, *scene.mask_dealers}
    challenges = {dealer: tuple((r + dealer) % tiny.modulus for r in pair) for dealer in dealers}
    assert indistinguishable(replace(scene, own=own, challenges=challenges), vectors)


def test_check_values_of_several_columns_answers_and_a_sum_tell_distances_and_sum_only():
    tiny, liar = ONE_LIAR, 2
    scene = among(tiny, (liar,))
    challenges = {dealer: (3 + dealer, 2 * dealer) for dealer in range(5)}
    checked = replace(scene, challenges=challenges, clusters=(scene.dealers,))
    assert indistinguishable(checked, random_vectors(tiny, 90, width=2))
