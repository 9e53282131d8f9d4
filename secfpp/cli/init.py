"""`secfpp init`: the commented samples as a start for one's own files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from secfpp.errors import ConfigError
from secfpp.journal.output import Data, Format, say, speaking

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Write commented configuration files, to be filled in.",
)

Directory = Annotated[Path, typer.Option("--dir", help="Where to write.")]


@app.command()
def federation(directory: Directory = Path()) -> None:
    """Write coordinator.toml and job.toml."""
    speaking(Format.HUMAN, lambda: _write(directory, ("coordinator.toml", "job.toml")))


@app.command()
def party(directory: Directory = Path()) -> None:
    """Write party.toml."""
    speaking(Format.HUMAN, lambda: _write(directory, ("party.toml",)))


def _write(directory: Path, names: tuple[str, ...]) -> Data:
    for name in names:
        target = directory / name
        if target.exists():
            raise ConfigError(f"{target} exists already and is not overwritten")
        text = files("secfpp.settings").joinpath("samples", name).read_text("utf-8")
        directory.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        say(f"wrote {target}; what is marked (required) needs your values")
    return {"written": [str(directory / name) for name in names]}
