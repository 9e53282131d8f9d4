"""Where the weights of a CLIP come from; `clip.py` alone calls this.

Torch files are read with weights_only, so that a file of weights cannot run code.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from torch import nn

from secfpp.errors import ConfigError
from secfpp.learn.embedded import tiny_clip_directory
from secfpp.learn.preprocessing import Preprocessing
from secfpp.learn.settings import ClipSettings
from secfpp.learn.tokenizer import CompactTokenizer

MISSING_OPERATOR = "operator torchvision::nms does not exist"
OPERATORS = ("nms", "qnms")
OPERATOR_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
CACHED_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
URL_CACHE = Path("~/.cache/clip")


class Tokenizer(Protocol):
    """Text to ids, without the two marks `start` and `end`."""

    start: int
    end: int
    vocabulary_size: int

    def encode(self, text: str) -> list[int]:
        """The ids of a text; ConfigError names a word outside the vocabulary."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model with what belongs to it; `source` is said in errors.

    `architecture` is a canonical text of what the weights do not tell (heads, activation).
    """

    source: str
    model: nn.Module
    architecture: str
    preprocessing: Preprocessing
    tokenizer: Tokenizer
    tokenizer_digest: str


class BytePairTokenizer:
    """The byte-pair vocabulary of the original CLIP, as open_clip ships it; it knows any text."""

    def __init__(self, source: str, model: str) -> None:
        open_clip = open_clip_module()
        text = open_clip.get_model_config(model)["text_cfg"]
        if "hf_tokenizer_name" in text or "hf_model_name" in text or "siglip" in model.lower():
            raise ConfigError(
                f"{source}: only models with CLIP's own byte-pair tokenizer are supported",
                fix="choose another clip.model",
            )
        self._inner = open_clip.get_tokenizer(model)
        self.start = int(self._inner.sot_token_id)
        self.end = int(self._inner.eot_token_id)
        self.vocabulary_size = int(self._inner.vocab_size)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without start and end."""
        return [int(token) for token in self._inner.encode(text)]

    @property
    def digest(self) -> str:
        """SHA-256 of the whole vocabulary."""
        return _digest(json.dumps(self._inner.encoder, sort_keys=True).encode())


