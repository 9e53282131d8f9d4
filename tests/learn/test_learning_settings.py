"""The settings of a trainer: errors name key, rule and value, and JSON carries them unchanged."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from secfpp.errors import ConfigError
from secfpp.learn.settings import (
    ClipSettings,
    DataKind,
    DataSettings,
    OnBadImage,
    Optimiser,
    Partition,
    TrainingSettings,
    as_json,
    from_json,
)

CASES = [
    (ClipSettings, {"tokens": 0}, "clip.tokens must be between 1 and 512, not 0"),
    (ClipSettings, {"template": "a photo"}, "clip.template must be a text with one {}"),
    (ClipSettings, {"template": "{} {}"}, "clip.template must be a text with one {}"),
    (ClipSettings, {"weights": ""}, "clip.weights must be"),
    (ClipSettings, {"weights": f"random:{10**19}"}, "clip.weights must be random:<seed> of at"),
    (
        DataSettings,
        {"part": [4, 4]},
        "data.part must be [index, of] with 0 ≤ index < of, not (4, 4)",
    ),
    (DataSettings, {"test_fraction": 1.0}, "data.test_fraction must be between 0 and 1, not 1.0"),
    (DataSettings, {"beta": 0}, "data.beta must be above 0"),
    (DataSettings, {"shots": -1}, "data.shots must be 0 (all) or more, not -1"),
    (DataSettings, {"kind": "npz"}, "data.path must be given for data.kind = npz"),
    (DataSettings, {"kind": "zip"}, "data.kind: "),
    (DataSettings, {"pth": "x"}, "data.pth: "),
    (DataSettings, {"part": [0]}, "data.part."),
    (DataSettings, {"on_bad_image": "ignore"}, "data.on_bad_image: "),
    (TrainingSettings, {"learning_rate": 0.0}, "training.learning_rate must be above 0, not 0.0"),
    (TrainingSettings, {"learning_rate": float("nan")}, "training.learning_rate must be above 0"),
    (TrainingSettings, {"class_learning_rate": -1.0}, "training.class_learning_rate must be"),
    (TrainingSettings, {"steps": 0}, "training.steps must be 1 or more, not 0"),
    (TrainingSettings, {"batch": 0}, "training.batch must be"),
    (TrainingSettings, {"rank": -1}, "training.rank must be"),
    (TrainingSettings, {"gradient_clip": 0.0}, "training.gradient_clip must be"),
    (TrainingSettings, {"threads": 0}, "training.threads must be between 1 and 256, not 0"),
    (TrainingSettings, {"device": "tpu"}, "training.device must be auto, cpu, cuda or cuda:N"),
    (TrainingSettings, {"device": "cuda:x"}, "training.device must be"),
    (TrainingSettings, {"steps": "many"}, "training.steps: "),
    (TrainingSettings, {"optimiser": "lion"}, "training.optimiser: "),
]
NAMES = {ClipSettings: "clip", DataSettings: "data", TrainingSettings: "training"}


@pytest.mark.parametrize(("kind", "values", "said"), CASES, ids=lambda case: str(case)[:40])
def test_a_wrong_setting_is_refused_by_key_rule_and_value(
    kind: type[ClipSettings] | type[DataSettings] | type[TrainingSettings],
    values: dict[str, object],
    said: str,
) -> None:
    with pytest.raises(ConfigError) as error:
        from_json(kind, NAMES[kind], values)
    assert str(error.value).startswith(said)


def test_settings_come_out_of_json_as_they_went_in() -> None:
    clip = ClipSettings("ViT-B-16/openai", tokens=16, template="a photo of a {}.")
    data = DataSettings(
        DataKind.IMAGEFOLDER,
        "images",
        domain="sketch",
        part=(1, 4),
        partition=Partition.DIRICHLET,
        beta=0.3,
        on_bad_image=OnBadImage.SKIP,
    )
    training = TrainingSettings(Optimiser.SGD, rank=4, device="cuda:1", threads=2)
    assert from_json(ClipSettings, "clip", json.loads(json.dumps(as_json(clip)))) == clip
    assert from_json(DataSettings, "data", json.loads(json.dumps(as_json(data)))) == data
    again = from_json(TrainingSettings, "training", json.loads(json.dumps(as_json(training))))
    assert again == training


def test_a_template_says_what_comes_before_and_behind_the_name() -> None:
    assert ClipSettings().initial_text == "a photo of a"
    assert ClipSettings().closing_text == ""
    assert ClipSettings(template="a photo of a {}, a flower.").closing_text == ", a flower."


def test_settings_need_no_torch() -> None:
    script = "import sys, secfpp.learn.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
