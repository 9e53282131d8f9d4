"""Draw docs/images/contact-sheet.png: two held-out photographs of each class in every domain."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from secfpp.learn.embedded import embedded_train_test, rendered
from secfpp.learn.renderings import Domain

ENLARGED = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    _, test = embedded_train_test()
    columns = [np.flatnonzero(test.labels == label)[:2] for label in range(len(test.classes))]
    shown = test.take(np.concatenate(columns))
    rows = [np.concatenate(list(rendered(shown, d, seed=1).images), axis=1) for d in Domain]
    sheet = Image.fromarray(np.concatenate(rows))
    size = (sheet.width * ENLARGED, sheet.height * ENLARGED)
    sheet.resize(size, Image.Resampling.NEAREST).save(options.out)


if __name__ == "__main__":
    main()
