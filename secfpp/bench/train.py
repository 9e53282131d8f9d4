"""`secfpp bench train`: the prefix-shared text tower beside the plain one, forward and backward."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import torch
from torch import Tensor

from secfpp.bench.machine import provenance
from secfpp.learn.checkpoints import open_clip_module
from secfpp.learn.clip import device_named, load_clip, normalised_names
from secfpp.learn.settings import ClipSettings
from secfpp.learn.text_tower import SharedTower, full_tower


class Tower(StrEnum):
    """The plain tower at its full context length, and the one that runs the context once."""

    FULL = "full"
    SHARED = "shared"


@dataclass(frozen=True)
class TrainBench:
    """What to measure: random weights of an open_clip `model`, so many classes and tokens."""

    model: str = "ViT-B-16"
    classes: int = 100
    tokens: int = 16
    device: str = "auto"
    threads: int = 2
    repeats: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Timing:
    """Seconds of each step, and the features and gradient that it gave."""

    seconds: list[float]
    features: Tensor
    gradient: Tensor


def measure(bench: TrainBench) -> dict[str, object]:
    """Time both towers side by side: {…provenance, "results": [full, shared]}.

    A step is the features of all classes and the gradient of a fixed random function of them in
    the context, after one step of each that does not count. `max_abs_diff` compares the features,
    `gradient_max_abs_diff` the gradients over the largest entry; `ratio` is full over shared.
    """
    torch.set_num_threads(bench.threads)
    device = device_named(bench.device)
    settings = ClipSettings(f"random:{bench.seed}", bench.model, bench.tokens)
    clip = load_clip(settings, device)
    suffixes = clip.suffixes(_class_names(bench.classes))
    shared = SharedTower(clip.text, suffixes, bench.tokens)
    context = clip.initial_context().requires_grad_()
    plain = _timed(bench, context, partial(full_tower, clip.text, suffixes))
    fast = _timed(bench, context, shared)
    difference = float((plain.features - fast.features).abs().max())
    gradient = float((plain.gradient - fast.gradient).abs().max() / plain.gradient.abs().max())
    medians = {
        Tower.FULL: statistics.median(plain.seconds),
        Tower.SHARED: statistics.median(fast.seconds),
    }
    rows: list[dict[str, object]] = [
        {
            "model": bench.model,
            "classes": bench.classes,
            "tokens": bench.tokens,
            "device": str(device),
            "tower": str(tower),
            "threads": bench.threads,
            "seconds_per_step": seconds,
            "max_abs_diff": difference,
            "gradient_max_abs_diff": gradient,
            "ratio": medians[Tower.FULL] / seconds,
        }
        for tower, seconds in medians.items()
    ]
    return {**provenance(bench.seed), "results": rows}


def _class_names(count: int) -> tuple[str, ...]:
    """The first `count` distinct ImageNet names, as open_clip lists them, so lengths are real."""
    open_clip_module()
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    distinct = dict.fromkeys(str(name).lower() for name in IMAGENET_CLASSNAMES)
    return normalised_names(list(distinct)[:count])


def _timed(bench: TrainBench, context: Tensor, tower: Callable[[Tensor], Tensor]) -> Timing:
    weight: Tensor | None = None
    seconds = []
    for _ in range(bench.repeats + 1):
        _settle(context)
        start = time.perf_counter()
        features = tower(context)
        if weight is None:
            generator = torch.Generator().manual_seed(bench.seed)
            weight = torch.randn(features.shape, generator=generator).to(features.device)
        (gradient,) = torch.autograd.grad((features * weight).sum(), context)
        _settle(context)
        seconds.append(time.perf_counter() - start)
    return Timing(seconds[1:], features.detach(), gradient)


def _settle(context: Tensor) -> None:
    if context.is_cuda:
        torch.cuda.synchronize()
