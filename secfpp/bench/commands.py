"""`secfpp bench`: measurements, side by side in one run; figures are ratios, not absolutes."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from secfpp.bench import deployed, tables
from secfpp.bench.algebra import AlgebraBench, measure_alone
from secfpp.bench.cost import bills
from secfpp.bench.distances import DistancesBench, Work
from secfpp.bench.distances import measure as measure_distances
from secfpp.bench.emulator import measure as measure_shaper
from secfpp.bench.round import measure as measure_rounds
from secfpp.bench.turns import Row
from secfpp.bench.work import RoundBench, most_clusters
from secfpp.cluster.methods import ClusteringMethod
from secfpp.errors import ConfigError
from secfpp.journal.output import Data, Format, Output, say, speaking
from secfpp.operator.client import Operator
from secfpp.operator.commands import ADDRESS, Address, Name, Tls, with_operator
from secfpp.settings.files import JobSettings
from secfpp.settings.loading import load
from secfpp.settings.prices import Prices

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
    from secfpp.bench.train import TrainBench, measure  # All other commands need no torch.

    def run() -> Data:
        data = measure(TrainBench(model, classes, tokens, device, threads, repeats, seed))
        tables.show_train(f"{model}, {classes} classes, {tokens} tokens", data)
        return data

    speaking(output, run)


@app.command()
def distances(
    parties: Annotated[str, typer.Option(help="One number, or several with commas.")] = "10,20",
    work: Annotated[Work, typer.Option(help="All distances, or the mean of all.")] = Work.PAIRWISE,
    dim: Annotated[int, typer.Option(min=1, max=2_000_000)] = 8192,
    colluders: Annotated[int, typer.Option(help="T; 0 for ⌊n/5⌋.", min=0)] = 0,
    stragglers: Annotated[int, typer.Option(min=0)] = 0,
    adversaries: Annotated[int, typer.Option(min=0)] = 0,
    repeats: Annotated[int, typer.Option(min=1, max=999)] = 5,
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
        tables.show_distances(f"{dim} values a party", data)
        return data

    speaking(output, run)


@app.command()
def algebra(
    parties: Annotated[str, typer.Option(help="One number, or several with commas.")] = (
        "10,20,50,100"
    ),
    dim: Annotated[int, typer.Option(min=1, max=2_000_000)] = 8192,
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
        tables.show_algebra(f"ns of CPU per element, {dim} values", data)
        return data

    speaking(output, run)


@app.command("round")
def rounds(
    parties: Annotated[str, typer.Option(help="One number, or several with commas.")] = "4,10",
    dim: Annotated[int, typer.Option(min=1, max=2_000_000)] = 8192,
    net: Annotated[
        str, typer.Option(help="none, lan, wan, slow, a network.toml; or several with commas.")
    ] = "none,lan,wan,slow",
    colluders: Annotated[int, typer.Option(help="T; 0 for max(1, ⌊n/5⌋).", min=0)] = 0,
    stragglers: Annotated[int, typer.Option(min=0)] = 1,
    adversaries: Annotated[int, typer.Option(min=0)] = 0,
    method: Annotated[ClusteringMethod, typer.Option()] = ClusteringMethod.ADAPTIVE,
    clusters: Annotated[
        int, typer.Option(help="Planted; 0 for 3, or as many as n allows.", min=0)
    ] = 0,
    processes: Annotated[
        int, typer.Option(help="The most parties as processes; beyond, the clock.", min=0)
    ] = 32,
    repeats: Annotated[int, typer.Option(min=1, max=999)] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    output: Output = Format.HUMAN,
) -> None:
    """Whole rounds by real daemons over a slow network, beside plain federated averaging."""

    def run() -> Data:
        benches = []
        for n in _numbers(parties):
            t = colluders or max(1, n // 5)
            planted = clusters or most_clusters(n, max(3, t + 2))
            sizes = (n, dim, t, stragglers, adversaries, planted, repeats, seed)
            benches.append(RoundBench(*sizes, method.value))
        data = measure_rounds(benches, net.split(","), processes, say)
        tables.show_rounds(f"a round of {dim} values a party", data)
        return data

    speaking(output, run)


@app.command()
def shaper(
    net: Annotated[str, typer.Option(help="One profile, or several with commas.")] = (
        "none,lan,wan,slow"
    ),
    repeats: Annotated[int, typer.Option(min=1)] = 5,
    output: Output = Format.HUMAN,
) -> None:
    """Whether the slow network of the other measurements is as slow as it says."""

    def run() -> Data:
        data = measure_shaper(net.split(","), repeats)
        tables.show_shaper("userspace shaper on loopback", data)
        return data

    speaking(output, run)


@app.command()
def network(
    tls: Tls,
    address: Address = ADDRESS,
    coordinator: Name = "coordinator",
    job: Annotated[Path | None, typer.Option(help="A job.toml, to predict a round of.")] = None,
    dim: Annotated[
        int, typer.Option(help="Values of a prompt; 0 for what the job says.", min=0)
    ] = 0,
    run: Annotated[bool, typer.Option("--run", help="Then run the job and compare.")] = False,
    output: Output = Format.HUMAN,
) -> None:
    """The links of a deployed federation, what a round of a job takes on them, and whether so."""

    async def measure(operator: Operator) -> Data:
        chosen = None if job is None else load(JobSettings, job)
        if run and chosen is None:
            raise ConfigError("--run needs a job to run", fix="add --job job.toml")
        names = await deployed.everyone(operator)
        bench = None if chosen is None else deployed.bench_of(chosen, len(names) - 1, dim)
        links = await deployed.survey(operator, names, say)
        tables.show_links(links)
        data: dict[str, object] = {"links": [{"party": one, **links[one, o]} for one, o in links]}
        if bench is None:
            return data
        prediction = data["predicted"] = deployed.predicted(bench, links, coordinator)
        rounds: list[Row] = []
        if run:
            name = await operator.submit(bench.asked)
            say(f"submitted as {name}")
            rounds = deployed.measured([event async for event in operator.follow(name)])
            data |= {"run": name, "measured": rounds}
        tables.show_prediction(bench, prediction, rounds)
        return data

    speaking(output, lambda: with_operator(tls, address, coordinator, measure))


@app.command()
def cost(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Run directories, or what is above them.")
    ],
    prices: Annotated[
        Path | None, typer.Option(help="prices.toml; the dated examples if left out.")
    ] = None,
    output: Output = Format.HUMAN,
) -> None:
    """What runs have cost each participant: bytes, CPU and GPU seconds by a table of prices."""

    def run() -> Data:
        with as_file(files("secfpp.settings").joinpath("samples", "prices.toml")) as examples:
            table = load(Prices, prices or examples)
        found = bills(directories, table)
        tables.show_bills(found, table)
        rows = [{**vars(one), "total_cost": one.total} for one in found]
        return {"prices": table.model_dump(), "results": rows}

    speaking(output, run)


def _numbers(text: str) -> list[int]:
    """Numbers of parties with commas between them."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 2:
        raise ConfigError(
            f"{text!r} is no list of whole numbers from 2 up", fix="write for example 10,20"
        )
    return numbers
