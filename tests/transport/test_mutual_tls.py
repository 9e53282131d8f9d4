"""Real sockets, real handshakes: who comes in, who does not, and how each refusal is named."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import os
import re
import ssl
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hashes
from structlog.testing import capture_logs

from secfpp.errors import ConfigError, PeersMissing, PeerViolation, PolicyRefusal
from secfpp.pki import certificates, store
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.transport import operator_api
from secfpp.transport.admission import _say
from secfpp.transport.diagnosis import diagnose
from secfpp.transport.grpc_tls import (
    HELD_BYTES,
    MAILBOX,
    Mailbox,
    TlsServer,
    as_is,
    client_channel,
)
from secfpp.transport.grpcio import CHUNK_BYTES, grpc
from secfpp.transport.operator_api import (
    OPERATOR,
    OperatorClient,
    operator_service,
    operators_only,
)
from secfpp.transport.outgoing import MORE
from secfpp.transport.peers import caller
from secfpp.transport.probing import measure_link, probing_service


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pki")
    roles = {
        "ann": Role.PARTY,
        "bob": Role.PARTY,
        "stranger": Role.PARTY,
        "boss": Role.OPERATOR,
    }
    return store.throwaway_federation(directory, roles)


@pytest.fixture
def identities(homes):
    return {name: Identity.load(home) for name, home in homes.items()}


def on_roster(*names: str):
    """Admits parties of these names."""

    def admit(name: str, role: Role) -> None:
        if role is not Role.PARTY:
            raise PolicyRefusal("role", f"{name} is a {role.value}, parties only come in here")
        if name not in names:
            raise PolicyRefusal("roster", f"{name} is not on the roster")

    return admit


@pytest.fixture
async def box(identities):
    """Ann's mailbox, which lets Bob in."""
    mailbox = Mailbox(identities["ann"], listen="127.0.0.1:0", admit=on_roster("ann", "bob"))
    port = await mailbox.start()
    yield mailbox, f"127.0.0.1:{port}"
    await mailbox.close(0)


async def posting(identity: Identity, address: str, payload: bytes, *, timeout: float = 5) -> None:
    sender = Mailbox(identity, listen="127.0.0.1:0", admit=on_roster())
    sender.open("ann", address)
    try:
        await sender.post("ann", payload, timeout=timeout)
    finally:
        await sender.close(0)


async def test_a_message_arrives_with_the_name_on_the_certificate(box, identities):
    mailbox, address = box
    await posting(identities["bob"], address, b"hello")
    assert await mailbox.receive() == ("bob", b"hello")
    assert mailbox.peers.traffic()["bob"].received == 5


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 5 * 2**20 + 3])
async def test_any_size_arrives_whole(box, identities, size):
    mailbox, address = box
    payload = os.urandom(size)
    await posting(identities["bob"], address, payload)
    assert await mailbox.receive() == ("bob", payload)


async def test_a_message_beyond_the_limit_is_refused(box, identities):
    _, address = box
    with pytest.raises(PeersMissing):
        await posting(identities["bob"], address, bytes(HELD_BYTES + 1), timeout=3)


@pytest.mark.parametrize("piece", [MORE, MORE + bytes(CHUNK_BYTES - 1), b"?" + bytes(8)])
async def test_no_piece_is_kept_that_no_daemon_sends(box, identities, piece):
    """Empty ones would count nothing and be kept for ever, small ones cost more than they count."""
    _, address = box
    async with client_channel(identities["bob"], address, "ann") as channel:
        call = channel.stream_stream(f"/{MAILBOX}/Exchange", as_is, as_is)(None)
        await call.write(piece)
        with pytest.raises(grpc.aio.AioRpcError, match=r"RESOURCE_EXHAUSTED"):
            await call.read()


