"""What is said of an exception nobody foresaw: where it arose and its type, never its text.

The text of a foreign exception can quote the value it choked on, and so a prompt, a share or a key.
"""

from __future__ import annotations

import logging
import traceback


def where(error: BaseException) -> str:
    """The frames and types of an error and of what it came from, the first cause first."""
    parts: list[str] = []
    step: BaseException | None = error
    while step is not None:
        kind = f"{type(step).__module__}.{type(step).__qualname__}"
        parts.append("".join(traceback.format_tb(step.__traceback__)) + kind)
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
    return "\n... and then\n".join(reversed(parts))


class WithoutText(logging.Formatter):
    """For libraries' own logs (asyncio, gRPC): a record with an exception is reduced to `where`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record in words."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return f"{record.levelname.lower()} {record.name}: {record.getMessage()}"
        return f"{record.levelname.lower()} {record.name}: unforeseen\n{where(error)}"
