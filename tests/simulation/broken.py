"""The laws of a run by their names, and how it is said that one does not hold."""

from __future__ import annotations

UNSEEN = "the coordinator receives and holds no share, mask, sum or mean"
ONCE = "nobody finishes an attempt twice, and no round is closed twice"
DEALS = "nobody deals two payloads to one recipient under one key"
RISING = "every attempt that is opened is later than all before"
WITNESSES = "all attempts of a round have the same witnesses"
CLOSED = "once its assignment has been sent, a round is closed"
VOUCHES = "who vouched for an assignment vouches for no other in that round"
ONE_SUM = "no vector is in two sums of one round"
LEDGER = "the ledger is what was opened"
BLAME = "nobody honest is named"
REFUSAL = "nobody honest refuses an honest coordinator"
EXACT = "what is opened equals the plain oracle"
ENDS = "nothing waits for ever"


class Broken(AssertionError):
    """A law does not hold."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(f"{law}: {text}")
        self.law = law


def require(holds: bool, law: str, text: str) -> None:
    if not holds:
        raise Broken(law, text)
