"""One plain example of every message, and of every form a message can take."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import Seed
from secfpp.cluster.queries import Query
from secfpp.protocol.messages import (
    Accept,
    Answers,
    Ask,
    Assign,
    CloseDealing,
    Commitment,
    Deal,
    Dispute,
    Done,
    Echo,
    EchoStage,
    Ended,
    Halt,
    Invite,
    Message,
    Open,
    Opening,
    Peer,
    Progress,
    Ready,
    Received,
    Refuse,
    Report,
    SumShare,
)
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams, SharingSpec


def _residues(*values: int) -> FieldArray:
    return FieldArray(np.array(values, dtype=np.uint64))


def _bytes(first: int) -> bytes:
    return bytes(range(first, first + 32))


def _params(key: AttemptKey) -> RoundParams:
    return RoundParams(
        key=key,
        coordinator="coordinator",
        roster=tuple(f"party-{number}" for number in range(6)),
        witnesses=tuple(f"party-{number}" for number in range(1, 7)),
        colluders=1,
        stragglers=1,
        adversaries=0,
        feature=Feature.PERSONALISED,
        sharings=(SharingSpec("feature", 256, 1.0, 16), SharingSpec("prompt", 512, 0.75, 20)),
        minimum_cluster=3,
        query_kind=QueryKind.MEANS,
        query_budget=48,
        queries_per_party=12,
        rounds=3,
        strict_queries=True,
    )


def _of_the_run() -> dict[str, Message]:
    peers = (Peer("party-0", "127.0.0.1:7760"), Peer("party-1", "[::1]:7761"))
    return {
        "invite": Invite("demo-1", '{"rounds": 3}', peers),
        "accept": Accept("demo-1", (("tokens", "4"), ("initial_text", ""))),
        "refuse": Refuse("demo-1", "policy.minimum_cluster", "3 is below the 4 of my policy"),
        "progress": Progress("demo-1", 2, "train", 17, 40),
        "progress, alive": Progress("demo-1", 0, "idle", 0, 0),
        "report": Report("demo-1", 1, '{"accuracy": 0.5}'),
        "ended, completed": Ended("demo-1", True, ""),
        "ended, stopped": Ended("demo-1", False, "the operator stopped the run"),
    }


def _of_a_round() -> dict[str, Message]:
    key = AttemptKey("demo-1", 2, 1)
    dealers = ("party-0", "party-1", "party-3", "party-4")
    commitment = Commitment(_bytes(0), b"signature", _bytes(32), (_bytes(64), _bytes(96)))
    checked = Received("party-1", True, False, _bytes(0), b"root signature", (0, 1, 2, P - 1))
    ready = Ready(key, (Received("party-0", True, True, b"", b"", ()), checked), b"signed")
    return {
        "open": Open(_params(key)),
        "deal, seeds": Deal(
            key, _bytes(3), (Seed(_bytes(0)), Seed(_bytes(1))), Seed(_bytes(2)), "", None
        ),
        "deal, residues": Deal(
            key, _bytes(3), (_residues(0, 1, P - 1),), _residues(7), "", commitment
        ),
        "deal, abstains": Deal(key, _bytes(3), (), None, "the prompt has not been trained", None),
        "ready": ready,
        "dispute": Dispute(key, "party-1", (("party-0", ready), ("party-2", ready))),
        "opening": Opening(key, "party-1", (_residues(3, P - 1),), _residues(4), commitment),
        "close dealing": CloseDealing(key, ("party-0",)),
        "ask": Ask(
            key,
            0,
            dealers,
            dealers[:2],
            (Query("party-0", ("party-1", "party-3")), Query("party-4", dealers)),
        ),
        "ask, unsigned": Ask(
            key, 0, dealers, dealers[:2], (Query("party-0", ("party-1",)),), ("party-3",)
        ),
        "answers": Answers(key, 3, _residues(P - 1, 5)),
        "assign": Assign(key, 4, tuple((party, index % 2) for index, party in enumerate(dealers))),
        "echo, batch": Echo(key, EchoStage.BATCH, 1, _bytes(0), b"signed"),
        "echo, assignment": Echo(key, EchoStage.ASSIGNMENT, 4, _bytes(9), b"signed"),
        "sum share": SumShare(key, 1, _residues(1, 2, 3)),
        "done": Done(key, True),
        "halt": Halt(key, "dealing", "4 of 6 parties are ready, n − S = 5 are needed"),
    }


@pytest.fixture(scope="session")
def examples() -> Mapping[str, Message]:
    """Every message by kind and form; all of one run, round and attempt."""
    return _of_the_run() | _of_a_round()
