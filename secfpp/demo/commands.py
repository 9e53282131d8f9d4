"""`secfpp demo`: run it, watch it, and read what was learnt by whom."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from secfpp.demo.run import run_demo
from secfpp.demo.scenario import Training, scenario
from secfpp.demo.tables import show
from secfpp.errors import ConfigError
from secfpp.journal.events import Event
from secfpp.journal.output import Data, Format, Output, say, speaking
from secfpp.settings.files import MOST_SEED

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    parties: Annotated[int, typer.Option(help="8 to 40; fours make equal domains.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How many.")] = 3,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Of the data's split and of training.")
    ] = 0,
    training: Annotated[
        Training, typer.Option(help="clip: tuned prompts; vectors: planted ones, without torch.")
    ] = Training.CLIP,
    out: Annotated[Path | None, typer.Option(help="Keep all files here.")] = None,
    output: Output = Format.HUMAN,
) -> None:
    """Start a federation of processes here, let it learn, and prove that the result is right."""

    def run() -> Data:
        started = time.monotonic()
        if out is not None and out.is_dir() and any(out.iterdir()):
            raise ConfigError(f"{out} is not empty", fix="give --out a new directory")
        home = (out or Path(tempfile.mkdtemp(prefix="secfpp-demo-"))).absolute()
        say(f"{parties} parties and a coordinator over mutual TLS 1.3; all files in {home}")
        cast = scenario(training, parties=parties, rounds=rounds, seed=seed, home=home)

        def told(event: Event) -> None:
            if not event.minor:
                say(f"{time.monotonic() - started:6.1f} s  {event.sentence()}")

        data = run_demo(cast, home, told)
        show(data)
        say(f"done in {time.monotonic() - started:.0f} s")
        return data

    speaking(output, run)
