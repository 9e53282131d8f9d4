"""Plain federated averaging over the same transport: what secrecy is held against.

Every party sends its float32 vector in the clear to the coordinator, which sends the mean back: the
same daemons' mailbox, mutual TLS 1.3, certificates and processes, and no coding. Reads as
`python -m secfpp.bench.fedavg PLAN NAME` for each process; `averaged` starts them all.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
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
"""What a process prints at last: `seconds`, `cpu_seconds`, `by_peer` by turn, and a `digest`; the
coordinator also when each turn has `begun`, in Unix time."""


@dataclass(frozen=True)
class Plan:
    """What all processes of one measurement know: `turns` times all `vectors` are averaged.

    `ports` are those of the coordinator and all parties; `relays` come first, by "from>to".
    """

    home: str
    ports: dict[str, int]
    relays: dict[str, int]
    vectors: dict[str, str]
    turns: int

    @property
    def parties(self) -> tuple[str, ...]:
        """The parties in roster order."""
        return tuple(self.vectors)

    def address(self, name: str, *, seen_by: str) -> str:
        """Where `seen_by` reaches `name`."""
        return f"127.0.0.1:{self.relays.get(f'{seen_by}>{name}', self.ports[name])}"


def plain_averaging(home: Path, vectors: Mapping[str, Path], turns: int) -> dict[str, object]:
    """Average so many times, the first of which does not count: a row like the secure one."""
    names = (COORDINATOR, *vectors)
    paths = {name: str(path) for name, path in vectors.items()}
    plan = Plan(str(home), free_ports(names), {}, paths, turns)
    told = asyncio.run(averaged(plan))
    warm = range(1, turns)
    seconds = [max(told[name]["seconds"][turn] for name in vectors) for turn in warm]
    cpu = [sum(one["cpu_seconds"][turn] for one in told.values()) for turn in warm]
    sent = [
        sum(moved[0] for one in told.values() for moved in one["by_peer"][turn].values())
        for turn in warm
    ]
    dim = int(np.load(next(iter(vectors.values())), mmap_mode="r").shape[1])
    return {
        "work": "plain_fedavg",
        "parties": len(vectors),
        "dim": dim,
        "seconds_median": statistics.median(seconds),
        "seconds_all": seconds,
        "cpu_seconds_all_processes": statistics.median(cpu),
        "cpu_seconds_all": cpu,
        "bytes_total": int(statistics.median(sent)),
        "bytes_formula": 2 * len(vectors) * 4 * dim,
        "exact": all_agree(told),
    }


def all_agree(told: Mapping[str, Told]) -> bool:
    """Whether all parties have the same mean."""
    return len({one["digest"] for name, one in told.items() if name != COORDINATOR}) == 1


async def averaged(plan: Plan) -> dict[str, Told]:
    """Make keys, run all processes to their end, and return what each has told."""
    roles = dict.fromkeys(plan.parties, Role.PARTY) | {COORDINATOR: Role.COORDINATOR}
    await asyncio.to_thread(throwaway_federation, Path(plan.home) / "pki", roles)
    path = Path(plan.home) / "plan.json"
    path.write_text(json.dumps(asdict(plan)), "utf-8")
    command = ("-m", "secfpp.bench.fedavg", str(path))
    running: dict[str, Process] = {}
    try:
        for name in (COORDINATOR, *plan.parties):
            running[name] = await asyncio.create_subprocess_exec(
                sys.executable, *command, name, stdout=PIPE
            )
        async with asyncio.timeout(PATIENCE):
            told = await asyncio.gather(*(_heard(one) for one in running.values()))
    except TimeoutError:
        raise PeersMissing(f"plain averaging has not ended after {PATIENCE:.0f} s") from None
    finally:
        for one in running.values():
            if one.returncode is None:
                one.kill()
            await one.wait()
    return dict(zip(running, told, strict=True))


async def _heard(one: Process) -> Told:
    """What a process has told."""
    said, _ = await one.communicate()
    if not said:
        raise PeersMissing("a process of plain averaging ended early", fix="see its last words")
    told: Told = json.loads(said)
    return told


class _Meter:
    """Seconds, CPU seconds and payload bytes by peer of each turn of one process."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.told: Told = {"seconds": [], "cpu_seconds": [], "by_peer": []}
        self._last = self._now()

    def begin(self) -> None:
        """A turn begins."""
        self._last = self._now()

    def end(self) -> None:
        """It is over."""
        (start, cpu, moved), now = self._last, self._now()
        self.told["seconds"].append(now[0] - start)
        self.told["cpu_seconds"].append(now[1] - cpu)
        self.told["by_peer"].append(
            {
                peer: (sent - moved.get(peer, (0, 0))[0], received - moved.get(peer, (0, 0))[1])
                for peer, (sent, received) in now[2].items()
            }
        )

    def _now(self) -> tuple[float, float, dict[str, tuple[int, int]]]:
        traffic = self._mailbox.peers.traffic().items()
        moved = {peer: (one.sent, one.received) for peer, one in traffic}
        return time.monotonic(), time.process_time(), moved


async def coordinate(plan: Plan, mailbox: Mailbox) -> Told:
    """Turn by turn: say go, sum what comes, send the mean to all."""
    meter = _Meter(mailbox)
    begun = []
    for _ in range(plan.turns):
        begun.append(time.time())
        await _to_all(plan, mailbox, GO)
        meter.begin()
        total: Any = 0.0
        for _ in plan.parties:
            _, payload = await mailbox.receive()
            total = total + np.frombuffer(payload, dtype="<f4").astype(np.float64)
        await _to_all(plan, mailbox, (total / len(plan.parties)).astype("<f4").tobytes())
        meter.end()
    return {**meter.told, "begun": begun, "digest": ""}


async def take_part(plan: Plan, mailbox: Mailbox, name: str) -> Told:
    """Turn by turn: hear go, send the vector, receive the mean."""
    vectors = np.load(plan.vectors[name]).astype("<f4")
    meter = _Meter(mailbox)
    mean = b""
    for turn in range(plan.turns):
        await mailbox.receive()
        meter.begin()
        sent = mailbox.send(COORDINATOR, vectors[turn].tobytes(), timeout=PATIENCE)
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
            mailbox.open(peer, plan.address(peer, seen_by=name))
        if name == COORDINATOR:
            return await coordinate(plan, mailbox)
        return await take_part(plan, mailbox, name)
    finally:
        await mailbox.close()


if __name__ == "__main__":
    process.settle()
    chosen = Plan(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    print(json.dumps(asyncio.run(_main(chosen, sys.argv[2]))))
