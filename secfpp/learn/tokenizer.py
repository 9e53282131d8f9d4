"""Word-level tokenizer over the compact vocabulary of the embedded CLIP."""

from __future__ import annotations

import json
import re
from pathlib import Path

from secfpp.errors import ConfigError

_PIECE = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")


class CompactTokenizer:
    """Maps lower-cased words and punctuation marks to ids 0…len(words)−1.

    The start and the end of a text have the two highest ids, `start` and `end`, so that open_clip,
    which reads a text out at its highest id, reads it out at its end.
    """

    def __init__(self, words: list[str]) -> None:
        if len(set(words)) != len(words):
            raise ConfigError("the vocabulary names a word twice")
        self._ids = {word: index for index, word in enumerate(words)}
        self.start = len(words)
        self.end = len(words) + 1
        self.vocabulary_size = len(words) + 2

    @classmethod
    def load(cls, path: Path) -> CompactTokenizer:
        """Read a vocabulary: a JSON list of words. Raise ConfigError if it is anything else."""
        try:
            words = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the vocabulary {path}: {error}") from error
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ConfigError(f"the vocabulary {path} is not a JSON list of words")
        return cls(words)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the words of `text`, without start and end.

        A word outside the vocabulary raises ConfigError with its name.
        """
        pieces = _PIECE.findall(text.lower())
        for piece in pieces:
            if piece not in self._ids:
                raise ConfigError(
                    f'the embedded CLIP does not know the word "{piece}" of "{text}"',
                    fix="rename the class, or set clip.weights to a CLIP with a full vocabulary",
                )
        return [self._ids[piece] for piece in pieces]
