"""What pretraining may see: no shipped photograph, and only words of the vocabulary."""

import importlib
import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from secfpp.learn.embedded import embedded_photographs, tiny_clip_directory
from secfpp.learn.tokenizer import CompactTokenizer

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("pretrain_data")


def test_pretraining_leaves_out_every_shipped_photograph_and_keeps_the_others(
    script: ModuleType, tmp_path: Path
) -> None:
    shipped = embedded_photographs().images[::50]
    others = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    np.savez(
        tmp_path / "caltech.npz",
        x=np.concatenate([others[:2], shipped, others[2:], shipped[:1]]),
        y=np.zeros(len(shipped) + 6, dtype=np.int64),
        classes=np.array(["Leopards"]),
    )
    photographs = tiny_clip_directory().parent / "photographs/photographs.npz"
    kept = script.caltech(tmp_path / "caltech.npz", photographs)
    assert np.array_equal(kept.pixels, others)
    assert kept.names == ["leopard"] * 5


def test_every_caption_of_pretraining_fits_the_vocabulary_and_the_context(
    script: ModuleType,
) -> None:
    captions = importlib.import_module("pretrain_captions")
    tokenizer = CompactTokenizer.load(tiny_clip_directory() / "vocabulary.json")
    chance = random.Random(0)
    for name in ["airplane", "face", "ship", "water lily", "grand piano"]:
        for style in script.STYLES:
            for _ in range(50):
                ids = tokenizer.encode(captions.caption(name, style, chance))
                assert 3 < len(ids) <= 30


def test_pretraining_draws_its_renderings_with_other_parameters(script: ModuleType) -> None:
    photographs = embedded_photographs().take(np.arange(64))
    names = ["watch"] * 64
    drawn = script.renderings(script.Images(photographs.images, names, "photograph"), 0)
    again = script.renderings(script.Images(photographs.images, names, "photograph"), 0)
    assert [part.style for part in drawn] == ["pencil", "cartoon", "night"]
    for part, same in zip(drawn, again, strict=True):
        assert np.array_equal(part.pixels, same.pixels)
        assert not np.array_equal(part.pixels, photographs.images)
