"""`secfpp config show`: every setting, its value and, with --origin, where it came from."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from secfpp.journal.output import Data, Flags, Format, Output, say, show_table, speaking
from secfpp.settings.files import CoordinatorSettings, JobSettings, PartySettings
from secfpp.settings.loading import Section, origins, strange_variables

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
    kind: Annotated[Kind, typer.Argument(help="Which of the three files it is.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to check.")],
    origin: Annotated[bool, typer.Option("--origin", help="Say where each came from.")] = False,
    flags: Flags = None,
    output: Output = Format.HUMAN,
) -> None:
    """Check a file and list every setting; with --origin: by flag, environment, file or default."""

    def listed() -> Data:
        found = origins(MODELS[kind], file, flags=flags or ())
        width = 3 if origin else 2
        rows = [[item.key, item.value, item.source][:width] for item in found]
        for said in strange_variables():
            say(said)
        show_table(str(file), ("setting", "value", "origin")[:width], rows)
        return {"settings": [vars(item) for item in found]}

    speaking(output, listed)
