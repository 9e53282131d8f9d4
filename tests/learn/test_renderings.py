"""Renderings are fixed, deterministic, clearly different, and keep what is in the picture."""

import hashlib

import numpy as np
import pytest

from secfpp.errors import ConfigError
from secfpp.learn.renderings import Domain, domain_named, render

RENDERED = [domain for domain in Domain if domain is not Domain.PHOTOGRAPH]


def gradient_with_disc(count: int = 3, side: int = 32) -> np.ndarray:
    """Red-to-blue gradients with a bright disc, exact integers on every machine."""
    row, column = np.mgrid[0:side, 0:side]
    disc = (row - side // 2) ** 2 + (column - side // 2) ** 2 < (side // 4) ** 2
    picture = np.stack([row * 4, column * 2, 255 - row * 4], axis=-1)
    picture[disc] = (240, 220, 120)
    return np.stack([np.roll(picture, 3 * index, axis=1) for index in range(count)]).astype(
        np.uint8
    )


@pytest.mark.parametrize("domain", Domain)
def test_a_rendering_keeps_shape_and_type_and_leaves_its_input_alone(domain: Domain) -> None:
    images = gradient_with_disc()
    before = images.copy()
    drawn = render(images, domain, seed=1)
    assert drawn.shape == images.shape
    assert drawn.dtype == np.uint8
    assert np.array_equal(images, before)


@pytest.mark.parametrize("domain", Domain)
def test_the_same_seed_gives_the_same_bytes(domain: Domain) -> None:
    images = gradient_with_disc()
    first, second = (render(images, domain, seed=7) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("domain", [Domain.PENCIL, Domain.NIGHT])
def test_another_seed_gives_other_noise(domain: Domain) -> None:
    images = gradient_with_disc()
    assert not np.array_equal(render(images, domain, seed=1), render(images, domain, seed=2))


def test_photographs_stay_as_they_are() -> None:
    images = gradient_with_disc()
    assert np.array_equal(render(images, Domain.PHOTOGRAPH, seed=3), images)


def test_the_cartoon_is_the_one_that_was_fixed() -> None:
    digest = hashlib.sha256(render(gradient_with_disc(), Domain.CARTOON, seed=0).tobytes())
    assert digest.hexdigest()[:16] == "4d86c5d0b37840e7"


@pytest.mark.parametrize("domain", RENDERED)
def test_a_rendering_differs_clearly_from_the_photograph(domain: Domain) -> None:
    images = gradient_with_disc()
    gap = np.abs(render(images, domain, seed=0).astype(int) - images.astype(int)).mean()
    assert gap > 15


@pytest.mark.parametrize("domain", [Domain.CARTOON, Domain.NIGHT])
def test_no_rendering_inverts_brightness_or_swaps_channels(domain: Domain) -> None:
    images = gradient_with_disc()
    drawn = render(images, domain, seed=0).astype(float)
    for channel in range(3):
        before = images[..., channel].astype(float).ravel()
        correlation = [np.corrcoef(before, drawn[..., c].ravel())[0, 1] for c in range(3)]
        assert correlation[channel] > 0.5
        assert correlation[channel] == max(correlation)


def test_a_pencil_drawing_is_dark_where_the_edges_are() -> None:
    images = np.full((1, 32, 32, 3), 100, dtype=np.uint8)
    images[:, :, 16:] = 200
    drawn = render(images, Domain.PENCIL, seed=0)[0, ..., 0]
    assert drawn[:, 15:17].max() < 80
    assert drawn[:, :8].min() > 200


def test_an_image_keeps_its_rendering_when_others_follow_it() -> None:
    images = gradient_with_disc(5)
    alone = render(images[:2], Domain.NIGHT, seed=4)
    assert np.array_equal(alone, render(images, Domain.NIGHT, seed=4)[:2])


def test_an_unknown_domain_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="crayon") as refusal:
        domain_named("crayon")
    assert "pencil" in refusal.value.fix
