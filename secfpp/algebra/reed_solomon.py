"""Locating wrong values of a polynomial: Reed–Solomon decoding by the extended Euclidean algorithm.

S. Gao, "A new algorithm for decoding Reed–Solomon codes", 2003: with g0 = Π(x − x_i) and g1 the
polynomial through all values, the remainder sequence of (g0, g1) is stopped halfway; there it is
u·g0 + v·g1 = r and, if few enough values are wrong, r = f·v with f the polynomial looked for and
v zero exactly at the wrong points. Python integers: one column of at most n values is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

Polynomial = list[int]  # Coefficients from the constant term up, without leading zeros.


def wrong_positions(
    points: Sequence[int], values: Sequence[int], degree: int, errors: int, modulus: int
) -> tuple[int, ...] | None:
    """The positions of the at most `errors` values that lie on no polynomial of `degree`.

    None where no polynomial of that degree agrees with all but `errors` of the values. The answer
    is the only one if len(points) ≥ degree + 1 + 2·errors, which the caller sees to.
    """
    whole: Polynomial = [1]
    for point in points:
        whole = _times(whole, [-point % modulus, 1], modulus)
    remainder, cofactor = _halfway(
        whole, _through(points, values, whole, modulus), len(points) + degree + 1, modulus
    )
    found, _ = _divided(remainder, cofactor, modulus)
    if len(found) > degree + 1:
        return None  # A wrong one of the right degree disagrees with too many values, see below.
    wrong = tuple(
        place
        for place, (point, value) in enumerate(zip(points, values, strict=True))
        if _at(found, point, modulus) != value % modulus
    )
    return wrong if len(wrong) <= errors else None


def _halfway(
    first: Polynomial, second: Polynomial, bound: int, modulus: int
) -> tuple[Polynomial, Polynomial]:
    """The first remainder r of (first, second) with 2·deg r < bound, and its v in u·f + v·s = r."""
    before, after = first, second
    before_v: Polynomial = []
    after_v: Polynomial = [1]
    while 2 * (len(after) - 1) >= bound:
        quotient, rest = _divided(before, after, modulus)
        before, after = after, rest
        step = _minus(before_v, _times(quotient, after_v, modulus), modulus)
        before_v, after_v = after_v, step
    return after, after_v


def _through(
    points: Sequence[int], values: Sequence[int], whole: Polynomial, modulus: int
) -> Polynomial:
    """The polynomial of degree below len(points) through all (point, value)."""
    total = [0] * len(points)
    for point, value in zip(points, values, strict=True):
        basis, _ = _divided(whole, [-point % modulus, 1], modulus)
        weight = value * pow(_at(basis, point, modulus), -1, modulus) % modulus
        total = [(t + weight * b) % modulus for t, b in zip(total, basis, strict=True)]
    return _trimmed(total)


def _at(polynomial: Polynomial, point: int, modulus: int) -> int:
    result = 0
    for coefficient in reversed(polynomial):
        result = (result * point + coefficient) % modulus
    return result


def _times(left: Polynomial, right: Polynomial, modulus: int) -> Polynomial:
    product = [0] * max(len(left) + len(right) - 1, 0)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            product[i + j] = (product[i + j] + a * b) % modulus
    return _trimmed(product)


def _minus(left: Polynomial, right: Polynomial, modulus: int) -> Polynomial:
    size = max(len(left), len(right))
    padded = [(p + [0] * (size - len(p))) for p in (left, right)]
    return _trimmed([(a - b) % modulus for a, b in zip(*padded, strict=True)])


def _divided(
    dividend: Polynomial, divisor: Polynomial, modulus: int
) -> tuple[Polynomial, Polynomial]:
    """Quotient and remainder; the divisor is not zero."""
    rest = list(dividend)
    quotient = [0] * max(len(rest) - len(divisor) + 1, 0)
    inverse = pow(divisor[-1], -1, modulus)
    for shift in range(len(quotient) - 1, -1, -1):
        factor = rest[shift + len(divisor) - 1] * inverse % modulus
        quotient[shift] = factor
        for i, coefficient in enumerate(divisor):
            rest[shift + i] = (rest[shift + i] - factor * coefficient) % modulus
    return _trimmed(quotient), _trimmed(rest[: len(divisor) - 1])


def _trimmed(polynomial: Polynomial) -> Polynomial:
    while polynomial and polynomial[-1] == 0:
        polynomial.pop()
    return polynomial
