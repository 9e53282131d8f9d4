"""The coordinator's side of one attempt of a round, as a machine without I/O (protocol.md §4–§9).

It drives the clusterer: each batch the clusterer asks for goes to every party, the answers are
decoded to exact distances, and the clusterer is told. It never holds a share, a mask or a mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from secfpp.cluster.queries import Assignment, Clusterer
from secfpp.errors import PeerViolation, PolicyRefusal, RoundFailed
from secfpp.protocol import asking
from secfpp.protocol.checking import Blame, judge
from secfpp.protocol.circumstances import Credentials
from secfpp.protocol.commitments import SignedRoots
from secfpp.protocol.coordinator_states import (
    Asking,
    Closed,
    Closing,
    Gathering,
    Settling,
    State,
    awaited,
    describe,
    is_gathered,
    is_late,
)
from secfpp.protocol.dealing import Randomness
from secfpp.protocol.disclosure import Disclosed, disclosure
from secfpp.protocol.messages import (
    Answers,
    Assign,
    CloseDealing,
    Done,
    Envelope,
    Halt,
    Open,
    Opening,
    Ready,
    RoundMessage,
)
from secfpp.protocol.opening import require_possible
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party_states import Failed
from secfpp.protocol.settlement import Conflict, Settlement, check_ready, disputes, examine
from secfpp.protocol.transcript import Transcript, Violations

Outbox = list[Envelope]


@dataclass
class CoordinatorRound:
    """The coordinator in one attempt.

    `previous` is the last round's assignment, if any; `apart` the public scale of `Task`, if any.
    """

    params: RoundParams
    clusterer: Clusterer
    previous: Assignment | None
    credentials: Credentials
    randomness: Randomness
    apart: int | None = None
    _state: State = field(default_factory=lambda: Gathering({}, frozenset()), init=False)
    _lost: dict[str, str] = field(default_factory=dict, init=False)
    _transcript: Transcript = field(default_factory=Transcript, init=False)
    _violations: Violations = field(default_factory=Violations, init=False)
    _unsigned: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False)
    _settlement: Settlement = field(default_factory=Settlement, init=False)
    _disclosed: Disclosed | None = field(default=None, init=False)
    _roots: SignedRoots = field(init=False)

    def __post_init__(self) -> None:
        self._roots = SignedRoots(self.params, self.credentials.verify)

    @property
    def disclosed(self) -> Disclosed | None:
        """What the attempt has opened so far, if anything; it stays opened if the attempt fails.

        A batch that is out may be opened by whoever has the answers: it is in `unopened`.
        """
        if isinstance(self._state, Asking):
            return asking.opened_so_far(self.params, self._state)
        return self._disclosed

    @property
    def state(self) -> State:
        """Where the attempt is; for looking, not for changing."""
        return self._state

    @property
    def result(self) -> Closed | Failed | None:
        """The end of the attempt, or None while it runs."""
        return self._state if isinstance(self._state, Closed | Failed) else None

    @property
    def violations(self) -> tuple[PeerViolation, ...]:
        """What parties did against the protocol, in the order in which it was noticed."""
        return self._violations.noted

    @property
    def blames(self) -> tuple[Blame, ...]:
        """Who was named for dealing or checking falsely, with the proof (§9)."""
        return self._settlement.blames

    def open(self) -> Outbox:
        """The opening: the parameters, to every party."""
        return self._to_all(Open(self.params))

    def handle(self, sender: str, message: RoundMessage) -> Outbox:
        """Take one message that `sender`'s certificate vouches for; return what to send.

        What a lost party says does not count, and is no evidence: it may have been restarted (§9).
        What comes too late, as enough others came before, is not looked at.
        """
        if self.result is not None or sender in self._lost or is_late(self._state, message):
            return []
        try:
            if not self._transcript.is_new(sender, message):
                return []
            return self._step(sender, message)
        except PeerViolation as violation:
            self._violations.note(violation)
            return self.lose(violation.peer, violation.reason)
        except (PolicyRefusal, RoundFailed) as failure:
            return self.fail("round", str(failure))

    def lose(self, party: str, reason: str) -> Outbox:
        """Go on without `party`, as long as no more than S are lost (§9)."""
        if self.result is not None or party not in self.params.places or party in self._lost:
            return []
        self._lost[party] = reason
        if len(self._lost) > self.params.stragglers:
            lost = "; ".join(f"{name}: {why}" for name, why in self._lost.items())
            return self.fail(
                "lost",
                f"{len(self._lost)} of {self.params.parties} parties are lost and at most "
                f"S = {self.params.stragglers} may be: {lost}",
            )
        return self._without_lost()

    def expire(self) -> Outbox:
        """Nothing has come for too long: go on without whom we wait for, or say why we cannot."""
        match self._state:
            case Gathering(excused=excused) as state if len(excused) < self.params.parties:
                return self._excuse(state, frozenset(self.params.roster))
            case Gathering(readies=readies):
                come = len(readies.keys() - self._lost.keys())
                if come < self._enough:
                    return self._miss(f"{come} parties are ready, n − S = {self._enough}")
                return self._begin(readies)
            case Settling():
                silent = [self.lose(party, "did not open its leaf") for party in self.awaiting]
                return [envelope for outbox in silent for envelope in outbox]
            case Asking(answers=answers):
                return self._miss(f"{len(answers)} answers came, {self.params.answers_needed}")
            case Closing(disclosed=disclosed, done=done):
                late = dict.fromkeys(self.awaiting, "did not confirm its mean in time")
                if len(late) + len(self._lost) > self.params.stragglers:
                    return self._miss(f"{len(done)} parties have finished, n − S = {self._enough}")
                self._lost |= late
                self._state = Closed(disclosed, done, dict(self._lost))
                return []
            case _:
                return []

    @property
    def awaiting(self) -> tuple[str, ...]:
        """The parties whose next message is missing, in roster order."""
        return awaited(self._state, self.params, self._lost)

    def fail(self, code: str, reason: str) -> Outbox:
        """End the attempt without its goal and tell every party that is not lost."""
        self._disclosed = self.disclosed
        self._state = Failed(code, reason)
        return self._to_all(Halt(self.params.key, code, reason))

    @property
    def _enough(self) -> int:
        """How many parties must be there: n − S."""
        return self.params.parties - self.params.stragglers

    def _miss(self, came: str) -> Outbox:
        """Too few have come: whoever is awaited is lost, so that another attempt can do without."""
        silent = self.awaiting
        outbox = self.fail("silence", f"{came} are needed; missing: {', '.join(silent)}")
        self._lost |= dict.fromkeys(silent, "was silent for too long")
        return outbox

    @property
    def lost(self) -> Mapping[str, str]:
        """Whom the attempt goes on without, and why."""
        return dict(self._lost)

    def describe(self) -> str:
        """What the attempt waits for, in words and names."""
        return describe(self._state, self.params, self._lost)

    # --- The state diagram.

    def _step(self, sender: str, message: RoundMessage) -> Outbox:
        if sender not in self.params.places:
            raise PeerViolation(sender, "is not on the roster of this attempt")
        if message.key != self.params.key:
            raise PeerViolation(sender, f"{type(message).__name__} belongs to another attempt")
        match self._state, message:
            case _, Halt(code=code, reason=reason):
                return self.lose(sender, f"{code}: {reason}")
            case Gathering() as state, Ready():
                return self._on_ready(state, sender, message)
            case Settling() as state, Opening():
                return self._on_opening(state, sender, message)
            case Asking() as state, Answers():
                return self._on_answers(state, sender, message)
            case Closing() as state, Done():
                return self._on_done(state, sender, message)
            case state, _:
                raise PeerViolation(
                    sender, f"sent {type(message).__name__} while {type(state).__name__}"
                )

    def _on_ready(self, state: Gathering, sender: str, ready: Ready) -> Outbox:
        check_ready(self.params, sender, ready, self.credentials.verify)
        self._unsigned[sender] = tuple(
            item.dealer for item in ready.received if not self._roots.counts(item)
        )
        state = replace(state, readies={**state.readies, sender: ready})
        self._state = state
        return self._without_lost() if is_gathered(state, self.params, self._lost) else []

    def _without_lost(self) -> Outbox:
        """After a loss, or the last message awaited: take the next step if one is possible."""
        match self._state:
            case Gathering() as state if not self._lost.keys() <= state.excused:
                return self._excuse(state, frozenset(self._lost))
            case Gathering() as state if is_gathered(state, self.params, self._lost):
                return self._begin(state.readies)
            case Settling() as state:
                return self._settled(state)
            case Closing(disclosed=disclosed, done=done) if not self.awaiting:
                self._state = Closed(disclosed, done, dict(self._lost))
                return []
            case _:
                return []

    def _excuse(self, state: Gathering, parties: frozenset[str]) -> Outbox:
        state = replace(state, excused=state.excused | parties)
        self._state = state
        missing = tuple(party for party in self.params.roster if party in state.excused)
        outbox = self._to_all(CloseDealing(self.params.key, missing))
        if is_gathered(state, self.params, self._lost):
            outbox += self._begin(state.readies)
        return outbox

    def _begin(self, readies: Mapping[str, Ready]) -> Outbox:
        """Agree on U and V (§4, §5), settle conflicts first (§9), then start the clusterer.

        What the lost have said does not count: at most S parties lack something or are lost.
        """
        readies = {party: readies[party] for party in readies if party not in self._lost}
        view, disputed = None, frozenset[Conflict]()
        try:
            while view is None:
                view, self._settlement, disputed = examine(
                    self.params, readies, self._roots, self._settlement
                )
        except RoundFailed as failure:
            return self.fail("dealing", str(failure))
        if disputed:
            self._state = Settling(readies, disputed)
            return disputes(self.params, readies, disputed)
        if self.params.checked:
            for party in self.params.roster:
                if party not in readies:  # Its shares are unexamined, so its answers would be, too.
                    self._lost.setdefault(party, "did not say in time what it had received")
        task = asking.task(self.params, view, self.previous, self.apart)
        return self._advance(Asking(view, self.clusterer(task), {}, ()), None)

    def _on_opening(self, state: Settling, sender: str, opening: Opening) -> Outbox:
        """Name whom the opened leaf shows to be wrong; what is not that leaf shows nothing."""
        if (opening.dealer, sender) not in state.disputed:
            raise PeerViolation(sender, "opened a leaf that nobody disputed")
        blame = judge(self.params, opening.dealer, state.readies, self._roots, (sender, opening))
        if blame is None:
            return self.lose(sender, "opened something else than the leaf in dispute")
        conflict = (opening.dealer, sender)
        self._settlement = self._settlement.answered(conflict, blame)
        state = replace(state, disputed=state.disputed - {conflict})
        self._state = state
        return self._settled(state)

    def _settled(self, state: Settling) -> Outbox:
        """Go on as soon as no conflict waits for the leaf of a party that is still here."""
        return [] if self.awaiting else self._begin(state.readies)

    def _on_answers(self, state: Asking, sender: str, answers: Answers) -> Outbox:
        state = asking.admit(state, sender, answers)
        self._state = state
        if len(state.answers) < self.params.answers_needed:
            return []
        state, values, liars = asking.open_batch(self.params, state, self.randomness)
        self._state = state
        reason = f"its answers to batch {state.current} are wrong"
        self._violations.note(*(PeerViolation(liar, reason) for liar in liars))
        require_possible(self.params, state.queries, values)
        return self._advance(state, values)

    def _advance(self, state: Asking, values: asking.Distances | None) -> Outbox:
        """Ask the clusterer's next batch, or assign."""
        step = asking.proceed(self.params, state, values)
        if isinstance(step, Assignment):
            return self._assign(state, step)
        self._state = step
        recipients = [party for party in self.params.roster if party not in self._lost]
        return asking.asks(self.params, step, recipients, self._unsigned)

    def _assign(self, state: Asking, assignment: Assignment) -> Outbox:
        labels = tuple((party, assignment.labels[party]) for party in state.view.dealers)
        disclosed = disclosure(self.params, state.opened, labels)
        self._disclosed = disclosed
        self._state = Closing(disclosed, {})
        return self._to_all(Assign(self.params.key, len(state.view.batches), labels))

    def _on_done(self, state: Closing, sender: str, done: Done) -> Outbox:
        self._state = replace(state, done={**state.done, sender: done})
        return self._without_lost()

    def _to_all(self, message: RoundMessage) -> Outbox:
        return [Envelope(party, message) for party in self.params.roster if party not in self._lost]
