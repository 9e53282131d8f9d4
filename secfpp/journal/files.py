"""Run directories (0700) with their files (0600), each replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from secfpp.errors import ConfigError, StoreFailure


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """What the system says of writing `path`, as a StoreFailure with a remedy."""
    try:
        yield
    except OSError as error:
        raise StoreFailure(
            f"cannot write {path}: {error.strerror}",
            fix="free space, mend the disk or its permissions, or change state_dir",
        ) from error


def private_directory(path: Path) -> Path:
    """Make `path`, and those of its parents that are missing, readable by their owner only.

    StoreFailure where it cannot.
    """
    with explained(path):
        if not path.parent.exists():
            private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def close_to_others(path: Path) -> None:
    """Take all others' rights to what this user owns, but for a directory that is sticky: shared.

    What another user owns, such as a volume that is given to a group, stays as it is.
    """
    with explained(path):
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid == os.geteuid() and mode & 0o077 and not mode & stat.S_ISVTX:
            path.chmod(mode & ~0o077)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file 0600: to a temporary name, to the disk, then under its own name.

    StoreFailure where it cannot be written; then nothing has changed.
    """
    private_directory(path.parent)
    with explained(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise


def read_bytes(path: Path) -> bytes:
    """A whole file; ConfigError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def write_json(path: Path, data: Mapping[str, object]) -> None:
    """Write one JSON object, with a schema version, indented for people."""
    whole = {"schema_version": 1, **data}
    # Refuses objects and bytes, which could hold a secret, and NaN; `to_json` takes some of them.
    json.dumps(whole, allow_nan=False)
    write_bytes(path, to_json(whole, indent=1) + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object; ConfigError where there is none."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return data


def write_prompt(path: Path, context: NDArray[np.float32], metadata: Mapping[str, str]) -> None:
    """Write a prompt: tensor `context`, float32 (tokens, width), and what it belongs to."""
    tensor = np.ascontiguousarray(context, dtype=np.float32)
    write_bytes(path, save({"context": tensor}, metadata={"schema": "1", **metadata}))


def write_levels(path: Path, levels: NDArray[np.int64]) -> None:
    """Write the levels (dim,) that a party has dealt: what an oracle computes from."""
    write_bytes(path, save({"levels": np.ascontiguousarray(levels)}, metadata={"schema": "1"}))


def read_tensor(path: Path, name: str) -> NDArray[np.float32]:
    """One tensor of a safetensors file; ConfigError where it is not there or damaged."""
    try:
        tensor: NDArray[np.float32] = load_file(path)[name]
    except (OSError, KeyError, SafetensorError) as error:
        kind = type(error).__name__
        raise ConfigError(
            f"cannot read {name} from {path}: {kind}", fix="restore it from a backup"
        ) from None
    return tensor
