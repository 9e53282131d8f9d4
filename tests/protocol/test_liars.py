"""Up to A of the T colluders lie in every way that the rules list: nobody honest is ever named.

A lie is a change of what an otherwise honest machine sends. Liars sign their lies properly; what is
not signed properly does not come in (tests of the wire and of `receive`).
"""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import uniform
from secfpp.protocol import party as party_module
from secfpp.protocol.checking import BlameRule, judge
from secfpp.protocol.commitments import Held, commit
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.dealing import deal, receive
from secfpp.protocol.messages import Answers, Deal, Opening, Ready, SumShare
from secfpp.protocol.opening import ready_text
from secfpp.protocol.party_states import Checking, Finished

ROUNDS_PER_SEED = 10


def signed_by(name: str, message: bytes) -> bytes:
    """As the signer of the federation in memory signs."""
    return name.encode() + b" signed " + hashlib.sha256(message).digest()


def other_values(values: FieldArray) -> FieldArray:
    return uniform(len(values), os.urandom)


def one_more(values: FieldArray, place: int) -> FieldArray:
    changed = values.values.copy()
    changed[place] = (int(changed[place]) + 1) % P
    return FieldArray(changed)


class LyingDealer:
    """Stands in for `deal`: the liars' sharings are changed before, or after, they are bound."""

    def __init__(self, lies, rng: random.Random) -> None:
        self._lies = lies
        self._rng = rng

    def __call__(self, params, dealer, vectors, randomness, sign):
        messages, own = deal(params, dealer, vectors, randomness, sign)
        lies = self._lies.get(dealer, set())
        victims = self._some(
            party for party in messages if party not in params.share_seeded(dealer)
        )
        if "share off the word" in lies:
            messages, own = self._rebound(params, dealer, messages, own, victims, "shares")
        if "mask off the word" in lies and own.masks is not None:
            masked = self._some(p for p in messages if p not in params.mask_seeded(dealer))
            messages, own = self._rebound(params, dealer, messages, own, masked, "masks")
        if "two roots" in lies:
            others, _ = self._rebound(params, dealer, messages, own, [], "shares")
            messages = {p: others[p] if p in victims else m for p, m in messages.items()}
        if "another leaf than promised" in lies:
            for victim in victims if messages[victims[0]].shares else ():
                share = messages[victim].shares[0]
                messages[victim] = replace(messages[victim], shares=(other_values(share),))
        if "no deal" in lies:
            messages = {party: m for party, m in messages.items() if party not in victims}
        return messages, own

    def _some(self, parties):
        """At least one of them; a seed cannot be changed without changing what it expands to."""
        able = list(parties)
        return self._rng.sample(able, self._rng.randint(1, len(able)))

    def _rebound(self, params, dealer, messages, own, victims, what):
        """The victims get other values, and the tree is built and signed anew."""
        dealt = {
            party: receive(params, party, dealer, message, lambda *_: True)
            for party, message in messages.items()
        }
        dealt[dealer] = own
        for victim in victims:
            held = dealt[victim]
            if what == "shares":
                changed = one_more(held.shares[0], self._rng.randrange(len(held.shares[0])))
                dealt[victim] = replace(held, shares=(changed,))
            else:
                changed = one_more(held.masks, self._rng.randrange(len(held.masks)))
                dealt[victim] = replace(held, masks=changed)
        bound = commit(params, dealer, dealt, os.urandom, lambda text: signed_by(dealer, text))
        rebound = {}
        for party, message in messages.items():
            held: Held = dealt[party]
            seeded = party in params.share_seeded(dealer)
            mask_seeded = party in params.mask_seeded(dealer)
            rebound[party] = replace(
                message,
                shares=message.shares if seeded else held.shares,
                masks=message.masks if mask_seeded else held.masks,
                commitment=bound[party],
            )
        return rebound, replace(dealt[dealer], commitment=bound[dealer])


class LyingNetwork:
    """Changes what the liars post after dealing."""

    def __init__(self, lies, rng: random.Random) -> None:
        self._lies = lies
        self._rng = rng
        self.network = None

    def __call__(self, post):
        lies, message = self._lies.get(post.sender, set()), post.message
        match message:
            case Ready() if "false check value" in lies and message.received[0].checks:
                message = self._false_ready(post.sender, message)
            case Ready() if "denied deal" in lies:
                message = self._resigned(post.sender, message, message.received[1:])
            case Answers() if "wrong answers" in lies:
                message = replace(message, values=other_values(message.values))
            case Answers() if "one wrong answer" in lies:
                place = self._rng.randrange(len(message.values))
                message = replace(message, values=one_more(message.values, place))
            case SumShare() if "wrong sum" in lies:
                message = replace(message, values=other_values(message.values))
            case Opening() if "opens another leaf" in lies:
                message = replace(message, shares=(other_values(message.shares[0]),))
            case Opening() if "opens nothing" in lies:
                return ()
        return (replace(post, message=message),)

    def _false_ready(self, liar, ready):
        place = self._rng.randrange(len(ready.received))
        item = ready.received[place]
        if not item.checks:
            return ready
        checks = ((item.checks[0] + 1) % P, *item.checks[1:])
        received = (
            *ready.received[:place],
            replace(item, checks=checks),
            *ready.received[place + 1 :],
        )
        return self._resigned(liar, ready, received)

    def _resigned(self, liar, ready, received):
        machine = self.network.parties[liar]
        text = ready_text(self.network.coordinator.params, received)
        lied = replace(ready, received=received, signature=signed_by(liar, text))
        if isinstance(machine.state, Checking):
            machine._state = replace(machine.state, ready=lied)
        return lied