@functools.cache
def open_clip_module() -> ModuleType:
    """Import open_clip, also beside a torchvision whose compiled operators do not load.

    A torchvision built for CUDA does not find its operators beside a torch for the CPU, and then
    fails to describe two of them. open_clip only uses its transforms. So where exactly that
    happens, and nowhere else, the two operators are declared (without code) and the import is
    repeated.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if str(error) != MISSING_OPERATOR:
            raise
        _declared_operators()
        importlib.import_module("torchvision")
    return importlib.import_module("open_clip")


@functools.cache
def _declared_operators() -> torch.library.Library:
    # The declaration lives as long as the library object, which the cache keeps.
    # torch leaves these two without types.
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in OPERATORS:
        library.define(f"{name}{OPERATOR_SCHEMA}")  # type: ignore[no-untyped-call]
    return library


def find_checkpoint(settings: ClipSettings) -> Checkpoint:
    """Load what `settings.weights` names: embedded, random[:seed], a local path, or a tag."""
    name = settings.weights
    if name == "embedded":
        return _own_format(tiny_clip_directory(), "the embedded CLIP")
    kind, _, seed = name.partition(":")
    if kind == "random" and (not seed or seed.isdecimal()):
        return _random(settings.model, int(seed or 0))
    path = Path(name).expanduser()
    if path.is_dir():
        return _own_format(path, str(path))
    if path.is_file():
        return _open_clip_model(f"{path} as {settings.model}", settings.model, path)
    model, _, tag = name.rpartition("/")
    return _tagged(model or settings.model, tag)


def _own_format(directory: Path, source: str) -> Checkpoint:
    """A directory with config.json, weights.safetensors and vocabulary.json."""
    try:
        text = (directory / "config.json").read_text("utf-8")
        config = json.loads(text)
        parts = {key: config[key] for key in ("embed_dim", "vision_cfg", "text_cfg")}
        # Training images of another size than the tower's would be a wrong preprocessor.
        size = parts["vision_cfg"]["image_size"]
        preprocessing = Preprocessing.of({**config, "size": config["image_size"]}, size)
        vocabulary = (directory / "vocabulary.json").read_bytes()
    except OSError as error:
        raise ConfigError(f"{source}: cannot read {error.filename}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{source}: config.json is not understood: {error!r}") from error
    open_clip_module()
    quick_gelu = bool(config.get("quick_gelu", False))
    model = _clip_class()(**parts, quick_gelu=quick_gelu)
    _fill(model, directory / "weights.safetensors", source)
    architecture = json.dumps({**parts, "quick_gelu": quick_gelu}, sort_keys=True)
    tokenizer = CompactTokenizer.load(directory / "vocabulary.json")
    return Checkpoint(source, model, architecture, preprocessing, tokenizer, _digest(vocabulary))


def _random(model: str, seed: int) -> Checkpoint:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _open_clip_model(f"random weights of {model}", model, None)


def _tagged(model: str, tag: str) -> Checkpoint:
    """A tag of open_clip, whose file must lie in the local cache."""
    open_clip = open_clip_module()
    config = open_clip.get_pretrained_cfg(model, tag)
    if not config:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        raise ConfigError(
            f'clip.weights: "{tag}" is neither a path here nor a tag of {model} (tags: {known})',
            fix="name an existing path, or a clip.model and tag of open_clip",
        )
    repository, _, file = str(config.get("hf_hub", "")).rpartition("/")
    cached = [
        try_to_load_from_cache(repository, name)
        for name in ((file,) if file else CACHED_NAMES)
        if repository
    ]
    downloaded = URL_CACHE.expanduser() / str(config.get("url", "")).rpartition("/")[2]
    found = [Path(path) for path in cached if isinstance(path, str)]
    found += [downloaded] if config.get("url") and downloaded.is_file() else []
    if not found:
        raise ConfigError(
            f"the weights {model}/{tag} are not on this machine",
            fix="nothing is downloaded: bring a file of them, and set clip.weights to its path",
        )
    return _open_clip_model(f"{model}/{tag}", model, found[0], config)


def _open_clip_model(
    source: str, name: str, path: Path | None, tag: Mapping[str, object] | None = None
) -> Checkpoint:
    """A model that open_clip knows by name, with the weights of a file, or random ones."""
    open_clip = open_clip_module()
    config = open_clip.get_model_config(name)
    if config is None:
        raise ConfigError(f'clip.model: open_clip knows no model "{name}"')
    tokenizer = BytePairTokenizer(source, name)
    # A tag says with which activation it was trained; a file is believed to fit its model's name.
    built, trained = (bool(part.get("quick_gelu", False)) for part in (config, tag or config))
    if built and not trained:
        raise ConfigError(
            f"{source}: these weights were not trained with the activation of {name}",
            fix="take clip.model without -quickgelu",
        )
    logging.disable(logging.WARNING)  # It warns of random weights: meant, or replaced below.
    try:
        model = open_clip.create_model(name, force_quick_gelu=trained)
    finally:
        logging.disable(logging.NOTSET)
    if path is not None:
        _fill(model, path, source)
    described = {**model.visual.preprocess_cfg, **(tag or {})}
    preprocessing = Preprocessing.of(described, model.visual.image_size)
    architecture = json.dumps({**config, "quick_gelu": trained}, sort_keys=True)
    return Checkpoint(source, model, architecture, preprocessing, tokenizer, tokenizer.digest)


def _fill(model: nn.Module, path: Path, source: str) -> None:
    """Put the tensors of a file into a model; every one must be there and have its shape."""
    factory = open_clip_module().factory
    try:
        state = factory.load_state_dict(str(path), weights_only=True)
        if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
            state = factory.convert_to_custom_text_state_dict(state)
        model.load_state_dict(factory.convert_state_dict(model, state), strict=True)
    except OSError as error:
        raise ConfigError(f"{source}: cannot read {path}: {error.strerror}") from error
    except (RuntimeError, SafetensorError, pickle.UnpicklingError, ValueError) as error:
        reason = " ".join(str(error).split())[:400]
        raise ConfigError(
            f"{source}: {path.name} does not hold weights of this model: {reason}",
            fix="give the clip.model that belongs to the file",
        ) from error


def _clip_class() -> type[nn.Module]:
    kind: type[nn.Module] = open_clip_module().model.CLIP
    return kind


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
