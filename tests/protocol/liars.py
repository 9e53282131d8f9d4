"""Liars for whole rounds: changes of what an otherwise honest machine sends (protocol.md §9).

Liars sign their lies properly, unless that is how they lie; what else is not signed properly does
not come in (tests of the wire).
"""

from __future__ import annotations

import hashlib
import math
import os
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import pytest

from secfpp.algebra.coding import LagrangeCode
from secfpp.algebra.field import FieldArray, P, from_integers
from secfpp.algebra.randomness import uniform
from secfpp.protocol import party as party_module
from secfpp.protocol.checking import judge
from secfpp.protocol.commitments import Held, SignedRoots, commit
from secfpp.protocol.dealing import deal, receive
from secfpp.protocol.messages import Answers, Ask, Deal, Opening, Ready, SumShare
from secfpp.protocol.opening import ready_text
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party_states import Checking
from secfpp.transport.loopback import Loopback, Order, in_order

Lies = Mapping[str, Collection[str]]
"""In which ways each liar lies."""

Dealt = tuple[dict[str, Deal], Held]
"""What a dealer sends to each other party, and what it keeps."""

LIES = (
    "share off the word",
    "mask off the word",
    "masks that do not sum to zero",
    "two roots",
    "unsigned root",
    "another leaf than promised",
    "no deal",
    "false check value",
    "check values of another polynomial",
    "denied deal",
    "signature denied",
    "opens another leaf",
    "opens a leaf of another root",
    "opens nothing",
    "wrong answers",
    "one wrong answer",
    "answers of another polynomial",
    "wrong sum",
)


def signed_by(name: str, message: bytes) -> bytes:
    """As the signer of the federation in memory signs."""
    return name.encode() + b" signed " + hashlib.sha256(message).digest()


def other_values(values: FieldArray) -> FieldArray:
    return uniform(len(values), os.urandom)


def added(values: FieldArray, number: int) -> FieldArray:
    return values + from_integers([[number] * len(values)])[0]


def one_more(values: FieldArray, place: int) -> FieldArray:
    changed = values.values.copy()
    changed[place] = (int(changed[place]) + 1) % P
    return FieldArray(changed)


def towards(
    params: RoundParams, code: LagrangeCode, degree: int, *, party: str, liars: Collection[str]
) -> int:
    """What all liars add so that their values move to one other polynomial of this degree.

    The two agree at the first `degree` of the honest parties: at no more can different ones.
    """
    honest = [other for other in params.roster if other not in liars][:degree]
    point = code.alphas[params.index(party)]
    return math.prod(point - code.alphas[params.index(other)] for other in honest) % P


def bound_anew(
    params: RoundParams, dealer: str, dealt: Dealt, change: Callable[[str, Held], Held]
) -> Dealt:
    """The same dealing after `change` of what some parties hold, its tree built and signed anew."""
    messages, own = dealt
    held = {
        party: change(party, receive(params, party, dealer, message))
        for party, message in messages.items()
    }
    held[dealer] = change(dealer, own)
    bound = commit(params, dealer, held, os.urandom, lambda text: signed_by(dealer, text))
    changed = {
        party: replace(
            message,
            shares=message.shares if party in params.share_seeded(dealer) else held[party].shares,
            masks=message.masks if party in params.mask_seeded(dealer) else held[party].masks,
            commitment=bound[party],
        )
        for party, message in messages.items()
    }
    return changed, replace(held[dealer], commitment=bound[dealer])


class LyingDealer:
    """Stands in for `deal`: the liars' sharings are changed before, or after, they are bound."""

    def __init__(self, lies: Lies, rng: random.Random) -> None:
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
        if "masks that do not sum to zero" in lies and own.masks is not None:
            unseeded = [p for p in params.roster if p not in params.mask_seeded(dealer)]
            messages, own = self._rebound(params, dealer, messages, own, unseeded, "sums")
        if "two roots" in lies:
            others, _ = self._rebound(params, dealer, messages, own, [], "shares")
            messages = {p: others[p] if p in victims else m for p, m in messages.items()}
        if "unsigned root" in lies:
            for victim in victims if own.commitment else ():
                commitment = replace(messages[victim].commitment, signature=b"by nobody")
                messages[victim] = replace(messages[victim], commitment=commitment)
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

    def _vanishing_at_seeds(self, params, dealer, party):
        """A polynomial of degree D that is zero where masks are seeds; `solvable`: not in total."""
        alphas = params.feature_code.alphas
        point = alphas[params.index(party)]
        seeded = (alphas[params.index(other)] for other in params.mask_seeded(dealer))
        return math.prod(point - alpha for alpha in seeded) % P

    def _rebound(self, params, dealer, messages, own, victims, what):
        """The victims get other values."""

        def change(party: str, held: Held) -> Held:
            if party not in victims:
                return held
            if what == "shares" and held.shares:
                changed = one_more(held.shares[0], self._rng.randrange(len(held.shares[0])))
                return replace(held, shares=(changed,))
            if what == "masks":
                changed = one_more(held.masks, self._rng.randrange(len(held.masks)))
                return replace(held, masks=changed)
            if what == "sums":
                gap = self._vanishing_at_seeds(params, dealer, party)
                return replace(held, masks=added(held.masks, gap))
            return held

        return bound_anew(params, dealer, (messages, own), change)


