"""What a party reports of a round, read as the words of somebody who may lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_Seconds = Annotated[float, Field(ge=0, le=1e9)]
_Bytes = Annotated[int, Field(ge=0, le=2**53)]


class _Words(BaseModel):
    """Read as it stands, without conversions; what is more than is asked for is left out."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Spent(_Words):
    total: _Seconds
    train: _Seconds = 0.0


class _Moved(_Words):
    sent: _Bytes
    received: _Bytes


class _Report(_Words):
    seconds: _Spent
    bytes: _Moved
    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None


@dataclass(frozen=True)
class Told:
    """A party's report in words; the accuracy if it chose to tell one; seconds of the exchange,
    from its vectors being ready, and payload bytes that it sent."""

    words: str
    accuracy: float | None
    seconds: float
    sent: int


def reported(text: str) -> Told | None:
    """Read a party's report, which is JSON; none where it cannot be read."""
    try:
        report = _Report.model_validate_json(text)
    except ValidationError:
        return None
    spent, moved, accuracy = report.seconds, report.bytes, report.accuracy
    words = "" if accuracy is None else f"has accuracy {accuracy:.3f}, "
    words += (
        f"trained for {spent.train:.1f} s, sent {moved.sent / 1024:.0f} KiB and received "
        f"{moved.received / 1024:.0f} KiB"
    )
    return Told(words, accuracy, max(0.0, spent.total - spent.train), moved.sent)
