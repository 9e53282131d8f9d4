"""`secfpp shape`: the slow network as a process of its own, between containers or machines."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from secfpp.errors import ConfigError
from secfpp.journal.output import Data, Format, Output, say, speaking
from secfpp.settings.loading import load
from secfpp.settings.network import LinkSettings, NetworkSettings
from secfpp.transport.profiles import netem, profile_named
from secfpp.transport.shaper import Relay

app = typer.Typer(add_completion=False)


@app.command()
def shape(
    network: Annotated[Path | None, typer.Argument(help="A network.toml with links.")] = None,
    device: Annotated[
        str, typer.Option("--netem", help="Slow this device down in the kernel instead (root).")
    ] = "",
    profile: Annotated[str, typer.Option(help="With --netem or --link: lan, wan or slow.")] = "wan",
    link: Annotated[
        list[str] | None,
        typer.Option(metavar="LISTEN=TO", help="Relay host:port=host:port; may be repeated."),
    ] = None,
    output: Output = Format.HUMAN,
) -> None:
    """Relay TCP connections as over a slow network, until the process is ended."""

    def run() -> Data:
        if (bool(device), network is not None, bool(link)).count(True) != 1:
            raise ConfigError("give either a network file, or --link LISTEN=TO, or --netem DEVICE")
        if network is not None:
            return asyncio.run(_relay(load(NetworkSettings, network)))
        if link:
            links = [_link(text, profile) for text in link]
            return asyncio.run(_relay(NetworkSettings(links=tuple(links))))
        with netem(device, profile_named(profile)):
            say(f"everything that leaves by {device} is as slow as {profile}, until this ends")
            asyncio.run(_until_ended())
        return {"device": device, "profile": profile}

    speaking(output, run)


def _link(text: str, profile: str) -> LinkSettings:
    """One relay out of LISTEN=TO."""
    profile_named(profile)  # Refuses one that there is not.
    listen, found, to = text.partition("=")
    if not found:
        raise ConfigError(f"--link {text} is not LISTEN=TO", fix="write host:port=host:port")
    return LinkSettings(listen=listen, to=to, profile=profile, members=None)


async def _relay(network: NetworkSettings) -> Data:
    """Run every link; returns what each has passed on, in bytes."""
    if not network.links:
        raise ConfigError("the network file has no [[links]]", fix="add one for each address")
    relays = [
        Relay(link.to, network.profile_of(link), listen=link.listen, seed=place)
        for place, link in enumerate(network.links)
    ]
    try:
        for link, relay in zip(network.links, relays, strict=True):
            await relay.start()
            say(f"{link.listen} leads to {link.to}")
        await _until_ended()
    finally:
        await asyncio.gather(*(relay.close() for relay in relays))
    counted = [
        {
            "listen": link.listen,
            "to": link.to,
            "bytes_there": relay.there.delivered,
            "bytes_back": relay.back.delivered,
        }
        for link, relay in zip(network.links, relays, strict=True)
    ]
    return {"links": counted}


async def _until_ended() -> None:
    """Until Ctrl-C, or SIGTERM as a container's engine sends it."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    await ended.wait()