class LyingNetwork:
    """Changes what the liars post after dealing."""

    def __init__(self, lies, rng: random.Random) -> None:
        self._lies = lies
        self._rng = rng
        self.network = None

    def __call__(self, post):
        lies, message = self._lies.get(post.sender, set()), post.message
        match message:
            case Ask(unsigned=(_, *_)) if "signature denied" in self._lies.get(post.to, ()):
                message = replace(message, unsigned=())  # It goes on although it is told.
            case Ready() if "false check value" in lies and message.received[0].checks:
                message = self._false_ready(post.sender, message)
            case Ready() if "check values of another polynomial" in lies:
                message = self._aimed_ready(post.sender, message)
            case Ready() if "signature denied" in lies and message.received[0].root:
                first = replace(message.received[0], root_signature=b"by nobody")
                message = self._resigned(post.sender, message, (first, *message.received[1:]))
            case Ready() if "denied deal" in lies:
                message = self._resigned(post.sender, message, message.received[1:])
            case Answers() if "wrong answers" in lies:
                message = replace(message, values=other_values(message.values))
            case Answers() if "one wrong answer" in lies:
                place = self._rng.randrange(len(message.values))
                message = replace(message, values=one_more(message.values, place))
            case Answers() if "answers of another polynomial" in lies:
                code = self._params.feature_code
                gap = self._towards(code, code.product_degree, post.sender)
                message = replace(message, values=added(message.values, gap))
            case SumShare() if "wrong sum" in lies:
                message = replace(message, values=other_values(message.values))
            case Opening() if "opens another leaf" in lies and message.shares:
                message = replace(message, shares=(other_values(message.shares[0]),))
            case Opening() if "opens a leaf of another root" in lies:
                message = self._under_another_root(post.sender, message)
            case Opening() if "opens nothing" in lies:
                return ()
        return (replace(post, message=message),)

    def _under_another_root(self, liar, opening):
        """The leaf is in order, but stands in a tree that the liar itself has signed."""
        held = Held(opening.shares, opening.masks)
        every = dict.fromkeys(self._params.roster, held)
        bound = commit(
            self._params, opening.dealer, every, os.urandom, lambda text: signed_by(liar, text)
        )
        return replace(opening, commitment=bound[liar])

    @property
    def _params(self):
        return self.network.coordinator.params

    def _towards(self, code, degree, liar):
        return towards(self._params, code, degree, party=liar, liars=self._lies)

    def _false_ready(self, liar, ready):
        """One check value about one dealer is one more than it is."""
        place = self._rng.randrange(len(ready.received))
        item = ready.received[place]
        if not item.checks:
            return ready
        which = self._rng.randrange(len(item.checks))
        checks = tuple((value + (e == which)) % P for e, value in enumerate(item.checks))
        lines = list(ready.received)
        lines[place] = replace(item, checks=checks)
        return self._resigned(liar, ready, tuple(lines))

    def _aimed_ready(self, liar, ready):
        """All check values of shares move to one other polynomial of degree K + T − 1."""
        code = self._params.feature_code
        gap = self._towards(code, code.share_degree, liar)
        lines = [
            replace(item, checks=(*((v + gap) % P for v in item.checks[:2]), *item.checks[2:]))
            if item.shares and item.checks
            else item
            for item in ready.received
        ]
        return self._resigned(liar, ready, tuple(lines))

    def _resigned(self, liar, ready, received):
        machine = self.network.parties[liar]
        text = ready_text(self._params, received)
        lied = replace(ready, received=received, signature=signed_by(liar, text))
        if isinstance(machine.state, Checking):
            machine._state = replace(machine.state, ready=lied)
        return lied


def with_liars(
    setup,
    lies: Lies,
    rng: random.Random,
    order: Order = in_order,
    *,
    prepare: Callable[[Loopback], None] = lambda network: None,
) -> Loopback:
    """A round, run to its end after `prepare`, in which each liar of `lies` lies in its ways."""
    liars = LyingNetwork(lies, rng)
    network = setup.network(order, liars)
    liars.network = network
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(party_module, "deal", LyingDealer(lies, rng))
        prepare(network)
        network.run()
    return network


def require_only_liars_are_named(network: Loopback, liars: Collection[str]) -> None:
    """No machine that is honest names anybody else, and what C names is proved by signed words."""
    params, credentials = network.coordinator.params, network.coordinator.credentials
    roots = SignedRoots(params, credentials.verify)
    for blame in network.coordinator.blames:
        assert blame.blamed in liars, (blame.blamed, blame.rule)
        opening = None if blame.opening is None else (blame.recipient, blame.opening)
        again = judge(params, blame.dealer, blame.readies, roots, opening)
        assert (again.blamed, again.rule) == (blame.blamed, blame.rule)
    for machine in (network.coordinator, *network.parties.values()):
        if getattr(machine, "me", "") not in liars:
            assert {violation.peer for violation in machine.violations} <= set(liars)
