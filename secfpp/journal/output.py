"""How commands speak: machines read one JSON object on stdout, people read stderr.

Every command runs inside `speaking`, which turns errors into the envelope and the exit code of
docs/operations.md: 0 done, 1 not reached, 2 usage, 3 peers missing, 4 refused, 5 internal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated
from unicodedata import category

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secfpp.errors import Interrupted, SecFPPError
from secfpp.journal.defects import where

Data = Mapping[str, object]


class Format(Enum):
    """What a command prints on stdout."""

    HUMAN = "human"
    JSON = "json"


Output = Annotated[
    Format,
    typer.Option(
        "--format", help="json: one object on stdout. All words for people are on stderr."
    ),
]
Flags = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting that beats file and environment; repeatable."
    ),
]


def say(text: str) -> None:
    """One line for people."""
    sys.stderr.write(_harmless(text) + "\n")
    sys.stderr.flush()


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people: words to the left, numbers to the right; it fits 80 columns or wraps."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=160)
    table = Table(
        title=_harmless(title),
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
    )
    for index, name in enumerate(header):
        numbers = index > 0 and all(_is_number(row[index]) for row in rows)
        table.add_column(
            name, justify="right" if numbers else "left", no_wrap=index == 0, overflow="fold"
        )
    for row in rows:
        # Text: what stands in brackets is no markup.
        table.add_row(*(Text(_harmless(cell)) for cell in row))
    console.print(table)
    say("")


def _is_number(cell: str) -> bool:
    """Whether a cell is one number, with its unit, or nothing."""
    return cell in ("", "–") or (cell[0].isdigit() and cell.count(" ") <= 1)


def speaking(output: Format, command: Callable[[], Data], known: Data | None = None) -> None:
    """Run a command and print its data; an error ends the process with its own exit code.

    `known` is what the command fills with data worth telling even where it then fails. A command
    that ran but did not reach its goal returns data with `"passed": False`: exit 1.
    """
    try:
        data = command()
        passed = data.get("passed", True) is not False
        line = _line("ok" if passed else "error", data, None) if output is Format.JSON else ""
    except SecFPPError as error:
        _fail(output, error, known)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        interrupted = Interrupted("ended by a signal before its end")
        _fail(output, interrupted, known)
        raise typer.Exit(interrupted.exit_code) from None
    except Exception as unforeseen:  # The one place for what nobody foresaw.
        say(where(unforeseen))
        defect = SecFPPError(
            "a defect of SecFPP: the lines above say where", fix="please report it, with them"
        )
        _fail(output, defect, known)
        raise typer.Exit(defect.exit_code) from None
    if output is Format.JSON:
        _print(line)
    if not passed:
        raise typer.Exit(1)


def _fail(output: Format, error: SecFPPError, known: Data | None) -> None:
    say(f"error {error.code}: {error}")
    if error.fix:
        say(f"what to do: {error.fix}")
    if output is Format.JSON:
        what = {
            "code": error.code,
            "whose": error.whose,
            "message": str(error),
            "fix": error.fix,
        }
        _print(_line("error", known or None, what))


def _line(status: str, data: Data | None, error: Mapping[str, str] | None) -> str:
    """The envelope as JSON, which knows neither infinity nor NaN."""
    held = None if data is None else dict(data)
    envelope = {"schema_version": 1, "status": status, "data": held, "error": error}
    return json.dumps(envelope, ensure_ascii=False, allow_nan=False)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _harmless(text: str) -> str:
    """Words of others cannot steer the terminal: control characters are shown as escapes."""
    return "".join(one if _is_plain(one) else one.encode("unicode_escape").decode() for one in text)


def _is_plain(character: str) -> bool:
    return category(character)[0] != "C" or character in "\n\t"
