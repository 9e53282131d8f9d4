"""Train the small CLIP that SecFPP ships, from scratch, on images with captions.

Each caption names the class and the style of its image ("a cartoon of a dog"), so that the text
side learns about domains. Runs on a GPU or a CPU (11 minutes on 2 cores for the shipped weights;
with glibc several times slower unless MALLOC_MMAP_MAX_=0 and MALLOC_TRIM_THRESHOLD_=100000000000
keep it from returning memory at every step). Example:

    python scripts/pretrain_tiny_clip.py --data DIR --out secfpp/assets/tiny_clip

DIR holds caltech101_32px.npz, cifar10_train25k.npz and pacs64/<domain>/<class>/*.jpg.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from pretrain_captions import caption, vocabulary
from pretrain_data import STYLES, Images, caltech, cifar, pacs, renderings
from safetensors.torch import save_file
from torch import Tensor

from secfpp.learn.tokenizer import CompactTokenizer

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "secfpp/assets/photographs/photographs.npz"
MEAN, STD = (0.5, 0.5, 0.5), (0.28, 0.28, 0.28)
SET_WEIGHTS = {"caltech": 0.45, "cifar": 0.25, "pacs": 0.30}
STYLE_WEIGHTS = {"photograph": 0.34, "pencil": 0.22, "cartoon": 0.22, "night": 0.22}
SHIPPED_CLASS_WEIGHT = 2.0


@dataclass
class Pool:
    """All training images: pixels (N, 32, 32, 3), class and style (N,), sampling weight (N,)."""

    pixels: Tensor
    labels: np.ndarray
    styles: np.ndarray
    weights: np.ndarray
    names: list[str]


def gather(data: Path, seed: int) -> Pool:
    """Read and render every training image, and weigh it."""
    sets = {
        "caltech": [caltech(data / "caltech101_32px.npz", SHIPPED)],
        "cifar": [cifar(data / "cifar10_train25k.npz")],
        "pacs": pacs(data / "pacs64", held_out=False),
    }
    for name in ("caltech", "cifar"):
        sets[name] += renderings(sets[name][0], seed)
    parts = [(name, part) for name, group in sets.items() for part in group]
    names = sorted({name for _, part in parts for name in part.names})
    number = {name: index for index, name in enumerate(names)}
    labels = [np.array([number[name] for name in part.names]) for _, part in parts]
    weights = [_weights(part, own, name) for (name, part), own in zip(parts, labels, strict=True)]
    styles = [np.full(len(part.names), STYLES.index(part.style)) for _, part in parts]
    pixels = torch.from_numpy(np.concatenate([part.pixels for _, part in parts]))
    return Pool(
        pixels, np.concatenate(labels), np.concatenate(styles), np.concatenate(weights), names
    )


def _weights(part: Images, labels: np.ndarray, name: str) -> np.ndarray:
    """Weigh the images of a class together by the root of their number."""
    with np.load(SHIPPED) as data:
        shipped = set(data["classes"].tolist())
    weights = 1.0 / np.sqrt(np.bincount(labels)[labels])
    weights *= [SHIPPED_CLASS_WEIGHT if own in shipped else 1.0 for own in part.names]
    share = 0.25 if name == "pacs" else STYLE_WEIGHTS[part.style]
    return weights / weights.sum() * SET_WEIGHTS[name] * share


def views(pixels: Tensor, side: int) -> Tensor:
    """Normalised training views (B, 3, side, side): flipped, shifted, zoomed, enlarged."""
    images = pixels.permute(0, 3, 1, 2).float() / 255.0
    count = len(images)
    zoom = torch.empty(count, 2).uniform_(0.75, 1.05)
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    shift = torch.empty(count, 2).uniform_(-0.2, 0.2)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = zoom[:, 0] * flip, zoom[:, 1], shift
    grid = F.affine_grid(theta, [count, 3, side, side], align_corners=False)
    grown = F.grid_sample(
        images, grid, mode="bicubic", padding_mode="border", align_corners=False
    ).clamp_(0, 1)
    grown = (grown - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    return grown.contiguous(memory_format=torch.channels_last)


def encode_texts(model: CLIP, texts: list[list[int]]) -> Tensor:
    """Encode token lists, running the causal tower no further than the longest text."""
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    ids = ids.to(model.positional_embedding.device)
    x = model.token_embedding(ids) + model.positional_embedding[:longest]
    x = model.transformer(x, attn_mask=model.attn_mask[:longest, :longest])
    x = model.ln_final(x)[torch.arange(len(texts)), ids.argmax(dim=-1)]
    return x @ model.text_projection


def loss_of(images: Tensor, texts: Tensor, which: Tensor, scale: Tensor) -> Tensor:
    """Contrastive loss: each image against all texts, each text against all images.

    `which` (B,) is the text of each image; a text may belong to several images.
    """
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    forward = F.cross_entropy(logits, which)
    positive = F.one_hot(which, len(texts)).float()
    backward = -(F.log_softmax(logits, dim=0) * positive / positive.sum(0)).sum(0).mean()
    return (forward + backward) / 2


def train(
    model: CLIP, pool: Pool, tokenizer: CompactTokenizer, options: argparse.Namespace
) -> None:
    """Train `model` in place for `options.steps` steps."""
    generator = np.random.default_rng(options.seed)
    chance = random.Random(options.seed)  # noqa: S311 - it picks captions, not secrets.
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
        lr=options.rate,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, options.steps, pct_start=0.08, cycle_momentum=False
    )
    device = next(model.parameters()).device
    cumulated = np.cumsum(pool.weights)
    begin = time.monotonic()
    for step in range(options.steps):
        rows = np.searchsorted(cumulated, generator.random(options.batch) * cumulated[-1])
        pairs = pool.labels[rows] * len(STYLES) + pool.styles[rows]
        unique, which = np.unique(pairs, return_inverse=True)
        texts = [
            caption(pool.names[pair // len(STYLES)], STYLES[pair % len(STYLES)], chance)
            for pair in unique
        ]
        ids = [[tokenizer.start, *tokenizer.encode(text), tokenizer.end] for text in texts]
        seen = views(pool.pixels[torch.from_numpy(rows)], options.side).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            images = model.visual(seen)
        words = encode_texts(model, ids)
        target = torch.from_numpy(which).to(device)
        loss = loss_of(images.float(), words, target, model.logit_scale.exp())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=np.log(100.0))
        if step % 50 == 0 or step + 1 == options.steps:
            print(f"{step} loss {loss.item():.3f} {time.monotonic() - begin:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1100)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--layers", type=int, nargs=4, default=[1, 1, 2, 1])
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool = gather(options.data, options.seed)
    words = vocabulary([*IMAGENET_CLASSNAMES, *pool.names])
    tokenizer = CompactTokenizer(words)
    config = {
        "embed_dim": 256,
        "vision_cfg": {
            "image_size": options.side,
            "layers": options.layers,
            "width": options.width,
            "head_width": 64,
            "patch_size": None,
        },
        "text_cfg": {
            "context_length": 32,
            "vocab_size": tokenizer.vocabulary_size,
            "width": 128,
            "heads": 4,
            "layers": 4,
        },
        "image_size": options.side,
        "interpolation": "bicubic",
        "mean": MEAN,
        "std": STD,
    }
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    model = model.to(device, memory_format=torch.channels_last).train()
    print(f"{len(pool.labels)} images, {len(words)} words", flush=True)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    train(model, pool, tokenizer, options)
    options.out.mkdir(parents=True, exist_ok=True)
    weights = {
        name: value.detach().cpu().contiguous().half()
        if value.is_floating_point()
        else value.cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(weights, options.out / "weights.safetensors")
    (options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (options.out / "vocabulary.json").write_text(json.dumps(words, indent=0) + "\n")


if __name__ == "__main__":
    main()
