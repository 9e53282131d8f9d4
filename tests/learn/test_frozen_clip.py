"""Loading a CLIP: what is believed, what is refused, what parties compare."""

from __future__ import annotations

import importlib
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from secfpp.errors import ConfigError, Misuse
from secfpp.learn import checkpoints
from secfpp.learn.clip import Clip, device_named, load_clip, normalised_names
from secfpp.learn.features import cached_features
from secfpp.learn.images import ImageSet
from secfpp.learn.preprocessing import Preprocessing
from secfpp.learn.settings import ClipSettings

CPU = torch.device("cpu")


def copied(small: Path, target: Path, **config: object) -> ClipSettings:
    """A copy of the small CLIP with some keys of its configuration changed."""
    shutil.copytree(small, target)
    values = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**values, **config}))
    return ClipSettings(weights=str(target), tokens=6)


def test_everything_is_frozen_and_the_prompt_starts_from_the_words(small_clip: Clip) -> None:
    assert not any(value.requires_grad for value in small_clip.model.parameters())
    words = small_clip.tokenizer.encode("a photo of a")
    table = small_clip.text.token_embedding
    torch.testing.assert_close(small_clip.initial_context()[-4:], table[words], rtol=0, atol=0)
    torch.testing.assert_close(small_clip.initial_context()[:2], table[words[2:]], rtol=0, atol=0)


def test_parties_of_one_model_have_one_geometry_and_every_difference_has_its_field(
    small_clip: Clip, small_clip_directory: Path, tmp_path: Path
) -> None:
    plain = small_clip.geometry
    same = load_clip(copied(small_clip_directory, tmp_path / "same"), CPU)
    assert same.geometry == plain

    def differing(settings: ClipSettings) -> set[str]:
        other = load_clip(settings, CPU).geometry
        return {field for field, value in other.items() if value != plain[field]}

    weights = str(small_clip_directory)
    assert differing(ClipSettings(weights=weights, tokens=7)) == {"tokens", "initial_text"}
    template = ClipSettings(weights=weights, tokens=6, template="a dark photo of a {}")
    assert differing(template) == {"template", "initial_text"}
    mean = copied(small_clip_directory, tmp_path / "mean", mean=[0.4, 0.5, 0.5])
    assert differing(mean) == {"preprocessing"}
    activation = copied(small_clip_directory, tmp_path / "activation", quick_gelu=True)
    assert differing(activation) == {"model"}
    vocabulary = copied(small_clip_directory, tmp_path / "vocabulary")
    words = json.loads((tmp_path / "vocabulary" / "vocabulary.json").read_text())
    words[4], words[5] = words[5], words[4]
    (tmp_path / "vocabulary" / "vocabulary.json").write_text(json.dumps(words))
    assert differing(vocabulary) == {"tokenizer"}
    nudged = copied(small_clip_directory, tmp_path / "nudged")
    path = tmp_path / "nudged" / "weights.safetensors"
    state = load_file(path)
    state["logit_scale"] = state["logit_scale"] + 0.01
    save_file(state, path)
    assert differing(nudged) == {"weights"}


def test_weights_of_another_width_or_in_pieces_are_refused_before_training(
    small_clip_directory: Path, tmp_path: Path
) -> None:
    config = json.loads((small_clip_directory / "config.json").read_text())
    wide = copied(
        small_clip_directory, tmp_path / "wide", text_cfg={**config["text_cfg"], "width": 48}
    )
    with pytest.raises(ConfigError, match="does not hold weights of this model"):
        load_clip(wide, CPU)
    torn = copied(small_clip_directory, tmp_path / "torn")
    path = tmp_path / "torn" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ConfigError, match="does not hold weights"):
        load_clip(torn, CPU)
    path.unlink()
    with pytest.raises(ConfigError, match=r"weights\.safetensors"):
        load_clip(torn, CPU)


def test_a_wrong_preprocessor_is_an_error(small_clip_directory: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="makes 32 pixels, the image tower wants 16"):
        load_clip(copied(small_clip_directory, tmp_path / "size", image_size=32), CPU)
    with pytest.raises(ConfigError, match='resizes by "squash"'):
        load_clip(copied(small_clip_directory, tmp_path / "mode", resize_mode="squash"), CPU)
    with pytest.raises(ConfigError, match="'nearest'"):
        load_clip(copied(small_clip_directory, tmp_path / "how", interpolation="nearest"), CPU)
    with pytest.raises(ConfigError, match="mean"):
        load_clip(copied(small_clip_directory, tmp_path / "mean", mean=[0.5]), CPU)


