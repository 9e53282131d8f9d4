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

import os
import sys
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from secfpp.errors import Misuse, SecFPPError
from secfpp.learn.pipe import Frame, Reply, Request, decode, read_bytes, write
from secfpp.learn.session import Plan, Session

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
                answer = _failure(error)
            write(self._output, answer)

    def _answer(self, request: Request, frame: Frame) -> Frame:
        match request:
            case Request.PREPARE:
                self._session = None  # Two models at once would need the memory of both.
                self._session = Session(Plan.from_json(frame.header), self._progress)
                return _result(self._session.describe(), {INITIAL: self._session.initial})
            case Request.TRAIN:
                return self._train(frame)
            case Request.EVALUATE:
                return _result(self._prepared().evaluate(_tensor(frame, CONTEXT)))
            case Request.STOP:
                raise Misuse("stop has no answer")

    def _train(self, frame: Frame) -> Frame:
        trained = self._prepared().train(
            _tensor(frame, DOMAIN_PROMPT),
            frame.tensors.get(CLASS_PROMPT),
            seed=_round_seed(frame.header),
            progress=self._progress,
        )
        tensors = {DOMAIN_PROMPT: trained.domain, CLASS_PROMPT: trained.classes}
        return _result({**trained.summary, "round": frame.header["round"]}, tensors)

    def _progress(self, step: int, steps: int, loss: float | None) -> None:
        report = {"step": step, "steps": steps, "loss": loss}
        write(self._output, Frame({Reply.PROGRESS: report}))

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


def _round_seed(header: Mapping[str, object]) -> int:
    """A seed for this round, from the run's seed and the round's number."""
    seed, number = header.get("seed"), header.get("round")
    if type(seed) is not int or type(number) is not int or min(seed, number) < 0:
        raise Misuse("train needs seed and round, integers from 0 on")
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _result(
    result: Mapping[str, object], tensors: Mapping[str, NDArray[np.float32]] | None = None
) -> Frame:
    return Frame({Reply.RESULT: result}, tensors or {})


def _failure(error: SecFPPError) -> Frame:
    told = {"code": error.code, "message": str(error), "fix": error.fix}
    return Frame({Reply.ERROR: told})


if __name__ == "__main__":
    main()
