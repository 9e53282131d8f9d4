"""Within an attempt no sender can have more kept, or counted, than the protocol has it say."""

from __future__ import annotations

import numpy as np

from secfpp.algebra.field import FieldArray
from secfpp.protocol.coordinator_states import Asking, Closing
from secfpp.protocol.messages import (
    Answers,
    CloseDealing,
    Commitment,
    Deal,
    Echo,
    EchoStage,
    Halt,
    Opening,
    SumShare,
)
from secfpp.protocol.party_states import Failed
from secfpp.protocol.transcript import MOST_VIOLATIONS


def opened(federation, **changes):
    """A party that has just been told of the attempt, and the attempt's parameters."""
    network = federation(changes=changes).network()
    party = network.parties["party-0"]
    (opening,) = [e.message for e in network.coordinator.open() if e.to == "party-0"]
    party.handle("coordinator", opening)
    return party, opening.params


def kept(machine) -> int:
    """How many messages a machine keeps; at a party the opening is one."""
    return sum(map(len, machine._transcript._seen.values()))


def coordinator_at(federation, state):
    """A coordinator that has just come to a state, and its parameters."""
    setup = federation(adversaries=1, parties=7, clusters=1)
    network = setup.network()
    coordinator, handle = network.coordinator, network.coordinator.handle

    def until(sender, message):
        outbox = handle(sender, message)
        return [] if isinstance(coordinator.state, state) else outbox

    coordinator.handle = until
    network._post("coordinator", coordinator.open())
    network._deliver_all()
    coordinator.handle = handle
    assert isinstance(coordinator.state, state)
    return coordinator, setup.params


def test_a_helper_has_one_sum_share_for_a_member_whatever_cluster_it_names(federation):
    party, params = opened(federation)
    share = FieldArray(np.zeros(params.share_widths[0], dtype=np.uint64))
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
    assert kept(party) == 1
    assert not party._echoes._heard


def test_an_echo_of_a_batch_that_there_cannot_be_is_a_violation_and_not_counted(federation):
    party, params = opened(federation)
    echo = Echo(params.key, EchoStage.BATCH, params.query_budget + 1, bytes(32), b"signed")
    party.handle("party-1", echo)
    (violation,) = party.violations
    assert violation.peer == "party-1"
    assert "more than there can be" in violation.reason
    assert kept(party) == 1
    assert not party._echoes._heard


def test_what_is_for_the_coordinator_is_not_kept_by_a_party_and_few_violations_are(federation):
    party, params = opened(federation)
    for batch in range(5 * MOST_VIOLATIONS):
        party.handle("party-1", Answers(params.key, batch, FieldArray(np.zeros(9, np.uint64))))
        party.handle("party-2", Halt(params.key, "test", f"reason {batch}"))
    assert kept(party) == 1
    peers = [violation.peer for violation in party.violations]
    assert peers == ["party-1", "party-2"] * MOST_VIOLATIONS


def test_a_sum_share_of_a_wrong_width_is_not_kept_for_later(federation):
    party, params = opened(federation)
    width = params.share_widths[0] + 1
    party.handle("party-1", SumShare(params.key, 0, FieldArray(np.zeros(width, np.uint64))))
    assert "wrong width" in party.violations[0].reason
    assert not party._early
    assert kept(party) == 1


def test_a_deal_of_more_residues_than_are_due_to_anyone_is_not_kept_for_later(federation):
    party, params = opened(federation)
    residues = sum(params.share_widths) + params.mask_count + 1
    share = FieldArray(np.zeros(residues, np.uint64))
    party.handle("party-1", Deal(params.key, params.digest, (share,), None, "", None))
    assert "more than are due" in party.violations[0].reason
    assert not party._early
    assert kept(party) == 1


def test_the_names_in_closings_of_dealing_grow_or_the_coordinator_contradicts_itself(federation):
    party, params = opened(federation)
    for count in range(1, params.parties):
        assert not party.handle("coordinator", CloseDealing(params.key, params.roster[:count]))
    (halt,) = party.handle("coordinator", CloseDealing(params.key, params.roster[1:3]))
    assert "two different messages CloseDealing" in halt.message.reason
    assert isinstance(party.state, Failed)


def test_a_leaf_that_nobody_disputes_is_a_violation_after_conflicts_as_well(federation):
    coordinator, params = coordinator_at(federation, Asking)
    leaf = Commitment(bytes(32), b"signed", bytes(32), ())
    before = kept(coordinator)
    for number in range(50):
        coordinator.handle("party-1", Opening(params.key, f"x{number}", (), None, leaf))
    assert kept(coordinator) <= before + 1
    assert [violation.peer for violation in coordinator.violations] == ["party-1"]


def test_answers_that_come_too_late_are_not_kept(federation):
    coordinator, params = coordinator_at(federation, Closing)
    before = kept(coordinator)
    for batch in range(10, 50):
        late = Answers(params.key, batch, FieldArray(np.zeros(9, np.uint64)))
        assert coordinator.handle("party-1", late) == []
    assert kept(coordinator) == before
    assert not coordinator.violations


def test_an_opening_for_other_vectors_than_a_party_has_ends_in_a_halt_that_says_so(federation):
    party, params = opened(federation)
    size = params.feature_sharing.dim
    own = np.zeros(size // 2, dtype=np.int64)
    (halt,) = party.deal((own, own))
    assert halt.message.code == "sharings"
    assert f"vectors of {size} values, this party's are of {size // 2} and" in halt.message.reason
