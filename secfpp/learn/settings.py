"""What a trainer is told: the model, the images and the training, each checked when it is made.

These travel to the worker as JSON objects. Nothing here imports torch, so that a party daemon can
make them.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from secfpp.errors import ConfigError

CLOSED = ConfigDict(extra="forbid")

PLACE = "{}"
"""Where a template takes the name of a class."""


class DataKind(StrEnum):
    """Where images come from: the shipped set, a folder per class, or one .npz file."""

    EMBEDDED = "embedded"
    IMAGEFOLDER = "imagefolder"
    NPZ = "npz"


class Partition(StrEnum):
    """How the images of a domain are divided among the parties of that domain."""

    EVEN = "even"
    DIRICHLET = "dirichlet"
    DISJOINT_CLASSES = "disjoint-classes"


class OnBadImage(StrEnum):
    """What to do about an unreadable image, or a class with a single one."""

    STOP = "stop"
    SKIP = "skip"


class Optimiser(StrEnum):
    """The optimisers of the training loop; plain SGD, without momentum."""

    ADAM = "adam"
    SGD = "sgd"


def _require(holds: bool, key: str, rule: str, value: object) -> None:
    if not holds:
        raise ConfigError(f"{key} must be {rule}, not {value!r}", fix=f"correct {key}")


@dataclass(frozen=True)
class ClipSettings:
    """The model and the shape of the prompt: alike at all parties of a run.

    `weights` is "embedded", "random" or "random:<seed>", an open_clip tag of `model` ("openai"), a
    model with its tag ("ViT-B-16/openai"), or a local path: a safetensors or torch file for
    `model`, or a directory in the embedded format. `tokens` is the number of context vectors.
    The words of `template` before {} are the initial text, those behind it follow the name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = CLOSED

    weights: str = "embedded"
    model: str = "ViT-B-16"
    tokens: int = 8
    template: str = "a photo of a {}"

    def __post_init__(self) -> None:
        _require(bool(self.weights), "clip.weights", "embedded, a tag or a path", self.weights)
        small = not re.fullmatch(r"random:\d{20,}", self.weights)  # torch takes 64 bits.
        _require(small, "clip.weights", "random:<seed> of at most 19 digits", self.weights)
        _require(1 <= self.tokens <= 512, "clip.tokens", "between 1 and 512", self.tokens)
        one = self.template.count(PLACE) == 1
        _require(one, "clip.template", "a text with one {} for the class", self.template)

    @property
    def initial_text(self) -> str:
        """The words that the prompt starts from."""
        return self.template.partition(PLACE)[0].strip()

    @property
    def closing_text(self) -> str:
        """The words behind the name of the class; often none."""
        return self.template.partition(PLACE)[2].strip()


@dataclass(frozen=True)
class DataSettings:
    """The images of one party: part `part[0]` of `part[1]` parts of one domain.

    `domain` picks a rendering (embedded), the folder above the classes (imagefolder) or a name of
    the file's `domain` array (npz); "" takes all images where kind is not embedded.
    `beta` belongs to Dirichlet partitions; `shots` keeps that many training images a class, 0 all.
    """

    __pydantic_config__: ClassVar[ConfigDict] = CLOSED

    kind: DataKind = DataKind.EMBEDDED
    path: str | None = None
    domain: str = ""
    part: tuple[int, int] = (0, 1)
    partition: Partition = Partition.EVEN
    beta: float = 0.5
    shots: int = 0
    test_fraction: float = 0.25
    seed: int = 0
    on_bad_image: OnBadImage = OnBadImage.STOP

    def __post_init__(self) -> None:
        index, parts = self.part
        _require(0 <= index < parts, "data.part", "[index, of] with 0 ≤ index < of", self.part)
        _require(self.beta > 0, "data.beta", "above 0", self.beta)
        _require(self.shots >= 0, "data.shots", "0 (all) or more", self.shots)
        inside = 0 < self.test_fraction < 1
        _require(inside, "data.test_fraction", "between 0 and 1", self.test_fraction)
        _require(self.seed >= 0, "data.seed", "0 or more", self.seed)
        needs_path = self.kind is not DataKind.EMBEDDED
        given = bool(self.path) or not needs_path
        _require(given, "data.path", f"given for data.kind = {self.kind}", self.path)


@dataclass(frozen=True)
class TrainingSettings:
    """One round of local training.

    `rank` is that of the class-level prompt L, 0 for full. `device` is auto, cpu, cuda or cuda:N.
    `gradient_clip` bounds the norm of the gradient of G and L together.
    """

    __pydantic_config__: ClassVar[ConfigDict] = CLOSED

    optimiser: Optimiser = Optimiser.ADAM
    learning_rate: float = 0.01
    class_learning_rate: float = 0.001
    steps: int = 40
    batch: int = 64
    gradient_clip: float = 1.0
    rank: int = 0
    device: str = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        _require(self.learning_rate > 0, "training.learning_rate", "above 0", self.learning_rate)
        rate = self.class_learning_rate
        _require(rate >= 0, "training.class_learning_rate", "0 or more", rate)
        _require(self.steps >= 1, "training.steps", "1 or more", self.steps)
        _require(self.batch >= 1, "training.batch", "1 or more", self.batch)
        _require(self.gradient_clip > 0, "training.gradient_clip", "above 0", self.gradient_clip)
        _require(self.rank >= 0, "training.rank", "0 (full) or more", self.rank)
        _require(1 <= self.threads <= 256, "training.threads", "between 1 and 256", self.threads)
        kind, _, number = self.device.partition(":")
        named = kind in ("auto", "cpu") and not number
        named = named or (kind == "cuda" and (not number or number.isdigit()))
        _require(named, "training.device", "auto, cpu, cuda or cuda:N", self.device)


Settings = TypeVar("Settings", ClipSettings, DataSettings, TrainingSettings)


def as_json(settings: ClipSettings | DataSettings | TrainingSettings) -> dict[str, object]:
    """The settings as a JSON object."""
    return dataclasses.asdict(settings)


def from_json(kind: type[Settings], name: str, values: object) -> Settings:
    """Build settings from a JSON object called `name`; ConfigError names key, rule and value."""
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_sentence(name, error)) from error


def _sentence(name: str, error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in (name, *first["loc"]))
    return f"{key}: {first['msg']}, not {first['input']!r}"
