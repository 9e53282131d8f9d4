"""How slow a link is, as data: the named profiles, and what `tc netem` makes of one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from secfpp.errors import ConfigError

PACKET_BYTES: Final = 1460
"""The payload of one TCP segment on Ethernet."""


@dataclass(frozen=True)
class Profile:
    """One link, the same in both directions; each direction has the whole rate.

    `rtt_ms` is the round trip, of which each direction takes half; `mbit` the rate in 10^6 bits a
    second, none for no limit; `jitter_ms` how far one delivery may lie off the latency, either way.
    Of `PACKET_BYTES` a share `loss` is lost, and each loss holds up all that comes behind it for
    `stall_ms`, as a retransmission does: 200 ms is the shortest that Linux waits.
    """

    rtt_ms: float = 0.0
    mbit: float | None = None
    jitter_ms: float = 0.0
    loss: float = 0.0
    stall_ms: float = 200.0

    @property
    def latency(self) -> float:
        """One way, in seconds."""
        return self.rtt_ms / 2e3

    @property
    def bytes_per_second(self) -> float | None:
        """The rate of each direction, none for no limit."""
        return None if self.mbit is None else self.mbit * 1e6 / 8


PROFILES: Final[Mapping[str, Profile]] = {
    "none": Profile(),
    "lan": Profile(rtt_ms=1, mbit=1000),
    "wan": Profile(rtt_ms=40, mbit=100),
    "slow": Profile(rtt_ms=100, mbit=20),
}


def profile_named(name: str) -> Profile:
    """One of `PROFILES`; ConfigError lists them where there is none of that name."""
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise ConfigError(f"{name!r} is no network profile", fix=f"use one of: {known}")
    return PROFILES[name]


@contextmanager
def netem(device: str, profile: Profile) -> Iterator[None]:
    """Have the kernel delay all that leaves by `device`, by half the round trip, until the end.

    ConfigError where tc or the kernel's sch_netem is not there, or the right to use them.
    """
    _tc("add", device, netem_arguments(profile))
    try:
        yield
    finally:
        _tc("del", device, [])


def netem_arguments(profile: Profile) -> list[str]:
    """What tc calls a profile."""
    arguments = ["netem", "delay", f"{profile.rtt_ms / 2:g}ms", f"{profile.jitter_ms:g}ms"]
    if profile.loss:
        arguments += ["loss", f"{100 * profile.loss:g}%"]
    if profile.mbit is not None:
        arguments += ["rate", f"{profile.mbit:g}mbit"]
    return arguments


def _tc(verb: str, device: str, arguments: list[str]) -> None:
    tc = shutil.which("tc")
    shaper = "leave --netem out: the userspace shaper needs neither tc nor rights"
    if tc is None:
        raise ConfigError("tc, which sets netem, is not installed", fix=f"install it, or {shaper}")
    command = [tc, "qdisc", verb, "dev", device, "root", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise ConfigError(
            f"this kernel does not set netem on {device}, tc says: {said}",
            fix=f"load sch_netem as root, or {shaper}",
        )
