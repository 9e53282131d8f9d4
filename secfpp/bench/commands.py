"""`secfpp bench`: measurements, side by side in one run; figures are ratios, not absolutes."""

from __future__ import annotations

from typing import Annotated

import typer

from secfpp.bench.train import TrainBench, measure
from secfpp.journal.output import Data, Format, show_table, speaking

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
    output: Annotated[Format, typer.Option("--format")] = Format.HUMAN,
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
