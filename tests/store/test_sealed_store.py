"""The sealed store keeps what was written, through crashes and bad disks, and shows it to none."""

import base64
import contextlib
import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from secfpp.errors import StoreFailure
from secfpp.store import sealed
from secfpp.store.sealed import Records, SealedStore

NOBODY = 65534


def store_in(directory):
    return SealedStore(directory, directory / "store.key")


@pytest.fixture
def store(tmp_path):
    opened = store_in(tmp_path)
    yield opened
    opened.close()


def test_what_was_written_is_read_back_after_reopening_the_latest_in_place_of_the_first(tmp_path):
    store = store_in(tmp_path)
    store.write("one", b"first")
    store.write("two", b"second")
    store.write("one", b"third")
    store.close()
    again = store_in(tmp_path)
    assert (again.read("one"), again.read("two"), again.read("three")) == (
        b"third",
        b"second",
        None,
    )
    assert again.names() == ["two", "one"]
    again.delete("one")
    assert (again.names(), again.read("one")) == (["two"], None)
    again.close()


def test_a_state_directory_and_its_database_that_others_can_read_are_closed_to_them(tmp_path):
    directory = tmp_path / "state"
    store_in(directory).close()
    directory.chmod(0o755)
    (directory / "state.sqlite").chmod(0o644)
    Records(directory).close()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "state.sqlite").stat().st_mode) == 0o600


