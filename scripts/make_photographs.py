"""Choose the photographs that SecFPP ships, and split them into training and test images.

Reads Caltech-101 as one file (`x` uint8 (N, 32, 32, 3), `y`, `classes`) and writes
`photographs.npz` (x, y, classes, source: the row of each image in that file) and `split.json`
(`test`: the places of the held-out images). The choice depends on the seed alone. Images that are
equal byte for byte are taken once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

CLASSES: dict[str, tuple[str, ...]] = {
    "airplane": ("airplanes",),
    "bonsai": ("bonsai",),
    "car": ("car side",),
    "chair": ("chair", "windsor chair"),
    "face": ("Faces",),
    "flamingo": ("flamingo", "flamingo head"),
    "leopard": ("Leopards",),
    "motorcycle": ("Motorbikes",),
    "ship": ("ketch", "schooner"),
    "watch": ("watch",),
}
"""Our natural name of each class, and the categories of Caltech-101 that it takes in."""

TRAIN_PER_CLASS = 60
TEST_PER_CLASS = 40


def choose(x: np.ndarray, y: np.ndarray, names: list[str], seed: int) -> list[np.ndarray]:
    """Return, for each class, the rows of its training images and then of its test images."""
    generator = np.random.default_rng(seed)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in x]
    chosen = []
    for categories in CLASSES.values():
        wanted = [names.index(category) for category in categories]
        rows = generator.permutation(np.flatnonzero(np.isin(y, wanted)))
        first = {digests[row]: row for row in reversed(rows)}
        distinct = np.array([row for row in rows if first[digests[row]] == row])
        chosen.append(distinct[: TRAIN_PER_CLASS + TEST_PER_CLASS])
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--caltech", type=Path, required=True, help="the npz of Caltech-101")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with np.load(arguments.caltech) as data:
        x, y, names = data["x"], data["y"], [str(name) for name in data["classes"]]
    chosen = choose(x, y, names, arguments.seed)
    rows = np.concatenate(chosen)
    labels = np.repeat(np.arange(len(chosen)), [len(part) for part in chosen])
    place = np.concatenate([np.arange(len(part)) for part in chosen])
    arguments.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.out / "photographs.npz",
        x=x[rows],
        y=labels.astype(np.int64),
        classes=np.array(list(CLASSES)),
        source=rows.astype(np.int64),
    )
    test = np.flatnonzero(place >= TRAIN_PER_CLASS)
    (arguments.out / "split.json").write_text(
        json.dumps({"seed": arguments.seed, "test": test.tolist()}) + "\n"
    )
    print(f"{len(rows)} photographs, {len(test)} of them held out")


if __name__ == "__main__":
    main()
