"""One party's side of one attempt of a round, as a machine without I/O (docs/protocol.md §4–§8).

`handle` takes a message and returns messages; `deal` takes the party's own vectors once they are
trained. A message ahead of its time is kept until its state comes; one that comes too late is
dropped; one that can never be right changes nothing and joins `violations`, with its sender. What
the party cannot agree to ends the attempt for it, with a `Halt` to the coordinator that names why.
"""

from __future__ import annotations

from dataclasses import replace

from secfpp.errors import Misuse, PeerViolation, PolicyRefusal, RoundFailed
from secfpp.protocol.answering import answer, begin, owe, require_last, require_next
from secfpp.protocol.circumstances import Circumstances, Release
from secfpp.protocol.dealing import Abstention, Vectors, deal, receive
from secfpp.protocol.disputes import leaf_in_dispute
from secfpp.protocol.echoes import Echoes
from secfpp.protocol.messages import (
    Ask,
    Assign,
    CloseDealing,
    Deal,
    Dispute,
    Done,
    Echo,
    EchoStage,
    Envelope,
    Halt,
    Open,
    Ready,
    RoundMessage,
    SumShare,
)
from secfpp.protocol.opening import ready_text, received_by
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party_states import (
    Answering,
    Assigned,
    Checking,
    Failed,
    Finished,
    Preparing,
    Running,
    Sharing,
    State,
    Summing,
    Waiting,
    waiting_for,
)
from secfpp.protocol.speakers import check_command, check_speaker
from secfpp.protocol.summing import admit, conclude, release
from secfpp.protocol.transcript import Transcript, Violations

Outbox = list[Envelope]


