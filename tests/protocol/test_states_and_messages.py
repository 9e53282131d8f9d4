"""Whatever a party sends at whatever moment: nobody else is stopped, deceived or named.

What is sent comes from another run of the same attempt: well formed, under the right key, signed by
its sender, and wrong. Another party lies about its shares, so that conflicts are settled too.
"""

from __future__ import annotations

import random
from typing import get_args

import pytest

from secfpp.protocol import coordinator_states
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.messages import (
    Ask,
    Assign,
    CloseDealing,
    Deal,
    Dispute,
    Halt,
    Open,
    RoundMessage,
)
from secfpp.protocol.party_states import Failed, Finished, Running, Sharing, Waiting

from .liars import require_only_liars_are_named, with_liars

MESSAGES = get_args(RoundMessage)
STATES = {
    "coordinator": [s for s in get_args(coordinator_states.State) if s is not Failed],
    "party-4": [*get_args(Running), Finished],
}
SENDER, LIAR = "party-1", "party-2"
ORDERS = 8


def a_round(setup, seed, prepare):
    """A round in which LIAR says a false check value, in an order of its own."""
    lies = {LIAR: {"false check value"}}
    return with_liars(setup, lies, random.Random(7), random.Random(seed).randrange, prepare=prepare)


def strays(setup):
    """One message of each kind, of SENDER's own where it has sent any."""
    network = a_round(setup, 0, lambda network: None)
    found = {type(post.message): post.message for post in network.delivered}
    found |= {type(p.message): p.message for p in network.delivered if p.sender == SENDER}
    found.setdefault(CloseDealing, CloseDealing(setup.params.key, (LIAR,)))
    found.setdefault(Halt, Halt(setup.params.key, "test", "a party says halt"))
    assert set(found) == set(MESSAGES)
    return found


class Meddling:
    """SENDER's `message` comes to `target` as soon as that is in `state`."""

    def __init__(self, target, state, message):
        self.came = False
        self._target, self._state, self._message = target, state, message

    def __call__(self, network):
        machine = network.coordinator
        if self._target != "coordinator":
            machine = network.parties[self._target]
        handle = machine.handle

        def stray():
            if self.came or not isinstance(machine.state, self._state):
                return []
            self.came = True
            return handle(SENDER, self._message)

        machine.handle = lambda sender, message: [*stray(), *handle(sender, message), *stray()]


def meet(setup, equals_plain, meddling):
    """A round with `meddling`, held against the plain twin; None if it never came to that."""
    for seed in range(ORDERS):
        network = a_round(setup, seed, meddling)
        if not meddling.came:
            continue
        result = network.coordinator.result
        assert isinstance(result, Closed), result
        assert equals_plain(setup, network) >= setup.params.parties - 3
        require_only_liars_are_named(network, {SENDER, LIAR})
        return network
    return None


@pytest.mark.parametrize("target", STATES)
def test_any_message_in_any_state_harms_nobody_else(
    federation, equals_plain, record_property, target
):
    setup = federation(parties=11, colluders=2, adversaries=2, stragglers=1, seed=3)
    hit = 0
    for message in strays(setup).values():
        for state in STATES[target]:
            meddling = Meddling(target, state, message)
            assert meet(setup, equals_plain, meddling), (type(message), state)
            hit += 1
    record_property(f"(state, message) pairs of the {target.split('-')[0]} hit by a liar", hit)
    assert hit == len(STATES[target]) * len(MESSAGES)


COMMANDS = (Open, CloseDealing, Dispute, Ask, Assign)


class Usurping(Meddling):
    """As soon as `target` is in `state`, SENDER's command changes nothing there."""

    def __call__(self, network):
        machine = network.parties[self._target]
        handle = machine.handle

        def watched(sender, message):
            if sender != SENDER or message is not self._message:
                return handle(sender, message)
            before = machine.state
            assert handle(sender, message) == []
            assert machine.state is before
            self.reasons = [v.reason for v in machine.violations if v.peer == SENDER]
            return []

        machine.handle = watched
        super().__call__(network)


@pytest.mark.parametrize("state", [Waiting, *get_args(Running)])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_of_a_party_is_obeyed_in_any_state(federation, command, state):
    """It is the very command that the coordinator gave in a run of the same attempt."""
    setup = federation(parties=11, colluders=2, adversaries=2, stragglers=1, seed=3)
    usurping = Usurping("party-4", state, strays(setup)[command])
    for seed in range(ORDERS):
        if not usurping.came:
            a_round(setup, seed, usurping)
    assert usurping.reasons == [f"sent {command.__name__} as if it coordinated"]


def test_with_no_liar_allowed_for_such_a_deal_makes_the_round_open_what_is_wrong(
    federation, equals_plain
):
    setup = federation(parties=11, colluders=2, stragglers=1, seed=3)
    template = setup.network()
    template.run()
    stray = next(
        post.message
        for post in template.delivered
        if isinstance(post.message, Deal) and (post.sender, post.to) == (SENDER, "party-4")
    )
    network = setup.network()
    Meddling("party-4", Sharing, stray)(network)
    network.run()
    with pytest.raises(AssertionError):
        equals_plain(setup, network)
