"""The compact tokenizer: words to ids, the two highest ids, words it does not know."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secfpp.errors import ConfigError
from secfpp.learn.embedded import tiny_clip_directory
from secfpp.learn.tokenizer import CompactTokenizer

WORDS = [".", "a", "cartoon", "dog", "of", "photo"]


def test_words_are_lower_cased_and_marks_are_words_of_their_own() -> None:
    tokenizer = CompactTokenizer(WORDS)
    assert tokenizer.encode("A photo of a DOG.") == [1, 5, 4, 1, 3, 0]


def test_start_and_end_are_the_two_highest_ids() -> None:
    tokenizer = CompactTokenizer(WORDS)
    assert (tokenizer.start, tokenizer.end) == (6, 7)
    assert tokenizer.vocabulary_size == 8


def test_an_unknown_word_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match='"zeppelin"'):
        CompactTokenizer(WORDS).encode("a photo of a zeppelin")


@given(st.lists(st.sampled_from(WORDS), max_size=20))
def test_every_text_of_known_words_has_their_ids_in_order(words: list[str]) -> None:
    assert CompactTokenizer(WORDS).encode(" ".join(words)) == [WORDS.index(w) for w in words]


def test_a_word_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        CompactTokenizer(["a", "a"])


@pytest.mark.parametrize("content", ["{}", "[1, 2]", "not json"])
def test_a_file_that_is_no_list_of_words_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"vocabulary\.json"):
        CompactTokenizer.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json"):
        CompactTokenizer.load(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "text",
    [
        "a photo of a golden retriever.",
        "an art painting of a house",
        "a quickdraw of an alarm clock",
        "a clipart of a pickup truck",
        "a pencil drawing of a grand piano",
        "a photo of a water lily, at night!",
    ],
)
def test_the_committed_vocabulary_knows_common_class_and_style_words(text: str) -> None:
    tokenizer = CompactTokenizer.load(tiny_clip_directory() / "vocabulary.json")
    ids = tokenizer.encode(text)
    assert ids
    assert max(ids) < tokenizer.start


def test_the_committed_vocabulary_fits_the_committed_model() -> None:
    folder = tiny_clip_directory()
    config = json.loads((folder / "config.json").read_text())
    tokenizer = CompactTokenizer.load(folder / "vocabulary.json")
    assert config["text_cfg"]["vocab_size"] == tokenizer.vocabulary_size
