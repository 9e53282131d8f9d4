"""What is said of a run and written down: events, ledger, manifest, and proofs of lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from secfpp.coordinator.records import Entry, Ledger, Manifest, opened_by, smallest_of
from secfpp.coordinator.reports import reported
from secfpp.journal.events import Event, EventLog, read_events
from secfpp.journal.evidence import write_evidence
from secfpp.journal.phases import Cost, spent
from secfpp.journal.tally import UNTAUGHT
from secfpp.protocol.checking import Blame
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.messages import Report
from secfpp.protocol.params import RoundParams


class Chronicle:
    """The run directory of one run at the coordinator; `listeners` hear every event."""

    def __init__(self, directory: Path, run: str) -> None:
        self.events: list[Event] = read_events(directory)
        self.round = 0
        self.attempt = 0
        self._directory = directory
        self._log = EventLog(directory, run)
        self.listeners = self._log.listeners
        self.listeners.append(self.events.append)
        self._ledger = Ledger(directory, run)
        self._manifest = Manifest(directory, run)
        self._reported = {(e.peer, e.round) for e in self.events if e.event == "report"}
        self._unreadable: set[str] = set()

    def say(self, event: str, **fields: object) -> None:
        """Write an event down and tell it; it belongs to the present attempt if not said else."""
        place: dict[str, object] = {"round": self.round, "attempt": self.attempt}
        self._log.record(event, **(place | fields))

    def finished(self, entry: Entry | None, closed: Closed, costs: dict[str, Cost]) -> None:
        """A round that reached its goal: what it opened, what it cost, who was lost."""
        disclosed = closed.disclosed
        if entry is not None:
            self._ledger.finished(entry)
        clusters = len({label for _, label in disclosed.labels})
        opened = len(disclosed.distances)
        means = _counted(len(disclosed.means), "mean went to its", "means went to their")
        found = f"{_counted(clusters, 'cluster')} from {_counted(opened, 'distance')}"
        self.say("closed", count=opened, text=f"{found}; {means} members")
        if not disclosed.means:
            text = f"no cluster reached minimum_cluster{smallest_of(entry)}: {UNTAUGHT}"
            self.say("trouble", text=text)
        self.lost(closed.lost)
        for fields in spent(costs):
            self.say("cost", **fields)
        self._manifest.finished(disclosed.key, costs)

    def failed(self, entry: Entry | None, reason: str, lost: Mapping[str, str]) -> None:
        """An attempt without its goal, what it opened, and whom it lost."""
        if entry is not None:
            self._ledger.unfinished(entry, reason)
        self.say("failed", count=opened_by(entry), text=f"failed: {reason}")
        self.lost(lost)

    def lost(self, lost: Mapping[str, str]) -> None:
        """Say whom an attempt has lost, and why."""
        for party, why in lost.items():
            self.say("lost", peer=party, text=f"lost {party}: {why}")

    def recovered(self, entry: Entry, *, assigned: bool) -> None:
        """An attempt that was open when the daemon ended: what it may have opened.

        Once it was `assigned` its sums went from party to party, without the coordinator.
        """
        if assigned:
            self._ledger.finished(entry)
            text = "the assignment had been sent; the round counts as closed"
            self.say("closed", count=opened_by(entry), text=text)
        else:
            self._ledger.unfinished(entry, "the coordinator ended in the middle of it")
            text = "failed: the coordinator ended in the middle of it"
            self.say("failed", count=opened_by(entry), text=text)

    def report(self, sender: str, report: Report) -> None:
        """Pass a report on; an accuracy that a party chose to tell goes on the ledger (§1).

        A party has one for each round up to the present; one that cannot be read is told once.
        """
        if (sender, report.round) in self._reported:
            return
        told = reported(report.text) if 1 <= report.round <= self.round else None
        if told is None:
            if sender not in self._unreadable:
                self._unreadable.add(sender)
                text = f"{sender} sent a report that cannot be read"
                self.say("trouble", peer=sender, text=text)
            return
        self._reported.add((sender, report.round))
        self.say(
            "report",
            peer=sender,
            round=report.round,
            seconds=told.seconds,
            bytes=told.sent,
            text=f"{sender} {told.words}",
        )
        if told.accuracy is not None:
            self._ledger.told(report.round, sender, told.accuracy)

    def named(self, params: RoundParams, blame: Blame, certificates: Mapping[str, bytes]) -> None:
        """Say who was named, and keep the proof for anyone who has the CA certificate."""
        key = params.key
        name = f"evidence-{key.round}-{key.attempt}-{blame.dealer}-{blame.blamed}.json"
        parties = {p: pem for p, pem in certificates.items() if p in params.roster}
        write_evidence(self._directory / name, params, blame, parties)
        self.say(
            "named",
            peer=blame.blamed,
            text=f"named {blame.blamed}: {blame.rule.value}; the proof is in {name}",
        )

    def close(self) -> None:
        """Nothing more is said."""
        self._log.close()


def _counted(count: int, one: str, many: str = "") -> str:
    """So many of something: 1 mean, 2 means."""
    return f"{count} {one if count == 1 else many or one + 's'}"
