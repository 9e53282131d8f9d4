"""The sections of the page of results: each makes a chart and a table from one file of results."""

from __future__ import annotations

from typing import Any

from charts import PALETTE, legend, line, logarithmic, panels, stacked, svg
from layout import Row, chosen, section, tabled

PHASES = ("share", "check", "cluster", "sum")
COLOURS = dict(zip((*PHASES, "exchange"), PALETTE, strict=False))


def seconds_by_phase(data: dict[str, Any]) -> str:
    """Seconds of a warm round by phase, against n, on each network."""
    rows = chosen(data["results"], mode="secure", engine="processes")
    nets = list(dict.fromkeys(row["net"] for row in rows))
    figure, axes = panels(len(nets), width=2.4)
    for one, net in zip(axes, nets, strict=True):
        here = chosen(rows, net=net)
        parts = {phase: [sum(row["phases"][phase].values()) for row in here] for phase in PHASES}
        stacked(one, [str(row["parties"]) for row in here], parts, COLOURS)
        one.set_title(net)
        one.set_xlabel("parties")
    axes[0].set_ylabel("seconds of a round")
    legend(figure, axes[0])
    table = tabled(
        (
            *("network", "n", *(f"{phase}, s" for phase in PHASES), "in all, s", "predicted, s"),
            *("of it latency and bytes, s", "plain FedAvg, s"),
        ),
        [
            (
                row["net"],
                row["parties"],
                *(sum(row["phases"][phase].values()) for phase in PHASES),
                row["seconds_median"],
                row["seconds_predicted"],
                sum(row["phases"][phase]["wire"] for phase in PHASES),
                plain_of(data, row)["seconds_median"],
            )
            for row in rows
        ],
    )
    words = (
        "The slowest party of a warm round without training, from its vector being ready to its "
        "cluster's mean, by real processes over mutual TLS that share this machine's cores."
    )
    return section("Seconds by phase", words, svg(figure, "phases", "stacked bars"), table, data)


def plain_of(data: dict[str, Any], row: Row) -> Row:
    """Plain averaging beside a secure round."""
    keys = ("parties", "net", "engine")
    (found,) = chosen(data["results"], mode="plain_fedavg", **{key: row[key] for key in keys})
    return found


def computing_by_stage(data: dict[str, Any]) -> str:
    """The computational cost of a round by stage: CPU seconds of one party."""
    rows = chosen(data["results"], mode="secure", engine="processes", net="none")
    figure, (axes,) = panels(1, width=5)
    parts = {phase: [1e3 * row["phases"][phase]["compute"] for row in rows] for phase in PHASES}
    stacked(axes, [str(row["parties"]) for row in rows], parts, COLOURS)
    axes.set_xlabel("parties")
    axes.set_ylabel("CPU milliseconds of the slowest party")
    legend(figure, axes)
    table = tabled(
        ("n", *(f"{phase}, ms" for phase in PHASES), "all daemons together, ms"),
        [
            (
                row["parties"],
                *(1e3 * row["phases"][phase]["compute"] for phase in PHASES),
                1e3 * row["cpu_seconds"],
            )
            for row in rows
        ],
    )
    words = "CPU time of one party's daemon in one round by stage, training left out."
    return section(
        "Computational cost of a round", words, svg(figure, "stages", "stacked bars"), table, data
    )


def bytes_against_parties(data: dict[str, Any]) -> str:
    """Bytes of a round: measured, the closed form, plain averaging, and the clock's."""
    net = "wan"
    measured = chosen(data["results"], mode="secure", engine="processes", net=net)
    clock = chosen(data["results"], mode="secure", engine="clock", net=net)
    plain = [plain_of(data, row) for row in clock]
    places = [row["parties"] for row in clock]
    figure, (axes,) = panels(1, width=5.5)
    series: list[tuple[list[Row], str, str, str]] = [
        (measured, "bytes_payload", "measured", "o"),
        (clock, "bytes_formula", "closed form", "-"),
        (clock, "bytes_payload", "clock", "x"),
        (plain, "bytes_payload", "plain FedAvg", "s--"),
    ]
    for (rows, key, label, style), colour in zip(series, PALETTE, strict=False):
        values = [row[key] / 1e6 for row in rows]
        line(axes, [row["parties"] for row in rows], values, label, colour, style)
    logarithmic(axes, places)
    axes.set_xlabel("parties")
    axes.set_ylabel("megabytes of all parties")
    legend(figure, axes)
    by_n = {row["parties"]: row for row in measured}
    table = tabled(
        ("n", "T", "K", "measured, MB", "clock, MB", "closed form, MB", "plain, MB", "a party, MB"),
        [
            (
                row["parties"],
                row["colluders"],
                row["chunks"],
                by_n[row["parties"]]["bytes_payload"] / 1e6 if row["parties"] in by_n else "–",
                row["bytes_payload"] / 1e6,
                row["bytes_formula"] / 1e6,
                other["bytes_payload"] / 1e6,
                row["bytes_a_party"]["median"] / 2e6,
            )
            for row, other in zip(clock, plain, strict=True)
        ],
    )
    words = "Payload of a whole round. A party sends about n/K of its vector, and masks."
    return section("Bytes", words, svg(figure, "bytes", "lines"), table, data)


def overhead(data: dict[str, Any]) -> str:
    """Secure over plain, in seconds and in bytes."""
    rows = [row for row in data["ratios"] if row["engine"] == "processes"]
    nets = list(dict.fromkeys(row["net"] for row in rows))
    figure, (seconds, moved) = panels(2, width=3.6)
    for net, colour in zip(nets, PALETTE, strict=False):
        here = chosen(rows, net=net)
        places = [row["parties"] for row in here]
        line(seconds, places, [row["seconds"] for row in here], net, colour)
        line(moved, places, [row["bytes_payload"] for row in here], net, colour)
    for axes, title in ((seconds, "times the seconds"), (moved, "times the bytes")):
        logarithmic(axes, sorted({row["parties"] for row in rows}))
        axes.set_title(title)
        axes.set_xlabel("parties")
    seconds.set_ylabel("secure over plain FedAvg")
    seconds.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    legend(figure, seconds)
    table = tabled(
        (
            *("network", "n", "times the seconds", "times the bytes", "times the CPU seconds"),
            *("seconds measured over predicted", "seconds of the clock over measured"),
        ),
        [
            (
                row["net"],
                row["parties"],
                row["seconds"],
                row["bytes_payload"],
                row["cpu_seconds"],
                row["seconds_to_predicted"],
                row["seconds_of_clock_to_measured"],
            )
            for row in rows
        ],
    )
    words = (
        "How many times what plain federated averaging takes on the same transport, in the same "
        "run: all figures are ratios. "
        "Without latency the flights are free and CPU decides; on a slow network the flights do: "
        "5 + 2 a batch against 2."
    )
    return section("Overhead", words, svg(figure, "overhead", "lines"), table, data)
