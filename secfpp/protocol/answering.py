"""Batches and the assignment at a party: what it follows, what it answers (§5, §6, §8)."""

from __future__ import annotations

from dataclasses import replace

from secfpp.errors import PolicyRefusal
from secfpp.protocol.circumstances import Release
from secfpp.protocol.commitments import Verify
from secfpp.protocol.dealing import disown
from secfpp.protocol.disclosure import View, check_agreement, check_batch, check_labels
from secfpp.protocol.echoes import Echoes
from secfpp.protocol.messages import Answers, Ask, Assign, EchoStage, Envelope
from secfpp.protocol.opening import masked_answers, pool
from secfpp.protocol.party_states import Answering, Checking


def begin(state: Checking, ask: Ask, verify: Verify) -> Answering:
    """With the first batch it is known whose vectors and masks are used: pool what came of them.

    PolicyRefusal where they are too few, or a root is called unsigned that is signed.
    """
    view = View(ask.dealers, ask.mask_dealers)
    check_agreement(state.params, view)
    held = disown(state.params, state.held, ask.unsigned, verify)
    return Answering(state.params, pool(held, view), view, None)


def require_next(state: Answering, ask: Ask) -> None:
    """PolicyRefusal where a later batch does not go on from what was asked before."""
    if ask.batch < len(state.view.batches):
        raise PolicyRefusal("queries", f"batch {ask.batch} was asked before, in other words")
    if ask.unsigned:
        raise PolicyRefusal("dealers", "roots are called unsigned after the first batch")
    if (ask.dealers, ask.mask_dealers) != (state.view.dealers, state.view.mask_dealers):
        raise PolicyRefusal("dealers", "changed between two batches of one attempt")


def owe(state: Answering, ask: Ask) -> Answering:
    """The batch joins the view and is owed an answer; PolicyRefusal where §6 forbids a query."""
    check_batch(state.params, state.view, ask.queries)
    return replace(state, view=state.view.extended(ask.queries), owed=ask)


def answer(state: Answering, echoes: Echoes) -> tuple[Answering, list[Envelope]]:
    """Answer the owed batch if enough witnesses saw the same up to the batch before (§8).

    A party that lacks a share or masks owes nothing, and is silent.
    """
    params, ask = state.params, state.owed
    if ask is None:
        return state, []
    vouched = ask.batch if params.strict_queries else ask.batch - 1
    if vouched >= 0 and not echoes.agreed(params, EchoStage.BATCH, vouched):
        return state, []
    state = replace(state, owed=None)
    if state.pooled is None:
        return state, []
    values = masked_answers(params, state.pooled, state.view, ask)
    return state, [Envelope(params.coordinator, Answers(params.key, ask.batch, values))]


def require_last(state: Answering, assign: Assign, released: Release | None) -> None:
    """PolicyRefusal where an assignment skips a batch, does not fit the view, or is another.

    `released` is what this party has accepted in the round before, if anything.
    """
    if assign.batches < len(state.view.batches):
        raise PolicyRefusal("assignment", "comes from fewer batches than were asked")
    check_labels(state.view, assign.labels)
    if released is not None and released.labels != assign.labels:
        raise PolicyRefusal("attempt", "this party accepted another assignment before")
