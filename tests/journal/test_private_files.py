"""What a daemon writes in a run directory is its owner's only, whatever the process's mask."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from secfpp.journal.events import EventLog
from secfpp.journal.files import (
    private_directory,
    write_bytes,
    write_json,
    write_levels,
    write_prompt,
)


@pytest.fixture
def open_mask() -> Iterator[None]:
    """A mask that takes no right away."""
    before = os.umask(0)
    yield
    os.umask(before)


def write_event(path: Path) -> None:
    log = EventLog(path.parent, "run")
    log.record("opened")
    log.close()


WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": lambda path: write_bytes(path, b"content"),
    "object.json": lambda path: write_json(path, {}),
    "prompt.safetensors": lambda path: write_prompt(path, np.zeros((1, 8), np.float32), {}),
    "levels.safetensors": lambda path: write_levels(path, np.zeros(8, np.int64)),
    "events.jsonl": write_event,
}


@pytest.mark.usefixtures("open_mask")
@pytest.mark.parametrize("name", WRITERS)
def test_every_file_of_a_run_is_0600_in_a_directory_0700(tmp_path, name):
    path = tmp_path / "run" / name
    for _ in range(2):  # New, and in place of itself.
        WRITERS[name](path)
        assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.usefixtures("open_mask")
def test_every_directory_that_is_made_on_the_way_is_0700_and_no_other_is_changed(tmp_path):
    there = tmp_path / "there"
    there.mkdir(0o755)
    private_directory(there / "a" / "b" / "c")
    modes = [path.stat().st_mode & 0o777 for path in (there, *sorted(there.rglob("*")))]
    assert modes == [0o755, 0o700, 0o700, 0o700]
