"""The runs that a coordinator knows, in the order of submission: waiting, going on, or over."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable

from secfpp.coordinator.memory import RunMemory, recall
from secfpp.coordinator.session import RunSession
from secfpp.errors import RequestRefused, RunStopped, SecFPPError
from secfpp.journal.events import Event, EventLog, read_events
from secfpp.settings.files import CoordinatorSettings, JobSettings
from secfpp.store.sealed import SealedStore

Begin = Callable[[RunMemory], RunSession]

COMPLETED = "completed"


class Runs:
    """Keeps each run's memory, and the session of the one that goes on.

    What was not over when the daemon last ended waits for its turn again.
    """

    def __init__(self, store: SealedStore, settings: CoordinatorSettings, begin: Begin) -> None:
        self._store = store
        self._settings = settings
        self._begin = begin
        self._waiting: deque[RunMemory] = deque()
        self._queued = asyncio.Event()
        self._stops: dict[str, str] = {}
        self.current: RunSession | None = None
        known = [recall(store, name) for name in store.names()]
        memories = sorted((m for m in known if m is not None), key=lambda m: m.submitted)
        self._memories = {memory.run: memory for memory in memories}
        for memory in sorted(memories, key=lambda m: m.round == 0):  # What had begun goes first.
            if not memory.outcome:
                self._queue(memory)

    def submit(self, job: JobSettings) -> str:
        """Queue a run of a job; its name."""
        run = f"{job.name}-{secrets.token_hex(4)}"
        self._memories[run] = RunMemory(run, job.model_dump_json(), submitted=time.time())
        self._queue(self._memories[run])
        self._say_behind(run)
        return run

    def resume(self, run: str) -> None:
        """Queue a run again that ended early; RequestRefused where there is nothing to resume."""
        memory = self._known(run)
        if memory.outcome in ("", COMPLETED):
            state = "is completed" if memory.outcome else "waits or goes on"
            raise RequestRefused(f"{run} {state}: there is nothing to resume")
        memory.outcome = memory.reason = memory.fix = ""
        self._queue(memory)
        self._say_behind(run)

    async def next(self) -> RunSession:
        """The run whose turn it is; it is `current` until it is concluded."""
        while not self._waiting:
            self._queued.clear()
            await self._queued.wait()
        self.current = self._begin(self._waiting.popleft())
        return self.current

    def stop(self, run: str, why: str) -> None:
        """End a run: at its next turn if it goes on, at once if it waits."""
        memory = self._known(run)
        if memory.outcome:
            raise RequestRefused(f"{run} is over ({memory.outcome}): there is nothing to stop")
        self._stops[run] = why
        if self.current is not None and self.current.run == run:
            self.current.stop(why)
        else:
            self._waiting.remove(memory)
            self.concluded(run, RunStopped(why))

    def concluded(self, run: str, failure: SecFPPError | None) -> SecFPPError | None:
        """A run is over; what ended it early, which is an operator if one has stopped it."""
        memory, why = self._memories[run], self._stops.pop(run, "")
        if failure is None:
            memory.outcome = COMPLETED
        else:
            if why:
                failure = RunStopped(f"{run}: {why}", fix=f"`secfpp resume {run}` goes on with it")
            memory.outcome, memory.reason, memory.fix = failure.code, str(failure), failure.fix
        memory.keep(self._store)
        if self.current is not None and self.current.run == run:
            self.current = None
        return failure

    def end(self, run: str) -> dict[str, str] | None:
        """What ended a run that is over, for another process; None where it was completed."""
        memory = self._known(run)
        if memory.outcome == COMPLETED:
            return None
        return {"code": memory.outcome, "message": memory.reason, "fix": memory.fix}

    def is_over(self, run: str) -> bool:
        """Whether a run is known and neither waits nor goes on."""
        return run in self._memories and self._memories[run].outcome != ""

    def status(self) -> list[dict[str, object]]:
        """Every run: its name, its outcome in one word, and the last thing it has said."""
        return [self._status(memory) for memory in self._memories.values()]

    def events(self, run: str) -> list[Event]:
        """The events of a run so far."""
        if self.current is not None and self.current.run == run:
            return self.current.chronicle.events
        self._known(run)
        return read_events(self._settings.state_dir / run)

    def _status(self, memory: RunMemory) -> dict[str, object]:
        events = self.events(memory.run)
        outcome = memory.outcome or ("waiting" if memory in self._waiting else "running")
        last = events[-1].sentence() if events else ""
        if outcome == "waiting":
            last = self._behind(memory.run)
        return {"run": memory.run, "outcome": outcome, "last": last}

    def _behind(self, run: str) -> str:
        """That a run waits, and for which others."""
        waiting = [memory.run for memory in self._waiting]
        before = waiting[: waiting.index(run)]
        if self.current is not None:
            before.insert(0, self.current.run)
        return "waits for its turn" + (f" behind {', '.join(before)}" if before else "")

    def _say_behind(self, run: str) -> None:
        """Write down that a run waits for others, if it does: who follows it is told so."""
        behind = self._behind(run)
        if "behind" in behind:
            queued = EventLog(self._settings.state_dir / run, run)
            queued.record("queued", text=behind)
            queued.close()

    def _queue(self, memory: RunMemory) -> None:
        memory.keep(self._store)
        self._waiting.append(memory)
        self._queued.set()

    def _known(self, run: str) -> RunMemory:
        if run not in self._memories:
            raise RequestRefused(f"no run {run!r} is known here", fix="see `secfpp status`")
        return self._memories[run]
