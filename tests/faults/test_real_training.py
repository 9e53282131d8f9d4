"""One column with real training: the embedded default, and a party that is hit while it tunes CLIP.

The barrier is the party's own word that it prepares its prompt, and then work of its trainer's
process: seconds of CPU, not of the clock.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from secfpp.demo.launcher import COORDINATOR, Federation, Waits
from secfpp.demo.scenario import Training, scenario
from secfpp.demo.verify import verify
from secfpp.journal.events import read_events

from .drill import until

pytestmark = [pytest.mark.xdist_group("drills"), pytest.mark.faults]

WAITS = Waits(connect_wait=120, idle_timeout=15, round_deadline=150)
VICTIM = "party-5"
PARTIES = 6
AT_WORK = 0.3  # Seconds of CPU after which a trainer is surely in the middle of its steps.


def trainer_of(federation: Federation) -> psutil.Process:
    """The victim's trainer process."""
    children = psutil.Process(federation.processes[VICTIM].pid).children()
    (trainer,) = [child for child in children if "secfpp.learn.worker" in child.cmdline()]
    return trainer


def until_it_trains(federation: Federation, home) -> psutil.Process:
    """Wait until the victim's trainer works on the prompt of round 1."""

    def said() -> list[str]:
        paths = (home / VICTIM).glob("demo-*/events.jsonl")
        return [event.phase or event.event for path in paths for event in read_events(path.parent)]

    until(lambda: "preparing" in said(), f"{VICTIM} trains", 150)
    trainer = trainer_of(federation)
    begun = trainer.cpu_times().user
    until(lambda: trainer.cpu_times().user > begun + AT_WORK, f"{VICTIM}'s trainer works", 60)
    return trainer


def hit(kind: str, federation: Federation, trainer: psutil.Process) -> None:
    victim = federation.processes[VICTIM]
    if kind == "SIGKILL of its trainer":
        trainer.kill()
    elif kind == "SIGKILL":
        victim.kill()
    else:
        victim.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize("kind", ["SIGKILL", "SIGSTOP for good", "SIGKILL of its trainer"])
def test_a_party_hit_while_it_tunes_clip_costs_the_others_nothing(tmp_path, record_property, kind):
    cast = scenario(Training.CLIP, parties=8, rounds=1, seed=1, home=tmp_path)
    sections = {name: cast.sections[name] for name in tuple(cast.sections)[:PARTIES]}
    job = cast.job.model_copy(
        update={"training": cast.job.training.model_copy(update={"steps": 60})}
    )
    federation = Federation(tmp_path, sections, WAITS)
    federation.start()
    with ThreadPoolExecutor(1) as pool:
        try:
            ending = pool.submit(asyncio.run, federation.conduct(job, lambda event: None))
            trainer = until_it_trains(federation, tmp_path)
            began = time.monotonic()
            hit(kind, federation, trainer)
            run = ending.result(WAITS.round_deadline)
            seconds = time.monotonic() - began
            stood = read_events(tmp_path / VICTIM / run)
            others = [name for name in federation.processes if name != VICTIM]
            for name in others:
                process = federation.processes[name]
                until(lambda process=process: process.poll() is not None, f"{name} has ended")
            if kind == "SIGKILL":
                until(lambda: not trainer.is_running(), "no trainer outlives its party", 10)
        finally:
            federation.processes[VICTIM].kill()
            federation.stop()
    row = {"phase": "training CLIP", "victim": "a party", "kind": kind, "outcome": "completed"}
    record_property("cell", {**row, "code": "", "words": "", "seconds": round(seconds, 1)})
    assert {federation.processes[name].returncode for name in others} == {0}
    (entry,) = json.loads((tmp_path / COORDINATOR / run / "ledger.json").read_text())["rounds"]
    assert sorted(entry["dealers"]) == sorted(set(others) - {COORDINATOR})
    homes = {name: tmp_path / name / run for name in others if name != COORDINATOR}
    assert verify(tmp_path / COORDINATOR / run, homes).passed
    told = [
        event.text
        for event in read_events(tmp_path / COORDINATOR / run)
        if VICTIM in f"{event.peer} {event.text}" and event.event not in ("accepted", "report")
    ]
    assert told, "whoever follows the run is not told what has become of the party"
    if kind != "SIGKILL of its trainer":
        assert [event.phase for event in stood if event.phase] == ["preparing"]
