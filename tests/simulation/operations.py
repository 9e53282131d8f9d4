"""What happens to a run, as data: deliveries, faults of the network, crashes, restarts and lies.

A `Setting` is a federation and its whole fate. `settings_of_runs` draws one; smaller is simpler, so
that Hypothesis shrinks a failing run to the few operations that matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hypothesis import strategies as st

COORDINATOR = "coordinator"
SAID_BY_PARTIES = ("Deal", "Ready", "Answers", "Echo", "SumShare", "Done")
SAID_IN_EVERY_ROUND = (*SAID_BY_PARTIES, "Open", "Ask", "Assign")
SAID_IN_NEED = ("Halt", "CloseDealing", "Dispute", "Opening")
COLLUDERS, STRAGGLERS = 1, 1


@dataclass(frozen=True)
class Deliver:
    """The next `count` messages arrive, in the order of posting if `order` is 0, else at random."""

    count: int
    order: int


@dataclass(frozen=True)
class Until:
    """Messages arrive until one of `kind` is on its way, from `sender` if named, or nothing is."""

    kind: str
    order: int
    sender: str | None = None


@dataclass(frozen=True)
class Lose:
    """`count` of the messages of `kind` on their way are lost, from the `which`-th on."""

    kind: str
    which: int
    count: int


@dataclass(frozen=True)
class Repeat:
    """The `which`-th message of `kind` on its way arrives twice, the second time late."""

    kind: str
    which: int
    late: int


@dataclass(frozen=True)
class Hasten:
    """The `which`-th message of `kind` on its way arrives now, before all others."""

    kind: str
    which: int


@dataclass(frozen=True)
class Delay:
    """The `which`-th message of `kind` on its way comes after `late` other deliveries only."""

    kind: str
    which: int
    late: int


@dataclass(frozen=True)
class Expire:
    """Nothing has come for too long, so `who` thinks."""

    who: str


@dataclass(frozen=True)
class Crash:
    """`who` ends without a word and forgets what it does not keep; `unsent`: its posts, too."""

    who: str
    unsent: bool


@dataclass(frozen=True)
class Restart:
    """`who` comes back, if it is down, with what it has kept."""

    who: str


class How(Enum):
    """How a liar changes a message: other content, properly signed; malformed; both; a command."""

    ALTERED = "altered"
    MALFORMED = "malformed"
    BESIDE = "beside the honest one"
    COMMAND = "as if it coordinated"


@dataclass(frozen=True)
class Lie:
    """The liar's `which`-th message of `kind` on its way is a lie."""

    kind: str
    which: int
    how: How


Operation = Deliver | Until | Lose | Repeat | Hasten | Delay | Expire | Crash | Restart | Lie


@dataclass(frozen=True)
class Setting:
    """A federation of `parties` for `rounds` rounds, its liar (A = 1) if any, and its fate.

    `seed` is of the parties' vectors of dimension `dim`, in one or two `clusters`.
    """

    parties: int
    rounds: int
    dim: int
    clusters: int
    seed: int
    liar: str | None = None
    operations: tuple[Operation, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The parties, in roster order."""
        return tuple(f"party-{index}" for index in range(self.parties))


def advances() -> st.SearchStrategy[Operation]:
    """Time goes on, for some messages or until something is about to happen."""
    order = st.integers(0, 99)
    return st.one_of(
        st.builds(Until, st.sampled_from(SAID_IN_EVERY_ROUND), order),
        st.builds(Deliver, st.integers(1, 60), order),
    )


@st.composite
def faults_of_the_network(draw: st.DrawFn) -> list[Operation]:
    """Something happens to messages of one kind as soon as there are any."""
    kind = draw(st.sampled_from((*SAID_IN_EVERY_ROUND * 3, *SAID_IN_NEED)))
    which, late = draw(st.integers(0, 40)), draw(st.integers(1, 150))
    many = Lose(kind, which, draw(st.integers(1, 8)))
    faults = (many, Repeat(kind, which, late), Hasten(kind, which), Delay(kind, which, late))
    return [Until(kind, draw(st.integers(0, 99))), draw(st.sampled_from(faults))]


@st.composite
def lies(draw: st.DrawFn, liar: str) -> list[Operation]:
    """The liar lies as soon as it has something to say."""
    kind = draw(st.sampled_from((*SAID_BY_PARTIES, "Opening")))
    lie = Lie(kind, draw(st.integers(0, 9)), draw(st.sampled_from(How)))
    return [Until(kind, draw(st.integers(0, 99)), liar), lie]


@st.composite
def silences(draw: st.DrawFn, who: str) -> list[Operation]:
    """Somebody loses patience after some time."""
    return [draw(advances()), Expire(who)]


@st.composite
def crashes(draw: st.DrawFn, who: str) -> list[Operation]:
    """Somebody crashes after some time, and may come back after some more."""
    happens = [draw(advances()), Crash(who, draw(st.booleans()))]
    if draw(st.integers(0, 2)):
        happens += [*draw(st.lists(advances(), max_size=2)), Restart(who)]
    return happens


@st.composite
def incidents(draw: st.DrawFn, names: tuple[str, ...], liar: str | None) -> list[Operation]:
    """One thing that goes wrong, after some time; some things do more often than others."""
    who = draw(st.sampled_from((*names * 2, *(COORDINATOR,) * len(names))))
    wrong = (silences(who), *(crashes(who),) * 2, *(faults_of_the_network(),) * 3)
    lying = () if liar is None else (lies(liar),) * 2
    return draw(draw(st.sampled_from((*wrong, *lying))))


@st.composite
def settings_of_runs(draw: st.DrawFn) -> Setting:
    """A run of two or three rounds and what happens in it."""
    adversaries = draw(st.integers(0, 1), label="A")
    parties = draw(st.integers(5 + adversaries, 8), label="n")
    rounds = draw(st.integers(2, 3), label="R")
    least = max(16, 2 * rounds * (parties - 1))
    names = tuple(f"party-{index}" for index in range(parties))
    liar = draw(st.sampled_from(names), label="liar") if adversaries else None
    happens = draw(st.lists(incidents(names, liar), min_size=1, max_size=10), label="incidents")
    return Setting(
        parties=parties,
        rounds=rounds,
        dim=draw(st.integers(least, max(least, 64)), label="d"),
        clusters=draw(st.integers(1, 2), label="clusters"),
        seed=draw(st.integers(0, 2**16), label="vectors"),
        liar=liar,
        operations=tuple(operation for incident in happens for operation in incident),
    )
