"""What a coordinator may show a recipient in a conflict (§9): words that it should have taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secfpp.protocol.messages import Dispute, Ready, Received
from secfpp.protocol.opening import ready_text
from secfpp.protocol.party_states import Checking, Failed

from .conftest import COORDINATOR, NamedSigner

LIAR, DEALER, SHOWN = "party-1", "party-0", "party-3"


def without_checks(params, ready: Ready) -> Ready:
    """LIAR's word, signed, whose line about DEALER lacks the check values."""
    return signed(params, ready, lambda item: replace(item, checks=()))


def without_root(params, ready: Ready) -> Ready:
    return signed(params, ready, lambda item: replace(item, root=b"", root_signature=b""))


def unsigned(_, ready: Ready) -> Ready:
    return replace(ready, signature=b"somebody else's")


def of_another_attempt(_, ready: Ready) -> Ready:
    return replace(ready, key=replace(ready.key, attempt=ready.key.attempt + 1))


def signed(params, ready: Ready, change) -> Ready:
    def changed(item: Received) -> Received:
        return change(item) if item.dealer == DEALER else item

    received = tuple(changed(item) for item in ready.received)
    return Ready(params.key, received, NamedSigner(LIAR).sign(ready_text(params, received)))


@pytest.mark.parametrize("spoil", [without_checks, without_root, unsigned, of_another_attempt])
def test_a_dispute_with_a_word_that_does_not_count_ends_in_a_halt_that_blames_the_coordinator(
    federation, monkeypatch, spoil
):
    setup = federation(parties=7, colluders=1, stragglers=0, adversaries=1, clusters=1)
    network = setup.network()
    words: dict[str, Ready] = {}
    monkeypatch.setattr(
        network.coordinator, "handle", lambda sender, ready: words.update({sender: ready}) or []
    )
    network._post(COORDINATOR, network.coordinator.open())
    network._deliver_all()
    party = network.parties[SHOWN]
    assert isinstance(party.state, Checking)
    words[LIAR] = spoil(setup.params, words[LIAR])
    dispute = Dispute(setup.params.key, DEALER, tuple(words.items()))
    (halt,) = party.handle(COORDINATOR, dispute)
    assert halt.message.code == "coordinator"
    assert f"shows a word of {LIAR}" in halt.message.reason
    assert isinstance(party.state, Failed)
