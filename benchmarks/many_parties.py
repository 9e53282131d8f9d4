"""The sections about more parties than there are processes for: on a clock, and in memory."""

from __future__ import annotations

from typing import Any

from charts import INK, PALETTE, legend, line, logarithmic, panels, stacked, svg
from layout import Row, chosen, section, tabled
from sections import plain_of

PARTS = ("shares", "sums", "masks", "answers", "echoes")
"""What `bytes_sent_by_part` has but what is around messages."""


def _rounds(data: dict[str, Any]) -> list[Row]:
    """The secure rounds on the clock, but the smallest, to which the clock is only fitted."""
    rows = chosen(data["results"], mode="secure", engine="clock")
    return [row for row in rows if row["clusters"] == rows[-1]["clusters"]]


def on_the_clock(data: dict[str, Any]) -> str:
    """More parties than there are processes for: what one sends, beside n/K vectors and masks."""
    rows = _rounds(data)
    places = [row["parties"] for row in rows]
    mean = [row["bytes_sent_a_party"]["mean"] / 1e6 for row in rows]
    most = [row["bytes_sent_a_party"]["most"] / 1e6 for row in rows]
    formula = [row["bytes_formula"] / row["parties"] / 1e6 for row in rows]
    shares = [8e-6 * row["dim"] * row["parties"] / row["chunks"] for row in rows]
    plain = [plain_of(data, row)["bytes_sent_a_party"]["mean"] / 1e6 for row in rows]
    figure, (axes,) = panels(1, width=5.5)
    series = (
        (mean, "mean of all parties", "o-"),
        (formula, "closed form of the mean", "--"),
        (most, "who sends most", "^-"),
        (shares, "n/K vectors", ":"),
        (plain, "plain FedAvg", "s--"),
    )
    for (values, label, style), colour in zip(series, PALETTE, strict=False):
        line(axes, places, values, label, colour, style)
    logarithmic(axes, places)
    axes.set_xlabel("parties")
    axes.set_ylabel("megabytes sent by a party")
    legend(figure, axes)
    table = tabled(
        (
            *("n", "K", "witnesses", "batches", "flights", "seconds", "CPU s of all"),
            *("MB sent, mean", "closed form", "most", "n/K vectors", "exact"),
        ),
        [
            (
                *(row[key] for key in ("parties", "chunks", "witnesses", "batches", "flights")),
                *(row[key] for key in ("seconds_median", "cpu_seconds")),
                *megabytes,
                row["exact"],
            )
            for row, *megabytes in zip(rows, mean, formula, most, shares, strict=True)
        ],
    )
    first = rows[0]
    words = (
        f"Warm rounds of the daemons' machines on a clock: T = {first['colluders']}, "
        f"{first['clusters']} clusters, {first['dim']:,} values, the network {first['net']}, one "
        "core for each participant; framing included. A party sends n/K vectors and about as much "
        "in sums, masks if it deals any, and some 110 bytes around each of n − 1 shares. Who sends "
        "most are the round's witnesses, whose echoes go to n − 1 others; each round has others."
    )
    return section("Beyond this machine", words, svg(figure, "clock", "lines"), table, data)


def sent_by_part(data: dict[str, Any]) -> str:
    """What a party sends on the mean, by what it is, and how much of it follows n/K."""
    rows = _rounds(data)
    labels = [str(row["parties"]) for row in rows]
    kilobytes = [
        {part: size / row["parties"] / 1e3 for part, size in row["bytes_sent_by_part"].items()}
        for row in rows
    ]
    parts = {part: [one[part] for one in kilobytes] for part in PARTS}
    parts["around messages"] = [one["headings"] + one["framing"] for one in kilobytes]
    figure, (axes,) = panels(1, width=5.5)
    stacked(axes, labels, parts, dict(zip(parts, PALETTE, strict=True)))
    vectors = [8e-3 * row["dim"] * row["parties"] / row["chunks"] for row in rows]
    axes.plot(labels, vectors, "_", label="n/K vectors", color=INK, markersize=28)
    axes.set_xlabel("parties")
    axes.set_ylabel("kilobytes sent by a party")
    legend(figure, axes)
    table = tabled(
        ("n", "K", *parts, "sum", "shares over n/K vectors", "shares and sums over these"),
        [
            (
                row["parties"],
                row["chunks"],
                *sizes,
                sum(sizes),
                sizes[0] / vector,
                (sizes[0] + sizes[1]) / vector,
            )
            for row, vector, *sizes in zip(rows, vectors, *parts.values(), strict=True)
        ],
    )
    words = (
        "The mean over all parties, in kilobytes. Shares and sums follow n/K, and few deal masks. "
        "What grows with n is 8 bytes for each answer, and about 120 bytes around each message: "
        "its attempt, a digest, and what protobuf, HTTP/2 and TLS add."
    )
    return section("What a party sends", words, svg(figure, "parts", "stacked bars"), table, data)


def growth(data: dict[str, Any]) -> str:
    """Many parties, and long vectors, in memory."""
    rows = [row for row in data["results"] if row["case"].startswith(("parties", "thousand"))]
    rows = sorted((row for row in rows if row["clusters"] == 2), key=lambda row: row["parties"])
    figure, (axes,) = panels(1, width=5.5)
    places = [row["parties"] for row in rows]
    line(axes, places, [row["cpu_seconds"] for row in rows], "CPU seconds of all", PALETTE[0])
    a_party = [row["payload_bytes_a_party"] / 1e6 for row in rows]
    line(axes, places, a_party, "MB that a party sends", PALETTE[1], "s-")
    logarithmic(axes, places)
    axes.set_xlabel("parties")
    legend(figure, axes)
    keys = ("case", "parties", "dim", "colluders", "chunks", "cpu_seconds", "peak_memory_mb")
    sizes = ("payload_bytes_a_party", "payload_bytes", "payload_bytes_formula")
    table = tabled(
        (
            *("case", "n", "d", "T", "K", "CPU s of all", "peak memory of all, MB"),
            *("a party sends, MB", "all send, MB", "closed form of all, MB", "messages", "exact"),
        ),
        [
            [
                *(row[key] for key in keys),
                *(row[key] / 1e6 for key in sizes),
                row["messages"],
                row["exact"],
            ]
            for row in data["results"]
        ],
    )
    names = {"parties": "n", "dim": "d"}
    exponents = "; ".join(
        f"with {names[size]}, CPU seconds of all grow as {names[size]}^{of['cpu_seconds']} and "
        f"bytes of a party as {names[size]}^{of['payload_bytes_a_party']}"
        for size, of in data["growth"].items()
    )
    words = (
        "Whole rounds of the same machines in one process, without network or signatures; the "
        f"chart has those of two clusters. Exponents fitted by least squares: {exponents}."
    )
    return section("Growth", words, svg(figure, "growth", "lines"), table, data)
