"""Laws of the fixed point: rounding, clipping, headroom, means."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secfpp.algebra.field import P
from secfpp.algebra.fixedpoint import Quantiser, check_headroom, fits, largest_fraction_bits
from secfpp.errors import ConfigError, Misuse

floats = st.floats(-1, 1, width=32)


@given(st.lists(floats, min_size=1), st.integers(1, 24))
def test_a_level_is_at_most_half_a_level_away(values, bits):
    vector = np.array(values, dtype=np.float32)
    levels, clipped = Quantiser(1.0, bits).levels(vector)
    assert clipped == 0
    for value, level in zip(vector.tolist(), levels.tolist(), strict=True):
        assert abs(Fraction(value) * 2**bits - level) <= Fraction(1, 2)


def test_halves_are_rounded_to_even():
    levels, _ = Quantiser(1.0, 2).levels(np.array([0.125, 0.375, -0.125, 0.625], dtype=np.float32))
    assert levels.tolist() == [0, 2, 0, 2]


def test_clipping_is_counted_on_both_sides():
    levels, clipped = Quantiser(0.5, 4).levels(np.array([0.6, -9, 0.5, 0], dtype=np.float32))
    assert (levels.tolist(), clipped) == ([8, -8, 8, 0], 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused(bad):
    with pytest.raises(Misuse, match="not finite"):
        Quantiser(1.0, 8).levels(np.array([0.0, bad], dtype=np.float32))


@given(st.integers(1, 10_000), st.integers(1, 200), st.sampled_from((0.1, 1.0, 4.0)))
def test_the_largest_fraction_bits_fit_and_one_more_does_not(dim, members, clip):
    bits = largest_fraction_bits(clip, dim, members)
    assert fits(clip, bits, dim, members)
    assert bits == 24 or not fits(clip, bits + 1, dim, members)
    level = int(clip * 2**bits)
    assert dim * (2 * members * level) ** 2 < P
    assert members * level < P / 2


def test_sixteen_bits_hold_to_127_parties_as_the_protocol_says():
    assert fits(1.0, 16, 8192, 127)
    assert not fits(1.0, 16, 8192, 129)


def test_broken_headroom_says_the_formula_the_numbers_and_what_would_fit():
    with pytest.raises(ConfigError) as refusal:
        check_headroom(1.0, 24, 8192, 20)
    best = largest_fraction_bits(1.0, 8192, 20)
    assert "d'·(2·m·B)²" in str(refusal.value)
    assert "d' = 8192, m = 20" in str(refusal.value)
    assert f"largest fraction_bits that fits is {best}" in str(refusal.value)


@given(st.lists(floats, min_size=2, max_size=9), st.integers(4, 24))
def test_a_mean_of_levels_is_within_the_error_bound_of_the_real_mean(values, bits):
    quantiser = Quantiser(1.0, bits)
    levels = [quantiser.levels(np.array([v], dtype=np.float32))[0] for v in values]
    mean = quantiser.mean(np.sum(levels, axis=0), len(values))
    real = sum(Fraction(float(np.float32(v))) for v in values) / len(values)
    assert mean.dtype == np.float32
    assert abs(Fraction(float(mean[0])) - real) <= Fraction(quantiser.error_bound)
