"""The coordinator's daemon: a mailbox for parties, a door for operators, one run at a time."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from collections import deque
from collections.abc import AsyncIterator
from functools import partial

import structlog

from secfpp.coordinator.session import RunSession
from secfpp.errors import PolicyRefusal, RequestRefused, SecFPPError, told
from secfpp.journal.events import Event
from secfpp.journal.logs import log_event
from secfpp.journal.metrics import Metrics
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.protocol.messages import run_of
from secfpp.settings.files import CoordinatorSettings, job_from
from secfpp.transport.diagnosis import diagnose
from secfpp.transport.grpc_tls import Mailbox, TlsServer
from secfpp.transport.link import Link
from secfpp.transport.operator_api import OPERATOR, operator_service

log = structlog.get_logger()

FINISHED_KEPT = 32  # Runs whose events `status` and `--follow` still know after their end.


class CoordinatorDaemon:
    """Listens, conducts the runs that operators submit, in their order."""

    def __init__(self, settings: CoordinatorSettings) -> None:
        identity = Identity.load(settings.tls.directory)
        if identity.leaf.role is not Role.COORDINATOR:
            role = identity.leaf.role.value
            raise PolicyRefusal("role", f"{identity.name} is no coordinator: {role}")
        self._settings = settings
        self._diagnose = partial(diagnose, identity)
        self._mailbox = Mailbox(identity, listen=settings.listen, admit=self._admit)
        self.metrics = Metrics(self._mailbox)
        self._link = Link(
            self._mailbox, patience=settings.time.idle_timeout, on_trouble=self._trouble
        )
        service = operator_service(self._call, self._follow)
        self._door = TlsServer(identity, settings.operator_listen, name=OPERATOR, service=service)
        self._queue: asyncio.Queue[RunSession] = asyncio.Queue()
        self._sessions: dict[str, RunSession] = {}
        self._outcomes: dict[str, SecFPPError | None] = {}
        self._order: deque[str] = deque()
        self._current: RunSession | None = None
        self._stopping = asyncio.Event()
        self._news = asyncio.Condition()

    async def serve(self) -> bool:
        """Run until stopped; whether the last run (if any) reached its goal."""
        port = await self._mailbox.start()
        door = await self._door.start()
        log.info("listening", port=port, operators=door, parties=len(self._settings.parties))
        for name, address in self._settings.parties.items():
            self._link.open(name, address)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        receiving = asyncio.create_task(self._receive())
        conducting = asyncio.create_task(self._conduct())
        stopping = asyncio.create_task(self._stopping.wait())
        tasks = {receiving, conducting, stopping}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await self._mailbox.end_serving()
        await self._door.end_serving()
        if self._current is not None:
            await asyncio.wait({conducting}, timeout=self._settings.time.idle_timeout)
        completed = conducting.result() if conducting.done() else True
        for task in tasks:
            task.cancel()
        await self._door.stop(1.0)
        await self._link.close()
        return completed

    def _stop(self) -> None:
        if self._current is not None:
            self._current.stop("the coordinator was told to end")
        self._stopping.set()

    async def _receive(self) -> None:
        while True:
            sender, message = await self._link.receive()
            session = self._sessions.get(run_of(message))
            if session is not None and session is self._current:
                session.deliver(sender, message)

    async def _conduct(self) -> bool:
        """One run after the other; ends after one where the settings say so."""
        while True:
            session = await self._queue.get()
            self._current = session
            log.info("run started", run=session.run)
            failure: SecFPPError | None = None
            try:
                await session.conduct()
            except SecFPPError as error:
                failure = error
                log.error("run ended early", run=session.run, code=error.code, reason=str(error))
            self._current = None
            self._outcomes[session.run] = failure
            await self._tell()
            if self._settings.once:
                await asyncio.sleep(0.5)  # Followers read the end before the door closes.
                return failure is None

    # --- The operator's verbs.

    async def _call(self, operator: str, request: bytes) -> bytes:
        try:
            data = self._answer(operator, json.loads(request))
        except SecFPPError as error:
            return json.dumps({"error": told(error)}).encode()
        except (ValueError, KeyError) as error:
            refusal = RequestRefused(f"the request is not understood: {error!r}")
            return json.dumps({"error": told(refusal)}).encode()
        return json.dumps({"data": data}).encode()

    def _answer(self, operator: str, request: dict[str, str]) -> dict[str, object]:
        match request["verb"]:
            case "submit":
                return {"run": self._submit(operator, request["job"])}
            case "status":
                return {"runs": [self._status(run) for run in self._order]}
            case "stop":
                session = self._known(request["run"])
                session.stop(f"operator {operator} asked for it")
                return {"run": session.run}
            case verb:
                raise RequestRefused(f"{verb!r} is no verb of this coordinator")

    def _submit(self, operator: str, text: str) -> str:
        job = job_from(text)
        run = f"{job.name}-{secrets.token_hex(4)}"
        session = RunSession(
            run, job, link=self._link, settings=self._settings, diagnose=self._diagnose
        )
        session.chronicle.listeners += [log_event, self.metrics.tally.hear, self._heard]
        self._sessions[run] = session
        self._order.append(run)
        while len(self._order) > FINISHED_KEPT and self._order[0] in self._outcomes:
            old = self._order.popleft()
            del self._sessions[old], self._outcomes[old]
        self._queue.put_nowait(session)
        log.info("submitted", run=run, operator=operator)
        return run

    def _status(self, run: str) -> dict[str, object]:
        events = self._sessions[run].chronicle.events
        last = events[-1].sentence() if events else "waits for its turn"
        return {"run": run, "outcome": self._outcome(run), "last": last}

    def _outcome(self, run: str) -> str:
        """In one word: completed, running, or the code of what ended it early."""
        failure = self._outcomes.get(run)
        if failure is not None:
            return failure.code
        return "completed" if run in self._outcomes else "running"

    def _known(self, run: str) -> RunSession:
        if run not in self._sessions:
            raise RequestRefused(f"no run {run!r} is known here", fix="see `secfpp status`")
        return self._sessions[run]

    async def _follow(self, operator: str, request: bytes) -> AsyncIterator[bytes]:
        """Every event of a run from its first, then its outcome."""
        session = self._known(request.decode())
        events = session.chronicle.events
        sent = 0
        while True:
            while sent < len(events):
                yield events[sent].line().encode()
                sent += 1
            if session.run in self._outcomes:
                failure = self._outcomes[session.run]
                yield json.dumps({"ended": None if failure is None else told(failure)}).encode()
                return
            async with self._news:
                if sent == len(events) and session.run not in self._outcomes:
                    await self._news.wait()

    def _heard(self, _: Event) -> None:
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _admit(self, name: str, role: Role) -> None:
        if role is not Role.PARTY:
            raise PolicyRefusal("role", f"{name} is a {role.value}, parties only come in here")
        if name not in self._settings.parties:
            raise PolicyRefusal("roster", f"{name} is not on the coordinator's roster")

    def _trouble(self, peer: str, error: SecFPPError) -> None:
        if self._current is not None:
            self._current.trouble(peer, error)
        else:
            log.warning("trouble", peer=peer, reason=str(error))
