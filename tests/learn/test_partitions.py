"""The laws of dividing images among parties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secfpp.errors import ConfigError
from secfpp.learn.partition import by_domain, dirichlet, disjoint_classes, k_shot

Index = NDArray[np.int64]
Divide = Callable[[Index, Index, int, int], list[Index]]


def dirichlet_half(labels: Index, domains: Index, parties: int, seed: int) -> list[Index]:
    return dirichlet(labels, domains, parties, seed, beta=0.5)


def three_shots(labels: Index, domains: Index, parties: int, seed: int) -> list[Index]:
    return k_shot(labels, domains, parties, seed, shots=3)


def world(domains: int, classes: int, images: int, seed: int) -> tuple[Index, Index]:
    """`images` images of every domain, of random classes, each class in each domain."""
    generator = np.random.default_rng(seed)
    labels = [
        np.concatenate([np.arange(classes), generator.integers(0, classes, images - classes)])
        for _ in range(domains)
    ]
    numbers = np.repeat(np.arange(domains), images)
    order = generator.permutation(domains * images)
    return np.concatenate(labels)[order], numbers[order]


ALL: list[Divide] = [by_domain, dirichlet_half, disjoint_classes, three_shots]
PLACES = {
    "domains": st.integers(1, 3),
    "per_domain": st.integers(1, 4),
    "seed": st.integers(0, 10_000),
}


@pytest.mark.parametrize("divide", ALL, ids=lambda divide: divide.__name__)
@given(**PLACES)
@settings(max_examples=30, deadline=None)
def test_parties_share_no_image_have_one_domain_and_the_same_outcome_twice(
    divide: Divide, domains: int, per_domain: int, seed: int
) -> None:
    labels, numbers = world(domains, 5, 40, seed)
    parties = domains * per_domain
    parts = divide(labels, numbers, parties, seed)
    given_out = np.concatenate(parts)
    assert len(parts) == parties
    assert len(np.unique(given_out)) == len(given_out)
    for party, part in enumerate(parts):
        assert len(part) > 0
        assert set(numbers[part]) == {party // per_domain}
    for part, again in zip(parts, divide(labels, numbers, parties, seed), strict=True):
        np.testing.assert_array_equal(part, again)


@given(**PLACES)
@settings(max_examples=30, deadline=None)
def test_by_domain_and_dirichlet_and_disjoint_give_every_image_away(
    domains: int, per_domain: int, seed: int
) -> None:
    labels, numbers = world(domains, 5, 40, seed)
    for divide in (by_domain, dirichlet_half, disjoint_classes):
        parts = divide(labels, numbers, domains * per_domain, seed)
        assert sum(map(len, parts)) == len(labels)


@given(**PLACES)
@settings(max_examples=30, deadline=None)
def test_by_domain_divides_every_class_evenly(domains: int, per_domain: int, seed: int) -> None:
    labels, numbers = world(domains, 5, 40, seed)
    parts = by_domain(labels, numbers, domains * per_domain, seed)
    for domain in range(domains):
        members = parts[domain * per_domain : (domain + 1) * per_domain]
        counts = np.array([np.bincount(labels[part], minlength=5) for part in members])
        assert np.all(counts.max(axis=0) - counts.min(axis=0) <= 1)


@given(**PLACES)
@settings(max_examples=30, deadline=None)
def test_disjoint_classes_share_no_class_inside_a_domain(
    domains: int, per_domain: int, seed: int
) -> None:
    labels, numbers = world(domains, 5, 40, seed)
    parts = disjoint_classes(labels, numbers, domains * per_domain, seed)
    for domain in range(domains):
        members = parts[domain * per_domain : (domain + 1) * per_domain]
        classes = [label for part in members for label in set(labels[part].tolist())]
        assert sorted(classes) == list(range(5))


@given(**PLACES, shots=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_k_shot_gives_k_images_of_a_class_or_all_there_are(
    domains: int, per_domain: int, seed: int, shots: int
) -> None:
    labels, numbers = world(domains, 5, 40, seed)
    parties = domains * per_domain
    whole = by_domain(labels, numbers, parties, seed)
    for few, part in zip(k_shot(labels, numbers, parties, seed, shots=shots), whole, strict=True):
        assert set(few) <= set(part)
        expected = np.minimum(np.bincount(labels[part], minlength=5), shots)
        np.testing.assert_array_equal(np.bincount(labels[few], minlength=5), expected)


def test_a_small_beta_skews_labels_and_a_large_one_hardly_does() -> None:
    labels, numbers = world(1, 10, 4000, seed=1)

    def skew(beta: float) -> float:
        parts = dirichlet(labels, numbers, 4, 1, beta=beta)
        counts = np.array([np.bincount(labels[part], minlength=10) for part in parts])
        shares: NDArray[np.float64] = counts / counts.sum(axis=0)
        return float(shares.std())

    assert skew(0.05) > 0.35
    assert skew(1000.0) < 0.03


def test_a_party_that_dirichlet_leaves_empty_gets_one_image() -> None:
    labels, numbers = np.zeros(6, np.int64), np.zeros(6, np.int64)
    for seed in range(20):
        parts = dirichlet(labels, numbers, 4, seed, beta=0.01)
        assert min(map(len, parts)) >= 1
        assert sorted(np.concatenate(parts)) == list(range(6))


def test_what_cannot_be_divided_is_refused_with_the_numbers() -> None:
    labels, numbers = world(2, 3, 12, seed=0)
    with pytest.raises(ConfigError, match="1 parties cannot each have one of 2 domains"):
        by_domain(labels, numbers, 1, 0)
    with pytest.raises(ConfigError, match="3 classes cannot be divided among 4 parties"):
        disjoint_classes(labels, numbers, 8, 0)
