"""Records by name in SQLite, each sealed with AES-256-GCM under the store's key file.

Every write is on the disk when it returns (WAL, synchronous=FULL), whole or not at all. One process
has a store at a time. A name stands in clear and is bound to its record.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag

from secfpp.errors import StoreFailure
from secfpp.journal.files import close_to_others, private_directory
from secfpp.store.keys import make_keys, read_keys

MIGRATIONS: Final = (
    "CREATE TABLE record (name TEXT PRIMARY KEY, written REAL NOT NULL, sealed BLOB NOT NULL)",
)
"""The statement that leads from each version of the schema to the next, from an empty file on."""

_NONCE_BYTES = 12


class Records:
    """The records of one daemon, `state.sqlite` in its state directory, as seen without a key.

    The file and the directory are closed to others, who may have been let in by a backup or a tool.

    Everything here raises StoreFailure, whose text names the file and what is the matter with it.
    """

    def __init__(self, directory: Path) -> None:
        self._path = private_directory(directory) / "state.sqlite"
        with self._explained("open"):
            if not self._path.exists():
                os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            for own in (directory, *directory.glob("state.sqlite*")):
                close_to_others(own)
            self._database = sqlite3.connect(self._path, isolation_level=None, timeout=0)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def delete(self, name: str) -> None:
        """Forget a record; its pages are overwritten."""
        with self._explained("write"):
            self._database.execute("DELETE FROM record WHERE name = ?", (name,))
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def names(self) -> list[str]:
        """All names, the one written last at the end."""
        with self._explained("read"):
            rows = self._database.execute("SELECT name FROM record ORDER BY written").fetchall()
        return [name for (name,) in rows]

    def close(self) -> None:
        """Close the database; a store may also just be left, as by a crash."""
        self._database.close()

    def _prepare(self) -> None:
        execute = self._database.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA secure_delete = ON")
        execute("BEGIN EXCLUSIVE")
        ((version,),) = execute("PRAGMA user_version").fetchall()
        if version > len(MIGRATIONS):
            raise StoreFailure(
                f"{self._path} is of schema version {version}, this SecFPP knows up to "
                f"{len(MIGRATIONS)}: a newer one has written it",
                fix="run that newer version, or restore a backup of this one's",
            )
        for statement in MIGRATIONS[version:]:
            execute(statement)
        if version < len(MIGRATIONS):
            execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        if execute("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise sqlite3.DatabaseError("the database is damaged")
        execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """What the database or the system says, with the file's name and a remedy."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            said = str(error)
            if os.statvfs(self._path.parent).f_flag & os.ST_RDONLY:
                said = f"the file system is read-only ({said})"
            remedy = (
                "free space, or mend the disk or its permissions; what was written is still there"
            )
            if "locked" in said:
                remedy = "another daemon has this state_dir: stop it, or choose another one"
            elif isinstance(error, sqlite3.DatabaseError) and (
                "malformed" in said or "not a database" in said or "damaged" in said
            ):
                remedy = "restore state.sqlite from a backup, or move it away to begin anew"
            raise StoreFailure(f"cannot {doing} {self._path}: {said}", fix=remedy) from None


class SealedStore(Records):
    """The records, with the keys to read and to write them.

    The key file, `store.key` beside them where none is given, is made before the first record.
    """

    def __init__(self, directory: Path, keys: Path | None = None) -> None:
        super().__init__(directory)
        self._key_file = directory / "store.key" if keys is None else keys
        try:
            with self._explained("open"):
                is_new = not self._key_file.exists() and not self.names()
            if is_new:
                make_keys(self._key_file)
            self._keys = read_keys(self._key_file)
            self._seal_anew()
        except BaseException:
            self.close()
            raise

    def read(self, name: str) -> bytes | None:
        """The record under a name, or None."""
        with self._explained("read"):
            query = "SELECT sealed FROM record WHERE name = ?"
            row = self._database.execute(query, (name,)).fetchone()
        return None if row is None else self._open(name, row[0])

    def write(self, name: str, content: bytes) -> None:
        """Put a record under a name, in place of what was there."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._keys[0].encrypt(nonce, content, name.encode())
        with self._explained("write"):
            self._database.execute(
                "INSERT INTO record VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
                "SET written = excluded.written, sealed = excluded.sealed",
                (name, time.time(), sealed),
            )

    def _seal_anew(self) -> None:
        """Seal with the first key whatever another one has sealed: then the others can go."""
        for name in self.names():
            content = self.read(name)
            row = self._database.execute("SELECT sealed FROM record WHERE name = ?", (name,))
            ((sealed,),) = row.fetchall()
            if content is not None and self._opened(0, name, sealed) is None:
                self.write(name, content)

    def _opened(self, key: int, name: str, sealed: bytes) -> bytes | None:
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._keys[key].decrypt(nonce, rest, name.encode())
        except InvalidTag:
            return None

    def _open(self, name: str, sealed: bytes) -> bytes:
        for key in range(len(self._keys)):
            content = self._opened(key, name, sealed)
            if content is not None:
                return content
        raise StoreFailure(
            f"the record of {name} in {self._path} opens with no key of {self._key_file}: "
            "it is another store's key file, or the record was changed",
            fix="put the key file back from your backup, or `secfpp forget` each run so named",
        )
