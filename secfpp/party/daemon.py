"""The party's daemon: one mailbox, one run at a time, nothing of torch in this process."""

from __future__ import annotations

import asyncio
import signal

import structlog

from secfpp.errors import ConfigError, PeersMissing, PeerViolation, PolicyRefusal, SecFPPError
from secfpp.journal.logs import log_event
from secfpp.journal.metrics import Metrics
from secfpp.party.clip_learner import ClipLearner
from secfpp.party.learner import Learner, VectorLearner
from secfpp.party.session import PartySession
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.protocol.messages import Envelope, Invite, Refuse, run_of
from secfpp.settings.files import JobSettings, PartySettings, job_from
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.link import Link

log = structlog.get_logger()


class PartyDaemon:
    """Listens, takes part in runs it is invited to, and ends on a signal or after one run."""

    def __init__(self, settings: PartySettings) -> None:
        identity = Identity.load(settings.tls.directory)
        if identity.leaf.role is not Role.PARTY:
            raise PolicyRefusal("role", f"{identity.name} is no party: {identity.leaf.role.value}")
        self._settings = settings
        self._known = {settings.coordinator: Role.COORDINATOR}
        self._mailbox = Mailbox(identity, listen=settings.listen, admit=self._admit)
        self.metrics = Metrics(self._mailbox)
        self._link = Link(
            self._mailbox, patience=settings.time.idle_timeout, on_trouble=self._trouble
        )
        self._session: PartySession | None = None
        self._conducting: asyncio.Task[None] | None = None
        self._over: asyncio.Future[bool]

    async def serve(self) -> bool:
        """Run until stopped; whether the last run (if any) reached its goal."""
        port = await self._mailbox.start()
        self._link.open(self._settings.coordinator, self._settings.coordinator_address)
        log.info("listening", party=self._link.name, port=port, waits_for="an invitation")
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, True)
        tasks = [asyncio.create_task(self._route()), asyncio.create_task(self._seek())]
        for task in tasks:
            task.add_done_callback(self._require_sound)
        try:
            return await self._over
        finally:
            for task in tasks:
                task.cancel()
            await self._mailbox.end_serving()
            await self._link.close()

    def _end(self, completed: bool) -> None:
        """The daemon is to end; whether its last run, if any, reached its goal."""
        if not self._over.done():
            self._over.set_result(completed)

    def _require_sound(self, task: asyncio.Task[None]) -> None:
        """A defect in a task is a defect of the daemon, which ends with it."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)

    async def _seek(self) -> None:
        """Until the coordinator can be reached, say why not; each reason once."""
        said = ""
        while True:
            try:
                await self._mailbox.reach(
                    self._settings.coordinator, self._settings.time.connect_wait
                )
                return
            except PeersMissing as missing:
                if str(missing) != said:
                    said = str(missing)
                    log.warning("no coordinator yet", reason=said)

    async def _route(self) -> None:
        """Give every message to its run."""
        while True:
            sender, message = await self._link.receive()
            if isinstance(message, Invite):
                self._invited(sender, message)
            elif self._session is not None and run_of(message) == self._session.run:
                self._session.deliver(sender, message)

    def _invited(self, sender: str, invite: Invite) -> None:
        if sender != self._settings.coordinator:
            self._trouble(sender, PeerViolation(sender, "invites to a run but coordinates nothing"))
            return
        if self._session is not None:
            if self._session.run != invite.run:
                self._refuse(invite, "busy", f"this party takes part in {self._session.run}")
            return
        try:
            job = job_from(invite.job)
        except ConfigError as error:
            self._refuse(invite, error.code, str(error))
            return
        log.info("invited", run=invite.run)
        for peer in invite.peers:
            self._known.setdefault(peer.name, Role.PARTY)
        self._session = PartySession(
            invite, self._link, self._settings, learner=self._learner(job), job=job
        )
        self._session.listeners += [log_event, self.metrics.tally.hear]
        self._conducting = asyncio.create_task(self._session.conduct())
        self._conducting.add_done_callback(self._concluded)

    def _refuse(self, invite: Invite, key: str, reason: str) -> None:
        log.warning("refused", run=invite.run, key=key, reason=reason)
        refusal = Refuse(invite.run, key, reason)
        self._link.post([Envelope(self._settings.coordinator, refusal)])

    def _learner(self, job: JobSettings) -> Learner:
        if job.training.kind == "vectors":
            return VectorLearner(job, self._settings)
        return ClipLearner(job, self._settings)

    def _concluded(self, conducting: asyncio.Task[None]) -> None:
        """Say how the run went; the daemon ends with it where the settings say so."""
        session, self._session = self._session, None
        if conducting.cancelled() or session is None:
            return
        error = conducting.exception()
        if error is not None and not isinstance(error, SecFPPError):
            self._require_sound(conducting)
            return
        completed = error is None and session.ended is not None and session.ended.completed
        if error is None:
            log.info("the run ended", run=session.run, completed=completed)
        else:
            told = {"code": error.code, "reason": str(error), "fix": error.fix}
            log.error("the run ended early", run=session.run, **told)
        if self._settings.once:
            self._end(completed)

    def _admit(self, name: str, role: Role) -> None:
        expected = self._known.get(name)
        if expected is None:
            raise PolicyRefusal("roster", f"{name} is not on the roster of {self._link.name}")
        if role is not expected:
            raise PolicyRefusal("role", f"{name} comes as {role.value}, not as {expected.value}")

    def _trouble(self, peer: str, error: SecFPPError) -> None:
        if self._session is not None:
            self._session.trouble(peer, error)
        else:
            log.warning("trouble", peer=peer, reason=str(error))
