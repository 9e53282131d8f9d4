"""Within an attempt no sender can have more kept, or counted, than the protocol has it say."""

from __future__ import annotations

import numpy as np

from secfpp.algebra.field import FieldArray
from secfpp.protocol.messages import Echo, EchoStage, SumShare


def opened(federation, **changes):
    """A party that has just been told of the attempt, and the attempt's parameters."""
    network = federation(changes=changes).network()
    party = network.parties["party-0"]
    (opening,) = [e.message for e in network.coordinator.open() if e.to == "party-0"]
    party.handle("coordinator", opening)
    return party, opening.params


def test_a_helper_has_one_sum_share_for_a_member_whatever_cluster_it_names(federation):
    party, params = opened(federation)
    share = FieldArray(np.zeros(4, dtype=np.uint64))
    for cluster in range(50):
        party.handle("party-1", SumShare(params.key, cluster, share))
    assert len(party._early) == 1
    assert {violation.peer for violation in party.violations} == {"party-1"}
    assert "two different messages" in party.violations[0].reason


def test_an_echo_of_a_party_that_is_no_witness_is_a_violation_and_not_counted(federation):
    names = tuple(f"party-{index}" for index in range(7))
    party, params = opened(federation, witnesses=names[2:])
    party.handle("party-1", Echo(params.key, EchoStage.BATCH, 0, bytes(32), b"signed"))
    (violation,) = party.violations
    assert violation.peer == "party-1"
    assert "no witness" in violation.reason
    assert not party._echoes._heard


def test_an_echo_of_a_batch_that_there_cannot_be_is_a_violation_and_not_counted(federation):
    party, params = opened(federation)
    echo = Echo(params.key, EchoStage.BATCH, params.query_budget + 1, bytes(32), b"signed")
    party.handle("party-1", echo)
    (violation,) = party.violations
    assert violation.peer == "party-1"
    assert "more than there can be" in violation.reason
    assert not party._echoes._heard