LIES = (
    "share off the word",
    "mask off the word",
    "two roots",
    "another leaf than promised",
    "no deal",
    "false check value",
    "denied deal",
    "opens another leaf",
    "opens nothing",
    "wrong answers",
    "one wrong answer",
    "wrong sum",
)


def with_liars(setup, lies, monkeypatch, rng, order=lambda _: 0):
    """A round in which each liar of `lies` lies in its ways."""
    liars = LyingNetwork(lies, rng)
    network = setup.network(order, liars)
    liars.network = network
    monkeypatch.setattr(party_module, "deal", LyingDealer(lies, rng))
    network.run()
    return network


def require_only_liars_are_named(network, liars):
    for blame in network.coordinator.blames:
        assert blame.blamed in liars, (blame.blamed, blame.rule)
        opening = None if blame.opening is None else (blame.recipient, blame.opening)
        again = judge(network.coordinator.params, blame.dealer, blame.readies, opening)
        assert (again.blamed, again.rule) == (blame.blamed, blame.rule)
    for machine in (network.coordinator, *network.parties.values()):
        if getattr(machine, "me", "") not in liars:
            assert {violation.peer for violation in machine.violations} <= set(liars)


@pytest.mark.parametrize("seed", range(20))
def test_no_honest_party_is_named_and_what_opens_is_exact(
    federation, equals_plain, monkeypatch, seed
):
    tally: Counter[str] = Counter()
    for turn in range(ROUNDS_PER_SEED):
        rng = random.Random(seed * 1000 + turn)
        colluders = rng.randint(1, 2)
        adversaries = rng.randint(1, colluders)
        stragglers = rng.randint(0, 1)
        least = 2 * colluders + 2 + stragglers + 2 * adversaries
        setup = federation(
            parties=rng.randint(least, 13),
            dim=64,
            clusters=rng.randint(1, 2),
            colluders=colluders,
            adversaries=adversaries,
            stragglers=stragglers,
            seed=rng.randrange(2**32),
        )
        liars = rng.sample(setup.params.roster, adversaries)
        lies = {liar: set(rng.sample(LIES, rng.randint(1, 4))) for liar in liars}
        network = with_liars(setup, lies, monkeypatch, rng, rng.randrange)
        require_only_liars_are_named(network, liars)
        result = network.coordinator.result
        tally[type(result).__name__] += 1
        tally.update(blame.rule.name for blame in network.coordinator.blames)
        if isinstance(result, Closed):
            equals_plain(setup, network)
    print(f"seed {seed}: {dict(tally)}")
    assert tally["Closed"] >= ROUNDS_PER_SEED // 2


@pytest.mark.parametrize(
    ("lies", "rules"),
    [
        ({"share off the word"}, {BlameRule.BAD_LEAF, BlameRule.NO_WORD}),
        ({"mask off the word"}, {BlameRule.BAD_LEAF, BlameRule.NO_WORD}),
        ({"two roots"}, {BlameRule.TWO_ROOTS}),
        ({"false check value"}, {BlameRule.FALSE_CHECK}),
    ],
)
def test_each_lie_about_dealing_is_named_by_its_rule(
    federation, equals_plain, monkeypatch, lies, rules
):
    found: set[BlameRule] = set()
    for seed in range(12):
        setup = federation(parties=10, dim=64, colluders=2, adversaries=1, seed=seed)
        network = with_liars(setup, {"party-1": lies}, monkeypatch, random.Random(seed))
        (blame,) = network.coordinator.blames
        assert blame.blamed == "party-1"
        found.add(blame.rule)
        equals_plain(setup, network)
        dealers = [party for party, _ in network.coordinator.result.disclosed.labels]
        assert ("party-1" in dealers) == (blame.dealer != "party-1")
    assert found <= rules
    assert found & rules


def test_wrong_answers_and_wrong_sums_are_corrected_and_their_senders_found(
    federation, equals_plain, monkeypatch
):
    setup = federation(parties=10, dim=64, colluders=2, adversaries=1)
    lies = {"party-4": {"one wrong answer", "wrong sum"}}
    network = with_liars(setup, lies, monkeypatch, random.Random(0))
    finished = equals_plain(setup, network)
    assert finished >= 9
    assert {violation.peer for violation in network.coordinator.violations} == {"party-4"}
    found = {v.peer for party in network.parties.values() for v in party.violations}
    assert found <= {"party-4"}


def test_more_liars_than_agreed_end_the_round_and_nobody_is_named(federation, monkeypatch):
    for seed in range(10):
        setup = federation(parties=10, dim=64, colluders=2, adversaries=1, seed=seed)
        lies = {"party-2": {"wrong answers"}, "party-7": {"wrong answers"}}
        network = with_liars(setup, lies, monkeypatch, random.Random(seed))
        assert not isinstance(network.coordinator.result, Closed)
        assert "more than A = 1 parties answered wrong" in network.coordinator.result.reason
        assert not network.coordinator.violations
        assert not network.coordinator.blames
        assert not any(isinstance(p.result, Finished) for p in network.parties.values())


def test_no_conflict_costs_no_flight_and_no_leaf_is_opened(federation, equals_plain):
    setup = federation(parties=10, dim=64, colluders=2, adversaries=1)
    network = setup.network()
    network.run()
    assert equals_plain(setup, network) == 10
    assert not [p for p in network.delivered if isinstance(p.message, Opening)]
    assert all(p.message.commitment for p in network.delivered if isinstance(p.message, Deal))
