"""One page of charts and tables from benchmarks/results.

python benchmarks/pages.py [PAGE]        without PAGE it writes benchmarks/results/index.html
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import beside_others
import fault_matrix
import many_parties
import pieces
import sections
from glossary import TERMS
from layout import page

RESULTS = Path(__file__).parent / "results"

PAGES: dict[str, tuple[Callable[[dict[str, Any]], str], ...]] = {
    "round": (
        sections.seconds_by_phase,
        sections.computing_by_stage,
        sections.bytes_against_parties,
        sections.overhead,
    ),
    "round-large": (many_parties.on_the_clock, many_parties.sent_by_part),
    "distances": (beside_others.beside_others,),
    "large": (many_parties.growth,),
    "algebra": (pieces.arithmetic,),
    "packing": (pieces.packing,),
    "train": (pieces.towers,),
    "shaper": (pieces.shaper,),
    "faults": (fault_matrix.matrix,),
}


def loaded(name: str) -> dict[str, Any]:
    """One file of results."""
    data: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return data


def main() -> None:
    """Write the page."""
    made = [make(loaded(name)) for name, makers in PAGES.items() for make in makers]
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS / "index.html"
    target.write_text(page("SecFPP measured", TERMS, made), "utf-8")


if __name__ == "__main__":
    main()
