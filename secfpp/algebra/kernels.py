"""Compiled loops over residues modulo 2^61 − 1; the tests hold each against Python integers.

The kernels take and return uint64 arrays whose values are all below P; FieldArray is the door.

Products are split at 31 bits: with x = a·2^31 + b and y = c·2^31 + e (a, c < 2^30; b, e < 2^31),
x·y = ac·2^62 + (ae + bc)·2^31 + be. The three sums `high` < 2^60, `middle` < 2^62 and `low` < 2^62
of one product leave room for four products in 64 bits, so reduction is paid once in four.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.uint64]
Rows = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., object])

_P: Final = np.uint64(2**61 - 1)
_LOW31: Final = np.uint64(2**31 - 1)
_LOW30: Final = np.uint64(2**30 - 1)
_LOW32: Final = np.uint64(2**32 - 1)
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_30: Final = np.uint64(30)
_31: Final = np.uint64(31)
_32: Final = np.uint64(32)
_61: Final = np.uint64(61)

BLOCK: Final = 1024  # Columns whose rows stay in the cache while every query or output row passes.
STRANDS: Final = 32  # Of Horner's rule, a power of two: enough to fill the widest registers.


_word: Final = numba.uint64
_words: Final = numba.types.Array(_word, 1, "C")
_matrix: Final = numba.types.Array(_word, 2, "C")
_rows: Final = numba.types.Array(numba.int64, 1, "C")
# What is only read may be read-only; numba takes writable arrays there, too.
_given: Final = numba.types.Array(_word, 1, "C", readonly=True)
_given_matrix: Final = numba.types.Array(_word, 2, "C", readonly=True)
_given_rows: Final = numba.types.Array(numba.int64, 1, "C", readonly=True)
_given_reals: Final = numba.types.Array(numba.float32, 1, "C", readonly=True)
_leveled: Final = numba.types.Tuple((_rows, numba.int64, numba.boolean))


def _compiled(result: object, *arguments: object) -> Callable[[Kernel], Kernel]:
    """Compile for these types when the module is imported, so that no round waits for it.

    That takes seconds once per machine: the cache survives the process. Other threads may run.
    """
    signature = numba.core.typing.signature(result, *arguments)
    compiled: Callable[[Kernel], Kernel] = numba.njit(signature, cache=True, nogil=True)
    return compiled


@_compiled(_word, _word)
def reduce_once(value: np.uint64) -> np.uint64:
    """Any 64-bit value modulo P: 2^61 ≡ 1, so the top three bits are added to the rest."""
    folded = (value & _P) + (value >> _61)
    return folded - _P if folded >= _P else folded


@_compiled(_word, _word, _word, _word, _word)
def settle(high: np.uint64, middle: np.uint64, low: np.uint64, more: np.uint64) -> np.uint64:
    """high·2^62 + middle·2^31 + low + more, modulo P but not yet below it: below 2^61 + 8.

    2^62 ≡ 2, and middle = q·2^30 + r gives q·2^61 + r·2^31 ≡ q + r·2^31. With sums of at most four
    products, and `more` itself such a result, all stays below 2^63 + 2^34 + 3·2^61 + 16 < 2^64.
    """
    total = (high << _1) + (middle >> _30) + ((middle & _LOW30) << _31) + (low & _P) + (low >> _61)
    total += more
    return (total & _P) + (total >> _61)


@_compiled(_word, _word, _word)
def product(left: np.uint64, right: np.uint64) -> np.uint64:
    """left · right modulo P for two residues."""
    a, b = left >> _31, left & _LOW31
    c, e = right >> _31, right & _LOW31
    return reduce_once(settle(a * c, a * e + b * c, b * e, _0))


@_compiled(_words, _given)
def reduced(values: Residues) -> Residues:
    """Each 64-bit value of a (n,) array modulo P."""
    out = np.empty(values.size, dtype=np.uint64)
    for i in range(values.size):
        out[i] = reduce_once(values[i])
    return out


@_compiled(_words, _given, _word)
def scaled(values: Residues, scalar: np.uint64) -> Residues:
    """Each residue of a (n,) array times one residue."""
    out = np.empty(values.size, dtype=np.uint64)
    for i in range(values.size):
        out[i] = product(values[i], scalar)
    return out


@_compiled(numba.void, _words, _given)
def add_to(total: Residues, values: Residues) -> None:
    """Add a (n,) array to another in place."""
    for i in range(total.size):
        total[i] = reduce_once(total[i] + values[i])


@_compiled(numba.void, _words, _given, numba.types.UniTuple(_given, 4))
def _add_four(
    out: Residues, factors: Residues, rows: tuple[Residues, Residues, Residues, Residues]
) -> None:
    """Add factors · rows to `out`, which stays below 2^61 + 8 without being fully reduced."""
    row0, row1, row2, row3 = rows
    a0, b0 = factors[0] >> _31, factors[0] & _LOW31
    a1, b1 = factors[1] >> _31, factors[1] & _LOW31
    a2, b2 = factors[2] >> _31, factors[2] & _LOW31
    a3, b3 = factors[3] >> _31, factors[3] & _LOW31
    for j in range(out.size):
        c0, e0 = row0[j] >> _31, row0[j] & _LOW31
        c1, e1 = row1[j] >> _31, row1[j] & _LOW31
        c2, e2 = row2[j] >> _31, row2[j] & _LOW31
        c3, e3 = row3[j] >> _31, row3[j] & _LOW31
        high = a0 * c0 + a1 * c1 + a2 * c2 + a3 * c3
        middle = a0 * e0 + b0 * c0 + a1 * e1 + b1 * c1 + a2 * e2 + b2 * c2 + a3 * e3 + b3 * c3
        low = b0 * e0 + b1 * e1 + b2 * e2 + b3 * e3
        out[j] = settle(high, middle, low, out[j])


@_compiled(_matrix, _given_matrix, _given_matrix)
def matrix_product(left: Residues, right: Residues) -> Residues:
    """(rows, inner) · (inner, columns), four inner terms at a time, block of columns by block."""
    rows, inner = left.shape
    columns = right.shape[1]
    out = np.zeros((rows, columns), dtype=np.uint64)
    factors = np.zeros((rows, inner + 3), dtype=np.uint64)
    factors[:, :inner] = left
    for start in range(0, columns, BLOCK):
        stop = min(columns, start + BLOCK)
        for k in range(0, inner, 4):
            # Past the end the factor is zero and any row will do.
            row0 = right[k, start:stop]
            row1 = right[min(k + 1, inner - 1), start:stop]
            row2 = right[min(k + 2, inner - 1), start:stop]
            row3 = right[min(k + 3, inner - 1), start:stop]
            for i in range(rows):
                _add_four(out[i, start:stop], factors[i, k : k + 4], (row0, row1, row2, row3))
        for i in range(rows):
            for j in range(start, stop):
                out[i, j] = reduce_once(out[i, j])
    return out


@_compiled(_word, _given, _word, _given)
def _squared_difference(subject: Residues, scale: np.uint64, total: Residues) -> np.uint64:
    """‖scale · subject − total‖² of two (size,) arrays; scale below 2^29."""
    upper, lower = _0, _0  # Plain sums of the two halves, so that the loop vectorises.
    for i in range(subject.size):
        c, e = subject[i] >> _31, subject[i] & _LOW31
        middle = scale * c  # Below 2^59; reduced as in `settle`.
        gap = (middle >> _30) + ((middle & _LOW30) << _31) + scale * e + (_P - total[i])
        gap = reduce_once(gap)
        a, b = gap >> _31, gap & _LOW31
        square = settle(a * a, (a * b) << _1, b * b, _0)
        upper += square >> _32
        lower += square & _LOW32
    return reduce_once(product(reduce_once(upper), _1 << _32) + reduce_once(lower))


@_compiled(
    _words,
    _given_matrix,
    numba.int64,
    _given_rows,
    _given_rows,
    numba.types.UniTuple(_given_rows, 2),
)
def squared_differences(
    shares: Residues, width: int, subjects: Rows, sets: Rows, members: tuple[Rows, Rows]
) -> Residues:
    """‖m·row_i − Σ_{s∈M} row_s‖² over the first `width` columns, for each query (i, M).

    `shares` is (count, ≥ width); query q asks about row subjects[q] and the member set sets[q];
    `members` are (ends, rows): set t is rows[ends[t]:ends[t + 1]]. One pass over the shares: in
    each block of columns every set is summed once, then every query passes. m must be below 2^29.
    """
    ends, rows = members
    totals = np.empty((ends.size - 1, BLOCK), dtype=np.uint64)
    answers = np.zeros(subjects.size, dtype=np.uint64)
    for start in range(0, width, BLOCK):
        size = min(BLOCK, width - start)
        for t in range(ends.size - 1):
            total = totals[t, :size]
            total[:] = shares[rows[ends[t]], start : start + size]
            for r in range(ends[t] + 1, ends[t + 1]):
                add_to(total, shares[rows[r], start : start + size])
        for q in range(subjects.size):
            scale = np.uint64(ends[sets[q] + 1] - ends[sets[q]])
            subject = shares[subjects[q], start : start + size]
            norm = _squared_difference(subject, scale, totals[sets[q], :size])
            answers[q] = reduce_once(answers[q] + norm)
    return answers


@_compiled(_word, _given, _word)
def evaluate(coefficients: Residues, point: np.uint64) -> np.uint64:
    """Σ_c point^c · coefficients[c] for c = 0, 1, … by Horner's rule in interleaved strands.

    Strand s takes the coefficients s, s + STRANDS, …, in powers of point^STRANDS, so that the inner
    loop vectorises. Between its steps a strand is below 2^61 + 8, as `settle` leaves it.
    """
    step, power = point, 1
    while power < STRANDS:
        step, power = product(step, step), 2 * power
    c, e = step >> _31, step & _LOW31
    strands = np.zeros(STRANDS, dtype=np.uint64)
    start = coefficients.size // STRANDS * STRANDS
    strands[: coefficients.size - start] = coefficients[start:]
    while start:
        start -= STRANDS
        row = coefficients[start : start + STRANDS]
        for s in range(STRANDS):
            a, b = strands[s] >> _31, strands[s] & _LOW31
            strands[s] = settle(a * c, a * e + b * c, b * e, row[s])
    total = _0
    for s in range(STRANDS - 1, -1, -1):
        total = reduce_once(product(total, point) + strands[s])
    return total


@_compiled(numba.int64, _words)
def keep_low_bits(words: Residues) -> int:
    """Clear the top three bits of every word in place; returns how many are then P itself."""
    rejected = 0
    for i in range(words.size):
        words[i] &= _P
        rejected += words[i] == _P
    return rejected


@_compiled(_leveled, _given_reals, numba.float64, numba.int64)
def levels_of(vector: NDArray[np.float32], scale: float, bound: int) -> tuple[Rows, int, bool]:
    """round(x · scale), half to even, within ±bound; how many were beyond; whether all are finite.

    `vector` is (n,); where a value is not finite its level means nothing.
    """
    levels = np.empty(vector.size, dtype=np.int64)
    limit = float(bound)
    clipped = 0
    finite = True
    for i in range(vector.size):
        exact = np.rint(np.float64(vector[i]) * scale)
        finite &= bool(np.isfinite(exact))
        within = min(max(exact, -limit), limit)
        clipped += within != exact
        levels[i] = np.int64(within)
    return levels, clipped, finite


@_compiled(_words, _given_rows)
def residues_of(levels: Rows) -> Residues:
    """Signed integers of magnitude below P/2 as residues: a negative −a becomes P − a."""
    out = np.empty(levels.size, dtype=np.uint64)
    for i in range(levels.size):
        value = levels[i]
        out[i] = np.uint64(value + np.int64(_P)) if value < 0 else np.uint64(value)
    return out
