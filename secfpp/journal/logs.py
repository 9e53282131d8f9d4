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
from secfpp.journal.seldom import Seldom, with_left_out

log = structlog.get_logger()

_SAYABLE = (str, int, float, bool, type(None))


def refuse_secrets(_: object, __: str, event: EventDict) -> MutableMapping[str, object]:
    """Only plain words and numbers are logged: bytes, arrays and objects could hold a secret."""
    for key, value in event.items():
        if key != "exc_info" and not isinstance(value, _SAYABLE):
            raise Misuse(f"{key} is a {type(value).__name__}; logs take words and numbers only")
    return dict(event)


def without_repeats() -> structlog.typing.Processor:
    """Of what a peer causes between runs, too, no more than one line a minute is logged."""
    seldom = Seldom()

    def checked(_: object, __: str, event: EventDict) -> MutableMapping[str, object]:
        kind = str(event["event"])
        left_out = seldom.left_out(kind, str(event.get("peer", "")))
        if left_out is None:
            raise structlog.DropEvent
        return {**event, "event": with_left_out(kind, left_out)}

    return checked


def configure(process: str) -> None:
    """Set up logging for this process, whose name stands in every line."""
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            without_repeats(),
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
