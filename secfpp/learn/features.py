"""Image features, computed once: the image tower is frozen, so they only depend on its input."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from secfpp.errors import ConfigError
from secfpp.learn.clip import Clip, Done
from secfpp.learn.data import pixels_digest
from secfpp.learn.images import ImageSet


def cached_features(
    clip: Clip, images: ImageSet, cache: Path, done: Done = lambda count, of: None
) -> NDArray[np.float32]:
    """The normalised features (N, features) of `images`, from `cache` where they are there.

    A file's name holds the digest of weights, preprocessing and pixels, so it is never stale; an
    unreadable one is made anew. Files are 0600 in a directory 0700.
    """
    path = cache / f"features-{_key(clip, images)}.safetensors"
    known = _read(path, len(images))
    if known is not None:
        return known
    features = clip.image_features(images.images, done)
    _write(path, save({"features": features}))
    return features


def _key(clip: Clip, images: ImageSet) -> str:
    parts = (clip.weights, clip.preprocessing.describe(), pixels_digest(images))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _read(path: Path, count: int) -> NDArray[np.float32] | None:
    try:
        features = load(path.read_bytes())["features"]
    except (OSError, SafetensorError, KeyError):
        return None
    right = features.dtype == np.float32 and features.ndim == 2 and len(features) == count
    return features if right else None


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror}", fix="free space or change the cache directory"
        ) from error
