"""One stream to each peer: what breaks is sent again, in order, and trouble is said once."""

from __future__ import annotations

import asyncio
import socket

import pytest

from secfpp.errors import PeersMissing, PolicyRefusal
from secfpp.pki import store
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.grpcio import WakeUp, grpc
from secfpp.transport.outgoing import Outgoing
from secfpp.transport.peers import Peer


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pki")
    homes = store.throwaway_federation(directory, {"ann": Role.PARTY, "bob": Role.PARTY})
    return {name: Identity.load(home) for name, home in homes.items()}


def everyone(name: str, role: Role) -> None:
    """Lets anybody in."""


async def listening(identity: Identity, listen: str = "127.0.0.1:0", admit=everyone):
    mailbox = Mailbox(identity, listen=listen, admit=admit)
    return mailbox, f"127.0.0.1:{await mailbox.start()}"


async def test_the_signs_of_much_that_happened_are_read_at_once(identities, monkeypatch):
    """gRPC reads a byte and handles everything: the other bytes would wake it for nothing."""
    read = []
    recv = WakeUp.recv

    def counting(self, bufsize, flags=0):
        signs = recv(self, bufsize, flags)
        read.append(len(signs))
        return signs

    monkeypatch.setattr(WakeUp, "recv", counting)
    bob, _ = await listening(identities["bob"])
    ann, address = await listening(identities["ann"])
    bob.open("ann", address)
    sent = [bob.send("ann", str(i).encode(), timeout=20) for i in range(200)]
    bob.ask()
    await asyncio.gather(*sent)
    assert [(await ann.receive())[1] for _ in sent] == [str(i).encode() for i in range(200)]
    assert max(read) > 1
    await bob.close(0)
    await ann.close(0)


def test_a_process_with_a_second_loop_leaves_one_sign_in_it():
    """There handling may break off, at a thing of the loop before; the sign left wakes it again."""
    read, write = socket.socketpair()
    ear = WakeUp(fileno=read.detach())

    async def heard(is_first: bool) -> int:
        if is_first:
            ear.first = asyncio.get_running_loop()
        write.send(b"1" * 15)
        return len(ear.recv(1))

    assert [asyncio.run(heard(turn == 0)) for turn in range(3)] == [15, 14, 15]
    ear.close()
    write.close()


async def test_what_a_broken_stream_did_not_confirm_is_sent_again_in_order(identities):
    """Ann dies without a word after Bob has sent; the Ann who comes back gets everything."""
    bob, _ = await listening(identities["bob"])
    ann, address = await listening(identities["ann"])
    bob.open("ann", address)
    await bob.post("ann", b"0", timeout=20)
    await ann.close(0)
    sent = [bob.send("ann", str(i).encode(), timeout=20) for i in range(1, 6)]
    ann, _ = await listening(identities["ann"], address)
    bob.ask()
    await asyncio.gather(*sent)
    arrived = [(await ann.receive())[1] for _ in sent]
    assert arrived == [b"1", b"2", b"3", b"4", b"5"]
    assert bob.peers.traffic()["ann"].sent == 6, "a message sent twice is counted once"
    assert bob.peers.traffic()["ann"].calls_sent == 6
    await bob.close(0)
    await ann.close(0)


async def test_of_many_messages_to_a_peer_that_never_comes_one_says_so(identities):
    bob, _ = await listening(identities["bob"])
    bob.open("ann", "127.0.0.1:1")
    sent = [bob.send("ann", b"anyone?", timeout=0.5) for _ in range(20)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert isinstance(outcomes[0], PeersMissing)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[1:])
    await bob.close(0)


async def test_what_was_posted_a_moment_ago_is_not_given_up_with_what_is_overdue(identities):
    """Ann comes up after the first message is overdue: the second waits for her."""
    bob, _ = await listening(identities["bob"])
    ann, address = await listening(identities["ann"])
    await ann.close(0)
    bob.open("ann", address)
    overdue = bob.send("ann", b"invitation", timeout=0.5)
    fresh = bob.send("ann", b"opening", timeout=20)
    with pytest.raises(PeersMissing):
        await overdue
    ann, _ = await listening(identities["ann"], address)
    bob.ask()
    await fresh
    assert (await ann.receive())[1] == b"opening"
    await bob.close(0)
    await ann.close(0)


