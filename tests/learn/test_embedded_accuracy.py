"""The embedded CLIP recognises the embedded photographs, and its prompts belong to a domain."""

import numpy as np
import pytest
import torch

from secfpp.learn.clip import Clip, load_clip
from secfpp.learn.embedded import embedded_train_test, rendered
from secfpp.learn.images import ImageSet
from secfpp.learn.prompt import HierarchicalPrompt
from secfpp.learn.settings import ClipSettings, Optimiser, TrainingSettings
from secfpp.learn.trainer import Examples, Task, train

RECIPE = TrainingSettings(
    optimiser=Optimiser.ADAM, learning_rate=0.005, class_learning_rate=0.0005, steps=40, batch=600
)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(ClipSettings(template="a photo of a {}."), torch.device("cpu"))


def examples(clip: Clip, images: ImageSet) -> Examples:
    pixels = clip.preprocessing.fit_all(images).images
    return Examples.of(clip.image_features(pixels), images.labels, clip.device)


def test_zero_shot_accuracy_on_held_out_photographs_is_at_least_60_per_cent(clip: Clip) -> None:
    _, test = embedded_train_test()
    held_out = examples(clip, test)
    texts = clip.zero_shot_features(test.classes)
    right = (held_out.features @ texts.T).argmax(dim=1) == held_out.labels
    assert len(right) == 400
    assert right.float().mean() >= 0.60


def test_a_prompt_tuned_on_drawings_reads_them_better_than_one_tuned_on_photographs(
    clip: Clip,
) -> None:
    train_images, test = embedded_train_test()
    some = train_images.take(np.arange(0, 600, 2))
    held_out = examples(clip, rendered(test, "pencil", seed=1))
    task = Task(clip.tower(test.classes), clip.scale)
    start = clip.initial_context()
    accuracy = {"start": task.accuracy(start, held_out)}
    for domain in ("pencil", "photograph"):
        prompt = HierarchicalPrompt(start)
        train(task, examples(clip, rendered(some, domain, seed=0)), prompt, RECIPE, seed=0)
        accuracy[domain] = task.accuracy(prompt.context.detach(), held_out)
    assert accuracy["pencil"] >= accuracy["start"] + 0.05
    assert accuracy["pencil"] >= accuracy["photograph"] + 0.05
