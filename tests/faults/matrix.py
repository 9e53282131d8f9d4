"""How cells become tests: each with its words as its name, and the mark `faults` but for a few."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from .cells import Cell


def cells(every: Iterable[Cell], plain: Iterable[Cell] = ()) -> list:
    """Parameters for `parametrize`; the cells in `plain` belong to `make test` as well."""
    chosen = tuple(plain)
    return [
        pytest.param(cell, id=str(cell), marks=() if cell in chosen else pytest.mark.faults)
        for cell in every
    ]
