"""`secfpp audit`: the disclosure ledger of a run, held against the rules and a party's policy.

What is checked is what the coordinator wrote down; that nothing else was opened is what the
parties' own machines see to (docs/threat-model.md). Evidence against a named party proves itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from secfpp.errors import ConfigError, SecFPPError
from secfpp.journal.evidence import check_evidence
from secfpp.operator.ledger import Attempt, read_ledger
from secfpp.protocol.disclosure import Policy, View, check_batch, check_labels, clusters_of
from secfpp.protocol.opening import require_possible
from secfpp.protocol.params import RoundParams


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: `passed` None is a note that a reader should weigh."""

    what: str
    passed: bool | None
    detail: str


def audit(run: Path, authority: bytes | None, policy: Policy | None) -> list[Finding]:
    """Every finding about one run directory of a coordinator, or about one evidence file.

    Evidence is checked against `authority`, the CA certificate (PEM); rounds against `policy` where
    one is given. ConfigError where there is nothing to judge, or nothing to judge it by.
    """
    if run.is_file():
        if authority is None:
            raise ConfigError(f"{run} is judged by the CA certificate", fix="give it with --ca")
        return [_evidence(run, authority)]
    ledger = read_ledger(run)
    findings = [_name(run, ledger.run), _rounds(ledger.rounds)]
    for attempt in [*ledger.rounds, *ledger.unfinished]:
        findings += _attempt(ledger.run, attempt, policy)
    findings += _differences(ledger.rounds)
    for path in sorted(run.glob("evidence-*.json")):
        findings.append(_evidence(path, authority))
    return findings


def verdict(findings: Sequence[Finding]) -> str:
    """All findings in one line."""
    failed = [found.what for found in findings if found.passed is False]
    notes = sum(found.passed is None for found in findings)
    weigh = f"; {notes} to weigh" if notes else ""
    if failed:
        return f"NOT in order: {len(failed)} of {len(findings)} findings, first {failed[0]}{weigh}"
    return f"in order: {len(findings)} findings{weigh}"


def _name(run: Path, name: str) -> Finding:
    called = run.resolve().name
    if called == name:
        return Finding("run", True, name)
    return Finding("run", None, f"the ledger is of {name}, the directory is called {called}")


def _rounds(rounds: Sequence[Attempt]) -> Finding:
    """The closed rounds are 1, 2, 3 and so on; a run that ended early has fewer than its job."""
    numbers = [attempt.round for attempt in rounds]
    asked = max((attempt.parameters.rounds for attempt in rounds), default=0)
    last = max(numbers, default=0)
    missing = sorted(set(range(1, last + 1)) - set(numbers))
    twice = sorted(number for number, times in Counter(numbers).items() if times > 1)
    for numbered, what in ((missing, "not on the ledger"), (twice, "on the ledger twice")):
        if numbered:
            amiss = ", ".join(map(str, numbered))
            return Finding("rounds", False, f"of {last} rounds these are {what}: {amiss}")
    if not rounds:
        return Finding("rounds", None, "none is closed")
    if last < asked:
        return Finding(
            "rounds", None, f"{last} of {asked} rounds: the run is not over, or ended early"
        )
    return Finding("rounds", last == asked, f"{last} of {asked}")


def _attempt(run: str, attempt: Attempt, policy: Policy | None) -> Iterator[Finding]:
    where = f"round {attempt.round}, attempt {attempt.attempt}"
    try:
        params = attempt.params(run)
    except SecFPPError as error:
        yield Finding(f"{where}: parameters", False, str(error))
        return
    yield Finding(f"{where}: parameters", True, f"n = {params.parties}, T = {params.colluders}")
    checks: list[tuple[str, Callable[[], str]]] = [
        ("distances", lambda: _distances(params, attempt)),
        ("assignment and means", lambda: _means(params, attempt)),
    ]
    if policy is not None:
        checks.append(("policy", lambda: _policy(params, policy)))
    for what, check in checks:
        try:
            yield Finding(f"{where}: {what}", True, check())
        except SecFPPError as error:
            yield Finding(f"{where}: {what}", False, str(error))


def _distances(params: RoundParams, attempt: Attempt) -> str:
    """Every batch is one that a party may answer, and no value is above what vectors allow."""
    view = View(attempt.dealers or params.roster, params.mask_dealers)
    lines = attempt.opened_to_coordinator.distances
    count = max((line.batch for line in lines), default=-1) + 1
    for number in range(count):
        batch = [line for line in lines if line.batch == number]
        queries = tuple(line.query for line in batch)
        check_batch(params, view, queries)
        for line in batch:
            if line.value < 0:
                raise ConfigError(f"a squared distance of {line.value} is below 0")
        require_possible(params, queries, tuple(line.value for line in batch))
        view = view.extended(queries)
    unopened = tuple(asked.query for asked in attempt.asked_and_not_opened)
    if unopened:
        check_batch(params, view, unopened)
    asked = view.asked + len(unopened)
    return f"{asked} of at most {params.query_budget} in {count} batches"


def _means(params: RoundParams, attempt: Attempt) -> str:
    """The labels are a partition, and means went to clusters of the minimum size and no other."""
    labels = tuple(attempt.opened_to_everyone.assignment.items())
    opened = attempt.opened_to_members.cluster_means
    if labels:
        check_labels(View(attempt.dealers, params.mask_dealers), labels)
    allowed = [c for c in clusters_of(labels) if len(c) >= params.minimum_cluster]
    if opened != allowed:
        raise ConfigError(
            f"means went to {len(opened)} clusters, {len(allowed)} of the assignment have "
            f"minimum_cluster = {params.minimum_cluster} members"
        )
    return f"{len(opened)} means, each to its members, none below {params.minimum_cluster}"


def _policy(params: RoundParams, policy: Policy) -> str:
    policy.check_opening(params.roster[0], params)
    return "within the policy"


def _differences(rounds: list[Attempt]) -> Iterator[Finding]:
    """Pairs of rounds whose member sets differ by fewer than T + 2: only training hides it (§7)."""
    sets = [
        (attempt.round, attempt.parameters.colluders, frozenset(cluster))
        for attempt in rounds
        for cluster in attempt.opened_to_members.cluster_means
    ]
    for (one, colluders, before), (two, _, after) in combinations(sets, 2):
        differing = before ^ after
        if one != two and before & after and 0 < len(differing) < colluders + 2:
            yield Finding(
                f"rounds {one} and {two}: member sets",
                None,
                f"differ by {', '.join(sorted(differing))} only, fewer than T + 2",
            )


def _evidence(path: Path, authority: bytes | None) -> Finding:
    if authority is None:
        return Finding(path.name, None, "not checked: give the CA certificate with --ca")
    try:
        return Finding(path.name, True, f"proves {check_evidence(path, authority)}")
    except ConfigError as error:
        return Finding(path.name, False, str(error))
