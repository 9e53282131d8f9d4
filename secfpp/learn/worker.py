"""`python -m secfpp.learn.worker`: a party's trainer, one subprocess for the whole run.

Frames (`pipe.py`) come on stdin and go to what was stdout; everything that libraries print goes to
stderr. A request that cannot be met is answered by an error frame, and the worker goes on; it ends
at `stop`, or when stdin closes.

    prepare  {clip, data, training, cache}        → {geometry, shape, classes, …}, initial
    train    {round, seed}, domain_prompt[, class_prompt]
                                                  → progress frames, then {loss_first, …}, both
    evaluate context                              → {accuracy, count}
"""

from __future__ import annotations

import gc
import os
import sys
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from secfpp.errors import Misuse, SecFPPError
from secfpp.learn.answers import Failure, Step, as_frame
from secfpp.learn.pipe import Frame, Request, decode, read_bytes, write
from secfpp.learn.session import Plan, Session, Turn

CLASS_PROMPT = "class_prompt"
CONTEXT = "context"
DOMAIN_PROMPT = "domain_prompt"
INITIAL = "initial"


class Worker:
    """Answers requests one after another; holds the session that `prepare` made."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._session: Session | None = None

    def serve(self, source: BinaryIO) -> None:
        """Answer until `stop`, or until `source` ends."""
        while (parts := read_bytes(source)) is not None:
            try:
                frame = decode(*parts)
                request = _request(frame)
                if request is Request.STOP:
                    return
                answer = self._answer(request, frame)
            except SecFPPError as error:
                answer = as_frame(Failure(error.code, str(error), error.fix))
            write(self._output, answer)

    def _answer(self, request: Request, frame: Frame) -> Frame:
        match request:
            case Request.PREPARE:
                self._session = None  # Two models at once would need the memory of both.
                self._session = Session(Plan.from_json(frame.header), self._progress)
                return as_frame(self._session.describe(), {INITIAL: self._session.initial})
            case Request.TRAIN:
                return self._train(self._prepared(), frame)
            case Request.EVALUATE:
                return as_frame(self._prepared().evaluate(_tensor(frame, CONTEXT)))
            case Request.STOP:
                raise Misuse("stop has no answer")

    def _train(self, session: Session, frame: Frame) -> Frame:
        trained = session.train(
            Turn.from_json(frame.header),
            _tensor(frame, DOMAIN_PROMPT),
            frame.tensors.get(CLASS_PROMPT),
            self._progress,
        )
        tensors = {DOMAIN_PROMPT: trained.domain, CLASS_PROMPT: trained.classes}
        return as_frame(trained.summary, tensors)

    def _progress(self, step: int, steps: int, loss: float | None) -> None:
        write(self._output, as_frame(Step(step, steps, loss)))

    def _prepared(self) -> Session:
        if self._session is None:
            raise Misuse("nothing is prepared", fix="send prepare first")
        return self._session


def main() -> None:
    """Take stdout for frames alone, then serve stdin."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    torch.use_deterministic_algorithms(True)
    try:
        Worker(frames).serve(sys.stdin.buffer)
    except BrokenPipeError:
        # The daemon is gone; what is left in the buffer has no reader, so it is not flushed.
        os._exit(0)
    gc.freeze()  # Python's last collection takes a second with torch, and frees what ends anyway.


def _request(frame: Frame) -> Request:
    name = frame.header.get("request")
    try:
        return Request(str(name))
    except ValueError:
        known = ", ".join(Request)
        raise Misuse(f"there is no request {name!r}; there are: {known}") from None


def _tensor(frame: Frame, name: str) -> NDArray[np.float32]:
    if name not in frame.tensors:
        raise Misuse(f"the request lacks the tensor {name}")
    return frame.tensors[name]


if __name__ == "__main__":
    main()
