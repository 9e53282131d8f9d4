"""Found by simulating whole runs: what a lost party said still counted at the coordinator (§9)."""

from __future__ import annotations

from secfpp.protocol.coordinator_states import Asking, Closed, Gathering
from secfpp.protocol.messages import Answers, Deal, Halt, Ready

GONE, LATE = "party-2", "party-7"


def overtaken_by_its_halt(post):
    """GONE crashes after its answer; its restart's `Halt` arrives before that answer."""
    if post.sender == GONE and isinstance(post.message, Answers):
        key = post.message.key
        return (type(post)(GONE, post.to, Halt(key, "restarted", "it has forgotten all")), post)
    return (post,)


def test_the_answers_of_a_lost_party_are_not_among_those_that_open_a_distance(federation):
    setup = federation(parties=8)
    network = setup.network(fault=overtaken_by_its_halt)
    counted = []
    handle = network.coordinator.handle

    def watched(sender, message):
        outbox = handle(sender, message)
        if isinstance(network.coordinator.state, Asking):
            counted.extend(network.coordinator.state.answers)
        return outbox

    network.coordinator.handle = watched
    network.run()
    assert isinstance(network.coordinator.result, Closed)
    assert GONE in network.coordinator.result.lost
    assert GONE not in counted


def test_a_lost_partys_ready_does_not_make_the_coordinator_begin_with_too_few(federation):
    """GONE is ready and crashes; LATE deals late: it is waited for, as the others are too few."""
    setup = federation(parties=8)
    late = []

    def fault(post):
        if post.sender == LATE and isinstance(post.message, Deal | Ready):
            late.append(post)
            return ()
        return (post,)

    network = setup.network(fault=fault)
    coordinator = network.coordinator
    network._post("coordinator", coordinator.open())
    network._deliver_all()
    network._post("coordinator", coordinator.expire())
    network._post("coordinator", coordinator.lose(GONE, "it cannot be reached"))
    network._deliver_all()
    assert isinstance(coordinator.state, Gathering), coordinator.state
    network.fault = lambda post: (post,)
    network._flying.extend(late)
    network.run()
    assert isinstance(coordinator.result, Closed)