async def test_what_one_peer_has_under_way_is_limited_over_all_its_streams(box, identities):
    mailbox, address = box
    async with client_channel(identities["bob"], address, "ann") as channel:
        exchange = channel.stream_stream(f"/{MAILBOX}/Exchange", as_is, as_is)
        calls = [exchange(None) for _ in range(HELD_BYTES // CHUNK_BYTES + 1)]
        for call in calls:
            await call.write(MORE + bytes(CHUNK_BYTES))
        ended, _ = await asyncio.wait(
            [asyncio.ensure_future(call.read()) for call in calls],
            return_when=asyncio.FIRST_EXCEPTION,
            timeout=20,
        )
        (refused,) = ended
        assert "RESOURCE_EXHAUSTED" in str(refused.exception())
        for call in calls:
            call.cancel()
    async with asyncio.timeout(20):
        while mailbox._held["bob"]:
            await asyncio.sleep(0.05)
    await posting(identities["bob"], address, bytes(3 * CHUNK_BYTES))  # And there is room again.


async def test_many_messages_at_once_all_arrive(box, identities):
    mailbox, address = box
    sender = Mailbox(identities["bob"], listen="127.0.0.1:0", admit=on_roster())
    sender.open("ann", address)
    wanted = {str(i).encode() for i in range(100)}
    await asyncio.gather(*(sender.post("ann", item, timeout=10) for item in wanted))
    assert {(await mailbox.receive())[1] for _ in wanted} == wanted
    await sender.close(0)


async def test_a_stranger_with_a_valid_certificate_is_refused_by_name(box, identities):
    _, address = box
    with pytest.raises(PolicyRefusal, match=r"stranger is not on the roster"):
        await posting(identities["stranger"], address, b"let me in")


async def test_a_wrong_role_is_refused_by_name(box, identities):
    _, address = box
    with pytest.raises(PolicyRefusal, match=r"boss is a operator, parties only come in here"):
        await posting(identities["boss"], address, b"let me in")


async def test_without_the_roster_check_the_stranger_would_come_in(identities):
    mailbox = Mailbox(identities["ann"], listen="127.0.0.1:0", admit=lambda name, role: None)
    port = await mailbox.start()
    await posting(identities["stranger"], f"127.0.0.1:{port}", b"let me in")
    assert await mailbox.receive() == ("stranger", b"let me in")
    await mailbox.close(0)


async def test_a_certificate_of_another_ca_is_refused(box, identities, tmp_path):
    mailbox, address = box
    other = store.throwaway_federation(tmp_path, {"bob": Role.PARTY})
    fake = Identity.load(other["bob"])
    knows = Identity(fake.leaf, fake.certificate, identities["ann"].authority, fake._key)
    with pytest.raises(PeersMissing, match=r"closed the connection|handshake was refused"):
        await posting(knows, address, b"let me in", timeout=1)
    assert mailbox._inbox.empty()


def expired(identity: Identity, homes) -> Identity:
    """The same owner with a certificate that ended yesterday."""
    authority = homes["bob"].parent / "authority"
    key = certificates.load_key((authority / "ca.key").read_bytes(), "ca.key")
    issuer = store._load_certificate(authority / "ca.crt")
    now = datetime.datetime.now(datetime.UTC)
    request = certificates.make_request(identity._key, "bob", Role.PARTY)
    good = certificates.sign_request(request, issuer, key, role=Role.PARTY)
    builder = certificates.x509.CertificateBuilder(
        issuer_name=good.issuer,
        subject_name=good.subject,
        public_key=good.public_key(),
        serial_number=1,
        not_valid_before=now - datetime.timedelta(days=9),
        not_valid_after=now - datetime.timedelta(days=1),
        extensions=list(good.extensions),
    )
    old = builder.sign(key, hashes.SHA256())
    pem = certificates.certificate_pem(old)
    return Identity(certificates.read_leaf(old), pem, identity.authority, identity._key)


async def test_an_expired_certificate_is_refused(box, identities, homes):
    mailbox, address = box
    with pytest.raises(PeersMissing, match=r"our own certificate, of bob, ended on \d{4}-\d\d-"):
        await posting(expired(identities["bob"], homes), address, b"let me in", timeout=1)
    assert mailbox._inbox.empty()


async def test_an_expired_certificate_is_not_even_loaded(identities, homes, tmp_path):
    old = expired(identities["bob"], homes)
    for name, content in (("bob.key", old.key), ("bob.crt", old.certificate)):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "ca.crt").write_bytes(old.authority)
    with pytest.raises(ConfigError, match=r"bob\.crt is valid from .* now is"):
        Identity.load(tmp_path)


async def test_no_certificate_is_refused(box, identities):
    _, address = box
    credentials = grpc.ssl_channel_credentials(identities["ann"].authority)
    options = [("grpc.ssl_target_name_override", "ann")]
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        call = channel.stream_stream(f"/{MAILBOX}/Exchange", as_is, as_is)(timeout=2)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call.read()
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


def tls(identity: Identity, homes, version: ssl.TLSVersion) -> ssl.SSLContext:
    home = homes[identity.name]
    context = ssl.create_default_context(cafile=home / "ca.crt")
    context.load_cert_chain(home / f"{identity.name}.crt", home / f"{identity.name}.key")
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    return context


async def handshake(address: str, context: ssl.SSLContext) -> str:
    host, port = address.split(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="ann")
    version = writer.get_extra_info("ssl_object").version()
    writer.close()
    return str(version)


async def test_a_tls_1_2_client_is_refused_and_a_1_3_client_is_not(box, identities, homes):
    _, address = box
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await handshake(address, tls(identities["bob"], homes, ssl.TLSVersion.TLSv1_2))
    assert (
        await handshake(address, tls(identities["bob"], homes, ssl.TLSVersion.TLSv1_3)) == "TLSv1.3"
    )


DEFAULT_SERVER = """
import asyncio, ssl, sys
import grpc
from pathlib import Path

async def main(home):
    read = lambda name: Path(home, name).read_bytes()
    credentials = grpc.ssl_server_credentials(
        [(read("ann.key"), read("ann.crt"))], read("ca.crt"), True)
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    context = ssl.create_default_context(cafile=Path(home, "ca.crt"))
    context.load_cert_chain(Path(home, "ann.crt"), Path(home, "ann.key"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="ann")
    print(writer.get_extra_info("ssl_object").version())
    writer.close()
    await server.stop(0)

asyncio.run(main(sys.argv[1]))
"""


def test_without_our_cipher_list_a_grpc_server_would_take_the_tls_1_2_client(homes):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRPC_")}
    result = subprocess.run(
        [sys.executable, "-c", DEFAULT_SERVER, str(homes["ann"])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert result.stdout.strip() == "TLSv1.2"


def test_a_call_over_tls_1_2_would_be_refused_a_second_time(identities):
    auth = {"ssl_tls_version": [b"TLSv1.2"], "x509_pem_cert": [identities["bob"].certificate]}
    with pytest.raises(PeerViolation, match=r"speaks TLSv1.2, not TLS 1.3"):
        caller(auth)
    with pytest.raises(PeerViolation, match=r"speaks no TLS, not TLS 1.3"):
        caller({**auth, "ssl_tls_version": []})
    assert caller({**auth, "ssl_tls_version": [b"TLSv1.3"]})[0] == "bob"


async def test_a_peer_that_answers_under_another_name_is_named(box, identities):
    _, address = box
    sender = Mailbox(identities["bob"], listen="127.0.0.1:0", admit=on_roster())
    sender.open("bob", address)  # Ann's address: her certificate is not Bob's.
    with pytest.raises(PeersMissing, match=r"not right: it is of ann, not of bob"):
        await sender.post("bob", b"for bob only", timeout=1)
    await sender.close(0)


async def test_a_taken_port_is_named(box, identities):
    _, address = box
    second = Mailbox(identities["bob"], listen=address, admit=on_roster())
    with pytest.raises(ConfigError, match=rf"cannot listen on {address}: the port is taken"):
        await second.start()


@pytest.mark.parametrize(
    ("listen", "why"),
    [
        ("nosuch.invalid:7760", "no host nosuch.invalid is known here"),
        ("192.0.2.1:7760", "192.0.2.1 is no address of this machine"),
    ],
)
async def test_an_address_that_is_not_ours_is_told_from_a_taken_port(identities, listen, why):
    server = TlsServer(identities["ann"], listen, name="", services=(), key="operator_listen")
    with pytest.raises(ConfigError) as refusal:
        await server.start()
    assert str(refusal.value) == f"cannot listen on {listen}: {why}"
    assert "change `operator_listen`" in refusal.value.fix


async def reaching(identity: Identity, name: str, address: str) -> None:
    sender = Mailbox(identity, listen="127.0.0.1:0", admit=on_roster())
    sender.open(name, address)
    try:
        await sender.reach(name, 3)
    finally:
        await sender.close(0)


async def test_who_is_reached_has_let_us_in(box, identities):
    _, address = box
    await reaching(identities["bob"], "ann", address)
    with pytest.raises(PolicyRefusal, match="ann says: roster: stranger is not on the roster"):
        await reaching(identities["stranger"], "ann", address)


async def test_a_door_that_takes_no_messages_is_told_from_a_mailbox(identities):
    door = TlsServer(identities["ann"], "127.0.0.1:0", name=OPERATOR, services=())
    address = f"127.0.0.1:{await door.start()}"
    with pytest.raises(PeersMissing, match=f"ann answers at {address}, but takes no messages"):
        await reaching(identities["bob"], "ann", address)
    await door.stop(0)


async def test_a_certificate_that_has_ended_is_said_though_a_connection_stands(homes, identities):
    with pytest.raises(PeersMissing, match="our own certificate, of bob, ended on"):
        await reaching(expired(identities["bob"], homes), "ann", "127.0.0.1:1")


async def test_who_is_refused_is_logged_once_by_name_and_reason(box, identities):
    _, address = box
    _say.cache_clear()
    with capture_logs() as logs:
        for name in ("stranger", "boss", "stranger", "stranger"):
            with pytest.raises(PolicyRefusal):
                await posting(identities[name], address, b"let me in")
    assert [(line["log_level"], line["reason"]) for line in logs] == [
        ("warning", "roster: stranger is not on the roster"),
        ("warning", "role: boss is a operator, parties only come in here"),
    ]


async def test_a_certificate_that_ends_soon_is_warned_of_at_the_start(identities):
    ann = identities["ann"]
    for days, warned in ((29, True), (31, False)):
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days, hours=1)
        soon = dataclasses.replace(ann, leaf=dataclasses.replace(ann.leaf, expires=ends))
        mailbox = Mailbox(soon, listen="127.0.0.1:0", admit=on_roster())
        with capture_logs() as logs:
            await mailbox.start()
        await mailbox.close(0)
        assert [line["days_left"] for line in logs] == ([days] if warned else [])


async def test_a_peer_that_is_not_there_is_named_within_the_time_given(identities):
    sender = Mailbox(identities["bob"], listen="127.0.0.1:0", admit=on_roster())
    sender.open("ann", "127.0.0.1:1")
    with pytest.raises(PeersMissing, match=r"ann at 127.0.0.1:1 .* TCP refused"):
        await sender.post("ann", b"anyone?", timeout=0.5)
    with pytest.raises(PeersMissing, match="TCP refused, nothing listens there"):
        await sender.reach("ann", 0.5)
    await sender.close(0)


async def test_diagnosis_of_a_working_peer_says_so(box, identities):
    _, address = box
    assert "TLS works" in await diagnose(identities["bob"], address, "ann")


async def test_signatures_are_checked_against_the_certificate_that_called(box, identities):
    mailbox, address = box
    signature = identities["bob"].sign(b"statement")
    assert not mailbox.peers.verify("bob", b"statement", signature), "bob has not called yet"
    await posting(identities["bob"], address, b"hello")
    await mailbox.receive()
    assert mailbox.peers.verify("bob", b"statement", signature)
    assert not mailbox.peers.verify("bob", b"another", signature)
    forged = identities["ann"].sign(b"statement")
    assert not mailbox.peers.verify("bob", b"statement", forged)


async def test_operators_call_and_follow_and_parties_may_not(identities):
    async def call(name, request):
        return name.encode() + b" asked " + request

    async def follow(name, request):
        for item in (b"one", b"two"):
            yield item

    server = TlsServer(
        identities["ann"], "127.0.0.1:0", name=OPERATOR, services=(operator_service(call, follow),)
    )
    address = f"127.0.0.1:{await server.start()}"
    client = OperatorClient(identities["boss"], address, "ann")
    assert await client.call(b"status", timeout=5) == b"boss asked status"
    assert [item async for item in client.follow(b"run")] == [b"one", b"two"]
    await client.close()
    party = OperatorClient(identities["bob"], address, "ann")
    with pytest.raises(PolicyRefusal, match="bob is a party; operators only come in here"):
        await party.call(b"status", timeout=5)
    await party.close()
    await server.stop(0)
    operators_only("boss", Role.OPERATOR)


async def test_what_another_says_where_it_turns_us_away_is_shown_in_one_line(
    identities, monkeypatch
):
    def refuse(name, role):
        raise PolicyRefusal("roster", "no\nerror SECFPP-E-STORE: \x1b[2Jsend me your key")

    ann, bob, boss = (identities[name] for name in ("ann", "bob", "boss"))
    monkeypatch.setattr(operator_api, "operators_only", refuse)
    beside = (operator_service(None, None), probing_service(refuse))
    box = Mailbox(ann, listen="127.0.0.1:0", admit=refuse, beside=beside)
    address = f"127.0.0.1:{await box.start()}"
    calling = Mailbox(bob, listen="127.0.0.1:0", admit=refuse)
    calling.open("ann", address)
    operator = OperatorClient(boss, address, "ann")
    one_line = r"says: roster: no error SECFPP-E-STORE: \?\[2Jsend me your key$"
    try:
        with pytest.raises(PolicyRefusal, match=one_line):
            await calling.send("ann", b"hello", timeout=5)
        with pytest.raises(PolicyRefusal, match=one_line):
            await calling.reach("ann", 5)
        with pytest.raises(PolicyRefusal, match=one_line):
            await operator.call(b"status", timeout=5)
        assert re.search(one_line, (await measure_link(bob, "ann", address)).trouble)
    finally:
        await operator.close()
        await calling.close(0)
        await box.close(0)
