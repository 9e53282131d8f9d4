"""What a daemon asks of its own process before it listens: nothing shown, nobody interrupted.

A crash writes no core file, in which prompts, shares and keys would lie in clear, and no file that
the daemon makes can be read by others, whoever makes it. The trainer's process inherits both.

A share of a vector of a million values is a megabyte, and so are the buffers it passes on its way.
The C library gives blocks of that size back to the system at once, and gets them again page by
page, each cleared first; kept in the process, they save a quarter of a round's CPU (docs/adr/0010).

A message that comes need not push aside whoever computes: under SCHED_BATCH the daemon waits for
its turn where no core is free, and then finds more messages than one (docs/adr/0017).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
from typing import Final

KEPT_BLOCK_BYTES: Final = 32 * 2**20
"""Blocks up to this size come from the heap: the largest that the C library accepts."""

KEPT_BYTES: Final = 256 * 2**20
"""So much may lie free at the heap's end before it is given back."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of the GNU C library.


def settle() -> None:
    """Call once, when everything is loaded and before there are threads that do I/O.

    Other C libraries than GNU's, and systems that know no SCHED_BATCH, are left as they are.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(AttributeError, OSError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # Else somebody has chosen what it is.
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    gc.freeze()  # What is loaded by now stays; walking it at each collection costs milliseconds.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
