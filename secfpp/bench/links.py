"""Relays between participants on this machine, so that a measurement sees a slow network."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from secfpp.errors import ConfigError
from secfpp.settings.loading import load
from secfpp.settings.network import NetworkSettings
from secfpp.transport.profiles import PROFILES, Profile
from secfpp.transport.shaper import Line, Relay

Pair = tuple[str, str]
"""Who connects, and to whom."""

Carried = dict[Pair, int]
"""Bytes, TLS and all, from the first to the second, whoever connected."""


class DatedLine(Line):
    """Also keeps when which bytes arrived, and what CPU time this process had spent by then."""

    def __init__(self, profile: Profile, chance: random.Random) -> None:
        super().__init__(profile, chance)
        self.arrivals: list[tuple[float, float, int]] = []

    def count(self, size: int) -> None:
        """So many bytes more have arrived."""
        super().count(size)
        self.arrivals.append((time.time(), time.process_time(), size))


class DatedRelay(Relay):
    """A relay of such lines."""

    line = DatedLine
    there: DatedLine
    back: DatedLine


@dataclass(frozen=True)
class Network:
    """How slow it is between any two participants."""

    name: str
    between: Callable[[str, str], Profile]

    @property
    def shaped(self) -> bool:
        """Whether there is anything between the participants."""
        return self.name != "none"


def network_named(text: str) -> Network:
    """A profile for all links by its name, or the network of a .toml file (settings.network)."""
    if text in PROFILES:
        return Network(text, lambda _, __: PROFILES[text])
    if text.endswith(".toml"):
        return Network(text, load(NetworkSettings, Path(text)).profile_between)
    raise ConfigError(
        f"{text!r} is neither a network profile nor a .toml file",
        fix=f"use one of {', '.join(PROFILES)}, or a network.toml with sites",
    )


class Links:
    """The relays of a run, one for each pair; none where the network is none."""

    def __init__(self, relays: Mapping[Pair, DatedRelay], ports: Mapping[Pair, int]) -> None:
        self.ports = ports
        self._relays = relays

    def carried(self, since: float) -> tuple[Carried, float]:
        """What has come through from a time on (Unix time), and the CPU seconds spent on it."""
        found: Carried = {}
        begun = ended = time.process_time()
        for (one, other), relay in self._relays.items():
            for pair, line in (((one, other), relay.there), ((other, one), relay.back)):
                arrived = [entry for entry in line.arrivals if entry[0] >= since]
                found[pair] = found.get(pair, 0) + sum(size for _, _, size in arrived)
                begun = min([begun, *(spent for _, spent, _ in arrived)])
        return found, ended - begun


@asynccontextmanager
async def relayed(
    network: Network, ports: Mapping[str, int], pairs: Iterable[Pair]
) -> AsyncIterator[Links]:
    """Stand between each pair, as slow as the network says, until the end."""
    relays = {
        pair: DatedRelay(f"127.0.0.1:{ports[pair[1]]}", network.between(*pair), seed=place)
        for place, pair in enumerate(pairs)
        if network.shaped
    }
    try:
        yield Links(relays, {pair: await relay.start() for pair, relay in relays.items()})
    finally:
        await asyncio.gather(*(relay.close() for relay in relays.values()))
