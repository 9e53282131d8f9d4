"""What a trainer answers, besides tensors: the JSON objects under the one key of a frame.

Both ends of the pipe use these classes; nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from secfpp.learn.pipe import Frame, Reply, Tensors
from secfpp.learn.trouble import TrainingTrouble


@dataclass(frozen=True)
class Description:
    """What a trainer says of its model and images: nothing secret, but only for this party.

    `shape` is (tokens, width); `zero_shot` the test accuracy of the template alone; `geometry`
    what all parties of a run must have alike, field by field.
    """

    geometry: dict[str, str]
    shape: tuple[int, int]
    classes: tuple[str, ...]
    manifest: dict[str, object]
    zero_shot: float
    train_count: int
    test_count: int
    device: str


@dataclass(frozen=True)
class Summary:
    """What may be told of one round of training; `accuracy` is on the party's own test images.

    `gpu_seconds` are those for which it held a GPU, `cpu_seconds` those of this process.
    """

    round: int
    loss_first: float
    loss_last: float
    steps: int
    seconds: float
    cpu_seconds: float
    gpu_seconds: float
    accuracy: float


@dataclass(frozen=True)
class Accuracy:
    """The share of the `count` test images that are recognised."""

    accuracy: float
    count: int


@dataclass(frozen=True)
class Step:
    """Progress: step `step` of `steps`, or so many images of all, where there is no loss."""

    step: int
    steps: int
    loss: float | None


@dataclass(frozen=True)
class Failure:
    """A SecFPPError on its way: its code, its text, and what to do."""

    code: str
    message: str
    fix: str


Answer = Description | Summary | Accuracy | Step | Failure
Kind = TypeVar("Kind", Description, Summary, Accuracy, Step, Failure)


def as_frame(answer: Answer, tensors: Tensors | None = None) -> Frame:
    """The frame that carries an answer, under the key that belongs to its class."""
    match answer:
        case Step():
            key = Reply.PROGRESS
        case Failure():
            key = Reply.ERROR
        case _:
            key = Reply.RESULT
    return Frame({key: dataclasses.asdict(answer)}, tensors or {})


def read_answer(kind: type[Kind], frame: Frame, reply: Reply) -> Kind:
    """The answer under the frame's key `reply`; TrainingTrouble where it is no `kind`."""
    try:
        return TypeAdapter(kind).validate_python(frame.header.get(reply))
    except ValidationError as error:
        raise TrainingTrouble(f"the trainer's {reply} is malformed: {error}") from error