class Payload:
    """What a hostile file would hold."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def test_a_file_of_weights_cannot_run_code(tmp_path: Path) -> None:
    # Mutation: with weights_only=False in checkpoints._fill the mark appears.
    mark = tmp_path / "mark"
    torch.save({"state_dict": Payload(mark)}, tmp_path / "weights.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Payload(mark), protocol=2))
    model = torch.nn.Linear(1, 1)
    for name in ("weights.pt", "plain.pt"):
        with pytest.raises(ConfigError, match="does not hold weights"):
            checkpoints._fill(model, tmp_path / name, "a file")
    assert not mark.exists()


def test_a_tag_is_never_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoints, "try_to_load_from_cache", lambda *place: None)
    monkeypatch.setattr(checkpoints, "URL_CACHE", tmp_path)
    with pytest.raises(ConfigError, match="ViT-B-16/openai are not on this machine") as error:
        load_clip(ClipSettings(weights="openai"), CPU)
    assert "set clip.weights to its path" in error.value.fix
    with pytest.raises(ConfigError, match="not on this machine"):
        load_clip(ClipSettings(weights="RN50/openai"), CPU)
    with pytest.raises(ConfigError, match="neither a path here nor a tag of ViT-B-16"):
        load_clip(ClipSettings(weights="opennai"), CPU)
    with pytest.raises(ConfigError, match='no model "ViT-Z"'):
        load_clip(ClipSettings(weights="random", model="ViT-Z"), CPU)


def test_a_model_with_another_kind_of_text_tower_is_refused() -> None:
    with pytest.raises(ConfigError, match="byte-pair tokenizer"):
        load_clip(ClipSettings(weights="random", model="ViT-B-16-SigLIP"), CPU)


def test_class_names_are_normalised_and_collisions_named() -> None:
    written = ["Dark_Yellow", "  red\tfox ", "ﬁg"]  # The last begins with a ligature.
    assert normalised_names(written) == ("dark yellow", "red fox", "fig")
    with pytest.raises(ConfigError, match='"Red_Fox" also is "red fox"'):
        normalised_names(["red fox", "Red_Fox"])
    with pytest.raises(ConfigError, match="is empty"):
        normalised_names(["_"])


def test_a_class_that_the_model_cannot_say_is_refused_by_name(small_clip: Clip) -> None:
    with pytest.raises(ConfigError, match='"zebra"'):
        small_clip.suffixes(["red", "zebra"])
    fits = " ".join(["red"] * 12)
    assert len(small_clip.suffixes([fits])[0]) == 12
    with pytest.raises(ConfigError, match="has 13 tokens; between 1 and 12 fit"):
        small_clip.suffixes([fits + " blue"])


def test_a_prompt_must_hold_its_initial_text(small_clip_directory: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 4 tokens, clip\.tokens = 3"):
        load_clip(ClipSettings(weights=str(small_clip_directory), tokens=3), CPU)
    bare = ClipSettings(weights=str(small_clip_directory), tokens=3, template="{}")
    with pytest.raises(ConfigError, match="has 0 tokens"):
        load_clip(bare, CPU)


def test_what_follows_the_name_in_a_template_follows_it_in_the_prompt(
    small_clip_directory: Path,
) -> None:
    settings = ClipSettings(weights=str(small_clip_directory), tokens=6, template="a {}.")
    clip = load_clip(settings, CPU)
    assert clip.suffixes(["red"]) == [clip.tokenizer.encode("red .")]


def test_a_device_that_is_not_here_is_refused() -> None:
    assert device_named("cpu") == CPU
    assert device_named("auto").type in ("cpu", "cuda")
    with pytest.raises(ConfigError, match="no such device"):
        device_named("cuda:99")


def test_pictures_are_fitted_as_open_clip_fits_them() -> None:
    checkpoints.open_clip_module()
    transform = importlib.import_module("open_clip.transform")
    ours = Preprocessing(16, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    config = transform.PreprocessCfg(size=16, mean=ours.mean, std=ours.std)
    theirs = transform.image_transform_v2(config, is_train=False)
    generator = np.random.default_rng(0)
    for shape in [(40, 31), (31, 40), (16, 16), (9, 7), (16, 21), (100, 17)]:
        picture = Image.fromarray(generator.integers(0, 256, (*shape, 3), dtype=np.uint8))
        pixels = torch.from_numpy(ours.fit(picture).copy()).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(part).view(3, 1, 1) for part in (ours.mean, ours.std))
        torch.testing.assert_close((pixels - mean) / std, theirs(picture), rtol=0, atol=1e-6)


def images(count: int) -> ImageSet:
    pixels = np.random.default_rng(1).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    nothing = np.zeros(count, np.int64)
    return ImageSet(pixels, nothing, nothing, ("red",), ("",))


def test_features_are_computed_once_and_again_where_anything_differs(
    small_clip: Clip, small_clip_directory: Path, tmp_path: Path
) -> None:
    asked: list[int] = []

    def features(clip: Clip, pictures: ImageSet) -> np.ndarray:
        return cached_features(clip, pictures, tmp_path, lambda count, of: asked.append(of))

    first = features(small_clip, images(5))
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(features(small_clip, images(5)), first)
    assert asked == [5]
    changed = images(5)
    changed.images[2, 3, 3, 0] ^= 1
    features(small_clip, changed)
    mean = copied(small_clip_directory, tmp_path / "mean", mean=[0.4, 0.5, 0.5])
    other = features(load_clip(mean, CPU), images(5))
    assert asked == [5, 5, 5]
    assert not np.array_equal(other, first)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:40])
    np.testing.assert_array_equal(features(small_clip, images(5)), first)
    assert len(asked) == 4


def test_images_of_another_size_are_refused_by_the_tower(small_clip: Clip) -> None:
    with pytest.raises(Misuse, match="images must be uint8"):
        small_clip.image_features(np.zeros((2, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("declared", [False, True])
def test_the_missing_operator_is_declared_where_exactly_that_fails(
    monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    imported: list[str] = []
    declarations: list[str] = []

    def importing(name: str) -> str:
        imported.append(name)
        if name == "torchvision" and declared and not declarations:
            raise RuntimeError(checkpoints.MISSING_OPERATOR)
        return name

    monkeypatch.setattr(importlib, "import_module", importing)
    monkeypatch.setattr(checkpoints, "_declared_operators", lambda: declarations.append("both"))
    assert checkpoints.open_clip_module.__wrapped__() == "open_clip"
    assert len(declarations) == declared
    assert imported == ["torchvision"] * (1 + declared) + ["open_clip"]


def test_any_other_failure_of_torchvision_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def importing(name: str) -> str:
        raise RuntimeError(f"{name}: operator torchvision::roi_align does not exist")

    monkeypatch.setattr(importlib, "import_module", importing)
    with pytest.raises(RuntimeError, match="roi_align"):
        checkpoints.open_clip_module.__wrapped__()
