"""The section that holds SecFPP beside MPyC and Flower's SecAgg+, and says where it loses."""

from __future__ import annotations

import statistics
from typing import Any

from charts import PALETTE, panels, svg
from compare import DIM, LARGE, MEAN_COLLUDERS, MEAN_PARTIES, SIZES, THRESHOLD
from layout import Row, section, tabled

NAMES = {
    "W1": "distances,",
    "W3": "mean,",
    "secfpp plain": "plain averaging",
    "secfpp": "SecFPP",
    "mpyc": "MPyC",
    "flower": "SecAgg+",
    "=": " = ",
}
"""How `compare.py` names works and systems, and how the page does."""

MEASURES = (("cpu_seconds", "CPU seconds", 1.0), ("bytes", "MB", 1e6))
COMPARED = (
    *((f"distances, n = {n}, beside MPyC", f"W1 n={n} secfpp", f"W1 n={n} mpyc") for n in SIZES),
    *(
        (f"distances, n = {n}, A = 1 beside S = 2", f"W1 n={n} secfpp A=1", f"W1 n={n} secfpp S=2")
        for n in SIZES
    ),
    ("mean beside SecAgg+", "W3 secfpp", "W3 flower"),
    ("mean beside plain averaging", "W3 secfpp", "W3 secfpp plain"),
)
"""What is held against what: in words, our row and the other's."""


def named(name: str) -> str:
    """A row's name in words."""
    for short, long in NAMES.items():
        name = name.replace(short, long)
    return name


def median(row: Row, key: str) -> float:
    """Of all repeats."""
    return statistics.median(row[key])


def less_and_more(results: dict[str, Row]) -> tuple[list[str], list[str]]:
    """The comparisons in which SecFPP takes less than the other, and those in which it does not."""
    less, more = [], []
    for about, ours, other in COMPARED:
        for key, unit, scale in MEASURES:
            if key not in results[ours] or key not in results[other]:
                continue
            us, them = (median(results[name], key) / scale for name in (ours, other))
            figures = f"{about}: {us:.3g} {unit} against {them:.3g}"
            if us < them:
                less.append(f"{figures} ({them / us:.3g} times less)")
            else:
                more.append(f"{figures} ({us / them:.3g} times as much)")
    return less, more


def words(data: dict[str, Any]) -> str:
    """What was measured, where SecFPP wins and loses, and what the others do not do."""
    sizes = " and ".join(f"n = {n} (T = {t})" for n, t in SIZES.items())
    versions = ", ".join(package for packages in data["peers"].values() for package in packages)
    less, more = less_and_more(data["results"])
    return "\n".join(
        (
            f"Distances (W1): all pairwise distances of vectors of {DIM:,} values are opened, "
            f"{sizes}. With S = 2 two losses are allowed for, with A = 1 one liar: K is the same "
            f"in both. Mean (W3): that of {MEAN_PARTIES} vectors of {LARGE:,} values, "
            f"T = {MEAN_COLLUDERS}. Where nothing is said S = A = 0. The same inputs, in turn in "
            f"one run; medians of all repeats. Peers: {versions}.",
            f"SecFPP takes less: {'; '.join(less) or 'nowhere'}.",
            f"It takes more: {'; '.join(more) or 'nowhere'}.",
            "SecFPP runs as daemons over mutual TLS, the parties and a coordinator; MPyC as "
            "processes over TLS, the bytes of which were not counted. SecAgg+ runs by Flower's "
            "functions in one process that sends nothing: its bytes are those it would send, and "
            "the CPU time of sending is in ours only. It opens the mean to the server and nothing "
            f"else: no distances, so no clusters, and no lie is noticed. Of its {MEAN_PARTIES} "
            f"clients {THRESHOLD - 1} may collude and {MEAN_PARTIES - THRESHOLD} may fall silent.",
        )
    )


def beside_others(data: dict[str, Any]) -> str:
    """CPU seconds of the same work by MPyC, Flower and SecFPP."""
    results: dict[str, Row] = data["results"]
    table = tabled(
        (
            *("work and system", "K", "CPU s of all, median", "least", "most", "seconds, median"),
            *("MB sent by all", "peak memory of a process, MB"),
        ),
        [
            (
                named(name),
                int(median(row, "chunks")) if "chunks" in row else "–",
                median(row, "cpu_seconds"),
                min(row["cpu_seconds"]),
                max(row["cpu_seconds"]),
                median(row, "seconds"),
                median(row, "bytes") / 1e6 if "bytes" in row else "–",
                median(row, "peak_memory_mb") or "–" if "peak_memory_mb" in row else "–",
            )
            for name, row in results.items()
        ],
    )
    figure, (axes,) = panels(1, width=7)
    values = [median(row, "cpu_seconds") for row in results.values()]
    axes.barh([named(name) for name in results], values, color=PALETTE[0], height=0.6)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("CPU seconds of all processes")
    return section("Beside others", words(data), svg(figure, "peers", "bars"), table, data)
