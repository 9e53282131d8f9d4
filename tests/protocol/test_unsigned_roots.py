"""A root that its dealer did not sign binds nobody: what came under it was not received (§9).

Only the coordinator verifies roots, each once; it tells a recipient, which verifies for itself.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from secfpp.protocol import party as party_module
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.dealing import deal
from secfpp.protocol.messages import Ask, Ready
from secfpp.protocol.party_states import Failed

from .liars import bound_anew, one_more

LIAR, MARK = "party-0", "party-3"
SIZES = {"parties": 8, "colluders": 1, "stragglers": 1, "adversaries": 1, "clusters": 1}


@pytest.fixture
def cheated(monkeypatch):
    """LIAR deals MARK a wrong share, under a root that nobody signed."""

    def cheat(params, dealer, *rest):
        messages, own = deal(params, dealer, *rest)
        if dealer != LIAR:
            return messages, own

        def off(party, held):
            return replace(held, shares=(one_more(held.shares[0], 0),)) if party == MARK else held

        others = bound_anew(params, dealer, (messages, own), off)[0]
        unsigned = replace(others[MARK].commitment, signature=b"by nobody")
        return {**messages, MARK: replace(others[MARK], commitment=unsigned)}, own

    monkeypatch.setattr(party_module, "deal", cheat)


def named(network) -> set[str]:
    """Whom any machine holds to have acted against the protocol."""
    machines = (network.coordinator, *network.parties.values())
    return {violation.peer for machine in machines for violation in machine.violations}


@pytest.mark.usefixtures("cheated")
def test_who_was_dealt_under_an_unsigned_root_drops_it_and_is_not_named(federation, equals_plain):
    setup = federation(**SIZES)
    network = setup.network()
    network.run()
    assert isinstance(network.coordinator.result, Closed)
    assert equals_plain(setup, network) == 8  # MARK, too, gets the mean that the others open.
    assert LIAR in dict(network.coordinator.result.disclosed.labels)
    assert named(network) == {LIAR}
    assert [v.reason for v in network.parties[MARK].violations] == [
        "the signature of its root is not of its certificate"
    ]


@pytest.mark.usefixtures("cheated")
def test_without_being_told_the_honest_recipient_answers_wrong_and_is_named(
    federation, monkeypatch
):
    monkeypatch.setattr(party_module, "disown", lambda params, held, unsigned, verify: held)
    network = federation(**SIZES).network()
    network.run()
    assert MARK in {violation.peer for violation in network.coordinator.violations}


def test_a_coordinator_that_calls_a_signed_root_unsigned_is_refused(federation):
    def slander(post):
        if isinstance(post.message, Ask) and post.to == MARK:
            return (replace(post, message=replace(post.message, unsigned=("party-5",))),)
        return (post,)

    network = federation(**SIZES).network(fault=slander)
    network.run()
    result = network.parties[MARK].result
    assert isinstance(result, Failed)
    assert (result.code, result.reason) == (
        "coordinator",
        "calls the root of party-5 unsigned, which it is not",
    )


def test_each_root_is_verified_once_by_the_coordinator_and_by_no_recipient(federation, monkeypatch):
    """20 parties made 380 verifications of 20 signatures; that was most of what checking cost."""
    verified = []
    setup = federation(**SIZES)
    signer = type(setup.network().coordinator.credentials)
    verify = signer.verify

    def counted(self, party, text, signature):
        if text.startswith(b"secfpp deal"):
            verified.append((self._me, party))
        return verify(self, party, text, signature)

    monkeypatch.setattr(signer, "verify", counted)
    network = setup.network()
    network.run()
    assert isinstance(network.coordinator.result, Closed)
    assert sorted(verified) == [("coordinator", name) for name in setup.params.roster]


def test_a_word_whose_root_is_unsigned_counts_as_a_deal_that_did_not_come(federation, equals_plain):
    """MARK says of each dealer that its root bears another signature: so it holds nothing."""

    def denied(post):
        if isinstance(post.message, Ready) and post.sender == MARK:
            lines = [replace(i, root_signature=b"by nobody") for i in post.message.received]
            return (replace(post, message=replace(post.message, received=tuple(lines))),)
        return (post,)

    setup = federation(**SIZES)
    network = setup.network(fault=denied)
    network.run()
    equals_plain(setup, network)
    assert not network.coordinator.blames
    assert len(dict(network.coordinator.result.disclosed.labels)) == 8
