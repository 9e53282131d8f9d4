"""The key file of a store: one key a line, the first seals, every one of them opens."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secfpp.errors import StoreFailure
from secfpp.journal.files import private_directory

KEY_BITS = 256


def read_keys(path: Path) -> list[AESGCM]:
    """The keys of a key file, each 32 bytes as base64; StoreFailure where it is none."""
    _close_to_others(path)
    try:
        lines = path.read_text("ascii").split()
        keys = [AESGCM(base64.b64decode(line, validate=True)) for line in lines]
    except OSError as error:
        raise StoreFailure(
            f"cannot read the key file {path}: {error.strerror}",
            fix="put it back from your backup; without it the store beside it cannot be opened",
        ) from None
    except ValueError:
        raise StoreFailure(
            f"{path} is no key file: each line must be {KEY_BITS // 8} bytes as base64",
            fix="put it back from your backup",
        ) from None
    if not keys:
        raise StoreFailure(f"the key file {path} is empty", fix="put it back from your backup")
    return keys


def _close_to_others(path: Path) -> None:
    """Leave the file to its owner alone: backups, and volumes given to a group, open it wider."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return  # Reading it says why.
    if mode & 0o077:
        try:
            path.chmod(0o600)
        except OSError as error:
            raise StoreFailure(
                f"the key file {path} can be read by others (mode {mode:03o}), which cannot be "
                f"changed: {error.strerror}",
                fix="give it to the daemon's user, with mode 600",
            ) from None


def make_keys(path: Path) -> None:
    """Write a new key file (0600) with one key from the system's generator; never over another."""
    private_directory(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(AESGCM.generate_key(KEY_BITS)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreFailure(
            f"cannot write the key file {path}: {error.strerror}", fix="free space or mend the disk"
        ) from None
