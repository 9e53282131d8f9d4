"""What is kept of words that come before their attempt: each sender's latest, and not too much."""

from __future__ import annotations

import numpy as np

from secfpp.algebra.field import FieldArray
from secfpp.party.early import MOST_BYTES, MOST_EARLY, EarlyWords
from secfpp.protocol.messages import Answers, Deal, Done, Echo, EchoStage, SumShare
from secfpp.protocol.params import AttemptKey


def key(number: int) -> AttemptKey:
    return AttemptKey("run", number, 1)


def echo(number: int, batch: int = 0) -> Echo:
    return Echo(key(number), EchoStage.BATCH, batch, bytes(32), b"signed")


def test_who_speaks_of_attempts_that_never_come_displaces_its_own_words_only():
    words = EarlyWords()
    words.keep("ann", echo(2))
    for number in range(3, 10_000):
        words.keep("mallory", echo(number))
    words.keep("mallory", echo(2))
    assert words.take(key(2)) == [("ann", echo(2))]
    assert words.take(key(9_999)) == [("mallory", echo(9_999))]


def test_no_sender_has_more_kept_than_an_attempt_could_hold_for_one_party():
    words = EarlyWords()
    for batch in range(2 * MOST_EARLY):
        words.keep("mallory", echo(2, batch))
    words.keep("ann", echo(2))
    kept = words.take(key(2))
    assert len(kept) == MOST_EARLY + 1
    assert kept[-1] == ("ann", echo(2))


def test_what_is_taken_is_gone_and_so_is_what_was_for_an_attempt_before():
    words = EarlyWords()
    words.keep("ann", echo(2))
    words.keep("bob", echo(3))
    words.keep("carl", echo(4))
    assert words.take(key(3)) == [("bob", echo(3))]
    assert words.take(key(2)) == []
    assert words.take(key(4)) == [("carl", echo(4))]


def test_of_one_sender_no_more_bytes_are_kept_than_one_message_may_have():
    words = EarlyWords()
    share = FieldArray(np.zeros(MOST_BYTES // 8 // 3, dtype=np.uint64))
    words.keep("mallory", Deal(key(2), bytes(32), (share,), share, "", None))
    words.keep("mallory", SumShare(key(2), 0, share))
    words.keep("mallory", echo(2))
    words.keep("ann", SumShare(key(2), 0, share))
    kept = [(sender, type(message)) for sender, message in words.take(key(2))]
    assert kept == [("mallory", Deal), ("mallory", Echo), ("ann", SumShare)]


def test_of_one_place_the_first_word_is_kept_and_of_words_to_the_coordinator_none():
    words = EarlyWords()
    share = FieldArray(np.zeros(3, dtype=np.uint64))
    for cluster in range(10):
        words.keep("mallory", SumShare(key(2), cluster, share))
        words.keep("mallory", Answers(key(2), cluster, share))
        words.keep("mallory", Done(key(2), True))
    assert words.take(key(2)) == [("mallory", SumShare(key(2), 0, share))]
