"""The proof: the plain oracle, from the parties' own files, against what the secure run opened.

Imports only numpy, safetensors and `secfpp.cluster`: nothing of the coded arithmetic, the protocol
or the transport has a part in the check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.plain import run_plain
from secfpp.cluster.queries import Assignment, Query, Task

Entry = Mapping[str, object]


@dataclass(frozen=True)
class Verification:
    """What the check found; `passed` only if all of it holds.

    `levels_equal` says that what was dealt is the parties' trained prompts in fixed point.
    `prompt_max_abs_error` is the largest difference between a cluster's prompt as a member holds it
    and the mean of the members' own trained prompts in float64; `prompt_error_bound` what fixed
    point allows.
    """

    assignments_equal: bool
    distances_equal: bool
    prompts_equal: bool
    levels_equal: bool
    distance_checks: int
    prompt_max_abs_error: float
    prompt_error_bound: float

    @property
    def passed(self) -> bool:
        """Whether the secure run equals the plain one."""
        return (
            self.assignments_equal
            and self.distances_equal
            and self.prompts_equal
            and self.levels_equal
            and self.prompt_max_abs_error <= self.prompt_error_bound
        )


def verify(coordinator_run: Path, party_runs: Mapping[str, Path]) -> Verification:
    """Hold one run to the oracle: `party_runs` maps each party to its run directory."""
    ledger = json.loads((coordinator_run / "ledger.json").read_text("utf-8"))
    found = [_round(entry, party_runs) for entry in ledger["rounds"]]
    return Verification(
        assignments_equal=bool(found) and all(one.assignments_equal for one in found),
        distances_equal=bool(found) and all(one.distances_equal for one in found),
        prompts_equal=bool(found) and all(one.prompts_equal for one in found),
        levels_equal=bool(found) and all(one.levels_equal for one in found),
        distance_checks=sum(one.distance_checks for one in found),
        prompt_max_abs_error=max((one.prompt_max_abs_error for one in found), default=0.0),
        prompt_error_bound=max((one.prompt_error_bound for one in found), default=0.0),
    )


def _round(entry: Entry, party_runs: Mapping[str, Path]) -> Verification:
    homes = {name: home / f"round-{entry['round']}" for name, home in party_runs.items()}
    dealers = _strings(entry["dealers"])
    levels = {name: load_file(homes[name] / "levels.safetensors")["levels"] for name in dealers}
    assignment, transcript = _oracle(entry, dealers, levels)
    opened = [
        (line["subject"], tuple(line["members"]), int(line["value"]))
        for line in _table(entry["opened_to_coordinator"])["distances"]
    ]
    labels = _table(entry["opened_to_everyone"])["assignment"]
    plain = [(query.subject, query.members, value) for query, value in transcript]
    prompts = [
        _means(entry, members, homes, levels)
        for members in _table(entry["opened_to_members"])["cluster_means"]
    ]
    return Verification(
        assignments_equal=labels == dict(assignment.labels),
        distances_equal=opened == plain,
        prompts_equal=all(equal for equal, _, _ in prompts),
        levels_equal=all(_is_dealt(entry, homes[name], levels[name]) for name in dealers),
        distance_checks=len(opened),
        prompt_max_abs_error=max((error for _, error, _ in prompts), default=0.0),
        prompt_error_bound=max((bound for _, _, bound in prompts), default=0.0),
    )


def _oracle(
    entry: Entry, dealers: tuple[str, ...], levels: Mapping[str, NDArray[np.int64]]
) -> tuple[Assignment, tuple[tuple[Query, int], ...]]:
    clustering = _table(entry["clustering"])
    before = clustering["previous"]
    previous = None if before is None else Assignment(before)
    params = _table(entry["parameters"])
    task = Task(
        dealers,
        params["query_budget"],
        previous,
        apart=None if clustering["apart"] is None else int(clustering["apart"]),
        queries_per_party=params["queries_per_party"],
    )
    return run_plain(ClusteringMethod(clustering["method"]).clusterer, task, levels)


def _is_dealt(entry: Entry, home: Path, levels: NDArray[np.int64]) -> bool:
    """Whether levels are the trained prompt in fixed point; who was killed has not kept one."""
    path = home / "domain_prompt.safetensors"
    if not path.exists():
        return True
    sharing = _table(entry["parameters"])["sharings"][-1]
    scale = 2.0 ** sharing["fraction_bits"]
    bound = np.floor(float(sharing["clip"]) * scale)
    exact = np.rint(_prompt(path).astype(np.float64) * scale).clip(-bound, bound)
    return bool(np.array_equal(exact, levels))


def _means(
    entry: Entry,
    members: list[str],
    homes: Mapping[str, Path],
    levels: Mapping[str, NDArray[np.int64]],
) -> tuple[bool, float, float]:
    """Whether all members hold the exact mean, how far it is from the real one, and the bound.

    The bound is half a level for each rounding to levels, and float32's own rounding.
    """
    sharing = _table(entry["parameters"])["sharings"][-1]
    scale = 2.0 ** sharing["fraction_bits"]
    total = np.sum([levels[name] for name in members], axis=0)
    exact = (total.astype(np.float64) / (len(members) * scale)).astype(np.float32)
    real = np.mean(
        [_prompt(homes[name] / "domain_prompt.safetensors").astype(np.float64) for name in members],
        axis=0,
    )
    held = [_prompt(homes[name] / "cluster_prompt.safetensors") for name in members]
    equal = all(prompt.tobytes() == exact.tobytes() for prompt in held)
    error = max(float(np.abs(prompt - real).max()) for prompt in held)
    return equal, error, 0.5 / scale + float(sharing["clip"]) * 2.0**-24


def _prompt(path: Path) -> NDArray[np.float32]:
    context: NDArray[np.float32] = load_file(path)["context"].reshape(-1)
    return context


def _table(value: object) -> dict:  # type: ignore[type-arg]  # JSON: checked where it is used
    if not isinstance(value, dict):
        raise ValueError("the ledger is damaged: a table was expected")
    return value


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("the ledger is damaged: a list was expected")
    return tuple(str(item) for item in value)
