"""Tuning a hierarchical prompt on cached image features: one plain loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from secfpp.errors import Misuse
from secfpp.learn.prompt import HierarchicalPrompt
from secfpp.learn.settings import Optimiser, TrainingSettings
from secfpp.learn.text_tower import SharedTower
from secfpp.learn.trouble import TrainingTrouble


class Progress(Protocol):
    """Called after each step with its number, from 1 on, the number of steps, and its loss."""

    def __call__(self, step: int, steps: int, loss: float | None) -> None:
        """Hear of one step; there is no loss while images are being read."""
        ...


def unheard(step: int, steps: int, loss: float | None) -> None:
    """The progress that nobody listens to."""


@dataclass(frozen=True, repr=False)
class Examples:
    """Normalised image features float32 (N, features) with int64 labels (N,), N > 0."""

    features: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls, features: NDArray[np.float32], labels: NDArray[np.int64], device: torch.device
    ) -> Examples:
        """Put features and labels of the same images on a device."""
        if not 0 < len(features) == len(labels):
            raise Misuse(f"{len(features)} features and {len(labels)} labels")
        return cls(torch.from_numpy(features).to(device), torch.from_numpy(labels).to(device))


@dataclass(frozen=True)
class Task:
    """What a prompt is tuned for: the classes' text tower, and the temperature of the logits."""

    tower: SharedTower
    scale: float

    def logits(self, context: Tensor, features: Tensor) -> Tensor:
        """Cosine logits (N, classes) of normalised features (N, features)."""
        texts = F.normalize(self.tower(context).float(), dim=-1)
        return self.scale * features @ texts.T

    def accuracy(self, context: Tensor, examples: Examples) -> float:
        """The share of images whose largest logit is their own class's."""
        with torch.no_grad(), precision(examples.features.device):
            guesses = self.logits(context, examples.features).argmax(dim=-1)
        return int((guesses == examples.labels).sum()) / len(examples.labels)


def train(
    task: Task,
    examples: Examples,
    prompt: HierarchicalPrompt,
    settings: TrainingSettings,
    *,
    seed: int,
    progress: Progress = unheard,
) -> list[float]:
    """Tune `prompt` in place and return the loss of every step.

    Deterministic under `seed` on one machine and thread count. TrainingTrouble where the loss is
    not a number or memory runs out.
    """
    optimiser = _optimiser(prompt, settings)
    batches = _batches(len(examples.labels), settings.batch, seed)
    parameters = [prompt.domain, *prompt.class_parameters]
    losses: list[float] = []
    with memory_trouble():
        for step in range(1, settings.steps + 1):
            batch = next(batches).to(examples.labels.device)
            optimiser.zero_grad()
            with precision(examples.features.device):
                logits = task.logits(prompt.context, examples.features[batch])
            loss = F.cross_entropy(logits.float(), examples.labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types.
            norm = torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
            if not bool(torch.isfinite(loss) and torch.isfinite(norm)):
                raise _not_a_number(step)
            optimiser.step()
            losses.append(loss.item())
            progress(step, settings.steps, losses[-1])
    if not bool(torch.isfinite(prompt.context).all()):
        raise _not_a_number(settings.steps)
    return losses


def precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where it is fast, on CUDA; float32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


@contextmanager
def memory_trouble() -> Iterator[None]:
    """Turn running out of memory, of the device or the machine, into TrainingTrouble."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        named = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not named and "can't allocate memory" not in str(error):
            raise
        raise TrainingTrouble(
            "training ran out of memory", fix="lower training.batch, or train on another device"
        ) from error


def _not_a_number(step: int) -> TrainingTrouble:
    return TrainingTrouble(
        f"training met a number that is not finite in step {step}",
        fix="lower training.learning_rate and training.class_learning_rate",
    )


def _optimiser(prompt: HierarchicalPrompt, settings: TrainingSettings) -> torch.optim.Optimizer:
    groups = [
        {"params": [prompt.domain], "lr": settings.learning_rate},
        {"params": list(prompt.class_parameters), "lr": settings.class_learning_rate},
    ]
    match settings.optimiser:
        case Optimiser.ADAM:
            return torch.optim.Adam(groups)
        case Optimiser.SGD:
            return torch.optim.SGD(groups)


def _batches(count: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Endless batches of indices; every image once before any comes again."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=generator)
        yield from torch.split(order, batch)
