"""`secfpp config show`: every setting, its value, and where it came from."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import typer

from secfpp.journal.output import Data, Format, Output, show_table, speaking
from secfpp.settings.files import CoordinatorSettings, JobSettings, PartySettings
from secfpp.settings.loading import Section, origins

app = typer.Typer(add_completion=False, no_args_is_help=True)


class Kind(Enum):
    """Which of the three files."""

    COORDINATOR = "coordinator"
    PARTY = "party"
    JOB = "job"


MODELS: dict[Kind, type[Section]] = {
    Kind.COORDINATOR: CoordinatorSettings,
    Kind.PARTY: PartySettings,
    Kind.JOB: JobSettings,
}


@app.callback()
def config() -> None:
    """Look at configuration."""


@app.command()
def show(
    kind: Kind,
    file: Path,
    output: Output = Format.HUMAN,
) -> None:
    """Check a file and list every setting with its origin: flag, environment, file or default."""

    def listed() -> Data:
        found = origins(MODELS[kind], file)
        rows = [[item.key, item.value, item.source] for item in found]
        show_table(str(file), ("setting", "value", "origin"), rows)
        return {"settings": [vars(item) for item in found]}

    speaking(output, listed)
