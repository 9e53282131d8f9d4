"""What must hold of an outcome: the others' clusters and prompts are the plain ones, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.plain import run_plain
from secfpp.cluster.queries import Assignment, Task

from .drill import Outcome
from .federation import DOMAINS


def check_rounds(outcome: Outcome, unsure: frozenset[int] = frozenset()) -> None:
    """Hold every round on the ledger to the plain computation on the parties' own level files.

    A killed party keeps the levels that it dealt, so that its part in a sum is held to them too.
    Members that are no victims must hold their mean, except in the rounds `unsure`, where it may
    have been opened and is on the ledger for that reason.
    """
    homes = {name: outcome.federation.home / name / outcome.run for name in DOMAINS}
    for entry in outcome.ledger["rounds"]:
        where = {name: home / f"round-{entry['round']}" for name, home in homes.items()}
        members = () if entry["round"] in unsure else outcome.others
        _check_round(entry, where, members)


def _check_round(entry: dict, where: dict[str, Path], surely: tuple[str, ...]) -> None:
    dealers = tuple(entry["dealers"])
    levels = {name: load_file(where[name] / "levels.safetensors")["levels"] for name in dealers}
    before = entry["clustering"]["previous"]
    params = entry["parameters"]
    task = Task(
        dealers,
        params["query_budget"],
        None if before is None else Assignment(before),
        queries_per_party=params["queries_per_party"],
    )
    method = ClusteringMethod(entry["clustering"]["method"])
    assignment, transcript = run_plain(method.clusterer, task, levels)
    assert entry["opened_to_everyone"]["assignment"] == dict(assignment.labels)
    opened = [
        (line["subject"], tuple(line["members"]), int(line["value"]))
        for line in entry["opened_to_coordinator"]["distances"]
    ]
    assert opened == [(query.subject, query.members, value) for query, value in transcript]
    scale = 2.0 ** params["sharings"][-1]["fraction_bits"]
    for members in entry["opened_to_members"]["cluster_means"]:
        assert len({DOMAINS[name] for name in members}) == 1
        total = np.sum([levels[name] for name in members], axis=0).astype(np.float64)
        mean = (total / (len(members) * scale)).astype(np.float32)
        for name in set(members) & set(surely):
            held = load_file(where[name] / "cluster_prompt.safetensors")["context"]
            assert held.reshape(-1).tobytes() == mean.tobytes(), name


def check_last_good_prompts(outcome: Outcome, rounds: int) -> None:
    """Everyone still has what it had: its own prompt of each finished round, and its mean."""
    entries = outcome.ledger["rounds"]
    assert [entry["round"] for entry in entries][:rounds] == list(range(1, rounds + 1))
    for entry in entries[:rounds]:
        for name in entry["dealers"]:
            home = outcome.federation.home / name / outcome.run / f"round-{entry['round']}"
            assert load_file(home / "domain_prompt.safetensors")["context"].any(), name
