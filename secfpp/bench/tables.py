"""The measurements of `secfpp bench` as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from secfpp.bench.cost import Bill
from secfpp.bench.turns import Row
from secfpp.bench.work import RoundBench
from secfpp.journal.output import show_table
from secfpp.settings.prices import Prices


def _results(data: Mapping[str, object]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = data["results"]  # type: ignore[assignment]  # Of our own.
    return results


def show_train(title: str, data: Mapping[str, object]) -> None:
    """Both towers."""
    rows = [
        [
            str(one["tower"]),
            f"{one['seconds_per_step']:.3f}",
            f"{one['ratio']:.2f}",
            f"{one['max_abs_diff']:.1e}",
        ]
        for one in _results(data)
    ]
    header = ("tower", "seconds a step", "ratio to full", "largest difference")
    show_table(title, header, rows)


def show_distances(title: str, data: Mapping[str, object]) -> None:
    """Seconds, CPU and bytes of each work and size."""
    header = ("work", "n", "T", "A", "K", "seconds", "CPU s, all", "MB", "MB, formula", "exact")
    rows = [
        [
            str(one["work"]),
            str(one["parties"]),
            *(str(one.get(key, "–")) for key in ("colluders", "adversaries", "chunks")),
            f"{one['seconds_median']:.3f}",
            f"{one['cpu_seconds_all_processes']:.3f}",
            f"{one['bytes_total'] / 1e6:.2f}",
            f"{one['bytes_formula'] / 1e6:.2f}",
            str(one["exact"]),
        ]
        for one in _results(data)
    ]
    show_table(title, header, rows)


def show_algebra(title: str, data: Mapping[str, object]) -> None:
    """Each operation at each size."""
    header = ("operation", "n", "K", "T", "ms", "element", "ns", "spread", "float64", "memory")
    rows = [
        [
            str(one["op"]),
            str(one["parties"]),
            str(one["chunks"]),
            str(one["colluders"]),
            f"{one['milliseconds']:.3f}",
            str(one["element"]),
            f"{one['ns_per_element']:.2f}",
            f"{one['ns_per_element_least']:.2f}–{one['ns_per_element_most']:.2f}",
            f"{one['ns_per_element_plain_float64']:.2f}",
            f"{one['ns_per_element_memory_bound']:.3f}",
            f"{one['ratio_to_plain_float64']:.1f}",
            str(one["exact"]),
        ]
        for one in _results(data)
    ]
    show_table(title, (*header, "ratio", "exact"), rows)


def show_rounds(title: str, data: Mapping[str, object]) -> None:
    """Each mode, network and size, by processes and by the clock."""
    header = ("network", "mode", "by", "n", "T", "S", "clusters", "flights", "seconds")
    rows = [
        [
            *(str(one[key]) for key in ("net", "mode", "engine", "parties")),
            *(str(one[key]) for key in ("colluders", "stragglers", "clusters", "flights")),
            f"{one['seconds_median']:.3f}",
            f"{one['seconds_predicted']:.3f}" if "seconds_predicted" in one else "–",
            f"{one['cpu_seconds']:.3f}",
            "–" if one["bytes_total"] is None else f"{one['bytes_total'] / 1e6:.2f}",
            f"{one['bytes_payload'] / 1e6:.2f}",
            f"{one['bytes_formula'] / 1e6:.2f}",
            str(one["exact"]),
        ]
        for one in _results(data)
    ]
    more = ("predicted", "CPU s, all", "MB, wire", "MB, payload", "MB, formula", "exact")
    show_table(title, (*header, *more), rows)


def show_shaper(title: str, data: Mapping[str, object]) -> None:
    """Each profile, asked and measured."""
    header = ("network", "ms asked", "ms round trip", "Mbit/s asked", "Mbit/s each way")
    rows = [
        [
            str(one["net"]),
            f"{one['rtt_ms_asked']:g}",
            f"{one['rtt_ms']:.2f}",
            f"{one['mbit_asked'] or '–'}",
            f"{one['mbit']:.1f}",
        ]
        for one in _results(data)
    ]
    show_table(title, header, rows)


def show_links(links: Mapping[tuple[str, str], Row]) -> None:
    """Every way between two participants of a deployed federation."""
    rows = [
        [one, other, *(_told(link[key]) for key in ("rtt_ms", "handshake_ms", "mbit"))]
        for (one, other), link in links.items()
    ]
    title = "links (–: too fast to tell)" if any("–" in row for row in rows) else "links"
    show_table(title, ("from", "to", "ms round trip", "ms handshake", "Mbit/s"), rows)


def _told(figure: object) -> str:
    """A figure that was measured, or not."""
    return "–" if figure is None else f"{figure:.1f}"


def show_prediction(bench: RoundBench, predicted: Row, measured: Sequence[Row]) -> None:
    """A warm round as predicted, and every round as it was; the first is cold."""
    rows = [
        [what, f"{row['seconds']:.3f}", f"{row['payload_sent_by_parties'] / 1e6:.2f}"]  # type: ignore[operator]
        for what, row in (
            ("predicted, warm", predicted),
            *((f"round {row['round']}", row) for row in measured),
        )
    ]
    sizes = f"{bench.parties} parties, {bench.dim} values, {bench.clusters} clusters assumed"
    header = ("", "seconds after training", "MB of payload sent by all parties")
    show_table(f"a round of {sizes}", header, rows)


def show_bills(bills: Sequence[Bill], prices: Prices) -> None:
    """Each participant's bytes and seconds, and what they cost."""
    header = ("run", "participant", "rounds", "MB payload sent", "MB received", "CPU s", "GPU s")
    rows = [
        [
            one.run,
            one.participant,
            str(one.rounds),
            *(f"{count / 1e6:.2f}" for count in (one.sent, one.received)),
            *(f"{seconds:.1f}" for seconds in (one.cpu_seconds, one.gpu_seconds)),
            *(f"{cost:.6f}" for cost in (one.traffic_cost, one.cpu_cost, one.gpu_cost, one.total)),
        ]
        for one in bills
    ]
    unit = prices.currency
    costs = (f"traffic, {unit}", f"CPU, {unit}", f"GPU, {unit}", f"all, {unit}")
    scope = "finished rounds; neither framing nor failed attempts are billed"
    show_table(f"cost at the prices of {prices.dated}: {scope}", (*header, *costs), rows)
