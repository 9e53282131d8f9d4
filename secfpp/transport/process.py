"""What a daemon asks of its own process before it listens: memory that is not cleared twice.

A share of a vector of a million values is a megabyte, and so are the buffers it passes on its way.
The C library gives blocks of that size back to the system at once, and gets them again page by
page, each cleared first; kept in the process, they save a quarter of a round's CPU (docs/adr/0010).
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

KEPT_BLOCK_BYTES: Final = 32 * 2**20
"""Blocks up to this size come from the heap: the largest that the C library accepts."""

KEPT_BYTES: Final = 256 * 2**20
"""So much may lie free at the heap's end before it is given back."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of the GNU C library.


def settle() -> None:
    """Call once, when everything is loaded; other C libraries than GNU's are left as they are."""
    gc.freeze()  # What is loaded by now stays; walking it at each collection costs milliseconds.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
