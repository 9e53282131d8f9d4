"""The embedded photographs and weights: whole, licensed, small, and split without overlap."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import secfpp
from secfpp.errors import ConfigError
from secfpp.learn.embedded import (
    embedded_photographs,
    embedded_train_test,
    embedded_width,
    rendered,
    tiny_clip_directory,
)
from secfpp.learn.images import ImageSet

MEGABYTE = 1_000_000


def digests(images: ImageSet) -> set[str]:
    return {hashlib.sha256(image.tobytes()).hexdigest() for image in images.images}


def test_training_and_held_out_photographs_share_no_image() -> None:
    train, test = embedded_train_test()
    assert not digests(train) & digests(test)
    assert len(digests(train) | digests(test)) == len(embedded_photographs()) == 1000


def test_every_class_has_60_training_and_40_held_out_photographs() -> None:
    train, test = embedded_train_test()
    assert len(train.classes) == 10
    assert np.bincount(train.labels).tolist() == [60] * 10
    assert np.bincount(test.labels).tolist() == [40] * 10


@pytest.mark.parametrize("domain", ["photograph", "pencil", "cartoon", "night"])
def test_a_rendered_set_keeps_labels_and_names_its_domain(domain: str) -> None:
    _, test = embedded_train_test()
    few = test.take(np.arange(0, 400, 40))
    drawn = rendered(few, domain, seed=0)
    assert drawn.domain_names == (domain,)
    assert drawn.classes == few.classes
    assert np.array_equal(drawn.labels, few.labels)
    assert (domain == "photograph") == np.array_equal(drawn.images, few.images)


def test_an_unknown_domain_is_refused() -> None:
    with pytest.raises(ConfigError, match="fresco"):
        rendered(embedded_photographs(), "fresco", seed=0)


def test_the_assets_are_small_and_carry_licence_and_card() -> None:
    clip = tiny_clip_directory()
    photographs = clip.parent / "photographs"
    assert (clip / "weights.safetensors").stat().st_size <= 13 * MEGABYTE
    assert sum(path.stat().st_size for path in photographs.iterdir()) <= 4 * MEGABYTE
    notice = (photographs / "LICENCE.md").read_text()
    assert "CC BY 4.0" in notice
    assert "Caltech" in notice
    assert "seed" in (clip / "CARD.md").read_text()


def test_the_assets_lie_inside_the_package_so_that_a_wheel_has_them() -> None:
    package = Path(secfpp.__file__).parent
    assert tiny_clip_directory().is_relative_to(package)


def test_the_weights_are_finite_half_precision_of_the_configured_shape() -> None:
    folder = tiny_clip_directory()
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "weights.safetensors")
    text = config["text_cfg"]
    assert weights["token_embedding.weight"].shape == (text["vocab_size"], text["width"])
    assert weights["token_embedding.weight"].shape[1] == embedded_width()
    assert weights["positional_embedding"].shape == (text["context_length"], text["width"])
    assert weights["text_projection"].shape == (text["width"], config["embed_dim"])
    floats = [value for value in weights.values() if value.dtype.kind == "f"]
    assert all(value.dtype == np.float16 for value in floats)
    assert all(np.isfinite(value).all() for value in floats)
