"""A frozen CLIP of open_clip: the only place that reads weights.

Nothing here downloads. `clip.weights` names the embedded CLIP, random weights (for benches), an
open_clip tag whose file lies in the local cache, or a local path.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from secfpp.errors import ConfigError, Misuse
from secfpp.learn.checkpoints import Checkpoint, find_checkpoint
from secfpp.learn.settings import ClipSettings
from secfpp.learn.text_tower import SharedTower, TextModel

GEOMETRY_VERSION = "1"
IMAGES_A_BATCH = 128

Done = Callable[[int, int], None]
"""Called with the number of images that are done, and of all."""


class TextModule(Protocol):
    """What is used of open_clip's text tower, be it a part of the model or the model itself."""

    token_embedding: nn.Embedding
    positional_embedding: Tensor
    transformer: nn.Module
    ln_final: nn.Module
    text_projection: nn.Module | Tensor | None
    attn_mask: Tensor | None


class Clip:
    """A frozen CLIP on one device, with its tokenizer and preprocessing.

    `weights` is the SHA-256 of all its tensors, `scale` the temperature of its cosine logits.
    """

    def __init__(
        self, settings: ClipSettings, checkpoint: Checkpoint, device: torch.device
    ) -> None:
        self.settings = settings
        self.device = device
        self.preprocessing = checkpoint.preprocessing
        self.tokenizer = checkpoint.tokenizer
        self.weights = weights_digest(checkpoint.model)
        self.model = checkpoint.model.eval().requires_grad_(False).to(device)
        self.text = _text_model(self.model, checkpoint)
        self.scale = float(self.model.get_parameter("logit_scale").exp())
        self._architecture = _digest(checkpoint.architecture.encode())
        self._tokenizer_digest = checkpoint.tokenizer_digest
        self._initial_ids = self.tokenizer.encode(settings.initial_text)
        if not 1 <= len(self._initial_ids) <= settings.tokens:
            raise ConfigError(
                f'the initial text "{settings.initial_text}" has {len(self._initial_ids)} tokens, '
                f"clip.tokens = {settings.tokens} context vectors must hold it",
                fix="raise clip.tokens, or change clip.template",
            )

    def initial_context(self) -> Tensor:
        """Where the domain-level prompt starts: (tokens, width), alike at all parties.

        The last vectors are the initial text; those before repeat it, backwards from its end.
        """
        words, tokens = self._initial_ids, self.settings.tokens
        ids = (words * (tokens // len(words) + 1))[-tokens:]
        return self.text.token_embedding[ids].clone()

    def suffixes(self, classes: Sequence[str]) -> list[list[int]]:
        """The token ids behind the context, one sequence a class, EOT left out.

        ConfigError names a class with a word outside the vocabulary, or longer than the context
        length, with its token count.
        """
        room = self.text.context_length - 2 - self.settings.tokens
        sequences = []
        for name in classes:
            ids = self.tokenizer.encode(f"{name} {self.settings.closing_text}".strip())
            if not 1 <= len(ids) <= room:
                raise ConfigError(
                    f'the class "{name}" has {len(ids)} tokens; between 1 and {room} fit behind '
                    f"{self.settings.tokens} context vectors",
                    fix="rename the class, or lower clip.tokens",
                )
            sequences.append(ids)
        return sequences

    def tower(self, classes: Sequence[str]) -> SharedTower:
        """The features of `classes` as a function of the context (tokens, width)."""
        return SharedTower(self.text, self.suffixes(classes), self.settings.tokens)

    def zero_shot_features(self, classes: Sequence[str]) -> Tensor:
        """Features (classes, features) of the plain template, without further vectors."""
        context = self.text.token_embedding[self._initial_ids]
        with torch.no_grad():
            features = SharedTower(self.text, self.suffixes(classes), len(context))(context)
            return F.normalize(features, dim=-1)

    def image_features(
        self, images: NDArray[np.uint8], done: Done = lambda count, of: None
    ) -> NDArray[np.float32]:
        """Normalised features float32 (N, features) of uint8 images (N, size, size, 3)."""
        side = self.preprocessing.size
        if not len(images) or images.dtype != np.uint8 or images.shape[1:] != (side, side, 3):
            raise Misuse(f"images must be uint8 (N, {side}, {side}, 3), N > 0, not {images.shape}")
        mean = torch.tensor(self.preprocessing.mean, device=self.device).view(1, 3, 1, 1)
        std = torch.tensor(self.preprocessing.std, device=self.device).view(1, 3, 1, 1)
        parts = []
        for first in range(0, len(images), IMAGES_A_BATCH):
            batch = torch.from_numpy(images[first : first + IMAGES_A_BATCH]).to(self.device)
            pixels = (batch.permute(0, 3, 1, 2).float() / 255 - mean) / std
            with torch.no_grad():
                features: Tensor = self.model.get_submodule("visual")(pixels)
            parts.append(F.normalize(features.float(), dim=-1).cpu().numpy())
            done(first + len(batch), len(images))
        return np.concatenate(parts)

    @property
    def geometry(self) -> dict[str, str]:
        """What all parties of a run must have alike, field by field."""
        initial = self.initial_context().cpu().numpy().astype("<f4").tobytes()
        return {
            "weights": self.weights,
            "model": self._architecture,
            "tokenizer": self._tokenizer_digest,
            "preprocessing": self.preprocessing.describe(),
            "tokens": str(self.settings.tokens),
            "width": str(self.text.width),
            "template": self.settings.template,
            "initial_text": _digest(initial),
            "version": GEOMETRY_VERSION,
        }


def load_clip(settings: ClipSettings, device: torch.device) -> Clip:
    """Load the CLIP that `settings` name; ConfigError says what is missing or does not fit."""
    return Clip(settings, find_checkpoint(settings), device)


def device_named(name: str) -> torch.device:
    """The device called auto (cuda, then cpu), cpu, cuda or cuda:N; ConfigError if it is absent."""
    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not (
        available and (device.index or 0) < torch.cuda.device_count()
    ):
        raise ConfigError(
            f"training.device = {name}, but there is no such device here",
            fix="set training.device to auto or cpu",
        )
    return device


def normalised_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Class names as prompts say them: NFKC, lower case, underscores as spaces, single spaces.

    ConfigError where a name is empty, or two become equal.
    """
    names = []
    for written in classes:
        plain = unicodedata.normalize("NFKC", written).lower().replace("_", " ")
        name = " ".join(plain.split())
        if not name or name in names:
            trouble = f'also is "{name}"' if name else "is empty"
            raise ConfigError(f'the class "{written}" {trouble}', fix="rename the class")
        names.append(name)
    return tuple(names)


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over name, shape and float32 values of every tensor of the state."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        number = value.detach().cpu()
        number = number.float() if number.is_floating_point() else number
        digest.update(f"{name} {tuple(number.shape)} {number.dtype}\n".encode())
        digest.update(number.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _text_model(model: nn.Module, checkpoint: Checkpoint) -> TextModel:
    """Take the text tower apart; ConfigError where it is not the causal one that we know."""
    tower = cast(TextModule, getattr(model, "text", model))
    mask = tower.attn_mask
    blocks = tuple(getattr(tower.transformer, "resblocks", ()))
    pool = getattr(tower, "text_pool_type", getattr(tower, "pool_type", ""))
    plain = bool(blocks) and pool in ("argmax", "eos") and getattr(tower, "cls_emb", None) is None
    plain = plain and all(type(block).__name__ == "ResidualAttentionBlock" for block in blocks)
    if not plain or mask is None:
        raise ConfigError(
            f"{checkpoint.source}: the text tower must be causal, of plain blocks, and read out at "
            "its end-of-text token",
            fix="choose another clip.model",
        )
    tokenizer = checkpoint.tokenizer
    table = tower.token_embedding.weight
    if tokenizer.vocabulary_size > len(table):
        raise ConfigError(
            f"{checkpoint.source}: the tokenizer has {tokenizer.vocabulary_size} tokens, the text "
            f"tower {len(table)}"
        )
    return TextModel(
        token_embedding=table,
        positions=tower.positional_embedding,
        transformer=tower.transformer,
        blocks=blocks,
        final_norm=tower.ln_final,
        projection=tower.text_projection,
        causal_mask=mask,
        start=tokenizer.start,
        end=tokenizer.end,
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
