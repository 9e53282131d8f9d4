"""Reading, dividing and splitting a party's images, and what bad images get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from secfpp.errors import ConfigError
from secfpp.learn.data import image_digests, load_party_data, set_digest, split
from secfpp.learn.images import ImageSet
from secfpp.learn.preprocessing import Preprocessing
from secfpp.learn.settings import DataKind, DataSettings, OnBadImage, Partition

SMALL = Preprocessing(16, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def of_folder(root: Path, **more: object) -> DataSettings:
    return DataSettings(DataKind.IMAGEFOLDER, str(root), **more)  # type: ignore[arg-type]  # By key.


def test_an_image_folder_is_split_by_its_fraction_and_named_normally(folder: Path) -> None:
    data = load_party_data(of_folder(folder), SMALL)
    assert data.train.classes == ("blue", "dark yellow", "green", "red")
    manifest = data.manifest()
    assert manifest["train"] == dict.fromkeys(data.train.classes, 9)
    assert manifest["test"] == dict.fromkeys(data.train.classes, 3)
    assert manifest["warnings"] == []
    assert manifest["digests"] == {
        "train": set_digest(data.train),
        "test": set_digest(data.test),
    }
    assert set_digest(data.train) != set_digest(data.test)


def test_a_folder_without_images_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        load_party_data(of_folder(tmp_path / "nowhere"), SMALL)
    (tmp_path / "hollow" / "dog").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"no images in .*hollow"):
        load_party_data(of_folder(tmp_path / "hollow"), SMALL)
    (folder / "black").mkdir()
    with pytest.raises(ConfigError, match=r"1 folder\(s\) hold no images: black"):
        load_party_data(of_folder(folder), SMALL)
    skipped = load_party_data(of_folder(folder, on_bad_image=OnBadImage.SKIP), SMALL)
    assert "1 folder(s) hold no images: black" in skipped.warnings
    assert "1 class(es) have no training image here: black" in skipped.warnings


def test_a_class_with_one_image_is_named_or_left_out(folder: Path) -> None:
    (folder / "white").mkdir()
    Image.new("RGB", (16, 16), (255, 255, 255)).save(folder / "white" / "only.png")
    with pytest.raises(ConfigError, match=r"1 class\(es\) have one image: white"):
        load_party_data(of_folder(folder), SMALL)
    data = load_party_data(of_folder(folder, on_bad_image=OnBadImage.SKIP), SMALL)
    assert data.warnings[0] == "1 class(es) have one image: white"
    assert len(data.train) + len(data.test) == 48


def test_corrupt_files_are_counted_and_named(folder: Path) -> None:
    whole = (folder / "red" / "00.png").read_bytes()
    (folder / "red" / "00.png").write_bytes(whole[: len(whole) // 2])
    (folder / "blue" / "03.png").write_bytes(b"no image at all")
    with pytest.raises(ConfigError, match=r"2 of 48 images cannot be read: blue/03.png, red/00"):
        load_party_data(of_folder(folder), SMALL)
    data = load_party_data(of_folder(folder, on_bad_image=OnBadImage.SKIP), SMALL)
    assert data.warnings == ("2 of 48 images cannot be read: blue/03.png, red/00.png",)
    assert len(data.train) + len(data.test) == 46


def test_a_domain_is_a_folder_above_the_classes(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "domains"
    root.mkdir()
    folder.rename(root / "plain")
    (root / "dim" / "red").mkdir(parents=True)
    for level in range(4):
        Image.new("RGB", (40, 20), (level, 0, 0)).save(root / "dim" / "red" / f"{level}.jpg")
    dim = load_party_data(of_folder(root, domain="dim", test_fraction=0.5), SMALL)
    assert dim.manifest()["train"] == {"blue": 0, "dark yellow": 0, "green": 0, "red": 2}
    assert len(load_party_data(of_folder(root, domain="plain"), SMALL).test) == 12
    assert len(load_party_data(of_folder(root), SMALL).train.domain_names) == 2
    with pytest.raises(ConfigError, match='no domain "night"; there are: dim, plain'):
        load_party_data(of_folder(root, domain="night"), SMALL)
    Image.new("RGB", (16, 16)).save(root / "dim" / "stray.png")
    (root / "flat").mkdir()
    Image.new("RGB", (16, 16)).save(root / "flat" / "0.png")
    with pytest.raises(ConfigError, match="mixes folders"):
        load_party_data(of_folder(root), SMALL)


def test_parts_of_one_folder_share_no_image(folder: Path) -> None:
    for partition in Partition:
        parts = [
            load_party_data(of_folder(folder, part=(index, 2), partition=partition), SMALL)
            for index in range(2)
        ]
        digests = [set(image_digests(part.train) + image_digests(part.test)) for part in parts]
        assert not digests[0] & digests[1]
        assert len(digests[0]) + len(digests[1]) == 48


def test_shots_limit_training_images_and_leave_the_test_images(folder: Path) -> None:
    whole = load_party_data(of_folder(folder), SMALL)
    few = load_party_data(of_folder(folder, shots=2), SMALL)
    assert few.manifest()["train"] == dict.fromkeys(few.train.classes, 2)
    assert set_digest(few.test) == set_digest(whole.test)


def test_a_part_too_small_to_learn_and_test_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="part 47 of 48 has"):
        load_party_data(of_folder(folder, part=(47, 48)), SMALL)


def test_an_npz_is_read_with_its_domains(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays = {
        "x": generator.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8),
        "y": np.arange(40) % 2,
        "classes": np.array(["Red_Fox", "owl"]),
        "domain": np.where(np.arange(40) < 24, "day", "night"),
    }
    np.savez(tmp_path / "set.npz", **arrays)
    given = DataSettings(DataKind.NPZ, str(tmp_path / "set.npz"), "night")
    data = load_party_data(given, SMALL)
    assert data.train.classes == ("red fox", "owl")
    assert len(data.train) + len(data.test) == 16
    assert data.train.images.shape[1:] == (16, 16, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": np.zeros((4, 8, 8), np.uint8)}, "images must be uint8"),
        ({"y": np.array([0, 1, 2, 0])}, "a label lies outside"),
        ({"y": np.zeros(4)}, "y must be integers"),
        ({"y": np.zeros(3, np.int64)}, "one label"),
        ({"classes": None}, "lacks the arrays classes"),
        ({"classes": np.array([{}, {}])}, "cannot read"),
    ],
    ids=str,
)
def test_an_npz_of_another_shape_is_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    arrays: dict[str, object] = {
        "x": np.zeros((4, 8, 8, 3), np.uint8),
        "y": np.array([0, 0, 1, 1]),
        "classes": np.array(["a", "b"]),
    }
    arrays.update(change)
    kept = {name: np.asarray(value) for name, value in arrays.items() if value is not None}
    np.savez(tmp_path / "set.npz", **kept)
    with pytest.raises(ConfigError, match=said):
        load_party_data(DataSettings(DataKind.NPZ, str(tmp_path / "set.npz")), SMALL)


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.npz").write_bytes(b"PK\x03\x04 but no archive")
    with pytest.raises(ConfigError, match="cannot read"):
        load_party_data(DataSettings(DataKind.NPZ, str(tmp_path / "set.npz")), SMALL)


@given(
    shades=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=2, max_size=40),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_the_split_goes_by_pixels_alone_and_no_picture_is_on_both_sides(
    shades: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    pixels = np.array([shade for shade, _ in shades], dtype=np.uint8)
    labels = np.array([label for _, label in shades], dtype=np.int64)
    images = ImageSet(
        np.broadcast_to(pixels[:, None, None, None], (len(pixels), 2, 2, 3)).copy(),
        labels,
        np.zeros_like(labels),
        ("a", "b", "c", "d"),
        ("",),
    )
    train, test = split(images, fraction, seed)
    assert not set(pixels[train]) & set(pixels[test])
    for label in range(4):
        count = int((labels == label).sum())
        held_out = int((labels[test] == label).sum())
        assert held_out == (min(max(1, round(fraction * count)), count - 1) if count else 0)
    order = np.random.default_rng(seed).permutation(len(images))
    _, shuffled = split(images.take(order), fraction, seed)
    assert sorted(zip(pixels[test], labels[test], strict=True)) == sorted(
        zip(pixels[order][shuffled], labels[order][shuffled], strict=True)
    )


def test_embedded_images_come_in_their_domain_and_every_part_is_tested_on_the_same() -> None:
    parts = [
        load_party_data(DataSettings(domain="pencil", part=(index, 4)), SMALL) for index in range(4)
    ]
    digests = [set(image_digests(part.train)) for part in parts]
    assert len(set.union(*digests)) == sum(map(len, digests))
    assert len({set_digest(part.test) for part in parts}) == 1
    assert len(parts[0].test) >= 400
    assert not set.union(*digests) & set(image_digests(parts[0].test))
    with pytest.raises(ConfigError, match="no embedded domain"):
        load_party_data(DataSettings(domain="opera"), SMALL)
