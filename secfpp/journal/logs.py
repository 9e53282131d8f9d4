"""Logs to stderr: words on a terminal, JSON lines elsewhere; what may be secret is refused."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping

import structlog
from structlog.typing import EventDict

from secfpp.errors import Misuse
from secfpp.journal.defects import WithoutText
from secfpp.journal.events import Event

log = structlog.get_logger()

_SAYABLE = (str, int, float, bool, type(None))


def refuse_secrets(_: object, __: str, event: EventDict) -> MutableMapping[str, object]:
    """Only plain words and numbers are logged: bytes, arrays and objects could hold a secret."""
    for key, value in event.items():
        if key != "exc_info" and not isinstance(value, _SAYABLE):
            raise Misuse(f"{key} is a {type(value).__name__}; logs take words and numbers only")
    return dict(event)


def configure(process: str) -> None:
    """Set up logging for this process, whose name stands in every line."""
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            refuse_secrets,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(WithoutText())
    logging.basicConfig(handlers=[foreign], level=logging.WARNING, force=True)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)


def log_event(event: Event) -> None:
    """One line for an event of a run: its sentence, its kind, and where it belongs as fields.

    The steps of an attempt, and what they cost, are left to `events.jsonl`.
    """
    if event.event in ("phase", "cost"):
        return
    say = log.warning if event.grave else log.info
    say(event.sentence(), kind=event.event, **event.place)
