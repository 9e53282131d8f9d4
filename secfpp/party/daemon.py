"""The party's daemon: one mailbox, one run at a time, nothing of torch in this process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from typing import Annotated, Final

import structlog
from pydantic import Field, TypeAdapter

from secfpp.errors import ConfigError, PeersMissing, PeerViolation, PolicyRefusal, SecFPPError
from secfpp.journal.logs import log_event
from secfpp.journal.metrics import Metrics
from secfpp.party.clip_learner import ClipLearner
from secfpp.party.learner import Learner, VectorLearner
from secfpp.party.memory import RunMemory, recall, unfinished
from secfpp.party.session import PartySession
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.protocol.messages import Envelope, Invite, Open, Refuse, run_of
from secfpp.settings.addresses import Addresses
from secfpp.settings.clock import Reminder
from secfpp.settings.files import JobSettings, PartySettings, job_from
from secfpp.store.sealed import SealedStore
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.link import Link
from secfpp.transport.probing import LinkSpeed, measure_link, probing_service
from secfpp.wire.checks import MAXIMUM_PARTIES

_PARTICIPANTS: Final = TypeAdapter(Annotated[Addresses, Field(max_length=MAXIMUM_PARTIES)])

log = structlog.get_logger()


class PartyDaemon:
    """Listens, takes part in runs it is invited to, and ends on a signal or after one run.

    A run that was not over when the daemon last ended is gone on with at once. Told to end
    (SIGTERM, SIGINT), it first does its part in the attempt that is open; told twice, it ends at
    once.
    """

    def __init__(self, settings: PartySettings) -> None:
        identity = Identity.load(settings.tls.directory)
        if identity.leaf.role is not Role.PARTY:
            raise PolicyRefusal("role", f"{identity.name} is no party: {identity.leaf.role.value}")
        self._settings = settings
        self._store = SealedStore(settings.state_dir, settings.store_key)
        self._known = {settings.coordinator: Role.COORDINATOR}
        self._measuring = asyncio.Lock()
        self._identity = identity
        beside = (probing_service(self._admit, self._measure),)
        self._mailbox = Mailbox(identity, listen=settings.listen, admit=self._admit, beside=beside)
        self.metrics = Metrics(self._mailbox)
        self._link = Link(
            self._mailbox,
            coordinator=settings.coordinator,
            patience=settings.time.idle_timeout,
            on_trouble=self._trouble,
        )
        self._session: PartySession | None = None
        self._next: Invite | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._conducting: asyncio.Task[None] | None = None
        self._over: asyncio.Future[bool]

    async def serve(self) -> bool:
        """Run until stopped; whether the last run (if any) reached its goal."""
        port = await self._mailbox.start()
        self._link.open(self._settings.coordinator, self._settings.coordinator_address)
        log.info(
            "listening",
            party=self._link.name,
            port=port,
            certificate_days_left=self._identity.leaf.days_left,
            waits_for="an invitation",
        )
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self._read_nothing_again)
        tasks = [asyncio.create_task(self._route()), asyncio.create_task(self._seek())]
        for task in tasks:
            task.add_done_callback(self._require_sound)
        memory = unfinished(self._store)
        if memory is not None:
            log.info("started again", run=memory.run)
            self._begin(memory, is_again=True)
        try:
            return await self._over
        finally:
            for task in tasks:
                task.cancel()
            await self._mailbox.end_serving()
            await self._link.close()
            self._store.close()

    def _leave(self) -> None:
        """Told to end: soon, if an attempt is open, else and the second time at once."""
        if self._leaving is not None or self._session is None:
            self._end(True)
        else:
            self._leaving = asyncio.create_task(self._leave_after(self._session))

    def _read_nothing_again(self) -> None:
        """On SIGHUP: say that only a coordinator reads its settings again, and go on."""
        fix = "restart this party where they have changed; SIGTERM loses nothing"
        log.warning("a party reads no settings again", signal="SIGHUP", fix=fix)

    async def _leave_after(self, session: PartySession) -> None:
        """What this party has dealt in may take as long as a round may stand still."""
        log.info("told to end", waits_for="its part in an attempt", run=session.run)
        session.leave()
        await self._mailbox.end_serving()
        await asyncio.sleep(self._settings.time.idle_timeout)
        self._end(True)

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
        """Ask between runs, more and more seldom, whether the coordinator lets us in.

        That it does is said once, until it does not; why not, once for each reason, until it does.
        """
        coordinator = self._settings.coordinator
        pause, reached, said = Reminder(), False, set[str]()
        while True:
            if self._session is None:
                try:
                    await self._mailbox.reach(coordinator, self._settings.time.connect_wait)
                except (PeersMissing, PolicyRefusal) as trouble:
                    reached = False
                    if str(trouble) not in said:
                        said.add(str(trouble))
                        log.warning("coordinator not reached", reason=str(trouble), fix=trouble.fix)
                else:
                    if not reached:
                        log.info("coordinator reached", coordinator=coordinator)
                    reached = True
                    said.clear()
            await asyncio.sleep(pause.left)
            pause.spoken()

    async def _route(self) -> None:
        """Give every message to its run."""
        while True:
            sender, message = await self._link.receive()
            if isinstance(message, Invite):
                self._invited(sender, message)
            elif self._session is not None and run_of(message) == self._session.run:
                self._session.deliver(sender, message)
            elif isinstance(message, Open) and sender == self._settings.coordinator:
                self._refuse(run_of(message), "run", "this party takes no part in it now")

    def _invited(self, sender: str, invite: Invite) -> None:
        if sender != self._settings.coordinator:
            self._trouble(sender, PeerViolation(sender, "invites to a run but coordinates nothing"))
            return
        session = self._session
        if session is None:
            self._take_part(invite)
        elif session.is_ending:
            self._next = invite  # The last words of a run may take a moment.
        elif session.run == invite.run:
            self._get_to_know(peer.name for peer in invite.peers)
            session.invited_again(invite)
        else:
            self._refuse(invite.run, "busy", f"this party takes part in {session.run}")

    def _take_part(self, invite: Invite) -> None:
        """Begin with a run, or go on with one that was left: under the job it had, no other."""
        memory = recall(self._store, invite.run)
        is_again = memory is not None
        if memory is None:
            memory = RunMemory(invite.run, invite.job, invite.peers)
        elif memory.job != invite.job:
            self._refuse(invite.run, "job", "another job was agreed to under this name")
            return
        memory.peers, memory.over = invite.peers, False
        log.info("invited", run=invite.run)
        self._begin(memory, is_again=is_again)

    def _begin(self, memory: RunMemory, *, is_again: bool) -> None:
        try:
            job = job_from(memory.job)
        except ConfigError as error:
            self._refuse(memory.run, error.code, str(error))
            return
        try:
            session = PartySession(
                memory,
                self._store,
                self._link,
                settings=self._settings,
                learner=self._learner(job),
                job=job,
                is_again=is_again,
            )
        except SecFPPError as error:
            log.error("cannot take part", run=memory.run, reason=str(error), fix=error.fix)
            self._refuse(memory.run, error.code, error.outward)
            return
        self._get_to_know(peer.name for peer in memory.peers)
        self._session = session
        session.listeners += [log_event, self.metrics.tally.hear]
        self._conducting = asyncio.create_task(session.conduct())
        self._conducting.add_done_callback(self._concluded)

    def _get_to_know(self, names: Iterable[str]) -> None:
        """Let these parties in, and no others that were let in before."""
        self._known = dict.fromkeys(names, Role.PARTY)
        self._known[self._settings.coordinator] = Role.COORDINATOR

    async def _measure(
        self, coordinator: str, participants: object, peer: object
    ) -> LinkSpeed | None:
        """Let the others in, while no run goes on; and the way to `peer`, if one is named.

        ValueError where a name or an address is none, KeyError where `peer` is no participant.
        """
        if coordinator != self._settings.coordinator:
            raise PolicyRefusal("coordinator", f"{coordinator} coordinates nothing here")
        if self._session is not None:
            raise PolicyRefusal("busy", f"this party takes part in {self._session.run}")
        known = _PARTICIPANTS.validate_python(participants)
        self._get_to_know(known)
        if peer == "":
            return None
        if self._measuring.locked():
            raise PolicyRefusal("busy", "this party measures another way now")
        settings = self._settings
        ways = {name: settings.peers.get(name, way) for name, way in known.items()}
        ways[settings.coordinator] = settings.coordinator_address
        if not isinstance(peer, str) or peer not in ways:
            raise KeyError(peer)
        async with self._measuring:
            return await measure_link(self._identity, peer, ways[peer])

    def _refuse(self, run: str, key: str, reason: str) -> None:
        log.warning("refused", run=run, key=key, reason=reason)
        self._link.post([Envelope(self._settings.coordinator, Refuse(run, key, reason))])

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
        invite, self._next = self._next, None
        if self._leaving is not None:
            self._end(True)
        elif self._settings.once:
            self._end(completed)
        elif invite is not None:
            self._take_part(invite)

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
