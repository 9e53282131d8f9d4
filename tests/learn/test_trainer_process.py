"""The trainer as a subprocess, asked by the client that party daemons use."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from secfpp.errors import ConfigError, Misuse
from secfpp.learn.settings import ClipSettings, DataKind, DataSettings, TrainingSettings
from secfpp.learn.trouble import TrainingTrouble
from secfpp.party.training import TrainerProcess, TrainerTask

TRAINING = TrainingSettings(steps=12, learning_rate=0.05, class_learning_rate=0.02, batch=16)


@pytest.fixture
async def trainer() -> AsyncIterator[TrainerProcess]:
    process = TrainerProcess(idle_timeout=60)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
def task(small_settings: ClipSettings, folder: Path) -> TrainerTask:
    return TrainerTask(small_settings, DataSettings(DataKind.IMAGEFOLDER, str(folder)), TRAINING)


async def test_a_party_trains_two_rounds_and_survives_every_bad_request(
    trainer: TrainerProcess, task: TrainerTask, tmp_path: Path
) -> None:
    with pytest.raises(Misuse, match="nothing is prepared"):
        await trainer.evaluate(np.zeros((6, 32), np.float32))
    lost = TrainerTask(
        task.clip, DataSettings(DataKind.IMAGEFOLDER, str(tmp_path / "nowhere")), TRAINING
    )
    with pytest.raises(ConfigError, match="no folder"):
        await trainer.prepare(lost, cache=tmp_path / "cache")

    images: list[tuple[int, int]] = []
    prepared = await trainer.prepare(
        task,
        cache=tmp_path / "cache",
        on_progress=lambda step, steps, loss: images.append((step, steps)),
    )
    described = prepared.description
    assert described.shape == prepared.initial.shape == (6, 32)
    assert described.classes == ("blue", "dark yellow", "green", "red")
    assert (described.train_count, described.test_count) == (36, 12)
    assert images == [(36, 36), (12, 12)]
    assert described.geometry["width"] == "32"
    files = list((tmp_path / "cache").iterdir())
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in files} == {0o600}

    with pytest.raises(Misuse, match=r"a prompt must be \(6, 32\)"):
        await trainer.train(np.zeros((5, 32), np.float32), round_number=0, seed=0)

    steps: list[int] = []
    first = await trainer.train(
        prepared.initial,
        round_number=0,
        seed=3,
        on_progress=lambda step, steps_, loss: steps.append(step),
    )
    assert steps == list(range(1, 13))
    assert first.summary.loss_last < first.summary.loss_first
    assert np.abs(first.class_prompt).max() > 0
    # The trainer keeps L: a second round equals one that is given the same L.
    second = await trainer.train(first.domain_prompt, round_number=1, seed=3)
    again = await trainer.train(
        first.domain_prompt, round_number=1, seed=3, class_prompt=first.class_prompt
    )
    np.testing.assert_array_equal(second.domain_prompt, again.domain_prompt)
    np.testing.assert_array_equal(second.class_prompt, again.class_prompt)
    judged = await trainer.evaluate(again.domain_prompt + again.class_prompt)
    assert judged.count == 12
    assert judged.accuracy == again.summary.accuracy


async def test_a_trainer_that_dies_is_named_with_its_exit_code_and_last_words(
    task: TrainerTask, tmp_path: Path
) -> None:
    script = (
        "import sys; print('out of luck', file=sys.stderr); sys.stdin.buffer.read(4); sys.exit(3)"
    )
    trainer = TrainerProcess(idle_timeout=30, command=(sys.executable, "-c", script))
    await trainer.start()
    with pytest.raises(TrainingTrouble, match=r"exit code 3 .* prepare .*out of luck"):
        await trainer.prepare(task, cache=tmp_path)
    await trainer.stop()


async def test_a_silent_trainer_is_killed_after_the_idle_timeout(
    task: TrainerTask, tmp_path: Path
) -> None:
    script = "import time; time.sleep(1)"
    trainer = TrainerProcess(idle_timeout=0.2, command=(sys.executable, "-c", script))
    await trainer.start()
    with pytest.raises(TrainingTrouble, match=r"nothing for 0.2 s, .*prepare"):
        await trainer.prepare(task, cache=tmp_path)
    with pytest.raises(Misuse, match="not running"):
        await trainer.prepare(task, cache=tmp_path)
    await trainer.start()
    await trainer.stop()


async def test_a_wait_that_is_given_up_leaves_no_answer_for_the_next_request(
    task: TrainerTask, tmp_path: Path
) -> None:
    trainer = TrainerProcess(idle_timeout=60)
    await trainer.start()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(trainer.prepare(task, cache=tmp_path), 0.05)
    with pytest.raises(Misuse, match="not running"):
        await trainer.evaluate(np.zeros((6, 32), np.float32))


async def test_a_trainer_that_talks_nonsense_is_trouble_not_a_crash(
    task: TrainerTask, tmp_path: Path
) -> None:
    script = (
        "import sys; sys.stdout.buffer.write(b'\\xff' * 64); sys.stdout.flush(); sys.stdin.read()"
    )
    trainer = TrainerProcess(idle_timeout=30, command=(sys.executable, "-c", script))
    await trainer.start()
    with pytest.raises(TrainingTrouble, match="header of a frame"):
        await trainer.prepare(task, cache=tmp_path)
    await trainer.stop()


CLIENT = """
import asyncio, json, sys
from pathlib import Path
from secfpp.learn.settings import ClipSettings, DataSettings, TrainingSettings, from_json
from secfpp.party.training import TrainerProcess, TrainerTask

async def main(clip, folder, cache):
    trainer = TrainerProcess(idle_timeout=60)
    await trainer.start()
    data = from_json(DataSettings, "data", {"kind": "imagefolder", "path": folder})
    task = TrainerTask(ClipSettings(clip, tokens=6), data, TrainingSettings())
    prepared = await trainer.prepare(task, cache=Path(cache))
    print((await trainer.evaluate(prepared.initial)).count)
    await trainer.stop()

asyncio.run(main(*sys.argv[1:]))
print(Path("/proc/self/maps").read_text())
"""


def test_a_party_that_trained_has_no_torch_in_its_own_memory(
    small_clip_directory: Path, folder: Path, tmp_path: Path
) -> None:
    command = (sys.executable, "-c", CLIENT, small_clip_directory, folder, tmp_path / "cache")
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    count, maps = run.stdout.split("\n", 1)
    assert count == "12"
    assert "python" in maps
    assert "torch" not in maps


def test_the_worker_ends_when_its_stdin_closes_and_keeps_stdout_for_frames() -> None:
    noisy = (
        "import os, secfpp.learn.worker as worker\n"
        "read = worker.read_bytes\n"
        "worker.read_bytes = lambda source: (os.write(1, b'noise'), read(source))[1]\n"
        "worker.main()"
    )
    command = (sys.executable, "-c", noisy)
    run = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
    assert run.returncode == 0
    assert run.stdout == b""
    assert b"noise" in run.stderr
