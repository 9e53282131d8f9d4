"""A party's learning for a whole run: model, images and class-level prompt, round after round."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from secfpp.errors import Misuse
from secfpp.learn.answers import Accuracy, Description, Summary
from secfpp.learn.clip import Done, device_named, load_clip
from secfpp.learn.data import PartyData, load_party_data
from secfpp.learn.features import cached_features
from secfpp.learn.images import ImageSet
from secfpp.learn.prompt import HierarchicalPrompt, as_array
from secfpp.learn.settings import ClipSettings, DataSettings, TrainingSettings, from_json
from secfpp.learn.trainer import Examples, Progress, Task, memory_trouble, train, unheard

Prompt = NDArray[np.float32]


@dataclass(frozen=True)
class Plan:
    """All that a session is told: the three settings and where features are cached."""

    clip: ClipSettings
    data: DataSettings
    training: TrainingSettings
    cache: Path

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Plan:
        """Read {clip, data, training, cache}; ConfigError or Misuse says what is wrong."""
        cache = values.get("cache")
        if not isinstance(cache, str) or not cache:
            raise Misuse("prepare needs the cache directory as a text")
        return cls(
            from_json(ClipSettings, "clip", values.get("clip", {})),
            from_json(DataSettings, "data", values.get("data", {})),
            from_json(TrainingSettings, "training", values.get("training", {})),
            Path(cache),
        )


@dataclass(frozen=True)
class Turn:
    """A round of a run: its number and the run's seed, both from 0 on."""

    round: int
    seed: int

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Turn:
        """Read {round, seed}; Misuse where they are not integers from 0 on."""
        number, seed = values.get("round"), values.get("seed")
        if type(number) is not int or type(seed) is not int or min(number, seed) < 0:
            raise Misuse("train needs round and seed, integers from 0 on")
        return cls(number, seed)

    @property
    def training_seed(self) -> int:
        """The seed of this round's batches."""
        return int(np.random.SeedSequence([self.seed, self.round]).generate_state(1)[0])


@dataclass(frozen=True, repr=False)
class Trained:
    """One round's outcome: both prompts (tokens, width) and what may be told of them."""

    domain: Prompt
    classes: Prompt
    summary: Summary


class Session:
    """The frozen model, the cached features, and L, kept for the whole run.

    Only features of training images reach the training loop; those of test images only `evaluate`.
    """

    def __init__(self, plan: Plan, progress: Progress = unheard) -> None:
        torch.set_num_threads(plan.training.threads)
        device = device_named(plan.training.device)
        with memory_trouble():
            self.clip = load_clip(plan.clip, device)
            self.data: PartyData = load_party_data(plan.data, self.clip.preprocessing)
            tower = self.clip.tower(self.data.train.classes)
            self.task = Task(tower, self.clip.scale)
            done = partial(progress, loss=None)
            self.examples = self._examples(self.data.train, plan.cache, done)
            self.held_out = self._examples(self.data.test, plan.cache, done)
        self._settings = plan.training
        self._classes: Prompt | None = None

    def _examples(self, images: ImageSet, cache: Path, done: Done) -> Examples:
        features = cached_features(self.clip, images, cache, done)
        return Examples.of(features, images.labels, self.clip.device)

    @property
    def initial(self) -> Prompt:
        """Where the domain-level prompt starts, (tokens, width)."""
        return as_array(self.clip.initial_context())

    def describe(self) -> Description:
        """What all parties must have alike, and what only this one knows."""
        tokens, width = self.initial.shape
        return Description(
            geometry=self.clip.geometry,
            shape=(tokens, width),
            classes=self.data.train.classes,
            manifest=self.data.manifest(),
            zero_shot=self.zero_shot_accuracy(),
            train_count=len(self.data.train),
            test_count=len(self.data.test),
            device=str(self.clip.device),
        )

    def zero_shot_accuracy(self) -> float:
        """The accuracy on the test images of the template alone, without any prompt."""
        texts = self.clip.zero_shot_features(self.data.train.classes)
        guesses = (self.held_out.features @ texts.T).argmax(dim=-1)
        return int((guesses == self.held_out.labels).sum()) / len(self.held_out.labels)

    def train(
        self, turn: Turn, domain: Prompt, classes: Prompt | None, progress: Progress = unheard
    ) -> Trained:
        """Tune from G = `domain` and L = `classes`, or this session's own L where it is None."""
        start, cpu_start = time.monotonic(), time.process_time()
        own = self._classes if classes is None else classes
        prompt = HierarchicalPrompt(
            self._tensor(domain),
            None if own is None else self._tensor(own),
            rank=self._settings.rank,
            seed=turn.training_seed,
        )
        losses = train(
            self.task,
            self.examples,
            prompt,
            self._settings,
            seed=turn.training_seed,
            progress=progress,
        )
        seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start
        accuracy = self.task.accuracy(prompt.context.detach(), self.held_out)
        # Only a round that came to its end changes what is kept.
        self._classes = as_array(prompt.classes)
        summary = Summary(
            turn.round,
            losses[0],
            losses[-1],
            len(losses),
            seconds,
            cpu_seconds,
            seconds if self.clip.device.type == "cuda" else 0.0,
            accuracy,
        )
        return Trained(as_array(prompt.domain), self._classes, summary)

    def evaluate(self, context: Prompt) -> Accuracy:
        """The accuracy of a whole context G + L on the test images."""
        accuracy = self.task.accuracy(self._tensor(context), self.held_out)
        return Accuracy(accuracy, len(self.held_out.labels))

    def _tensor(self, prompt: Prompt) -> torch.Tensor:
        wanted = self.initial.shape
        if prompt.shape != wanted:
            raise Misuse(f"a prompt must be {wanted}, not {prompt.shape}")
        return torch.from_numpy(prompt).to(self.clip.device)
