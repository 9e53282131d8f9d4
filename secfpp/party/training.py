"""The trainer of a party daemon: a subprocess asked over pipes, so that no torch is loaded here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secfpp.errors import ConfigError, Misuse, SecFPPError
from secfpp.learn.answers import Accuracy, Description, Failure, Step, Summary, read_answer
from secfpp.learn.pipe import (
    LENGTH,
    Frame,
    Reply,
    Request,
    body_length,
    decode,
    encode,
    header_length,
)
from secfpp.learn.settings import ClipSettings, DataSettings, TrainingSettings, as_json
from secfpp.learn.trouble import TrainingTrouble

__all__ = [
    "Accuracy",
    "Description",
    "Prepared",
    "Summary",
    "TrainerProcess",
    "TrainerTask",
    "Tuned",
]

COMMAND = (sys.executable, "-m", "secfpp.learn.worker")
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # Several trainers share the cores.
    # Memory that torch gives back is kept: fetching it anew from the system costs most of a step.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # Without it CUDA sums in a different order each time.
    "PYTHONUNBUFFERED": "1",
}
LAST_LINES = 20
LAST_BYTES = 1 << 14
STOP_SECONDS = 5.0

Prompt = NDArray[np.float32]
OnProgress = Callable[[int, int, float | None], None]
"""Called with step, steps and loss; while preparing, with images, all images and no loss."""


@dataclass(frozen=True)
class TrainerTask:
    """All that a trainer is told: the model, this party's images, and how to train."""

    clip: ClipSettings
    data: DataSettings
    training: TrainingSettings


@dataclass(frozen=True, repr=False)
class Prepared:
    """A description, and where the domain-level prompt starts: float32 (tokens, width)."""

    description: Description
    initial: Prompt


@dataclass(frozen=True, repr=False)
class Tuned:
    """One round's outcome: a summary, and both prompts, float32 (tokens, width)."""

    summary: Summary
    domain_prompt: Prompt
    class_prompt: Prompt


