"""What an operator asks of a coordinator: submit, follow, status, stop, resume."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from secfpp.errors import PeersMissing, RequestRefused, RoundFailed, heard
from secfpp.journal.events import Event, event_from
from secfpp.settings.files import JobSettings
from secfpp.transport.operator_api import OperatorClient
from secfpp.transport.probing import ASKED_SECONDS

CALL_SECONDS = 30.0
MEASURING_SECONDS = ASKED_SECONDS + 15.0
"""What the coordinator needs to have one way measured: it connects and diagnoses, too."""


class CoordinatorLost(PeersMissing):
    """The coordinator went away and did not come back while a run was followed."""


class Operator:
    """The verbs over one connection to a coordinator; each call may take `patience` seconds.

    Only to measure a way takes longer: as long as those who measure it may take.
    """

    def __init__(self, client: OperatorClient, *, patience: float = CALL_SECONDS) -> None:
        self._client = client
        self._patience = patience

    async def submit(self, job: JobSettings) -> str:
        """Queue a run; returns its name."""
        answer = await self._ask(verb="submit", job=job.model_dump_json())
        return str(answer["run"])

    async def status(self) -> list[dict[str, str]]:
        """The runs the coordinator knows: run, outcome, last event."""
        answer = await self._ask(verb="status")
        runs: list[dict[str, str]] = answer["runs"]  # type: ignore[assignment]  # JSON of our own
        return runs

    async def resume(self, run: str) -> None:
        """Go on with a run that ended early, at the round it had come to."""
        await self._ask(verb="resume", run=run)

    async def stop(self, run: str) -> None:
        """End a run; the parties keep their last good prompts."""
        await self._ask(verb="stop", run=run)

    async def participants(self) -> tuple[list[str], dict[str, str]]:
        """All participants, told of each other so that they can measure; the silent ones, why."""
        answer = await self._ask(verb="introduce")
        return answer["participants"], answer["silent"]  # type: ignore[return-value]  # Our JSON.

    async def link(self, participant: str, peer: str) -> dict[str, object]:
        """The way from one participant to another, as it measures it now."""
        request = {"verb": "measure", "participant": participant, "peer": peer}
        return await self._ask(MEASURING_SECONDS, **request)

    async def follow(self, run: str) -> AsyncIterator[Event]:
        """Every event of a run until it ends; where it ended early, raises what ended it.

        A coordinator that goes away has `patience` seconds to start again; then CoordinatorLost
        says how to follow the run again.
        """
        seen = 0
        await self._client.reach(self._patience)
        while True:
            position = 0  # In the stream, which begins with the run's first event.
            try:
                async for line in self._client.follow(run.encode()):
                    fields = json.loads(line)
                    if "ended" in fields:
                        break
                    position += 1
                    if position > seen:
                        seen = position
                        yield event_from(line.decode())
            except PeersMissing:
                await self._return_for(run)
                continue
            if fields["ended"] is not None:
                raise heard(fields["ended"], otherwise=RoundFailed)
            return

    async def _return_for(self, run: str) -> None:
        """Wait until the coordinator is there again; a run does not need who follows it."""
        try:
            await self.status()
        except PeersMissing as lost:
            again = f"{lost.fix}; {run} does not need you: `secfpp log {run}` follows it again"
            raise CoordinatorLost(str(lost), fix=again) from None

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _ask(self, patience: float | None = None, **request: str) -> dict[str, object]:
        patience = self._patience if patience is None else patience
        answer = json.loads(await self._client.call(json.dumps(request).encode(), timeout=patience))
        if "error" in answer:
            raise heard(answer["error"], otherwise=RequestRefused)
        data: dict[str, object] = answer["data"]
        return data
