"""The sections about single pieces: arithmetic, packing, training, and the slow network itself."""

from __future__ import annotations

from itertools import cycle, pairwise
from typing import Any

from charts import INK, PALETTE, legend, line, logarithmic, panels, svg
from layout import Row, chosen, section, tabled


def arithmetic(data: dict[str, Any]) -> str:
    """Milliseconds of each operation against n."""
    rows: list[Row] = data["results"]
    figure, (axes,) = panels(1, width=5.5)
    styles = cycle(["o-"] * len(PALETTE) + ["s--"] * len(PALETTE))
    names = dict.fromkeys(row["op"] for row in rows)
    for name, colour, style in zip(names, cycle(PALETTE), styles, strict=False):
        here = chosen(rows, op=name)
        places = [row["parties"] for row in here]
        line(axes, places, [row["milliseconds"] for row in here], name, colour, style)
    logarithmic(axes, sorted({row["parties"] for row in rows}))
    axes.set_xlabel("parties")
    axes.set_ylabel("CPU milliseconds")
    legend(figure, axes)
    nanoseconds = [f"ns_per_element{of}" for of in ("", "_least", "_most")]
    beside = ["ns_per_element_plain_float64", "ns_per_element_memory_bound"]
    keys = ["op", "parties", "chunks", "colluders", "milliseconds", "element", *nanoseconds]
    table = tabled(
        (
            *("operation", "n", "K", "T", "ms", "an element is a", "ns an element", "least"),
            *("most", "plain float64, ns", "memory alone, ns", "times plain float64"),
        ),
        [[row[key] for key in (*keys, *beside, "ratio_to_plain_float64")] for row in rows],
    )
    words = (
        f"Each operation of a round on vectors of {rows[0]['dim']:,} values, alone and on one "
        "core; “party” is all arithmetic of one party that answers about every pair. Plain float64 "
        "is numpy of the same mathematics in the clear, in turn in the same run; memory alone is "
        f"what moving inputs and outputs once takes at the {data['memory_gb_per_second']:.3g} GB/s "
        "of a long copy."
    )
    return section("Arithmetic", words, svg(figure, "arithmetic", "lines"), table, data)


def packing(data: dict[str, Any]) -> str:
    """Residues of 8 bytes beside residues of 61 bits, over each link."""
    rows: list[Row] = data["results"]
    links = list(data["bytes_per_second"])
    figure, panes = panels(len(links), width=2.4)
    for axes, link in zip(panes, links, strict=True):
        for form, colour in zip(dict.fromkeys(row["form"] for row in rows), PALETTE, strict=False):
            here = [row for row in rows if row["form"] == form]
            places = [row["residues"] for row in here]
            line(axes, places, [row["us_over"][link] for row in here], form, colour)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(link)
        axes.set_xlabel("residues")
    panes[0].set_ylabel("microseconds")
    legend(figure, panes[0])
    table = tabled(
        ("residues", "form", "bytes", "CPU µs", *(f"over {link}, µs" for link in links)),
        [
            (
                *(row[key] for key in ("residues", "form", "bytes", "cpu_us")),
                *row["us_over"].values(),
            )
            for row in rows
        ],
    )
    gains = [
        f"{packed['residues']:,} residues over {link} by "
        f"{1 - packed['us_over'][link] / plain['us_over'][link]:.1%}"
        for plain, packed in pairwise(rows)
        if plain["residues"] == packed["residues"]
        for link in links
        if packed["us_over"][link] < plain["us_over"][link]
    ]
    words = (
        "From numpy through a message and its encryption back to checked residues, and the bytes "
        "over a link. SecFPP sends 8 bytes a residue (docs/adr/0009). Packed to the 61 bits that a "
        f"residue has they are quicker here: {'; '.join(gains) or 'nowhere'}."
    )
    return section("Packing of residues", words, svg(figure, "packing", "lines"), table, data)


def towers(data: dict[str, Any]) -> str:
    """A training step with the full text tower and with the prefix-shared one."""
    rows: list[Row] = data["results"]
    figure, (axes,) = panels(1, width=5, height=2)
    seconds = [row["seconds_per_step"] for row in rows]
    axes.barh([row["tower"] for row in rows], seconds, color=PALETTE[0], height=0.6)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("seconds of a step")
    figures = {
        "seconds of a step": "seconds_per_step",
        "times faster than full": "ratio",
        "largest difference of features": "max_abs_diff",
        "largest difference of gradients, of the largest entry": "gradient_max_abs_diff",
    }
    table = tabled(
        ("text tower", *(row["tower"] for row in rows)),
        [(what, *(row[key] for row in rows)) for what, key in figures.items()],
    )
    of = rows[0]
    words = (
        f"A step of tuning a prompt, forward and backward: {of['model']} with random weights, "
        f"{of['classes']} classes, {of['tokens']} tokens, {of['device']}, {of['threads']} threads. "
        "Shared runs what all classes have in common once."
    )
    return section("Text tower", words, svg(figure, "towers", "bars"), table, data)


def shaper(data: dict[str, Any]) -> str:
    """What each profile of the slow network asks for, and what was measured."""
    rows: list[Row] = data["results"]
    figure, panes = panels(2, width=2.8)
    names = [row["net"] for row in rows]
    titles = {"rtt_ms": "round trip, ms", "mbit": "rate, Mbit/s"}
    for axes, (key, title) in zip(panes, titles.items(), strict=True):
        axes.plot(names, [row[key] for row in rows], "o", color=PALETTE[0], label="measured")
        asked = [row[f"{key}_asked"] or float("nan") for row in rows]
        axes.plot(names, asked, "_", color=INK, markersize=24, label="asked")
        axes.set_yscale("log")
        axes.set_title(title)
    legend(figure, panes[0])
    keys = [f"{key}{of}" for key in titles for of in ("_asked", "")]
    table = tabled(
        (
            *("network", "round trip asked, ms", "measured, ms", "rate asked, Mbit/s"),
            *("measured, Mbit/s", "round trip off by", "rate off by"),
        ),
        [
            (
                *(row[key] for key in ("net", *keys)),
                share(row["rtt_error"]),
                share(row["mbit_error"]),
            )
            for row in rows
        ],
    )
    worst = max((row for row in rows if row["rtt_ms_asked"]), key=lambda row: abs(row["rtt_error"]))
    words = (
        "Each profile of the emulated network before an echo on loopback: medians of round trips, "
        "and the rate of a long transfer. What the emulation itself takes comes on top, so that "
        f"short round trips are off by most: {worst['net']} by {share(worst['rtt_error'])}."
    )
    return section("The slow network", words, svg(figure, "shaper", "points"), table, data)


def share(error: float | None) -> str:
    """An error as a percentage; nothing was asked where there is none."""
    return "–" if error is None else f"{error:+.1%}"