def test_a_directory_that_all_share_by_intention_stays_as_it_is(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir()
    directory.chmod(0o1777)
    Records(directory).close()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o1777
    assert stat.S_IMODE((directory / "state.sqlite").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_that_belongs_to_another_stays_as_it_is(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir()
    directory.chmod(0o775)
    os.chown(directory, NOBODY, NOBODY)
    Records(directory).close()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o775


def test_a_key_file_is_closed_to_others_or_refused(tmp_path, monkeypatch):
    store_in(tmp_path).close()
    keys = tmp_path / "store.key"
    keys.chmod(0o640)
    store_in(tmp_path).close()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    keys.chmod(0o644)

    def refused(path, mode):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(keys), "chmod", refused)
    with pytest.raises(StoreFailure, match=rf"{keys} can be read by others \(mode 644\)"):
        store_in(tmp_path)


def test_a_write_that_returned_survives_the_process_that_dies_without_closing(tmp_path):
    code = f"""
        import os, pathlib
        from secfpp.store.sealed import SealedStore
        home = pathlib.Path({str(tmp_path)!r})
        SealedStore(home, home / "store.key").write("run", b"x" * 10_000)
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -9
    store = store_in(tmp_path)
    assert store.read("run") == b"x" * 10_000
    store.close()


def test_nothing_of_a_record_stands_in_the_files_and_only_their_owner_reads_them(tmp_path, store):
    secret = os.urandom(40).hex().encode()
    store.write("run", secret)
    for path in tmp_path.iterdir():
        assert secret not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


def test_a_record_is_bound_to_its_name_and_to_every_bit_of_it(tmp_path):
    """Nonce, content and tag are all looked at: one bit of each byte is flipped by turns."""
    store = store_in(tmp_path)
    store.write("one", b"content")
    store.close()

    def set_to(name, content):
        with contextlib.closing(sqlite3.connect(tmp_path / "state.sqlite")) as database, database:
            database.execute("UPDATE record SET name = ?, sealed = ?", (name, content))

    with contextlib.closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
        ((whole,),) = database.execute("SELECT sealed FROM record").fetchall()
    flipped = [bytearray(whole) for _ in whole]
    for place, record in enumerate(flipped):
        record[place] ^= 1 << place % 8
    for name, content in [("two", whole), *(("one", bytes(record)) for record in flipped)]:
        set_to(name, content)
        words = rf"the record of {name} in .* opens with no key of .*key"
        with pytest.raises(StoreFailure, match=words):
            store_in(tmp_path)
    set_to("one", whole)
    store = store_in(tmp_path)
    assert store.read("one") == b"content"
    store.close()


def test_keys_rotate_a_new_first_key_seals_anew_and_the_old_one_can_go(tmp_path):
    store = store_in(tmp_path)
    store.write("run", b"content")
    store.close()
    keys = tmp_path / "store.key"
    old = keys.read_text()
    new = base64.b64encode(os.urandom(32)).decode() + "\n"
    keys.write_text(new + old)
    store_in(tmp_path).close()
    keys.write_text(new)
    store = store_in(tmp_path)
    assert store.read("run") == b"content"
    store.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the key file .*: No such file"),
        (b"", "is empty"),
        (b"c2hvcnQ=\n", "is no key file: each line must be 32 bytes as base64"),
        (b"\xff\xfe", "is no key file"),
        (base64.b64encode(bytes(32)), "opens with no key"),
    ],
)
def test_a_lost_empty_wrong_or_foreign_key_file_is_named_and_nothing_is_overwritten(
    tmp_path, content, words
):
    store = store_in(tmp_path)
    store.write("run", b"content")
    store.close()
    before = (tmp_path / "state.sqlite").read_bytes()
    keys = tmp_path / "store.key"
    good = keys.read_bytes()
    keys.unlink()
    if content is not None:
        keys.write_bytes(content)
    with pytest.raises(StoreFailure, match=words):
        store_in(tmp_path)
    assert (tmp_path / "state.sqlite").read_bytes() == before
    keys.write_bytes(good)
    store = store_in(tmp_path)
    assert store.read("run") == b"content"
    store.close()


def test_a_key_file_is_made_where_nothing_is_kept_yet_as_after_a_crash_at_the_first_start(tmp_path):
    store_in(tmp_path).close()
    (tmp_path / "store.key").unlink()
    store = store_in(tmp_path)
    store.write("run", b"content")
    store.close()


@contextlib.contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root may look into every directory, so it becomes another user for a while."""
    before = os.geteuid()
    os.seteuid(NOBODY if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_state_directory_of_another_user_is_a_failure_of_the_store_with_a_remedy():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o700 if os.geteuid() == 0 else 0o600)
        try:
            with (
                as_somebody_else(),
                pytest.raises(StoreFailure, match=r"state.sqlite: .*Permission") as failure,
            ):
                store_in(Path(name))
        finally:
            os.chmod(name, 0o700)
    assert "permissions" in failure.value.fix


@pytest.mark.parametrize("key_is", ["foreign", "lost"])
def test_a_run_can_be_forgotten_though_no_key_opens_its_record(tmp_path, key_is):
    """Mutation: opening the store as a daemon does, `forget` fails as the daemon has."""
    store = store_in(tmp_path / "state")
    store.write("run", b"content")
    store.write("other", b"content")
    store.close()
    key = tmp_path / "state" / "store.key"
    key.unlink()
    if key_is == "foreign":
        key.write_bytes(base64.b64encode(bytes(32)))
        with pytest.raises(StoreFailure, match="opens with no key") as failure:
            store_in(tmp_path / "state")
        assert "`secfpp forget` each run" in failure.value.fix
    config = tmp_path / "party.toml"
    config.write_text(f'state_dir = "{tmp_path}/state"\n[tls]\ndirectory = "{tmp_path}"\n')
    (tmp_path / "state" / "run").mkdir()
    command = ["forget", "run", "--party", str(config)]
    done = subprocess.run(
        [sys.executable, "-m", "secfpp", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    records = Records(tmp_path / "state")
    assert records.names() == ["other"]
    records.close()
    assert not (tmp_path / "state" / "run").exists()


def test_a_second_daemon_on_one_state_directory_is_told_so(tmp_path, store):
    with pytest.raises(StoreFailure, match="locked") as failure:
        store_in(tmp_path)
    assert "another daemon has this state_dir" in failure.value.fix


@pytest.mark.parametrize("place", [0, 4096])
def test_a_damaged_database_is_named_with_what_to_do(tmp_path, place):
    store = store_in(tmp_path)
    for number in range(200):
        store.write(f"run-{number}", bytes(200))
    store.close()
    path = tmp_path / "state.sqlite"
    content = bytearray(path.read_bytes())
    content[place : place + 100] = b"\x5a" * 100
    path.write_bytes(content)
    with pytest.raises(StoreFailure, match=r"cannot open .*state.sqlite") as failure:
        store_in(tmp_path)
    assert "restore state.sqlite from a backup" in failure.value.fix


def test_a_schema_from_the_future_is_refused_and_an_older_one_is_led_to_the_present(
    tmp_path, monkeypatch
):
    store = store_in(tmp_path)
    store.write("run", b"content")
    store.close()
    column = "ALTER TABLE record ADD COLUMN note TEXT DEFAULT 'none'"
    with monkeypatch.context() as later:
        later.setattr(sealed, "MIGRATIONS", (*sealed.MIGRATIONS, column))
        store = store_in(tmp_path)
        assert store.read("run") == b"content"
        store.close()
    with pytest.raises(StoreFailure, match="schema version 2, this SecFPP knows up to 1"):
        store_in(tmp_path)


ON_A_DISK = """
    import pathlib, subprocess, sys
    from secfpp.errors import StoreFailure
    from secfpp.store.sealed import SealedStore
    home = pathlib.Path({home!r})
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", home], check=True)
    store = SealedStore(home, home / "store.key")
    store.write("run", b"good")
    try:
        {fault}
    except StoreFailure as failure:
        print(failure)
    store.close()
    subprocess.run(["mount", "-o", "remount,rw,size=1m", home], check=True)
    print(SealedStore(home, home / "store.key").read("run"))
"""

FULL = """store.write("run", bytes(1_000_000))"""
READ_ONLY = """store.close(); subprocess.run(["mount", "-o", "remount,ro", home], check=True); \
SealedStore(home, home / "store.key").write("run", b"new")"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode != 0,
    reason="the system allows no mount of one's own",
)
@pytest.mark.parametrize(
    ("fault", "words"),
    [(FULL, "database or disk is full"), (READ_ONLY, "the file system is read-only")],
)
def test_a_full_or_read_only_disk_is_an_error_in_words_and_loses_nothing(tmp_path, fault, words):
    code = textwrap.dedent(ON_A_DISK).format(home=str(tmp_path), fault=fault)
    command = ["unshare", "-rm", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said, kept = done.stdout.splitlines() or [done.stderr, ""]
    assert re.search(words, said), said + done.stderr
    assert "state.sqlite" in said
    assert kept == "b'good'"
