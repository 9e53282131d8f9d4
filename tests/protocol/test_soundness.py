"""Soundness of checked dealing (protocol.md §11, statement 5), by enumeration over tiny fields.

The points and the decoder are the product's own, over a field of a few elements. A dealer's columns
are enumerated up to a good dealing, which changes nothing: the first K + T honest parties hold
zeros, and the others what a bad dealer deals them. Challenges are enumerated, all of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from secfpp.algebra.coding import LagrangeCode, lagrange_matrix
from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.reed_solomon import wrong_positions
from secfpp.protocol import checking, dealing, params
from secfpp.protocol.checking import BlameRule
from secfpp.protocol.coordinator_states import Closed

Array = NDArray[np.int64]

SIZES = [(11, 2), (13, 2), (31, 3)]
"""(p, w): the field, and the columns of a sharing besides its blinds."""


def roots_of_all_polynomials(modulus: int, width: int) -> Array:
    """(p^(w+1), p): where each blind + Σ_c ρ^c x_c vanishes; the blind varies fastest."""
    shape = (modulus,) * (width + 1)
    coefficients = np.stack(np.unravel_index(np.arange(modulus ** (width + 1)), shape))
    powers = np.array([[pow(r, c, modulus) for r in range(modulus)] for c in range(1, width + 1)])
    values = (coefficients[:width].T @ powers + coefficients[width][:, None]) % modulus
    return values == 0


# --- All honest values have to lie on one polynomial, whatever liars report.


@pytest.mark.parametrize("modulus", [11, 13])
def test_check_values_pass_exactly_where_all_honest_ones_lie_on_one_polynomial(modulus):
    """K = T = A = 1, n = 5: all honest words up to words of the code, all reports of the liar."""
    code = LagrangeCode(5, 1, 1)
    assert len({point % modulus for point in (*code.betas, *code.alphas)}) == 7
    for off in itertools.product(range(modulus), repeat=2):
        for report in range(modulus):
            word = [0, 0, *off, report]
            wrong = wrong_positions(code.alphas, word, code.share_degree, 1, modulus)
            unseen = wrong is not None and set(wrong) <= {4}
            assert unseen == (off == (0, 0)), word


@pytest.mark.parametrize("modulus", [11, 13])
def test_check_values_of_masks_pass_exactly_where_the_honest_ones_lie_on_a_sharing_of_zero(modulus):
    """D = 2: two zeros of a sharing of zero make it zero, so that again two values tell all."""
    code = LagrangeCode(5, 1, 1)
    sources, beta = code.alphas[: code.product_degree + 1], code.betas[:1]
    weights = lagrange_matrix(sources, beta, modulus)[0]
    for off in itertools.product(range(modulus), repeat=2):
        total = sum(w * v for w, v in zip(weights, (0, 0, off[0]), strict=True)) % modulus
        for report in range(modulus):
            word = [0, 0, *off, report]
            wrong = wrong_positions(code.alphas, word, code.product_degree, 1, modulus)
            unseen = wrong is not None and set(wrong) <= {4} and total == 0
            assert unseen == (off == (0, 0)), word


# --- Who answers does not depend on the challenges.


@pytest.mark.parametrize(("modulus", "width"), SIZES)
def test_a_cheated_party_is_not_seen_at_w_times_w_pairs_of_challenges_at_most(modulus, width):
    """All errors of one party's share and blinds: w² of p² pairs, and some error reaches that."""
    roots = roots_of_all_polynomials(modulus, width).reshape(-1, modulus, modulus)
    passing = roots.sum(axis=2)[1:]  # Without the error 0; (errors, blinds).
    pairs = passing.max(axis=1) ** 2  # For each challenge the dealer takes its best blind.
    assert pairs.max() == width**2


@pytest.mark.parametrize("modulus", [11, 13])
def test_two_cheated_parties_are_seen_no_less_often_than_one(modulus):
    """w = 2: all errors of two parties' shares and blinds."""
    width = 2
    roots = roots_of_all_polynomials(modulus, width).reshape(-1, modulus, modulus)
    counts = np.einsum("xbr,ycr->xybc", roots.astype(np.int16), roots.astype(np.int16))
    passing = counts.max(axis=(2, 3)).reshape(-1)[1:]
    assert passing.max() ** 2 == width**2


@pytest.mark.parametrize(("modulus", "width"), SIZES)
def test_mutation_one_challenge_lets_far_more_pass_than_the_bound_allows(modulus, width):
    roots = roots_of_all_polynomials(modulus, width).reshape(-1, modulus, modulus)
    most = roots.sum(axis=2)[1:].max()
    assert most == width
    assert most * modulus > width**2  # w / p of all challenges, where (w / p)² was promised.


# --- Losses are chosen in view of the challenges.


