"""The party's image: with torch and open_clip, and a run that tunes CLIP prompts in containers."""

from __future__ import annotations

import json

import pytest

from secfpp.demo.verify import verify

from .conftest import base_image, build

pytestmark = [pytest.mark.timeout(2400), pytest.mark.xdist_group("docker")]

ROUNDS, SEED, DIM = 1, 0, 1024


def test_eight_parties_tune_prompts_in_containers_and_the_oracle_agrees(engine, project, tmp_path):
    """The committed compose file as it is, with the embedded model and photographs."""
    build(engine, "party", base_image(engine))
    project.trains()
    done = project.compose("up", "--exit-code-from", "operator", check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    runs = project.collect(tmp_path)
    assert verify(runs["coordinator"], {name: runs[name] for name in project.parties}).passed
    manifest = json.loads((runs["party-1"] / "manifest.json").read_text())
    assert manifest["belongs_to"]["kind"] == "clip"
    assert manifest["rounds"][0]["facts"]["train_cpu_seconds"] > 0