class PartyRound:
    """One party in one attempt of a round."""

    def __init__(self, me: str, circumstances: Circumstances) -> None:
        self.me = me
        self.released = circumstances.released
        self._circumstances = circumstances
        self._coordinator = circumstances.policy.coordinator
        self._credentials = circumstances.credentials
        self._randomness = circumstances.randomness
        self._state: State = Waiting()
        self._transcript = Transcript()
        self._echoes = Echoes(me, circumstances.credentials)
        self._early: list[tuple[str, RoundMessage]] = []
        self._violations = Violations()

    @property
    def violations(self) -> tuple[PeerViolation, ...]:
        """What other parties did against the protocol, in the order in which it was noticed."""
        return self._violations.noted

    @property
    def state(self) -> State:
        """Where the party is; for looking, not for changing."""
        return self._state

    @property
    def result(self) -> Finished | Failed | None:
        """The end of the attempt, or None while it runs."""
        return self._state if isinstance(self._state, Finished | Failed) else None

    def handle(self, sender: str, message: RoundMessage) -> Outbox:
        """Take one message that `sender`'s certificate vouches for; return what to send."""
        if self.result is not None:
            return []
        before = self._state
        outbox = self._take(sender, message, heard=False)
        if self._state is before:
            return outbox
        return outbox + self._replay(heard=not isinstance(before, Waiting))

    def deal(self, vectors: Vectors | Abstention) -> Outbox:
        """Share the trained vectors (levels (dim,), one per sharing), or sit the round out.

        Where they are not such as the attempt was opened for, it ends here.
        """
        match self._state:
            case Preparing(params=params):
                sign = self._credentials.sign
                try:
                    messages, own = deal(params, self.me, vectors, self._randomness, sign)
                except PolicyRefusal as refusal:
                    return self._halt(refusal.key, refusal.reason)
                self._state = Sharing(params, {self.me: own}, frozenset())
                outbox = [Envelope(party, message) for party, message in messages.items()]
                return outbox + self._replay(heard=True)
            case state:
                raise Misuse(f"vectors were dealt while {type(state).__name__}")

    def expire(self) -> Outbox:
        """Nothing has come for too long: the attempt ends here, and it is said who is missing."""
        return [] if self.result is not None else self._halt("silence", self.waiting_for())

    def waiting_for(self) -> str:
        """What the party waits for now, in words and names; no secret is in it."""
        return waiting_for(self._state, self._echoes)

    # --- Delivery: each message meets the state it is for.

    def _take(self, sender: str, message: RoundMessage, *, heard: bool) -> Outbox:
        """One message through the state diagram; whatever is wrong with it ends here, in words."""
        try:
            outbox = self._step(sender, message) if heard else self._hear(sender, message)
        except PolicyRefusal as refusal:
            return self._halt(refusal.key, refusal.reason)
        except RoundFailed as failure:
            return self._halt("sum", str(failure))
        except PeerViolation as violation:
            if violation.peer == self._coordinator:
                return self._halt("coordinator", violation.reason)
            self._violations.note(violation)
            return []
        if outbox is None:
            self._early.append((sender, message))
            return []
        return outbox

    def _replay(self, *, heard: bool) -> Outbox:
        """Hand on the early messages, again after each change of state.

        Those that came before the opening have not been `heard`.
        """
        outbox: Outbox = []
        before = None
        while self._state is not before and self.result is None:
            before = self._state
            early, self._early = self._early, []
            for sender, message in early:
                outbox += self._take(sender, message, heard=heard)
            heard = True
        return outbox

    def _hear(self, sender: str, message: RoundMessage) -> Outbox | None:
        """A message that has just come: kept if it is new and the attempt has a place for it."""
        state = self._state
        check_command(self._coordinator, sender, message)
        if isinstance(state, Waiting) and not isinstance(message, Open):
            return None
        if isinstance(state, Running):
            check_speaker(state.params, sender, message)
        return self._step(sender, message) if self._transcript.is_new(sender, message) else []

    def _step(self, sender: str, message: RoundMessage) -> Outbox | None:
        """The state diagram: what to send, or None where the message is ahead of its time."""
        state = self._state
        if isinstance(state, Waiting):
            return self._open(message.params) if isinstance(message, Open) else None
        if isinstance(state, Finished | Failed):
            return []
        match state, message:
            case _, Halt(code=code, reason=reason):
                self._state = Failed(code, reason)
                return []
            case Summing(), Echo():
                return []  # Enough have agreed for the sums to leave; nothing hangs on one more.
            case _, Echo():
                return self._on_echo(state, sender, message)
            case Preparing(), Deal() | CloseDealing() | Ask() | Assign() | SumShare():
                return None
            case Sharing(), Deal():
                return self._on_deal(state, sender, message)
            case Sharing(), CloseDealing(missing=missing):
                return self._gather(replace(state, excused=state.excused | set(missing)))
            case Sharing(), Ask() | Assign() | SumShare():
                return None
            case Checking(), Ask():
                return self._on_first_ask(state, message)
            case Checking(), Dispute():
                return self._on_dispute(state, message)
            case Checking(), Assign() | SumShare():
                return None
            case Answering(), Ask():
                return self._on_ask(state, message)
            case Answering(), Assign():
                return self._on_assign(state, message)
            case Answering() | Assigned(), SumShare():
                return None
            case Summing(), SumShare():
                return self._conclude(admit(state, sender, message))
            case Checking() | Answering() | Assigned() | Summing(), Deal() | CloseDealing():
                return []  # Too late: the coordinator has been told what had come by then.
            case _:
                raise PeerViolation(
                    sender, f"sent {type(message).__name__} while {type(state).__name__}"
                )

    # --- The transitions, in the order in which a prompt meets them.

    def _open(self, params: RoundParams) -> Outbox:
        self._state = Preparing(params)
        self._circumstances.check_opening(self.me, params)
        return []

    def _on_deal(self, state: Sharing, sender: str, message: Deal) -> Outbox:
        try:
            held = receive(state.params, self.me, sender, message)
        except PeerViolation as violation:  # It has not been received, and nothing else will come.
            self._violations.note(violation)
            return self._gather(replace(state, excused=state.excused | {sender}))
        return self._gather(Sharing(state.params, {**state.held, sender: held}, state.excused))

    def _gather(self, state: Sharing) -> Outbox:
        """Say what has come as soon as nobody more is waited for."""
        self._state = state
        params, held = state.params, state.held
        excused = sum(party in params.places and party not in held for party in state.excused)
        return self._say_ready(state) if len(held) + excused == params.parties else []

    def _say_ready(self, state: Sharing) -> Outbox:
        params = state.params
        received = received_by(params, state.held)
        signature = self._credentials.sign(ready_text(params, received)) if params.checked else b""
        ready = Ready(params.key, received, signature)
        self._state = Checking(params, state.held, ready)
        return [Envelope(params.coordinator, ready)]

    def _on_dispute(self, state: Checking, dispute: Dispute) -> Outbox:
        """Open the disputed leaf, once the others' signed words show that it lies off theirs."""
        opening = leaf_in_dispute(state, self.me, dispute, self._credentials.verify)
        return [Envelope(state.params.coordinator, opening)]

    def _on_first_ask(self, state: Checking, ask: Ask) -> Outbox | None:
        if ask.batch != 0:
            return None
        begun = begin(state, ask, self._credentials.verify)
        reason = "the signature of its root is not of its certificate"
        self._violations.note(*(PeerViolation(dealer, reason) for dealer in ask.unsigned))
        return self._accept(begun, ask)

    def _on_ask(self, state: Answering, ask: Ask) -> Outbox | None:
        if ask.batch > len(state.view.batches):
            return None
        require_next(state, ask)
        return self._accept(state, ask)

    def _accept(self, state: Answering, ask: Ask) -> Outbox:
        """Check a batch, vouch for it, and answer it as soon as the echoes allow.

        A batch that nothing may follow needs no word of its own: the assignment's echo covers it.
        """
        state = owe(state, ask)
        if state.params.only_batch:
            return self._answer(state)
        digest = state.view.digest(state.params, EchoStage.BATCH, None)
        echoes = self._echoes.vouch(state.params, EchoStage.BATCH, ask.batch, digest)
        return echoes + self._answer(state)

    def _answer(self, state: Answering) -> Outbox:
        """Answer the owed batch if enough witnesses saw the same up to the batch before (§8)."""
        self._state, outbox = answer(state, self._echoes)
        return outbox

    def _on_assign(self, state: Answering, assign: Assign) -> Outbox | None:
        if assign.batches > len(state.view.batches):
            return None
        require_last(state, assign, self.released)
        self.released = Release(state.params.roster, assign.labels)
        digest = state.view.digest(state.params, EchoStage.ASSIGNMENT, assign)
        echoes = self._echoes.vouch(state.params, EchoStage.ASSIGNMENT, assign.batches, digest)
        return echoes + self._release(Assigned(state.params, state.pooled, state.view, assign))

    def _release(self, state: Assigned) -> Outbox:
        """Send the sum shares once enough witnesses vouch for the same view (§7, §8)."""
        self._state = state
        params, batches = state.params, state.assign.batches
        if not self._echoes.agreed(params, EchoStage.ASSIGNMENT, batches):
            return []
        summing, outbox = release(state, self.me)
        return outbox + self._conclude(summing)

    def _conclude(self, state: Summing) -> Outbox:
        """Open the cluster's mean when enough sums have come, or finish where there is none."""
        self._state = state
        concluded = conclude(state, self._randomness)
        if concluded is None:
            return []
        self._state, liars = concluded
        reason = "its share of the cluster's sum was wrong; it was left out"
        self._violations.note(*(PeerViolation(liar, reason) for liar in liars))
        done = Done(state.params.key, self._state.mean is not None)
        return [Envelope(state.params.coordinator, done)]

    def _on_echo(self, state: Running, sender: str, echo: Echo) -> Outbox:
        self._echoes.hear(state.params, sender, echo)
        match state:
            case Answering():
                return self._answer(state)
            case Assigned():
                return self._release(state)
            case _:
                return []

    # --- Ends.

    def _halt(self, code: str, reason: str) -> Outbox:
        """End the attempt and tell the coordinator, where an attempt is open."""
        state = self._state
        self._state = Failed(code, reason)
        self._early.clear()
        if isinstance(state, Waiting | Finished | Failed):
            return []
        return [Envelope(state.params.coordinator, Halt(state.params.key, code, reason))]
