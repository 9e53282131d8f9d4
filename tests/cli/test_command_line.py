"""The command line: help without torch, one JSON object, exit codes, errors in words."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from secfpp.cli import COMMANDS, pki
from secfpp.demo import commands as demo
from secfpp.journal.logs import configure
from secfpp.journal.output import Format, show_table, speaking

BLOCKER = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "open_clip", "torchvision"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])
sys.meta_path.insert(0, Blocked())
from secfpp.cli import main
main()
"""


def secfpp(*arguments: str, blocked: bool = False) -> subprocess.CompletedProcess[str]:
    command = ["-c", BLOCKER] if blocked else ["-m", "secfpp"]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )


def test_every_help_works_where_torch_is_not_installed():
    for name in COMMANDS:
        result = secfpp(name, "--help", blocked=True)
        assert result.returncode == 0, (name, result.stderr)
    listed = secfpp("--help", blocked=True)
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in COMMANDS)


def test_a_command_that_needs_torch_says_what_to_install():
    result = secfpp("bench", "train", blocked=True)
    assert result.returncode == 2
    assert "install secfpp[train]" in result.stderr


def test_an_unknown_command_exits_2_and_names_the_nearest():
    result = secfpp("statsu")
    assert result.returncode == 2
    assert "did you mean status?" in result.stderr
    assert result.stdout == ""


def test_an_error_is_one_json_object_with_whose_fault_and_what_to_do(tmp_path):
    result = secfpp("config", "show", "job", str(tmp_path / "none.toml"), "--format", "json")
    assert result.returncode == 2
    (line,) = result.stdout.splitlines()
    envelope = json.loads(line)
    assert envelope["schema_version"] == 1
    assert envelope["status"] == "error"
    assert envelope["error"]["code"] == "SECFPP-E-CONFIG"
    assert envelope["error"]["whose"] == "operator"
    assert "cannot read" in envelope["error"]["message"]
    assert "error SECFPP-E-CONFIG: cannot read" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "none.crt"], "cannot read none.crt"),
        (["install", "none.crt", "ca.crt", "--dir", "home"], "cannot read none.crt"),
        (["request", "Bad Name", "--role", "party", "--dir", "home"], "the name 'Bad Name'"),
        (["sign", "none.csr", "--role", "party", "--dir", "ca"], "cannot read none.csr"),
    ],
)
def test_keys_that_cannot_be_made_are_an_error_in_words_and_no_traceback(
    monkeypatch, tmp_path, arguments, words
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(pki.app, [*arguments, "--format", "json"])
    assert result.exit_code == 2
    assert f"error SECFPP-E-CONFIG: {words}" in result.stderr
    assert "Traceback" not in result.stderr
    assert words in json.loads(result.stdout)["error"]["message"]


def test_what_nobody_foresaw_is_a_defect_with_exit_5_and_shows_no_value(capsys):
    def command():
        share = [41, 42]
        try:
            return {"mean": float(str(share))}
        except ValueError as error:
            raise KeyError(str(share)) from error

    with pytest.raises(typer.Exit) as ending:
        speaking(Format.JSON, command)
    assert ending.value.exit_code == 5
    said = capsys.readouterr()
    envelope = json.loads(said.out)
    assert (envelope["status"], envelope["error"]["code"]) == ("error", "SECFPP-E-INTERNAL")
    assert "builtins.ValueError\n... and then\n" in said.err
    assert "in command" in said.err
    assert "builtins.KeyError" in said.err
    assert "41, 42" not in said.err


def test_logs_of_libraries_show_where_an_exception_arose_and_never_its_text(monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure("alone")
    try:
        float(str([41, 42]))
    except ValueError as error:
        logging.getLogger("asyncio").error("never retrieved: %r", error, exc_info=error)
    logging.getLogger("asyncio").warning("slow callback")
    said = capsys.readouterr().err
    assert "builtins.ValueError" in said
    assert "float(str([41, 42]))" in said  # The line of the source, not its value.
    assert "could not convert" not in said
    assert "warning asyncio: slow callback" in said


def test_a_table_keeps_names_whole_and_shows_what_stands_in_brackets(capsys):
    words = "round 1: the run ended early, " + "and so on, " * 40 + "[bold]"
    show_table("Runs", ("run", "last event"), [["hand-1902ea9d", words]])
    said = capsys.readouterr().err
    assert "hand-1902ea9d" in said
    assert "[bold]" in said
    assert "…" not in said


def test_init_writes_files_that_config_show_accepts_and_never_overwrites(tmp_path):
    assert secfpp("init", "federation", "--dir", str(tmp_path)).returncode == 0
    assert secfpp("init", "party", "--dir", str(tmp_path)).returncode == 0
    for kind in ("coordinator", "party", "job"):
        result = secfpp("config", "show", kind, str(tmp_path / f"{kind}.toml"), "--format", "json")
        assert result.returncode == 0, result.stderr
        settings = json.loads(result.stdout)["data"]["settings"]
        assert {"key", "value", "source"} == set(settings[0])
    again = secfpp("init", "party", "--dir", str(tmp_path))
    assert again.returncode == 2
    assert "not overwritten" in again.stderr


def test_an_operator_whose_coordinator_is_not_there_gets_exit_3_and_the_cause(tmp_path):
    from secfpp.pki.names import Role
    from secfpp.pki.store import throwaway_federation

    homes = throwaway_federation(tmp_path, {"boss": Role.OPERATOR})
    result = secfpp("status", "--tls", str(homes["boss"]), "--address", "127.0.0.1:1")
    assert result.returncode == 3
    assert "TCP refused, nothing listens there" in result.stderr


def test_a_demo_never_writes_into_a_directory_that_holds_something(tmp_path):
    (tmp_path / "mine").write_text("kept")
    result = CliRunner().invoke(demo.app, ["--training", "vectors", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "is not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("command", ["demo", "compose"])
def test_a_seed_that_no_job_may_have_is_refused_by_the_command_with_the_largest(command):
    result = secfpp(command, "--seed", "99999999999999999999")
    assert result.returncode == 2
    assert "9223372036854775807" in result.stderr


@pytest.mark.parametrize("parties", ["7", "41"])
def test_a_demo_of_an_impossible_size_says_which_are_possible(parties):
    result = secfpp("demo", "--training", "vectors", "--parties", parties)
    assert result.returncode == 2
    assert "give --parties 8 to 40" in result.stderr


def test_a_demo_whose_proof_fails_exits_1_and_its_json_says_so(monkeypatch, tmp_path):
    data = {"verify": {"assignments_equal": False}, "passed": False}
    monkeypatch.setattr(demo, "run_demo", lambda *_: data)
    monkeypatch.setattr(demo, "show", lambda _: None)
    arguments = ["--training", "vectors", "--format", "json", "--out"]
    result = CliRunner().invoke(demo.app, [*arguments, str(tmp_path / "failed")])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["status"] == "error"
    monkeypatch.setattr(demo, "run_demo", lambda *_: {**data, "passed": True})
    assert CliRunner().invoke(demo.app, [*arguments, str(tmp_path / "passed")]).exit_code == 0


def test_a_party_daemon_of_the_wrong_role_is_refused(tmp_path):
    from secfpp.pki.names import Role
    from secfpp.pki.store import throwaway_federation

    homes = throwaway_federation(tmp_path, {"boss": Role.OPERATOR})
    config = tmp_path / "party.toml"
    config.write_text(f'state_dir = "{tmp_path}"\n[tls]\ndirectory = "{homes["boss"]}"\n')
    result = secfpp("party", "--config", str(config))
    assert result.returncode == 4
    assert "boss is no party: operator" in result.stderr
