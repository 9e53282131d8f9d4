"""Frames between a party daemon and its trainer: a JSON header and named tensors.

On the pipe a frame is the length of the header (4 bytes, big-endian), the header (UTF-8 JSON
object), the length of the tensors (4 bytes), and the tensors as safetensors; no tensors, length 0.
Nothing here imports torch.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from secfpp.errors import Misuse

LENGTH = struct.Struct(">I")
MAXIMUM_HEADER = 1 << 22
MAXIMUM_TENSORS = 1 << 30

Tensors = dict[str, NDArray[np.float32]]


class Request(StrEnum):
    """What a party daemon asks of its trainer."""

    PREPARE = "prepare"
    TRAIN = "train"
    EVALUATE = "evaluate"
    STOP = "stop"


class Reply(StrEnum):
    """What a trainer's frame holds: the one key of its header."""

    PROGRESS = "progress"
    RESULT = "result"
    ERROR = "error"


@dataclass(frozen=True, repr=False)
class Frame:
    """A header (JSON object) and float32 tensors by name. It has no repr: prompts are secret."""

    header: Mapping[str, object]
    tensors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def encode(frame: Frame) -> bytes:
    """The frame as bytes; Misuse where it is longer than a frame may be."""
    header = json.dumps(frame.header, ensure_ascii=False).encode()
    tensors = {name: np.ascontiguousarray(value) for name, value in frame.tensors.items()}
    body = save(tensors) if tensors else b""
    _bounded("header", len(header), MAXIMUM_HEADER)
    _bounded("tensors", len(body), MAXIMUM_TENSORS)
    return LENGTH.pack(len(header)) + header + LENGTH.pack(len(body)) + body


def decode(header: bytes, body: bytes) -> Frame:
    """The frame of a header and its tensors; Misuse says what is malformed."""
    try:
        values = json.loads(header)
        tensors = load(body) if body else {}
    except (ValueError, RecursionError, SafetensorError) as error:
        raise Misuse(f"a frame cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise Misuse(f"the header of a frame must be a JSON object, not {type(values).__name__}")
    for name, value in tensors.items():
        if value.dtype != np.float32:
            raise Misuse(f"the tensor {name} must be float32, not {value.dtype}")
    return Frame(values, tensors)


def header_length(prefix: bytes) -> int:
    """The length of a header from the 4 bytes before it; Misuse if no header is that long."""
    return _bounded("header", int(LENGTH.unpack(prefix)[0]), MAXIMUM_HEADER)


def body_length(prefix: bytes) -> int:
    """The length of the tensors from the 4 bytes before them; Misuse if they may not be that."""
    return _bounded("tensors", int(LENGTH.unpack(prefix)[0]), MAXIMUM_TENSORS)


def write(stream: BinaryIO, frame: Frame) -> None:
    """Write one frame and flush it."""
    stream.write(encode(frame))
    stream.flush()


def read_bytes(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Header and tensors of the next frame, or None where the stream ends, even inside a frame."""
    header = _read_part(stream, header_length)
    body = None if header is None else _read_part(stream, body_length)
    return None if header is None or body is None else (header, body)


def _read_part(stream: BinaryIO, length_of: Callable[[bytes], int]) -> bytes | None:
    prefix = stream.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    length = length_of(prefix)
    part = stream.read(length)
    return part if len(part) == length else None


def _bounded(part: str, length: int, most: int) -> int:
    if length > most:
        raise Misuse(f"the {part} of a frame may have {most} bytes, not {length}")
    return length
