"""Frames between a daemon and its trainer."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save

from secfpp.errors import Misuse
from secfpp.learn.pipe import (
    LENGTH,
    MAXIMUM_HEADER,
    MAXIMUM_TENSORS,
    Frame,
    body_length,
    decode,
    encode,
    header_length,
    read_bytes,
    write,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.text("abcdef_", min_size=1, max_size=8)
tensors = arrays.arrays(np.float32, arrays.array_shapes(max_dims=2, max_side=5))


@given(
    frames=st.lists(
        st.tuples(st.dictionaries(st.text(), values, max_size=4), st.dictionaries(names, tensors)),
        max_size=3,
    )
)
def test_frames_come_back_bit_equal_one_after_another(
    frames: list[tuple[dict[str, object], dict[str, np.ndarray]]],
) -> None:
    stream = io.BytesIO()
    for header, content in frames:
        write(stream, Frame(header, content))
    stream.seek(0)
    for header, content in frames:
        parts = read_bytes(stream)
        assert parts is not None
        frame = decode(*parts)
        assert frame.header == header
        assert {name: value.tobytes() for name, value in frame.tensors.items()} == {
            name: value.tobytes() for name, value in content.items()
        }
    assert read_bytes(stream) is None


@given(cut=st.integers(0, 60))
def test_a_stream_that_ends_inside_a_frame_is_at_its_end(cut: int) -> None:
    whole = encode(Frame({"request": "stop"}, {"a": np.zeros((2, 2), np.float32)}))
    assert read_bytes(io.BytesIO(whole[: min(cut, len(whole) - 1)])) is None


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_bytes_that_are_no_frame_are_refused_and_nothing_else_happens(
    header: bytes, body: bytes
) -> None:
    try:
        frame = decode(header, body)
    except Misuse:
        return
    assert isinstance(frame.header, dict)


@pytest.mark.parametrize(
    ("header", "body", "said"),
    [
        (b"[]", b"", "JSON object, not list"),
        (b"{", b"", "cannot be read"),
        (b"[" * 100_000, b"", "cannot be read"),
        (b"\xff", b"", "cannot be read"),
        (b"{}", b"\x00" * 20, "cannot be read"),
        (b"{}", save({"a": np.zeros(2, np.float64)}), "a must be float32, not float64"),
    ],
)
def test_what_is_wrong_with_a_frame_is_said(header: bytes, body: bytes, said: str) -> None:
    with pytest.raises(Misuse, match=said):
        decode(header, body)


def test_lengths_beyond_the_largest_frame_are_refused_before_anything_is_read() -> None:
    assert header_length(LENGTH.pack(MAXIMUM_HEADER)) == MAXIMUM_HEADER
    with pytest.raises(Misuse, match="header of a frame"):
        header_length(LENGTH.pack(MAXIMUM_HEADER + 1))
    assert body_length(LENGTH.pack(MAXIMUM_TENSORS)) == MAXIMUM_TENSORS
    with pytest.raises(Misuse, match="tensors of a frame"):
        body_length(LENGTH.pack(MAXIMUM_TENSORS + 1))
    with pytest.raises(Misuse, match="header of a frame"):
        encode(Frame({"a": "b" * MAXIMUM_HEADER}))


def test_a_frame_does_not_print_its_prompt() -> None:
    frame = Frame(json.loads('{"request": "evaluate"}'), {"context": np.full((2, 2), 0.25, "f4")})
    assert "0.25" not in repr(frame)
