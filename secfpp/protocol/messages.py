"""Every message of SecFPP, in the order in which a prompt meets them.

No message names its sender: the transport's certificate does (architecture: identity is proved,
never claimed). Messages of one attempt carry its `AttemptKey`; those before and around the rounds
carry the run's name. `slot` tells which two messages of one sender must be equal: the transcript
takes a repeat for a repeat and a difference for evidence. Source: docs/protocol.md §4–§9.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from secfpp.algebra.field import FieldArray
from secfpp.algebra.randomness import Seed
from secfpp.cluster.queries import Query
from secfpp.protocol.params import AttemptKey, RoundParams

# --- Around the rounds: one invitation per run, then words that keep waiting from being silent.


@dataclass(frozen=True)
class Peer:
    """A party of the run: its name on its certificate, and where it listens (host:port)."""

    name: str
    address: str


@dataclass(frozen=True)
class Invite:
    """Coordinator → party: take part in `run`; `job` is the job file as JSON text."""

    run: str
    job: str
    peers: tuple[Peer, ...]


@dataclass(frozen=True)
class Accept:
    """Party → coordinator: consent to the run, with what all parties must have alike.

    `geometry` holds pairs (field, value): digests of weights, tokenizer and preprocessing, the
    prompt's shape, template and initial text.
    """

    run: str
    geometry: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Refuse:
    """Party → coordinator: no, and the policy key that said so. Ends the party's part in `run`."""

    run: str
    key: str
    reason: str


STARTED_AGAIN = "starting again"
"""The phase of a party that has forgotten its part in any attempt that is open."""

SITS_OUT = "sits the round out: "
"""The phase of a party that deals no vector begins so, and goes on with the reason."""


@dataclass(frozen=True)
class Progress:
    """Either way: a sign of life; `done` of `total` steps of `phase` (0 of 0: just alive).

    Another `done` of a party that is waited for is progress and resets the coordinator's idle
    clock; the same is only life. A word of the coordinator resets a party's, no other party's does.
    """

    run: str
    round: int
    phase: str
    done: int
    total: int


@dataclass(frozen=True)
class Report:
    """Party → coordinator: what the party chose to tell of a round, as JSON text (§1, opt-in)."""

    run: str
    round: int
    text: str


@dataclass(frozen=True)
class Ended:
    """Coordinator → party: the run is over; `completed` tells how."""

    run: str
    completed: bool
    reason: str


# --- One attempt of one round, in order.


@dataclass(frozen=True)
class Open:
    """Coordinator → party: the attempt's parameters; each party holds them against its consent."""

    params: RoundParams

    @property
    def key(self) -> AttemptKey:
        """The attempt that these parameters open."""
        return self.params.key


@dataclass(frozen=True, repr=False)
class Commitment:
    """What binds a dealer to its sharing (§9): a signed Merkle root, and the recipient's leaf.

    `root` 32 bytes, `signature` of the dealer's certificate key over it, `salt` 32 bytes, `path`
    the sibling digests from leaf to root. The blinds are the last two values of every vector.
    """

    root: bytes
    signature: bytes
    salt: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, repr=False)
class Deal:
    """Party → party: one recipient's shares and masks (§4, §5), each as residues or as a seed.

    `shares` has one entry for each sharing of the round, or none where the dealer sits the round
    out (`abstains` then says why); `masks` is None where the sender deals no masks. Shares are good
    for the parameters with `params_digest` only (§7).
    """

    key: AttemptKey
    params_digest: bytes
    shares: tuple[FieldArray | Seed, ...]
    masks: FieldArray | Seed | None
    abstains: str
    commitment: Commitment | None


@dataclass(frozen=True)
class Received:
    """One dealer's part of a `Ready`: what came, and (checked dealing) what binds the dealer.

    `checks` are the answers to the blinded challenges of §9: (f1, f2) of each sharing that came,
    then (g1, g2) of the masks if they came; empty where dealing is not checked.
    """

    dealer: str
    shares: bool
    masks: bool
    root: bytes
    root_signature: bytes
    checks: tuple[int, ...]


@dataclass(frozen=True)
class Ready:
    """Party → coordinator: whose shares and masks have come. Once per attempt.

    Signed where dealing is checked (§9); elsewhere the signature is empty.
    """

    key: AttemptKey
    received: tuple[Received, ...]
    signature: bytes


@dataclass(frozen=True)
class Dispute:
    """Coordinator → party: your check value of `dealer` lies off the others' (§9).

    `readies` are the signed words of all, (party, Ready), by which the receiver sees it too.
    """

    key: AttemptKey
    dealer: str
    readies: tuple[tuple[str, Ready], ...]


@dataclass(frozen=True, repr=False)
class Opening:
    """Party → coordinator: the leaf that `dealer` dealt me, in answer to a `Dispute`, expanded."""

    key: AttemptKey
    dealer: str
    shares: tuple[FieldArray, ...]
    masks: FieldArray | None
    commitment: Commitment


@dataclass(frozen=True)
class CloseDealing:
    """Coordinator → party: wait no longer for the deals of `missing`, in roster order."""

    key: AttemptKey
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """Coordinator → party: the dealers U, the mask dealers V, and one batch of queries (§5).

    `unsigned`, in the first batch, are the dealers whose roots, as this party reported them, bear
    no signature of theirs: what they dealt it has not been received (§9).
    """

    key: AttemptKey
    batch: int
    dealers: tuple[str, ...]
    mask_dealers: tuple[str, ...]
    queries: tuple[Query, ...]
    unsigned: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Answers:
    """Party → coordinator: one residue per query of the batch, masked; shape (queries,)."""

    key: AttemptKey
    batch: int
    values: FieldArray


@dataclass(frozen=True)
class Assign:
    """Coordinator → party: the partition of the dealers U, one label per dealer in roster order.

    `batches` is the number of query batches that led to it: the receiver has seen that many.
    """

    key: AttemptKey
    batches: int
    labels: tuple[tuple[str, int], ...]


class EchoStage(Enum):
    """What an echo vouches for: the view up to a batch, or the assignment."""

    BATCH = "batch"
    ASSIGNMENT = "assignment"


@dataclass(frozen=True)
class Echo:
    """Witness → party: a signed digest of the sender's view (§8).

    `stage` BATCH covers parameters, U, V and the queries up to `batch`; ASSIGNMENT the labels too.
    """

    key: AttemptKey
    stage: EchoStage
    batch: int
    digest: bytes
    signature: bytes


@dataclass(frozen=True, repr=False)
class SumShare:
    """Helper → member: the sum of the cluster's prompt shares at the helper's point (§7)."""

    key: AttemptKey
    cluster: int
    values: FieldArray


@dataclass(frozen=True)
class Done:
    """Party → coordinator: my part is over; `opened` tells whether I hold my cluster's mean."""

    key: AttemptKey
    opened: bool


@dataclass(frozen=True)
class Halt:
    """Either way: this attempt is over without a goal, and why (`code` names the rule)."""

    key: AttemptKey
    code: str
    reason: str


RunMessage = Invite | Accept | Refuse | Progress | Report | Ended
RoundMessage = (
    Open
    | Deal
    | Ready
    | Dispute
    | Opening
    | CloseDealing
    | Ask
    | Answers
    | Assign
    | Echo
    | SumShare
    | Done
    | Halt
)
Message = RunMessage | RoundMessage


def run_of(message: Message) -> str:
    """The run that a message belongs to."""
    return message.key.run if isinstance(message, RoundMessage) else message.run


@dataclass(frozen=True)
class Envelope:
    """A message and the participant it goes to."""

    to: str
    message: Message
