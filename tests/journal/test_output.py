"""What commands print: JSON that is JSON, and words that do not steer a terminal."""

from __future__ import annotations

import json

import pytest
import typer

from secfpp.journal.files import write_json
from secfpp.journal.output import Format, say, show_table, speaking


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_that_is_not_finite_is_never_printed_as_json(capsys, value):
    with pytest.raises(typer.Exit) as ended:
        speaking(Format.JSON, lambda: {"seconds": value})
    said = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (ended.value.exit_code, said["error"]["code"]) == (5, "SECFPP-E-INTERNAL")


def test_a_number_that_is_not_finite_is_never_written_to_a_file(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "manifest.json", {"seconds": float("nan")})
    assert not list(tmp_path.iterdir())


def test_escape_sequences_of_others_are_shown_and_not_obeyed(capsys):
    name = "ann\x1b[2J\x1b]0;gone\x07\x9b1m\u202e"
    show_table("a table", ("who", "bytes"), [[name, "1"]])
    say(f"{name}\nasks")
    said = capsys.readouterr().err
    assert said.count(r"ann\x1b[2J\x1b]0;gone\x07\x9b1m\u202e") == 2
    assert "\nasks\n" in said
    assert not set(said) & set("\x1b\x07\x9b\u202e")
