"""The coordinator's daemon: a mailbox for parties, a door for operators, one run at a time."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial

import structlog

from secfpp.coordinator.memory import RunMemory
from secfpp.coordinator.runs import Runs
from secfpp.coordinator.session import Paused, RunSession
from secfpp.coordinator.survey import Survey
from secfpp.errors import PolicyRefusal, RequestRefused, SecFPPError, told
from secfpp.journal.events import Event
from secfpp.journal.logs import log_event
from secfpp.journal.metrics import Metrics
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.protocol.messages import Accept, Ended, Envelope, run_of
from secfpp.settings.files import CoordinatorSettings, job_from
from secfpp.settings.rounds import check_job
from secfpp.store.sealed import SealedStore
from secfpp.transport.diagnosis import diagnose
from secfpp.transport.grpc_tls import Mailbox, TlsServer
from secfpp.transport.link import Link
from secfpp.transport.operator_api import OPERATOR, operator_service
from secfpp.transport.probing import probing_service

log = structlog.get_logger()


class CoordinatorDaemon:
    """Listens, conducts the runs that operators submit, in their order.

    Told to end (SIGTERM, SIGINT), it opens no other attempt and leaves the run to be gone on with
    at the next start; told twice, it ends at once. On SIGHUP it reads its settings again and takes
    over the roster: `reread` returns them.
    """

    def __init__(
        self, settings: CoordinatorSettings, reread: Callable[[], CoordinatorSettings]
    ) -> None:
        identity = Identity.load(settings.tls.directory)
        if identity.leaf.role is not Role.COORDINATOR:
            role = identity.leaf.role.value
            raise PolicyRefusal("role", f"{identity.name} is no coordinator: {role}")
        self._settings = settings
        self._reread = reread
        self._diagnose = partial(diagnose, identity)
        self._store = SealedStore(settings.state_dir, settings.store_key)
        self._survey = Survey(identity, lambda: self._settings.parties, self._is_busy)
        beside = (probing_service(self._admit),)
        self._mailbox = Mailbox(identity, listen=settings.listen, admit=self._admit, beside=beside)
        self.metrics = Metrics(self._mailbox, lambda: self._settings.parties)
        self._link = Link(
            self._mailbox,
            coordinator=identity.name,
            patience=settings.time.idle_timeout,
            on_trouble=self._trouble,
        )
        service = operator_service(self._call, self._follow)
        self._door = TlsServer(
            identity,
            settings.operator_listen,
            name=OPERATOR,
            services=(service,),
            key="operator_listen",
        )
        self._runs = Runs(self._store, settings, self._session)
        self._news = asyncio.Condition()
        self._over: asyncio.Future[bool]
        self._leaving: asyncio.Task[None] | None = None

    async def serve(self) -> bool:
        """Run until stopped; whether the last run (if any) reached its goal."""
        port = await self._mailbox.start()
        door = await self._door.start()
        log.info(
            "listening",
            port=port,
            operators=door,
            parties=len(self._settings.parties),
            certificate_days_left=self._mailbox.identity.leaf.days_left,
        )
        for name, address in self._settings.parties.items():
            self._link.open(name, address)
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self._change)
        tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._conduct())]
        for task in tasks:
            task.add_done_callback(self._require_sound)
        try:
            return await self._over
        finally:
            for task in tasks:
                task.cancel()
            await self._end_serving()
            await self._door.stop(1.0)
            await self._link.close()
            self._store.close()

    def _leave(self) -> None:
        """Told to end: soon, if an attempt is open, else and the second time at once."""
        session = self._runs.current
        if self._leaving is not None or session is None:
            self._end(True)
        else:
            self._leaving = asyncio.create_task(self._leave_after(session))

    async def _leave_after(self, session: RunSession) -> None:
        """The attempt that is open may take as long as a round may stand still."""
        log.info("told to end", waits_for="the attempt that is open", run=session.run)
        session.pause()
        await self._end_serving()
        await asyncio.sleep(self._settings.time.idle_timeout)
        self._end(True)

    async def _end_serving(self) -> None:
        """Tell health checks that new work is not welcome."""
        await self._mailbox.end_serving()
        await self._door.end_serving()

    def _end(self, completed: bool) -> None:
        if not self._over.done():
            self._over.set_result(completed)

    def _require_sound(self, task: asyncio.Task[None]) -> None:
        """A defect in a task is a defect of the daemon, which ends with it."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)

    def _change(self) -> None:
        """Take over the roster of the settings as they are now; nothing else changes."""
        try:
            parties = self._reread().parties
        except SecFPPError as error:
            log.error("the settings cannot be read again", reason=str(error), fix=error.fix)
            return
        self._settings = self._settings.model_copy(update={"parties": parties})
        log.info("read again", parties=len(parties))
        for name, address in parties.items():
            self._link.open(name, address)
        if self._runs.current is not None:
            self._runs.current.change(parties)

    async def _receive(self) -> None:
        while True:
            sender, message = await self._link.receive()
            run = run_of(message)
            session = self._runs.current
            if session is not None and session.run == run:
                session.deliver(sender, message)
            elif isinstance(message, Accept) and self._runs.is_over(run):
                over = Ended(run, self._runs.end(run) is None, "the run is over")
                self._link.post([Envelope(sender, over)])

    async def _conduct(self) -> None:
        """One run after the other; ends after one where the settings say so."""
        while True:
            session = await self._runs.next()
            log.info("run started", run=session.run)
            failure: SecFPPError | None = None
            try:
                await session.conduct()
            except SecFPPError as error:
                failure = error
            except Paused:
                self._end(True)
                return
            except Exception:  # Kept with the run, so that the next start does not meet it again.
                self._runs.concluded(session.run, _defect())
                await self._tell()
                raise
            failure = self._runs.concluded(session.run, failure)
            if failure is not None:
                code, reason = failure.code, str(failure)
                log.error("run ended early", run=session.run, code=code, reason=reason)
            await self._tell()
            if self._settings.once or self._leaving is not None:
                await asyncio.sleep(0.5)  # Followers read the end before the door closes.
                self._end(failure is None)
                return

    def _session(self, memory: RunMemory) -> RunSession:
        session = RunSession(
            memory, self._store, self._link, settings=self._settings, diagnose=self._diagnose
        )
        session.chronicle.listeners += [log_event, self.metrics.tally.hear, self._heard]
        return session

    # --- The operator's verbs.

    async def _call(self, operator: str, request: bytes) -> bytes:
        try:
            data = await self._answer(operator, _read(request))
        except SecFPPError as error:
            return json.dumps({"error": told(error)}).encode()
        return json.dumps({"data": data}).encode()

    async def _answer(self, operator: str, request: object) -> dict[str, object]:
        match request:
            case {"verb": "submit" | "resume"} if self._leaving is not None:
                raise RequestRefused(
                    "the coordinator was told to end and takes no new work",
                    fix="ask again when it has started again",
                )
            case {"verb": "submit", "job": str(text)}:
                job = job_from(text)
                check_job(job, self._mailbox.identity.name, tuple(self._settings.parties))
                run = self._runs.submit(job)
                log.info("submitted", run=run, operator=operator)
            case {"verb": "resume", "run": str(run)}:
                self._runs.resume(run)
                log.info("resumed", run=run, operator=operator)
            case {"verb": "status"}:
                return {"runs": self._runs.status()}
            case {"verb": "stop", "run": str(run)}:
                self._runs.stop(run, f"{operator} stopped it")
                await self._tell()
            case {"verb": "introduce"}:
                return await self._survey.introduce()
            case {"verb": "measure", "participant": str(participant), "peer": str(peer)}:
                return await self._survey.measure(participant, peer)
            case {"verb": verb}:
                raise RequestRefused(f"{verb!r} is no verb of this coordinator, or lacks a field")
            case _:
                raise RequestRefused("the request has no verb")
        return {"run": run}

    async def _follow(self, operator: str, request: bytes) -> AsyncIterator[bytes]:
        """Every event of a run from its first, then its outcome."""
        run, sent = request.decode(), 0
        while True:
            try:
                events = self._runs.events(run)[sent:]  # A copy: more may come while we yield.
                over = self._runs.is_over(run)
                end = self._runs.end(run) if over else None
            except RequestRefused as refusal:
                yield json.dumps({"ended": told(refusal)}).encode()
                return
            for event in events:
                yield event.line().encode()
            sent += len(events)
            if over:
                yield json.dumps({"ended": end}).encode()
                return
            async with self._news:
                if sent == len(self._runs.events(run)) and not self._runs.is_over(run):
                    await self._news.wait()

    def _heard(self, _: Event) -> None:
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _is_busy(self) -> str:
        return "" if self._runs.current is None else f"{self._runs.current.run} goes on"

    def _admit(self, name: str, role: Role) -> None:
        if role is not Role.PARTY:
            raise PolicyRefusal("role", f"{name} is a {role.value}, parties only come in here")
        if name not in self._settings.parties:
            raise PolicyRefusal("roster", f"{name} is not on the coordinator's roster")

    def _trouble(self, peer: str, error: SecFPPError) -> None:
        if self._runs.current is not None:
            self._runs.current.trouble(peer, error)
        else:
            log.warning("trouble", peer=peer, reason=str(error))


def _defect() -> SecFPPError:
    """What ended a run that a defect has ended."""
    return SecFPPError(
        "a defect of SecFPP: the coordinator's log says where",
        fix="please report it; `secfpp resume` goes on with the run",
    )


def _read(request: bytes) -> object:
    """What an operator asks, as JSON; RequestRefused where it is none."""
    try:
        return json.loads(request)
    except ValueError as error:
        raise RequestRefused(f"the request is no JSON: {error}") from None
