"""Prompt tuning on the embedded CLIP, as the measurements need it: small, plain, seeded.

The product's own trainer is in secfpp/learn; this file repeats its arithmetic in the plainest form
so that the figures in docs/embedded-default.md do not depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from secfpp.learn.images import ImageSet
from secfpp.learn.tokenizer import CompactTokenizer


@dataclass(frozen=True)
class Recipe:
    """How a party tunes: `steps` of `optimiser` on batches of `batch` images (0: all of them)."""

    steps: int
    rate: float
    class_rate: float
    optimiser: str = "sgd"
    batch: int = 0
    weight_decay: float = 0.0


class Embedded:
    """The frozen CLIP of `folder` with the class names of one task."""

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        config = json.loads((folder / "config.json").read_text())
        self._side, self._mean, self._std = (config[key] for key in ("image_size", "mean", "std"))
        self.model = CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"]).eval()
        weights = load_file(folder / "weights.safetensors")
        self.model.load_state_dict({name: value.float() for name, value in weights.items()})
        self.model.requires_grad_(False)
        self.tokenizer = CompactTokenizer.load(folder / "vocabulary.json")
        self.classes = list(classes)
        self.scale = self.model.logit_scale.exp()

    @torch.no_grad()
    def image_features(self, images: ImageSet) -> Tensor:
        """Unit features (N, d) of a set of images."""
        size = (self._side, self._side)
        grown = [
            np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
            for image in images.images
        ]
        pixels = torch.from_numpy(np.stack(grown)).permute(0, 3, 1, 2).float() / 255
        pixels = (pixels - torch.tensor(self._mean).view(3, 1, 1)) / torch.tensor(self._std).view(
            3, 1, 1
        )
        return torch.cat(
            [F.normalize(self.model.visual(part), dim=-1) for part in pixels.split(200)]
        )

    def context(self, words: str) -> Tensor:
        """The token embeddings (m, w) of a text."""
        return self.model.token_embedding(torch.tensor(self.tokenizer.encode(words))).detach()

    def class_features(self, context: Tensor) -> Tensor:
        """Unit text features (C, d) of [SOS][context][class name][.][EOT]."""
        names = [[*self.tokenizer.encode(name + " ."), self.tokenizer.end] for name in self.classes]
        longest = max(map(len, names))
        ids = torch.tensor([name + [0] * (longest - len(name)) for name in names])
        start = self.model.token_embedding(torch.tensor([[self.tokenizer.start]]))
        prefix = torch.cat([start[0], context]).expand(len(names), -1, -1)
        x = torch.cat([prefix, self.model.token_embedding(ids)], dim=1)
        length = x.shape[1]
        x = x + self.model.positional_embedding[:length]
        x = self.model.transformer(x, attn_mask=self.model.attn_mask[:length, :length])
        ends = len(context) + 1 + ids.argmax(dim=-1)
        x = self.model.ln_final(x[torch.arange(len(names)), ends])
        return F.normalize(x @ self.model.text_projection, dim=-1)

    @torch.no_grad()
    def hits(self, context: Tensor, features: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Per image, 1 where the nearest class is the right one and 0 where not."""
        found = (features @ self.class_features(context).T).argmax(dim=1)
        return (found == labels).numpy().astype(np.float64)

    def template_hits(self, words: str, features: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """The same for a hand-written template, without its class name."""
        return self.hits(self.context(words), features, labels)


def tune(
    clip: Embedded,
    start: tuple[Tensor, Tensor],
    data: tuple[Tensor, Tensor],
    recipe: Recipe,
    *,
    seed: int,
) -> tuple[Tensor, Tensor, list[float]]:
    """Tune the domain-level and the class-level prompt from `start` on (features, labels)."""
    domain, own = (part.clone().requires_grad_() for part in start)
    groups = [{"params": [domain], "lr": recipe.rate}, {"params": [own], "lr": recipe.class_rate}]
    optimiser = (
        torch.optim.SGD(groups, momentum=0.9, weight_decay=recipe.weight_decay)
        if recipe.optimiser == "sgd"
        else torch.optim.Adam(groups)
    )
    features, labels = data
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(recipe.steps):
        rows = torch.arange(len(labels))
        if recipe.batch:
            rows = torch.randperm(len(labels), generator=generator)[: recipe.batch]
        logits = clip.scale * features[rows] @ clip.class_features(domain + own).T
        loss = F.cross_entropy(logits, labels[rows])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([domain, own], 1.0)
        optimiser.step()
        losses.append(loss.item())
    return domain.detach(), own.detach(), losses


def party_rows(labels: NDArray[np.int64], parties: int, *, seed: int) -> list[NDArray[np.int64]]:
    """Split images among the parties of one domain, each class evenly, disjointly."""
    generator = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in range(parties)]
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        for index, row in enumerate(rows):
            parts[index % parties].append(int(row))
    return [np.array(sorted(part)) for part in parts]
