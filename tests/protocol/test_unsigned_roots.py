"""A root that its dealer did not sign binds nobody: what came under it was not received (§9).

Only the coordinator verifies roots, each once; it tells a recipient, which verifies for itself.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from secfpp.protocol import answering
from secfpp.protocol import party as party_module
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.dealing import deal
from secfpp.protocol.messages import Ask, Ready
from secfpp.protocol.party_states import Failed

from .liars import bound_anew, one_more, with_liars

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
    monkeypatch.setattr(answering, "disown", lambda params, held, unsigned, verify: held)
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


def test_who_denies_a_signature_counts_as_lost_and_names_nobody(federation, equals_plain):
    """MARK says that the first dealer's root bears another signature, and goes on."""
    setup = federation(**SIZES)
    network = with_liars(setup, {MARK: {"signature denied"}}, random.Random(0))
    assert equals_plain(setup, network) == 8
    assert not network.coordinator.blames
    assert named(network) == set()
    assert len(dict(network.coordinator.result.disclosed.labels)) == 8


def test_a_line_of_a_word_cannot_be_made_void_by_who_did_not_sign_it(federation):
    """Whoever shows MARK's word, with another signature of a root in it, shows no word of MARK."""

    def voided(post):
        if isinstance(post.message, Ready) and post.sender == MARK:
            first, *others = post.message.received
            lines = (replace(first, root_signature=b"by nobody"), *others)
            return (replace(post, message=replace(post.message, received=lines)),)
        return (post,)

    network = federation(**SIZES).network(fault=voided)
    network.run()
    assert network.coordinator.lost[MARK] == (
        "the signature of its Ready is not of its certificate"
    )


@pytest.mark.parametrize(
    ("sizes", "signature", "reason"),
    [
        (SIZES, b"", "the signature of its Ready is not of its certificate"),
        ({}, b"for nothing", "its Ready is signed though no dealing is checked"),
    ],
)
def test_a_word_is_signed_where_dealing_is_checked_and_only_there(
    federation, sizes, signature, reason
):
    def changed(post):
        if isinstance(post.message, Ready) and post.sender == MARK:
            return (replace(post, message=replace(post.message, signature=signature)),)
        return (post,)

    network = federation(**sizes).network(fault=changed)
    network.run()
    assert network.coordinator.lost[MARK] == reason
    assert isinstance(network.coordinator.result, Closed)


def test_a_batch_is_one_message_for_all_to_whom_there_is_nothing_to_tell(federation):
    """A message to several peers is encoded once: n encodings of n queries would cost n²."""
    network = federation(**SIZES).network()
    network.run()
    asks = [post.message for post in network.delivered if isinstance(post.message, Ask)]
    assert len({id(ask) for ask in asks}) == len({ask.batch for ask in asks}) < len(asks)


def test_roots_are_called_unsigned_in_the_first_batch_only(federation):
    def later(post):
        if isinstance(post.message, Ask) and post.to == MARK and post.message.batch == 1:
            return (replace(post, message=replace(post.message, unsigned=("party-5",))),)
        return (post,)

    network = federation(**{**SIZES, "clusters": 2}).network(fault=later)
    network.run()
    assert network.parties[MARK].result == Failed(
        "dealers", "roots are called unsigned after the first batch"
    )
