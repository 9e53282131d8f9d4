"""A CLIP small enough for tests, with random weights, and images that it can tell apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from secfpp.learn.checkpoints import open_clip_module
from secfpp.learn.clip import Clip, load_clip
from secfpp.learn.settings import ClipSettings

SIDE = 16
COLOURS = {
    "red": (200, 40, 40),
    "green": (40, 200, 40),
    "blue": (40, 40, 200),
    "dark yellow": (160, 160, 20),
}
WORDS = ["a", "photo", "of", ".", "red", "green", "blue", "dark", "yellow", "sketch"]


@pytest.fixture(scope="session")
def small_clip_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in the embedded format: config.json, weights.safetensors, vocabulary.json."""
    open_clip_module()
    from open_clip.model import CLIP

    directory = tmp_path_factory.mktemp("small-clip")
    config = {
        "embed_dim": 24,
        "vision_cfg": {
            "image_size": SIDE,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 20,
            "vocab_size": len(WORDS) + 2,
            "width": 32,
            "heads": 2,
            "layers": 3,
        },
        "image_size": SIDE,
        "interpolation": "bicubic",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    state = {name: value.contiguous().clone() for name, value in model.state_dict().items()}
    # Random tokens are almost alike; a trained table tells its words apart.
    state["token_embedding.weight"] *= 20
    save_file(
        {name: value.half() for name, value in state.items()}, directory / "weights.safetensors"
    )
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "vocabulary.json").write_text(json.dumps(WORDS))
    return directory


@pytest.fixture
def small_settings(small_clip_directory: Path) -> ClipSettings:
    return ClipSettings(weights=str(small_clip_directory), tokens=6)


@pytest.fixture
def small_clip(small_settings: ClipSettings) -> Clip:
    return load_clip(small_settings, torch.device("cpu"))


def coloured(colour: tuple[int, int, int], count: int, seed: int) -> NDArray[np.uint8]:
    """`count` noisy images of one colour, uint8 (count, SIDE, SIDE, 3), no two alike."""
    noise = np.random.default_rng(seed).normal(0, 25, (count, SIDE, SIDE, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image folder of four classes with twelve images each."""
    root = tmp_path / "images"
    for seed, (name, colour) in enumerate(COLOURS.items()):
        (root / name.replace(" ", "_")).mkdir(parents=True)
        for number, pixels in enumerate(coloured(colour, 12, seed)):
            Image.fromarray(pixels).save(root / name.replace(" ", "_") / f"{number:02}.png")
    return root
