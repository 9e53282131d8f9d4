"""Who follows a run is told every event, however slowly it listens."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

from secfpp.coordinator.daemon import CoordinatorDaemon
from secfpp.journal.events import Event


async def test_events_that_come_while_a_follower_is_told_others_are_told_too():
    """Mutation: counting the events after they were told, of a list that has grown, skips some."""
    events = [Event(time=0.0, run="run", event="opened", round=1)]
    over = False
    daemon = CoordinatorDaemon.__new__(CoordinatorDaemon)
    daemon._news = asyncio.Condition()
    daemon._runs = SimpleNamespace(
        events=lambda run: events, is_over=lambda run: over, end=lambda run: None
    )
    following = daemon._follow("operator", b"run")
    told = [json.loads(await anext(following))]
    events.append(Event(time=1.0, run="run", event="opened", round=2))
    over = True
    told += [json.loads(item) async for item in following]
    assert [item.get("round") for item in told] == [1, 2, None]
    assert "ended" in told[-1]
