"""What the coordinator writes down of a round: the ledger, and its parameters in one line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue

from secfpp.cluster.queries import Assignment
from secfpp.journal.files import read_json, write_json
from secfpp.journal.phases import Cost, written
from secfpp.protocol.disclosure import Disclosed
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.settings.files import JobSettings
from secfpp.settings.rounds import apart_levels

Entry = dict[str, JsonValue]
"""One attempt, or another thing told, in JSON types."""


class Ledger:
    """`ledger.json` of a run: everything opened, written anew whenever something is added."""

    def __init__(self, directory: Path, run: str) -> None:
        self._path = directory / "ledger.json"
        self._run = run
        known = read_json(self._path) if self._path.exists() else {}
        self._rounds: list[Entry] = list(known.get("rounds", []))
        self._unfinished: list[Entry] = list(known.get("unfinished", []))
        self._told: list[Entry] = list(known.get("told_by_choice", []))

    def finished(self, entry: Entry) -> None:
        """What a round opened that reached its goal; the same once more changes nothing."""
        if not self._has(entry):
            self._rounds.append(entry)
            self._write()

    def unfinished(self, entry: Entry, reason: str) -> None:
        """What an attempt opened before it failed: it stays opened."""
        if not self._has(entry):
            self._unfinished.append({**entry, "failed": reason})
            self._write()

    def told(self, round_number: int, party: str, accuracy: float) -> None:
        """What a party chose to tell."""
        self._told.append({"round": round_number, "party": party, "accuracy": accuracy})
        self._write()

    def _has(self, entry: Entry) -> bool:
        """Whether the attempt is on the ledger: a coordinator may have ended just after writing."""
        attempts = [(known["round"], known["attempt"]) for known in self._rounds + self._unfinished]
        return (entry["round"], entry["attempt"]) in attempts

    def _write(self) -> None:
        ledger = {
            "run": self._run,
            "rounds": self._rounds,
            "unfinished": self._unfinished,
            "told_by_choice": self._told,
        }
        write_json(self._path, ledger)


class Manifest:
    """`manifest.json` of a run: what each finished round cost the coordinator."""

    def __init__(self, directory: Path, run: str) -> None:
        self._path = directory / "manifest.json"
        self._run = run
        known = read_json(self._path) if self._path.exists() else {}
        self._rounds: list[dict[str, object]] = list(known.get("rounds", []))

    def finished(self, key: AttemptKey, costs: dict[str, Cost]) -> None:
        """Add a finished round."""
        self._rounds.append({"round": key.round, "attempt": key.attempt, **written(costs)})
        write_json(self._path, {"run": self._run, "rounds": self._rounds})


def describe(params: RoundParams) -> str:
    """The chosen thresholds in one line, for people."""
    code, spec = params.feature_code, params.feature_sharing
    return (
        f"n = {params.parties} parties, of which T = {params.colluders} may collude, "
        f"S = {params.stragglers} fall silent and A = {params.adversaries} lie; K = {code.chunks} "
        f"chunks, f = {spec.fraction_bits} fraction bits (error ≤ "
        f"{spec.quantiser.error_bound:.1e}); {params.answers_needed} answers open a distance, "
        f"{params.sums_needed} sums a mean, for clusters from {params.minimum_cluster}; at most "
        f"{params.query_budget} distances a round"
    )


def ledger_entry(
    params: RoundParams, disclosed: Disclosed, job: JobSettings, previous: Assignment | None
) -> Entry:
    """What one round opened, and to whom, in JSON types; distances are decimal strings."""
    apart = apart_levels(job, params.feature_sharing.fraction_bits)
    return {
        "round": disclosed.key.round,
        "attempt": disclosed.key.attempt,
        "roster": list(params.roster),
        "dealers": [party for party, _ in disclosed.labels],
        "parameters": {
            "coordinator": params.coordinator,
            "witnesses": list(params.witnesses),
            "colluders": params.colluders,
            "stragglers": params.stragglers,
            "adversaries": params.adversaries,
            "chunks": params.feature_code.chunks,
            "feature": params.feature.value,
            "minimum_cluster": params.minimum_cluster,
            "query_kind": params.query_kind.value,
            "query_budget": params.query_budget,
            "queries_per_party": params.queries_per_party,
            "rounds": params.rounds,
            "strict_queries": params.strict_queries,
            "sharings": [asdict(sharing) for sharing in params.sharings],
        },
        "clustering": {
            "method": job.clustering.method,
            "apart": None if apart is None else str(apart),
            "previous": None if previous is None else dict(previous.labels),
        },
        "flights": _flights(params, disclosed),
        "opened_to_coordinator": {
            "distances": [
                {
                    "batch": line.batch,
                    "subject": line.query.subject,
                    "members": list(line.query.members),
                    "value": str(line.value),
                }
                for line in disclosed.distances
            ]
        },
        "asked_and_not_opened": [
            {"subject": query.subject, "members": list(query.members)}
            for query in disclosed.unopened
        ],
        "opened_to_everyone": {"assignment": dict(disclosed.labels)},
        "opened_to_members": {"cluster_means": [list(cluster) for cluster in disclosed.means]},
        "opened_to_nobody": {"small_clusters": [list(cluster) for cluster in disclosed.small]},
    }


def _flights(params: RoundParams, disclosed: Disclosed) -> int:
    """The flights of protocol.md §10; where a batch is echoed before it is answered, one more."""
    batches = 1 + max((line.batch for line in disclosed.distances), default=-1)
    return 5 + (3 if params.strict_queries else 2) * batches


def opened_by(entry: Entry | None) -> int:
    """How many distances an entry of the ledger says were opened."""
    opened = {} if entry is None else entry["opened_to_coordinator"]
    distances = opened.get("distances") if isinstance(opened, dict) else None
    return len(distances) if isinstance(distances, list) else 0


def smallest_of(entry: Entry | None) -> str:
    """The smallest cluster that opens a mean, by an entry of the ledger, for a sentence."""
    chosen = {} if entry is None else entry["parameters"]
    return f" = {chosen['minimum_cluster']}" if isinstance(chosen, dict) and chosen else ""
