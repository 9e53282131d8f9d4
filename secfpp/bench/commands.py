"""`secfpp bench`: measurements, side by side in one run; figures are ratios, not absolutes."""

from __future__ import annotations

from typing import Annotated

import typer

from secfpp.bench.algebra import AlgebraBench, measure_alone
from secfpp.bench.distances import DistancesBench, Work
from secfpp.bench.distances import measure as measure_distances
from secfpp.bench.network import measure as measure_network
from secfpp.bench.round import RoundBench, most_clusters
from secfpp.bench.round import measure as measure_rounds
from secfpp.bench.train import TrainBench, measure
from secfpp.errors import ConfigError
from secfpp.journal.output import Data, Format, Output, show_table, speaking

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure."""


@app.command()
def train(
    model: Annotated[str, typer.Option(help="An open_clip model, with random weights.")] = (
        "ViT-B-16"
    ),
    classes: Annotated[int, typer.Option(min=2)] = 100,
    tokens: Annotated[int, typer.Option(min=1)] = 16,
    device: Annotated[str, typer.Option()] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    output: Output = Format.HUMAN,
) -> None:
    """The prefix-shared text tower beside the plain one: a step forward and backward of each."""

    def run() -> Data:
        data = measure(TrainBench(model, classes, tokens, device, threads, repeats, seed))
        results = data["results"]
        assert isinstance(results, list)  # noqa: S101 (narrowing only)
        rows = [
            [
                str(one["tower"]),
                f"{one['seconds_per_step']:.3f}",
                f"{one['ratio']:.2f}",
                f"{one['max_abs_diff']:.1e}",
            ]
            for one in results
        ]
        header = ("tower", "seconds a step", "ratio to full", "largest difference")
        show_table(f"{model}, {classes} classes, {tokens} tokens", header, rows)
        return data

    speaking(output, run)


@app.command()
def distances(
    parties: Annotated[str, typer.Option(help="One number, or several with commas.")] = "10,20",
    work: Annotated[Work, typer.Option(help="All distances, or the mean of all.")] = Work.PAIRWISE,
    dim: Annotated[int, typer.Option(min=1)] = 8192,
    colluders: Annotated[int, typer.Option(help="T; 0 for ⌊n/5⌋.", min=0)] = 0,
    stragglers: Annotated[int, typer.Option(min=0)] = 0,
    adversaries: Annotated[int, typer.Option(min=0)] = 0,
    repeats: Annotated[int, typer.Option(min=1)] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    output: Output = Format.HUMAN,
) -> None:
    """Secure distances, or a mean beside plain averaging, by real daemons over mutual TLS."""

    def run() -> Data:
        benches = [
            DistancesBench(
                work, n, dim, colluders or n // 5, stragglers, adversaries, repeats, seed
            )
            for n in _numbers(parties)
        ]
        data = measure_distances(benches)
        results = data["results"]
        assert isinstance(results, list)  # noqa: S101 (narrowing only)
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
            for one in results
        ]
        show_table(f"{dim} values a party", header, rows)
        return data

    speaking(output, run)


@app.command()
def algebra(
    parties: Annotated[str, typer.Option(help="One number, or several with commas.")] = (
        "10,20,50,100"
    ),
    dim: Annotated[int, typer.Option(min=1)] = 8192,
    colluders: Annotated[int, typer.Option(help="T; 0 for ⌊n/5⌋.", min=0)] = 0,
    repeats: Annotated[int, typer.Option(min=1)] = 15,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    output: Annotated[Format, typer.Option("--format")] = Format.HUMAN,
) -> None:
    """The coded arithmetic beside plain float64 numpy and the memory's bandwidth, one core."""

    def run() -> Data:
        data = measure_alone(
            AlgebraBench(n, dim, colluders or max(1, n // 5), repeats, seed)
            for n in _numbers(parties)
        )
        results = data["results"]
        assert isinstance(results, list)  # noqa: S101 (narrowing only)
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
            for one in results
        ]
        show_table(f"ns of CPU per element, {dim} values", (*header, "ratio", "exact"), rows)
        return data

    speaking(output, run)


@app.command("round")
def rounds(
    parties: Annotated[str, typer.Option(help="One number, or several with commas.")] = "4,10",
    dim: Annotated[int, typer.Option(min=1)] = 8192,
    net: Annotated[
        str, typer.Option(help="none, lan, wan, slow, a network.toml; or several with commas.")
    ] = "none,lan,wan,slow",
    colluders: Annotated[int, typer.Option(help="T; 0 for max(1, ⌊n/5⌋).", min=0)] = 0,
    stragglers: Annotated[int, typer.Option(min=0)] = 1,
    adversaries: Annotated[int, typer.Option(min=0)] = 0,
    clusters: Annotated[
        int, typer.Option(help="Planted; 0 for 3, or as many as n allows.", min=0)
    ] = 0,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    output: Output = Format.HUMAN,
) -> None:
    """Whole rounds by real daemons over a slow network, beside plain federated averaging."""

    def run() -> Data:
        benches = []
        for n in _numbers(parties):
            t = colluders or max(1, n // 5)
            planted = clusters or most_clusters(n, t)
            benches.append(RoundBench(n, dim, t, stragglers, adversaries, planted, repeats, seed))
        data = measure_rounds(benches, net.split(","))
        results = data["results"]
        assert isinstance(results, list)  # noqa: S101 (narrowing only)
        header = ("network", "mode", "n", "T", "S", "clusters", "flights", "seconds", "predicted")
        rows = [
            [
                *(str(one[key]) for key in ("net", "mode", "parties")),
                *(str(one[key]) for key in ("colluders", "stragglers", "clusters", "flights")),
                f"{one['seconds_median']:.3f}",
                f"{one['seconds_predicted']:.3f}",
                f"{one['cpu_seconds']:.3f}",
                "–" if one["bytes_total"] is None else f"{one['bytes_total'] / 1e6:.2f}",
                f"{one['bytes_payload'] / 1e6:.2f}",
                f"{one['bytes_formula'] / 1e6:.2f}",
                str(one["exact"]),
            ]
            for one in results
        ]
        more = ("CPU s, all", "MB, wire", "MB, payload", "MB, formula", "exact")
        show_table(f"a round of {dim} values a party", (*header, *more), rows)
        return data

    speaking(output, run)


@app.command()
def network(
    net: Annotated[str, typer.Option(help="One profile, or several with commas.")] = (
        "none,lan,wan,slow"
    ),
    repeats: Annotated[int, typer.Option(min=1)] = 5,
    output: Output = Format.HUMAN,
) -> None:
    """Whether the slow network of the other measurements is as slow as it says."""

    def run() -> Data:
        data = measure_network(net.split(","), repeats)
        results = data["results"]
        assert isinstance(results, list)  # noqa: S101 (narrowing only)
        header = ("network", "ms asked", "ms round trip", "Mbit/s asked", "Mbit/s each way")
        rows = [
            [
                str(one["net"]),
                f"{one['rtt_ms_asked']:g}",
                f"{one['rtt_ms']:.2f}",
                f"{one['mbit_asked'] or '–'}",
                f"{one['mbit']:.1f}",
            ]
            for one in results
        ]
        show_table("userspace shaper on loopback", header, rows)
        return data

    speaking(output, run)


def _numbers(text: str) -> list[int]:
    """Whole numbers with commas between them."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"{text!r} is no list of whole numbers", fix="write for example 10,20"
        ) from None
