"""Messages between named participants: the codec on top of the mailbox, one stream per peer.

Posting never waits: what goes to one slow peer holds up nobody else, and what goes to one peer
arrives in the order of posting. What cannot be delivered in time is said, once, to `on_trouble`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from secfpp.errors import PeersMissing, PeerViolation, PolicyRefusal, SecFPPError
from secfpp.protocol.messages import Envelope, Message
from secfpp.transport.grpc_tls import Mailbox
from secfpp.wire.codec import decode, encode

OnTrouble = Callable[[str, SecFPPError], None]


class Link:
    """A participant's connection to all others. `patience` is how long one delivery may take.

    Commands are read if they come from `coordinator`, and from nobody else.
    """

    def __init__(
        self, mailbox: Mailbox, *, coordinator: str, patience: float, on_trouble: OnTrouble
    ) -> None:
        self._mailbox = mailbox
        self._coordinator = coordinator
        self._patience = patience
        self._on_trouble = on_trouble
        self._flying: set[asyncio.Future[None]] = set()

    @property
    def name(self) -> str:
        """This participant's name."""
        return self._mailbox.identity.name

    def open(self, peer: str, address: str) -> None:
        """Remember where `peer` listens, and start connecting."""
        self._mailbox.open(peer, address)

    def post(self, envelopes: Iterable[Envelope]) -> None:
        """Send each message on its way; a message to several peers is encoded once."""
        encoded: dict[int, bytes] = {}
        for envelope in envelopes:
            message = envelope.message
            payload = encoded.get(id(message)) or encode(message)
            encoded[id(message)] = payload
            sent = self._mailbox.send(envelope.to, payload, timeout=self._patience)
            self._flying.add(sent)
            sent.add_done_callback(partial(self._landed, envelope.to))

    async def receive(self) -> tuple[str, Message]:
        """The next message that can be read, and who sent it, as the certificate says."""
        while True:
            sender, payload = await self._mailbox.receive()
            try:
                return sender, decode(payload, sender=sender, coordinator=self._coordinator)
            except PeerViolation as violation:
                self._on_trouble(sender, violation)

    async def drain(self, timeout: float) -> None:
        """Wait until everything posted is delivered or given up, at most `timeout` seconds."""
        self._mailbox.ask()
        if self._flying:
            await asyncio.wait(self._flying, timeout=timeout)

    def sign(self, message: bytes) -> bytes:
        """The signature of this participant's certificate key."""
        return self._mailbox.identity.sign(message)

    def verify(self, party: str, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is of the certificate with which `party` has called us."""
        return party == self.name or self._mailbox.peers.verify(party, message, signature)

    def certificates(self) -> dict[str, bytes]:
        """The certificates (PEM) of all who have called us, by name."""
        return self._mailbox.peers.certificates()

    def totals(self) -> dict[str, tuple[int, int]]:
        """Payload bytes sent to and received from each peer so far."""
        known = self._mailbox.peers.known()
        return {peer.name: (peer.traffic.sent, peer.traffic.received) for peer in known}

    async def close(self) -> None:
        """Stop sending and receiving."""
        await self._mailbox.close()

    def _landed(self, peer: str, sent: asyncio.Future[None]) -> None:
        """Say what became of a message that could not be delivered."""
        self._flying.discard(sent)
        error = None if sent.cancelled() else sent.exception()
        if isinstance(error, PeersMissing | PolicyRefusal):
            self._on_trouble(peer, error)
