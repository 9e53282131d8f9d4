"""Events of a run: one JSON object a line for machines, a sentence for people."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from secfpp.journal.files import private_directory


@dataclass(frozen=True)
class Event:
    """Something that happened: `time` is Unix time in seconds; empty fields are left out."""

    time: float
    run: str
    event: str
    round: int = 0
    attempt: int = 0
    phase: str = ""
    peer: str = ""
    bytes: int = 0
    seconds: float = 0.0
    text: str = ""

    @property
    def minor(self) -> bool:
        """Whether it is for the files only: who follows a run is not told of every step."""
        return self.event in ("phase", "report", "ended")

    def line(self) -> str:
        """The event as one JSON object."""
        fields = {
            key: value
            for key, value in asdict(self).items()
            if key in ("time", "run", "event") or value
        }
        return json.dumps(fields, ensure_ascii=False)

    def sentence(self) -> str:
        """The event in words."""
        where = f"round {self.round}: " if self.round else ""
        attempt = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        who = f" {self.peer}" if self.peer else ""
        took = f" in {self.seconds:.1f} s" if self.seconds else ""
        what = self.text or f"{self.event}{who}"
        return f"{where}{what}{took}{attempt}"


def event_from(line: str) -> Event:
    """Read an event back from its line."""
    fields: Mapping[str, object] = json.loads(line)
    return Event(**fields)  # type: ignore[arg-type]  # Our own lines hold our own fields.


def read_events(directory: Path) -> list[Event]:
    """The events in a run directory, none where there is no log; a line cut off in the middle,
    as a crash may leave it, is left out.
    """
    path = directory / "events.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [event_from(line) for line in lines if line.endswith("}")]


class EventLog:
    """Appends events to `events.jsonl` in a run directory; each line is on disk when it returns."""

    def __init__(self, directory: Path, run: str) -> None:
        self._run = run
        path = private_directory(directory) / "events.jsonl"
        self._file = open(  # noqa: SIM115 (closed by `close`; one file for a whole run)
            os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w", encoding="utf-8"
        )

    def record(self, event: str, **fields: object) -> Event:
        """Write one event now; `fields` are those of `Event`."""
        entry = Event(time=time.time(), run=self._run, event=event, **fields)  # type: ignore[arg-type]  # checked by Event itself
        self._file.write(entry.line() + "\n")
        self._file.flush()
        return entry

    def close(self) -> None:
        """Close the file."""
        self._file.close()
