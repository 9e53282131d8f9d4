"""Why a peer cannot be reached, or an address not be had: gRPC says neither, this finds out."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from secfpp.pki.store import Identity

_PATIENCE = 3.0


@dataclass(frozen=True)
class Finding:
    """What was found at an address: the cause in words, what to do, whether waiting may help."""

    cause: str
    fix: str
    may_pass: bool = False


async def diagnose(identity: Identity, address: str, name: str) -> str:
    """Try TCP, then TLS, as `identity` towards `name` at `address`; the cause in words."""
    return (await find(identity, address, name)).cause


async def find(identity: Identity, address: str, name: str) -> Finding:
    """Try TCP, then TLS, as `identity` towards `name` at `address`."""
    if identity.leaf.days_left < 0:
        return Finding(expired(identity), "renew it: docs/operations.md, Certificates")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        return Finding("its address is not known", "give an address as host:port")
    start = f"start {name}, or mend its address"
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=_context(identity), server_hostname=name
            )
            try:
                if (owner := _owner(writer)) != name:
                    return Finding(
                        f"its certificate is not right: it is of {owner}, not of {name}",
                        f"give the address of {name}, or the name {owner}",
                    )
                await _provoke(reader, writer)
            finally:
                writer.close()
    except TimeoutError:
        look = f"see whether {name} runs there, and what lies between"
        return Finding("nothing answers there (TCP or TLS timed out)", look, True)
    except ssl.SSLCertVerificationError as error:
        return Finding(
            f"its certificate is not right: {error.verify_message}",
            f"use the name on its certificate (not {name}?) and keys of the same authority",
        )
    except ssl.SSLError as error:
        return Finding(
            f"the TLS handshake was refused: {error.reason or 'no reason given'}",
            f"see that {name} listens at this very port, and that your keys are of its authority",
            isinstance(error, ssl.SSLEOFError),  # As of a proxy before a daemon that starts.
        )
    except ConnectionRefusedError:
        return Finding("TCP refused, nothing listens there", start, True)
    except socket.gaierror as error:
        return Finding(
            f"TCP failed: {error.strerror}", "mend the host's name", error.errno == socket.EAI_AGAIN
        )
    except UnicodeError:
        return Finding(f"{host} is no host's name", "mend the host's name")
    except OSError as error:
        return Finding(f"TCP failed: {error.strerror or type(error).__name__}", start, True)
    return Finding(
        "TLS works, the service behind it did not answer in time", f"see the log of {name}", True
    )


def expired(identity: Identity) -> str:
    """That our own certificate is not valid any more."""
    return f"our own certificate, of {identity.name}, ended on {identity.leaf.expires:%Y-%m-%d}"


def why_not_listening(address: str) -> str:
    """Why nobody can listen at host:port, found by trying."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        (family, kind, number, _, place), *_ = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        return f"no host {host} is known here"
    with socket.socket(family, kind, number) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(place)
            trial.listen()
        except OSError as error:
            words = {
                errno.EADDRINUSE: "the port is taken",
                errno.EADDRNOTAVAIL: f"{host} is no address of this machine",
                errno.EACCES: "this user may not open that port",
            }
            return words.get(error.errno or 0, str(error.strerror))
    return "the port was taken until now"


def _owner(writer: asyncio.StreamWriter) -> str:
    """Whose certificate the other end has shown: ours all have one name."""
    shown = writer.get_extra_info("ssl_object").getpeercert() or {}
    return next(
        (value for kind, value in shown.get("subjectAltName", ()) if kind == "DNS"), "nobody"
    )


async def _provoke(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Under TLS 1.3 a server refuses a client's certificate only after the handshake."""
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
    await writer.drain()
    if not await reader.read(1):
        raise ConnectionResetError(0, "the peer closed the connection: it may refuse our name")


def _context(identity: Identity) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=identity.authority.decode())
    context.check_hostname = False  # `diagnose` says whose name it is.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    # The ssl module takes keys from files only: a directory of our own, gone at once.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "identity.pem"
        path.touch(mode=0o600)
        path.write_bytes(identity.certificate + identity.key)
        context.load_cert_chain(path)
    return context
