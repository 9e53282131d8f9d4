"""Runs a daemon that stops itself, by SIGSTOP, as soon as it has written an event down.

    python tripwire.py NAMES ROUND COMMAND …    what follows is the command line of `secfpp`

NAMES are events or phases, separated by commas; the first of them in ROUND trips, once. So the
victim stands still in the phase that its events name: what it has posted because of it has not
left, as one thread does both. Everything else in the process is the daemon as it is.
"""

from __future__ import annotations

import os
import signal
import sys

from secfpp.cli import main
from secfpp.journal.events import Event, EventLog


def trip_on(names: set[str], number: int) -> None:
    """Stop this process when one of the events is on disk."""
    record = EventLog.record

    def recorded(log: EventLog, event: str, **fields: object) -> Event | None:
        entry = record(log, event, **fields)
        if entry and names & {entry.event, entry.phase} and entry.round == number:
            EventLog.record = record
            os.kill(os.getpid(), signal.SIGSTOP)
        return entry

    EventLog.record = recorded


if __name__ == "__main__":
    trip_on(set(sys.argv[1].split(",")), int(sys.argv[2]))
    sys.argv[1:3] = []
    main()