@dataclass(frozen=True)
class Dealing:
    """What a bad dealer deals to the honest parties: columns (w, h), and one blind column (h,)."""

    modulus: int
    columns: Array
    blind: Array

    def passing(self, losses: int) -> int:
        """At how many pairs of challenges some bad set of all but `losses` parties agrees."""
        modulus, (width, honest) = self.modulus, self.columns.shape
        powers = np.array(
            [[pow(r, c, modulus) for c in range(1, width + 1)] for r in range(modulus)]
        )
        words = (powers @ self.columns + self.blind) % modulus
        pairs = np.zeros((modulus, modulus), dtype=bool)
        for count in range(losses + 1):
            for lost in itertools.combinations(range(honest), count):
                kept = [party for party in range(honest) if party not in lost]
                if self._off(self.columns, kept).any():
                    agree = ~self._off(words, kept)
                    pairs |= np.outer(agree, agree)
        return int(pairs.sum())

    def _off(self, words: Array, kept: list[int]) -> NDArray[np.bool_]:
        """Which words (many, h) lie on no polynomial of degree K + T − 1 = 1 at these parties."""
        alphas = LagrangeCode(len(words[0]) + 1, 1, 1).alphas
        points = tuple(alphas[party] for party in kept)
        matrix = np.array(lagrange_matrix(points[:2], points[2:], self.modulus))
        rest: Array = words[:, kept[:2]] @ matrix.T - words[:, kept[2:]]
        return (rest % self.modulus != 0).any(axis=1)


def with_errors(modulus: int, honest: int, roots: list[tuple[int, int]]) -> Dealing:
    """Zeros, but for the last parties, whose errors vanish at two challenges each (w = 2)."""
    columns, blind = np.zeros((2, honest), dtype=np.int64), np.zeros(honest, dtype=np.int64)
    for party, (one, two) in zip(range(honest - 1, 0, -1), roots, strict=False):
        columns[:, party] = (-(one + two) % modulus, 1)
        blind[party] = one * two % modulus
    return Dealing(modulus, columns, blind)


def test_losses_after_the_challenges_let_more_pass_than_without_losses():
    """K = T = S = A = 1, n = 6: two cheated parties, either of which may be lost, 2·w² pairs."""
    cheated = with_errors(13, 5, [(1, 2), (3, 4)])
    assert cheated.passing(losses=0) == 0
    assert cheated.passing(losses=1) == 2 * 2**2
    assert with_errors(13, 5, [(1, 2)]).passing(losses=1) == 2**2


@pytest.mark.parametrize("seed", range(4))
def test_with_losses_no_bad_dealing_passes_more_often_than_the_bound_times_n(seed):
    """N = 1 + h choices of who is lost; random dealings, and such as cheat a few parties."""
    rng, honest, modulus = np.random.default_rng(seed), 5, 13
    most = 0
    for _ in range(400):
        columns, blind = rng.integers(0, modulus, (2, honest)), rng.integers(0, modulus, honest)
        spared = rng.choice(honest, rng.integers(0, honest - 1), replace=False)
        columns[:, spared], blind[spared] = 0, 0
        most = max(most, Dealing(modulus, columns, blind).passing(losses=1))
    assert 0 < most <= (1 + honest) * 2**2


# --- The same at the real modulus, through the machines.

LIAR, MARK = "party-0", "party-3"
SMALLEST = {"parties": 5, "colluders": 1, "stragglers": 0, "adversaries": 1, "clusters": 1}
ROOTS = (10**6, 10**9)


def cheat_with_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """LIAR's share to MARK is off by a polynomial in ρ, blinds included, that vanishes at ROOTS."""
    share, (one, two) = dealing._share, ROOTS

    def off(about, dealer, *rest):
        rows = share(about, dealer, *rest)
        values, mark = rows.values.copy(), about.index(MARK)
        blinds = dict.fromkeys(range(-params.BLINDS, 0), one * two)
        errors = {0: -(one + two), 1: 1, **blinds} if dealer == LIAR else {}
        for column, error in errors.items():
            values[mark, column] = (int(values[mark, column]) + error) % P
        return FieldArray(values)

    monkeypatch.setattr(dealing, "_share", off)


def run_with_challenges(setup, monkeypatch, points):
    monkeypatch.setattr(checking, "challenge", lambda params, dealer, root, e: points[e])
    network = setup.network()
    network.run()
    assert isinstance(network.coordinator.result, Closed)
    return network.coordinator


@pytest.mark.parametrize("points", [(ROOTS[0], 7), (7, ROOTS[1]), (7, 8)])
def test_a_bad_dealer_is_named_unless_both_challenges_are_roots(federation, monkeypatch, points):
    cheat_with_roots(monkeypatch)
    (blame,) = run_with_challenges(federation(**SMALLEST), monkeypatch, points).blames
    assert (blame.blamed, blame.rule) == (LIAR, BlameRule.BAD_LEAF)


@pytest.mark.parametrize("points", list(itertools.product(ROOTS, repeat=2)))
def test_a_bad_dealer_passes_at_the_pairs_of_roots_and_an_honest_party_looks_like_a_liar(
    federation, monkeypatch, points
):
    """What the bound is about: w² pairs of challenges that no liar can choose."""
    cheat_with_roots(monkeypatch)
    coordinator = run_with_challenges(federation(**SMALLEST), monkeypatch, points)
    assert not coordinator.blames
    assert {violation.peer for violation in coordinator.violations} == {MARK}


def test_mutation_with_one_challenge_a_bad_dealer_passes_at_each_of_its_roots(
    federation, monkeypatch
):
    for module in (params, checking):
        monkeypatch.setattr(module, "BLINDS", 1)
    cheat_with_roots(monkeypatch)
    coordinator = run_with_challenges(federation(**SMALLEST), monkeypatch, (ROOTS[0], 7))
    assert not coordinator.blames
    assert {violation.peer for violation in coordinator.violations} == {MARK}
