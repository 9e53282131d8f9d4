"""A coordinator that lies gets no leaf that an honest dealer dealt an honest party (§9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from secfpp.algebra.field import P
from secfpp.protocol import disputes
from secfpp.protocol.messages import Ask, Dispute, Opening, Ready
from secfpp.protocol.opening import ready_text
from secfpp.protocol.party_states import Failed

from .liars import signed_by

DEALER, VICTIM = "party-1", "party-4"
COLLUDERS = ("party-6", "party-7")
SIZES = {"parties": 10, "colluders": 2, "adversaries": 1}

Words = dict[str, Ready]


def one_more(ready: Ready) -> Ready:
    """The word with another first check value about the dealer."""
    lines = tuple(
        replace(line, checks=((line.checks[0] + 1) % P, *line.checks[1:]))
        if line.dealer == DEALER
        else line
        for line in ready.received
    )
    return replace(ready, received=lines)


def as_they_are(params, words: Words) -> Words:
    return words


def of_too_few(params, words: Words) -> Words:
    """So few that others' values need not lie on one polynomial."""
    few = [VICTIM, *COLLUDERS, DEALER]
    return {party: words[party] for party in few}


def with_the_victims_changed(params, words: Words) -> Words:
    return {**words, VICTIM: one_more(words[VICTIM])}


def with_those_of_liars(params, words: Words, *liars: str) -> Words:
    """Words that lie, properly signed."""
    lied = {party: one_more(words[party]) for party in liars}
    return words | {
        party: replace(word, signature=signed_by(party, ready_text(params, word.received)))
        for party, word in lied.items()
    }


def with_that_of_a_liar(params, words: Words) -> Words:
    """It puts its own sender off, not the victim."""
    return with_those_of_liars(params, words, COLLUDERS[0])


def with_all_others_changed(params, words: Words) -> Words:
    """They would put the victim alone off; the colluders have signed, the honest have not."""
    changed = {
        party: word if party in (VICTIM, *COLLUDERS) else one_more(word)
        for party, word in words.items()
    }
    return with_those_of_liars(params, changed, *COLLUDERS)


def with_that_of_a_stranger(params, words: Words) -> Words:
    word = words[COLLUDERS[0]]
    signature = signed_by("stranger", ready_text(params, word.received))
    return {**words, "stranger": replace(word, signature=signature)}


def disputed(federation, shown: Callable[..., Words]):
    """A round without lies, in which the victim is shown such words before the first batch."""
    setup = federation(**SIZES)
    words: Words = {}

    def fault(post):
        match post.message:
            case Ready() as ready:
                words[post.sender] = ready
            case Ask(batch=0) if post.to == VICTIM:
                readies = tuple(shown(setup.params, words).items())
                dispute = Dispute(setup.params.key, DEALER, readies)
                return (replace(post, message=dispute), post)
        return (post,)

    network = setup.network(fault=fault)
    network.run()
    assert len(words) == setup.params.parties
    return network


def opened(network) -> list[str]:
    """Who has opened a leaf."""
    return [post.sender for post in network.delivered if isinstance(post.message, Opening)]


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (as_they_are, f"disputes a leaf of {DEALER} that the signed words do not put off its word"),
        (of_too_few, "that the signed words do not put off its word"),
        (with_that_of_a_liar, "that the signed words do not put off its word"),
        (with_the_victims_changed, f"shows a word of {VICTIM} that does not count"),
        (with_all_others_changed, "that does not count"),
        (with_that_of_a_stranger, "shows a word of stranger, which has none here"),
    ],
)
def test_a_leaf_of_an_honest_dealer_is_not_opened_whatever_words_are_shown(
    federation, shown, reason
):
    network = disputed(federation, shown)
    assert opened(network) == []
    result = network.parties[VICTIM].result
    assert isinstance(result, Failed)
    assert result.code == "coordinator"
    assert reason in result.reason


def test_who_opened_without_looking_at_the_words_would_show_such_a_leaf(federation, monkeypatch):
    """The mutation of the test before: T + 1 shares are one too many."""
    monkeypatch.setattr(disputes, "off_the_word", lambda params, items: frozenset(items))
    assert opened(disputed(federation, as_they_are)) == [VICTIM]
