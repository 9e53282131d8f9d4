"""The section about the fault matrix: who was hit in which phase by what, and how the run ended."""

from __future__ import annotations

from collections import Counter
from typing import Any

from charts import PALETTE, legend, panels, svg
from layout import Row, section, tabled

OUTCOMES = ("completed", "resumed", "failed", "not as expected")
COLOURS = dict(zip(OUTCOMES, (PALETTE[2], PALETTE[0], PALETTE[1], PALETTE[3]), strict=True))
GAP = 0.2  # Between the marks of one phase and kind.


def ended(cell: Row) -> str:
    """How a cell ended, if it was as it should."""
    return str(cell["outcome"]) if cell["passed"] else OUTCOMES[-1]


def matrix(data: dict[str, Any]) -> str:
    """A mark for each cell, and a table of the same."""
    cells = sorted(data["cells"], key=lambda cell: (cell["victim"], cell["phase"]))
    kinds = sorted({cell["kind"] for cell in cells})
    places = list(dict.fromkeys((cell["victim"], cell["phase"]) for cell in cells))
    by_place: dict[tuple[str, str, str], list[str]] = {}
    for cell in cells:
        place = (cell["victim"], cell["phase"], cell["kind"])
        by_place.setdefault(place, []).append(ended(cell))
    figure, (axes,) = panels(1, width=7.5, height=5.5)
    for outcome in OUTCOMES:
        marks = [
            (kinds.index(kind) + GAP * (i - (len(found) - 1) / 2), places.index((victim, phase)))
            for (victim, phase, kind), found in by_place.items()
            for i, one in enumerate(found)
            if one == outcome
        ]
        if marks:
            axes.plot(*zip(*marks, strict=True), "s", color=COLOURS[outcome], label=outcome)
    axes.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
    axes.set_yticks(range(len(places)), [f"{victim}: {phase}" for victim, phase in places])
    axes.invert_yaxis()
    legend(figure, axes)
    table = tabled(
        ("who is hit", "phase", *kinds),
        [
            (*place, *(counted(by_place.get((*place, kind), [])) for kind in kinds))
            for place in places
        ],
    )
    found = Counter(map(ended, cells))
    words = (
        "Parties and a coordinator as real processes; one mark is one run, in which somebody "
        "is hit in a phase by a kind of fault. Completed: the run went on to its end. Resumed: who "
        "was killed started again, and the run went on to its end. Failed: more parties were "
        "lost than may be, or the coordinator, and all ended with an error that names them. "
        f"{len(cells)} runs: {counted(list(found.elements()))}; all in "
        f"{data['seconds_of_all']} s, {data['workers']} at a time."
    )
    return section("Faults", words, svg(figure, "faults", "a matrix of marks"), table, data)


def counted(outcomes: list[str]) -> str:
    """How many of each outcome, in words."""
    count = Counter(outcomes)
    return ", ".join(f"{count[one]} {one}" for one in OUTCOMES if count[one]) or "–"
