"""Events of a run: one JSON object a line for machines, a sentence for people."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from secfpp.journal.files import explained, private_directory
from secfpp.journal.seldom import Seldom, with_left_out

_encoded: Final = json.JSONEncoder(ensure_ascii=False).encode  # `dumps` would make one a line.

ATTEMPT_ENDS: Final = ("closed", "finished", "failed")
"""The events with which an attempt ends: at the coordinator, and at a party."""


@dataclass(frozen=True)
class Event:
    """Something that happened: `time` is Unix time in seconds; empty fields are left out.

    `count` is of the distances that an attempt opened, of the values that were clipped, or of the
    like of it that were left out before.
    """

    time: float
    run: str
    event: str
    round: int = 0
    attempt: int = 0
    phase: str = ""
    peer: str = ""
    bytes: int = 0
    seconds: float = 0.0
    count: int = 0
    text: str = ""

    @property
    def minor(self) -> bool:
        """Whether it is for the files and the log: who follows a run is not told of every step."""
        return self.event in ("phase", "cost", "report", "ended")

    @property
    def grave(self) -> bool:
        """Whether somebody should look at it."""
        return self.event in (
            "trouble",
            "silence",
            "refused",
            "violation",
            "lost",
            "named",
            "failed",
        )

    @property
    def place(self) -> dict[str, str | int]:
        """Where it belongs: run, round, attempt, phase and peer, as far as it has them."""
        names = ("run", "round", "attempt", "phase", "peer")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def line(self) -> str:
        """The event as one JSON object."""
        fields = {
            key: value
            for key, value in vars(self).items()
            if key in ("time", "run", "event") or value
        }
        return _encoded(fields)

    def sentence(self) -> str:
        """The event in words."""
        where = f"round {self.round}: " if self.round else ""
        attempt = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        who = f" {self.peer}" if self.peer else ""
        took = f" in {self.seconds:.1f} s" if self.seconds else ""
        what = self.text or f"{self.event}{who}"
        return f"{where}{what}{took}{attempt}"


def event_from(line: str | bytes) -> Event:
    """Read an event back from its line."""
    fields: Mapping[str, object] = json.loads(line)
    return Event(**fields)  # type: ignore[arg-type]  # Our own lines hold our own fields.


def read_events(directory: Path) -> list[Event]:
    """The events in a run directory, none where there is no log; a line that is no event, as a
    crash may leave it, is left out.
    """
    path, events = directory / "events.jsonl", []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        with contextlib.suppress(ValueError, TypeError):
            events.append(event_from(line))
    return events


Heard = Callable[[Event], None]
"""What is told of every event."""


class EventLog:
    """Appends events to `events.jsonl` in a run directory; each line is written when it returns.

    `listeners` hear every event after that. What a peer causes again and again is left out, but for
    one a minute. StoreFailure where a line cannot be written.
    """

    def __init__(self, directory: Path, run: str) -> None:
        self.listeners: list[Heard] = []
        self._run = run
        self._phase = ""
        self._seldom = Seldom()
        self._path = private_directory(directory) / "events.jsonl"
        with explained(self._path):
            handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            self._file = FileIO(handle, "r+")  # Unbuffered: what failed is not tried again.
            self._end = os.fstat(handle).st_size
        if self._end and os.pread(handle, 1, self._end - 1) != b"\n":
            self._append(b"\n")  # After what a crash has cut off.

    def record(self, event: str, **fields: object) -> Event | None:
        """Write one event now and return it; `fields` are those of `Event`.

        None where it is left out: one that a peer causes again and again, or after the log was
        closed, for a message may come in the turn in which a run ends. An event without a phase
        belongs to the one that runs.
        """
        if self._file.closed:
            return None
        peer = str(fields.get("peer", ""))
        left_out = self._seldom.left_out(event, peer)
        if left_out is None:
            return None
        if left_out:
            text = with_left_out(str(fields.get("text", f"{event} {peer}")), left_out)
            fields |= {"count": left_out, "text": text}
        place: dict[str, object] = {"phase": self._phase}
        entry = Event(time=time.time(), run=self._run, event=event, **(place | fields))  # type: ignore[arg-type]  # checked by Event itself
        if event == "phase":
            self._phase = entry.phase
        elif event in ATTEMPT_ENDS:
            self._phase = ""
        self._append(f"{entry.line()}\n".encode())
        for listener in tuple(self.listeners):
            listener(entry)
        return entry

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, line: bytes) -> None:
        """The whole line, or nothing of it."""
        with explained(self._path):
            try:
                while line:
                    line = line[self._file.write(line) :]
            except OSError:
                self._file.truncate(self._end)
                raise
            self._end = self._file.tell()