class Unreachable:
    """An `Outgoing` to a peer that nothing reaches; counts what is tried and what is said."""

    def __init__(self) -> None:
        self.tried = self.asked = 0
        self.outgoing = Outgoing(Peer("ann"), self._stream, self._missing)
        self.during = lambda: None

    def _stream(self):
        self.tried += 1
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)

    async def _missing(self, waited: float) -> PeersMissing:
        self.asked += 1
        self.during()
        return PeersMissing("ann did not answer")


async def test_of_what_waited_when_a_peer_was_said_to_be_missing_nothing_says_so_again():
    peer = Unreachable()
    first = peer.outgoing.put(b"1", 0.4)
    await asyncio.sleep(0.2)
    second = peer.outgoing.put(b"2", 0.4)
    await asyncio.wait({first})
    third = peer.outgoing.put(b"3", 0.4)
    assert not second.done()
    await asyncio.wait({second, third})
    await peer.outgoing.close()
    assert isinstance(first.exception(), PeersMissing)
    assert second.cancelled()
    assert isinstance(third.exception(), PeersMissing)


async def test_a_peer_that_calls_is_tried_at_once_and_has_all_its_time_again():
    peer = Unreachable()
    waiting = peer.outgoing.put(b"1", 2.5)
    await asyncio.sleep(2)  # By now it is tried about every second.
    tried = peer.tried
    peer.outgoing.called()
    await asyncio.sleep(0.05)
    assert peer.tried > tried
    await asyncio.sleep(1)
    assert not waiting.done()
    assert peer.asked == 0
    await peer.outgoing.close()


async def test_a_peer_that_calls_while_it_is_looked_for_is_not_missing():
    peer = Unreachable()
    peer.during = peer.outgoing.called
    waiting = peer.outgoing.put(b"1", 0.3)
    while not peer.asked:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await peer.outgoing.close()


async def test_a_call_from_a_peer_wakes_what_waits_for_it(identities):
    bob, address = await listening(identities["bob"])
    ann, _ = await listening(identities["ann"])
    bob.open("ann", "127.0.0.1:1")
    waiting = bob.send("ann", b"anyone?", timeout=20)
    ann.open("bob", address)
    called = []
    bob._outgoing["ann"].called = lambda: called.append("ann")
    await ann.post("bob", b"here", timeout=20)
    assert called == ["ann"]
    await bob.close(0)
    await ann.close(0)
    assert waiting.cancelled()


async def test_who_may_come_in_is_asked_of_every_message(identities):
    """An admission that ends while the stream is open ends what comes in on it."""
    admitted = {"bob"}

    def admit(name: str, role: Role) -> None:
        if name not in admitted:
            raise PolicyRefusal("roster", f"{name} is not on the roster")

    bob, _ = await listening(identities["bob"])
    ann, address = await listening(identities["ann"], admit=admit)
    bob.open("ann", address)
    await bob.post("ann", b"first", timeout=5)
    admitted.clear()
    with pytest.raises(PolicyRefusal, match="bob is not on the roster"):
        await bob.post("ann", b"second", timeout=5)
    assert (await ann.receive())[1] == b"first"
    assert ann._inbox.empty()
    await bob.close(0)
    await ann.close(0)


async def test_messages_need_no_receipt_each(identities):
    """A hundred messages, one answer: receipts are asked for, not sent for each."""
    bob, _ = await listening(identities["bob"])
    ann, address = await listening(identities["ann"])
    bob.open("ann", address)
    receipts = 0
    outgoing_before = [bob.send("ann", bytes([i]), timeout=20) for i in range(100)]
    reader = type(bob._outgoing["ann"])._read_receipts

    async def counting(self, call):
        nonlocal receipts
        read = call.read

        async def counted():
            nonlocal receipts
            receipt = await read()
            receipts += isinstance(receipt, bytes)
            return receipt

        call.read = counted
        await reader(self, call)

    bob._outgoing["ann"]._read_receipts = counting.__get__(bob._outgoing["ann"])
    for _ in outgoing_before:
        await ann.receive()
    bob.ask()
    await asyncio.gather(*outgoing_before)
    assert 1 <= receipts <= 2
    await bob.close(0)
    await ann.close(0)
