"""Plain federated averaging over the same transport: what secrecy is held against.

Every party sends its float32 vector in the clear to the coordinator, which sends the mean back: the
same daemons' mailbox, mutual TLS 1.3, certificates and processes, and no coding. Reads as
`python -m secfpp.bench.fedavg PLAN NAME` for each process; `plain_averaging` starts them all.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from secfpp.demo.launcher import COORDINATOR, free_ports
from secfpp.errors import PeersMissing
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.transport import process
from secfpp.transport.grpc_tls import Mailbox

PATIENCE = 120.0  # Seconds that one delivery, or the end of all processes, may take.
GO = b"go"

Told = dict[str, Any]
"""What a process prints of itself: `seconds`, `cpu_seconds`, `sent` by turn, and a `digest`."""


@dataclass(frozen=True)
class Plan:
    """What all processes of one measurement know; `ports` of the coordinator and all parties."""

    home: str
    ports: dict[str, int]
    dim: int
    repeats: int
    seed: int

    @property
    def parties(self) -> tuple[str, ...]:
        """The parties in roster order."""
        return tuple(name for name in self.ports if name != COORDINATOR)

    def vector(self, party: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """The party's float32 vector (dim,)."""
        rng = np.random.default_rng([self.seed, self.parties.index(party)])
        return rng.normal(size=self.dim).astype(np.float32)


def plain_averaging(parties: int, dim: int, repeats: int, seed: int) -> dict[str, object]:
    """Average `repeats` + 1 times, the first of which does not count: a row like the secure one."""
    names = (COORDINATOR, *(f"party-{index + 1:03d}" for index in range(parties)))
    with tempfile.TemporaryDirectory(prefix="secfpp-bench-") as home:
        roles = dict.fromkeys(names, Role.PARTY) | {COORDINATOR: Role.COORDINATOR}
        throwaway_federation(Path(home) / "pki", roles)
        plan = Plan(home, free_ports(names), dim, repeats, seed)
        (Path(home) / "plan.json").write_text(json.dumps(asdict(plan)), "utf-8")
        told = _told_by_all(plan, names)
    turns = range(1, repeats + 1)
    seconds = [max(told[name]["seconds"][turn] for name in plan.parties) for turn in turns]
    cpu = [sum(one["cpu_seconds"][turn] for one in told.values()) for turn in turns]
    sent = [sum(one["sent"][turn] for one in told.values()) for turn in turns]
    return {
        "work": "plain_fedavg",
        "parties": parties,
        "dim": dim,
        "seconds_median": statistics.median(seconds),
        "seconds_all": seconds,
        "cpu_seconds_all_processes": statistics.median(cpu),
        "cpu_seconds_all": cpu,
        "bytes_total": int(statistics.median(sent)),
        "bytes_formula": 2 * parties * 4 * dim,
        "exact": len({told[name]["digest"] for name in plan.parties}) == 1,
    }


def _told_by_all(plan: Plan, names: tuple[str, ...]) -> dict[str, Told]:
    command = [sys.executable, "-m", "secfpp.bench.fedavg", str(Path(plan.home) / "plan.json")]
    running = {
        name: subprocess.Popen([*command, name], stdout=subprocess.PIPE)  # noqa: S603 (ourselves)
        for name in names
    }
    try:
        outputs = {name: one.communicate(timeout=PATIENCE)[0] for name, one in running.items()}
    except subprocess.TimeoutExpired:
        raise PeersMissing(f"plain averaging has not ended after {PATIENCE:.0f} s") from None
    finally:
        for one in running.values():
            one.kill()
    return {name: json.loads(output) for name, output in outputs.items()}


class _Meter:
    """Seconds, CPU seconds and sent bytes of each turn of one process."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.told: dict[str, list[float]] = {"seconds": [], "cpu_seconds": [], "sent": []}
        self._last = self._now()

    def begin(self) -> None:
        """A turn begins."""
        self._last = self._now()

    def end(self) -> None:
        """It is over."""
        for values, before, now in zip(self.told.values(), self._last, self._now(), strict=True):
            values.append(now - before)

    def _now(self) -> tuple[float, float, int]:
        sent = sum(peer.sent for peer in self._mailbox.peers.traffic().values())
        return time.monotonic(), time.process_time(), sent


async def coordinate(plan: Plan, mailbox: Mailbox) -> Told:
    """Turn by turn: say go, sum what comes, send the mean to all."""
    meter = _Meter(mailbox)
    for _ in range(plan.repeats + 1):
        await _to_all(plan, mailbox, GO)
        meter.begin()
        total = np.zeros(plan.dim)
        for _ in plan.parties:
            _, payload = await mailbox.receive()
            total += np.frombuffer(payload, dtype="<f4")
        await _to_all(plan, mailbox, (total / len(plan.parties)).astype("<f4").tobytes())
        meter.end()
    return {**meter.told, "digest": ""}


async def take_part(plan: Plan, mailbox: Mailbox, name: str) -> Told:
    """Turn by turn: hear go, send the vector, receive the mean."""
    vector = plan.vector(name)
    meter = _Meter(mailbox)
    mean = b""
    for _ in range(plan.repeats + 1):
        await mailbox.receive()
        meter.begin()
        sent = mailbox.send(COORDINATOR, vector.astype("<f4").tobytes(), timeout=PATIENCE)
        _, mean = await mailbox.receive()
        meter.end()
        mailbox.ask()
        await sent
    return {**meter.told, "digest": hashlib.sha256(mean).hexdigest()}


async def _to_all(plan: Plan, mailbox: Mailbox, payload: bytes) -> None:
    sent = [mailbox.send(party, payload, timeout=PATIENCE) for party in plan.parties]
    mailbox.ask()
    await asyncio.gather(*sent)


async def _main(plan: Plan, name: str) -> Told:
    """One process: listen, know the others, do one's part."""
    identity = Identity.load(Path(plan.home) / "pki" / name)
    mailbox = Mailbox(identity, listen=f"127.0.0.1:{plan.ports[name]}", admit=lambda *_: None)
    await mailbox.start()
    try:
        for peer in plan.parties if name == COORDINATOR else (COORDINATOR,):
            mailbox.open(peer, f"127.0.0.1:{plan.ports[peer]}")
        if name == COORDINATOR:
            return await coordinate(plan, mailbox)
        return await take_part(plan, mailbox, name)
    finally:
        await mailbox.close()


if __name__ == "__main__":
    process.settle()
    chosen = Plan(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    print(json.dumps(asyncio.run(_main(chosen, sys.argv[2]))))