class TrainerProcess:
    """One trainer for the whole run.

    `idle_timeout` is the longest silence, in seconds, that is taken for work; a trainer silent for
    longer is killed and TrainingTrouble raised. So is it where the trainer ends by itself, with its
    exit code and the last lines that it wrote to stderr.
    """

    def __init__(self, *, idle_timeout: float, command: tuple[str, ...] = COMMAND) -> None:
        self._idle_timeout = idle_timeout
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._said = b""
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the subprocess, also after an earlier one was killed.

        It takes some seconds until it answers; many at once on few cores take many.
        """
        if self._process is not None:
            raise Misuse("the trainer was started before")
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,  # Ctrl-C is for the daemon, which then stops its trainer.
        )
        self._said = b""
        self._listener = asyncio.create_task(self._listen(self._process))

    async def prepare(
        self,
        task: TrainerTask,
        *,
        cache: Path,
        on_progress: OnProgress = lambda step, steps, loss: None,
    ) -> Prepared:
        """Load the model, read the images, compute features; ConfigError says what is wrong.

        Features are kept in the directory `cache`, from one run to the next.
        """
        request = Frame(
            {
                "clip": as_json(task.clip),
                "data": as_json(task.data),
                "training": as_json(task.training),
                "cache": str(cache),
            }
        )
        answer = await self._ask(Request.PREPARE, request, on_progress)
        described = read_answer(Description, answer, Reply.RESULT)
        return Prepared(described, _prompt(answer, "initial", described.shape))

    async def train(
        self,
        domain_prompt: Prompt,
        *,
        round_number: int,
        seed: int,
        class_prompt: Prompt | None = None,
        on_progress: OnProgress = lambda step, steps, loss: None,
    ) -> Tuned:
        """Tune for one round from G = `domain_prompt` and L, the trainer's own where it is None.

        TrainingTrouble where the loss is not a number or memory runs out; the trainer goes on.
        """
        tensors = {"domain_prompt": domain_prompt}
        tensors |= {} if class_prompt is None else {"class_prompt": class_prompt}
        request = Frame({"round": round_number, "seed": seed}, tensors)
        answer = await self._ask(Request.TRAIN, request, on_progress)
        both = (
            _prompt(answer, name, domain_prompt.shape) for name in ("domain_prompt", "class_prompt")
        )
        return Tuned(read_answer(Summary, answer, Reply.RESULT), *both)

    async def evaluate(self, context: Prompt) -> Accuracy:
        """The accuracy of a whole context G + L on the party's own test images."""
        answer = await self._ask(Request.EVALUATE, Frame({}, {"context": context}))
        return read_answer(Accuracy, answer, Reply.RESULT)

    async def stop(self) -> None:
        """Let the trainer end, and kill it where it does not within a few seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        self._send(process, Frame({"request": Request.STOP}))
        if process.stdin is not None:
            process.stdin.close()
        await _ends(process)
        await self._buried(process)

    async def _ask(
        self,
        request: Request,
        frame: Frame,
        on_progress: OnProgress = lambda step, steps, loss: None,
    ) -> Frame:
        """Send a request and wait for its result, however many reports of progress come before."""
        if self._process is None:
            raise Misuse("the trainer is not running", fix="call start first")
        process, answer = self._process, None
        try:
            message = Frame({"request": request, **frame.header}, frame.tensors)
            self._send(process, message)
            while answer is None:
                reply = await self._receive(process, request)
                if Reply.PROGRESS in reply.header:
                    step = read_answer(Step, reply, Reply.PROGRESS)
                    on_progress(step.step, step.steps, step.loss)
                else:
                    answer = reply
        finally:
            # Whatever interrupted the wait, a late answer must not be taken for the next one's.
            if answer is None:
                self._process = None
                await self._buried(process)
        if Reply.ERROR in answer.header:
            raise _error(read_answer(Failure, answer, Reply.ERROR))
        return answer

    def _send(self, process: asyncio.subprocess.Process, frame: Frame) -> None:
        # Not drained: what the pipe does not take at once leaves while the answer is awaited.
        if process.stdin is not None:
            process.stdin.write(encode(frame))

    async def _receive(self, process: asyncio.subprocess.Process, request: Request) -> Frame:
        try:
            async with asyncio.timeout(self._idle_timeout):
                header = await _part(process, header_length)
                return decode(header, await _part(process, body_length))
        except TimeoutError:
            raise TrainingTrouble(
                f"the trainer said nothing for {self._idle_timeout:g} s, where progress or an "
                f"answer to {request} was expected; it was killed",
                fix="give it more time (time.idle_timeout), or fewer images a step",
            ) from None
        except asyncio.IncompleteReadError:
            raise await self._ended(process, request) from None
        except Misuse as error:
            raise TrainingTrouble(f"the trainer's answer to {request}: {error}") from error

    async def _ended(
        self, process: asyncio.subprocess.Process, request: Request
    ) -> TrainingTrouble:
        """Say how the trainer ended, once it has; its output ends a moment before it does."""
        await _ends(process)
        await self._buried(process)
        lines = self._said.decode(errors="replace").splitlines()[-LAST_LINES:]
        return TrainingTrouble(
            f"the trainer ended with exit code {process.returncode} where an answer to {request} "
            f"was expected; its last words on stderr: {' | '.join(lines) or 'none'}",
            fix="see the trainer's words; exit code -9 often means that memory ran out",
        )

    async def _buried(self, process: asyncio.subprocess.Process) -> None:
        """Kill the process if it still runs, and hear the last of its words."""
        await _kill(process)
        if self._listener is not None:
            await self._listener

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Keep the end of stderr, so that its pipe never fills."""
        while process.stderr is not None and (said := await process.stderr.read(LAST_BYTES)):
            self._said = (self._said + said)[-LAST_BYTES:]


def _prompt(frame: Frame, name: str, shape: tuple[int, ...]) -> Prompt:
    tensor = frame.tensors.get(name)
    if tensor is None or tensor.shape != tuple(shape):
        raise TrainingTrouble(f"the trainer's answer lacks {name} of shape {tuple(shape)}")
    return tensor


def _error(failure: Failure) -> SecFPPError:
    known = {kind.code: kind for kind in (ConfigError, Misuse)}
    return known.get(failure.code, TrainingTrouble)(failure.message, fix=failure.fix)


async def _part(process: asyncio.subprocess.Process, length_of: Callable[[bytes], int]) -> bytes:
    stream = process.stdout
    if stream is None:
        raise Misuse("the trainer has no pipe")
    return await stream.readexactly(length_of(await stream.readexactly(LENGTH.size)))


async def _ends(process: asyncio.subprocess.Process) -> None:
    """Give the process some seconds to end by itself."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
