"""Training is real: what it moves, what it leaves alone, and what it never sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from secfpp.errors import Misuse
from secfpp.learn import session as session_module
from secfpp.learn.clip import weights_digest
from secfpp.learn.data import image_digests
from secfpp.learn.prompt import HierarchicalPrompt
from secfpp.learn.session import Plan, Session, Turn
from secfpp.learn.settings import (
    ClipSettings,
    DataKind,
    DataSettings,
    Optimiser,
    Partition,
    TrainingSettings,
)
from secfpp.learn.trainer import Examples, Task, memory_trouble, train
from secfpp.learn.trouble import TrainingTrouble

ADAM = TrainingSettings(steps=25, learning_rate=0.05, class_learning_rate=0.05, batch=16)


@pytest.fixture
def plan(small_settings: ClipSettings, folder: Path, tmp_path: Path) -> Plan:
    data = DataSettings(DataKind.IMAGEFOLDER, str(folder))
    return Plan(small_settings, data, ADAM, tmp_path / "cache")


def changed(plan: Plan, **training: object) -> Plan:
    values = {**vars(plan.training), **training}
    return Plan(plan.clip, plan.data, TrainingSettings(**values), plan.cache)


@pytest.mark.parametrize("optimiser", list(Optimiser))
def test_the_loss_falls_and_accuracy_rises_above_zero_shot(
    plan: Plan, optimiser: Optimiser
) -> None:
    rate = {Optimiser.ADAM: 0.05, Optimiser.SGD: 1.0}[optimiser]
    session = Session(changed(plan, optimiser=optimiser, learning_rate=rate, steps=40))
    losses: list[float | None] = []
    trained = session.train(
        Turn(0, 1), session.initial, None, lambda step, steps, loss: losses.append(loss)
    )
    assert len(losses) == 40
    assert trained.summary.loss_first == losses[0]
    assert trained.summary.loss_last == losses[-1]
    assert losses[-1] is not None
    assert losses[0] is not None
    assert losses[-1] < 0.9 * losses[0]
    assert trained.summary.accuracy > session.zero_shot_accuracy()


@pytest.mark.parametrize("rank", [0, 2])
def test_the_gradient_reaches_both_prompts_and_only_them(plan: Plan, rank: int) -> None:
    session = Session(changed(plan, rank=rank, steps=2))
    before = weights_digest(session.clip.model)
    trained = session.train(Turn(0, 1), session.initial, None)
    assert np.all(np.abs(trained.domain - session.initial).max(axis=1) > 0)
    assert np.all(np.abs(trained.classes).max(axis=1) > 0)
    if rank:
        assert np.linalg.matrix_rank(trained.classes) <= rank
    assert weights_digest(session.clip.model) == before
    assert all(value.grad is None for value in session.clip.model.parameters())


def test_without_a_learning_rate_the_class_prompt_stays_at_zero(plan: Plan) -> None:
    session = Session(changed(plan, class_learning_rate=0.0, steps=3))
    trained = session.train(Turn(0, 1), session.initial, None)
    assert not trained.classes.any()
    assert not np.array_equal(trained.domain, session.initial)


def test_removing_the_class_prompt_costs_accuracy_under_disjoint_classes(
    small_settings: ClipSettings, folder: Path, tmp_path: Path
) -> None:
    # Two parties with two classes each choose among all four; G is their mean, as in a round.
    training = TrainingSettings(steps=40, learning_rate=0.02, class_learning_rate=0.1, batch=16)
    sessions = [
        Session(
            Plan(
                small_settings,
                DataSettings(
                    DataKind.IMAGEFOLDER,
                    str(folder),
                    part=(index, 2),
                    partition=Partition.DISJOINT_CLASSES,
                ),
                training,
                tmp_path,
            )
        )
        for index in range(2)
    ]
    trained = [session.train(Turn(0, 2), session.initial, None) for session in sessions]
    mean = np.mean([outcome.domain for outcome in trained], axis=0)
    without = [session.evaluate(mean).accuracy for session in sessions]
    own = [
        session.evaluate(mean + outcome.classes).accuracy
        for session, outcome in zip(sessions, trained, strict=True)
    ]
    assert np.mean(own) >= np.mean(without) + 0.1
    # The other party's L is no substitute: it speaks for the other classes.
    foreign = [
        session.evaluate(mean + outcome.classes).accuracy
        for session, outcome in zip(sessions, reversed(trained), strict=True)
    ]
    assert np.mean(own) >= np.mean(foreign) + 0.1


def test_test_images_never_reach_the_training_loop(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(plan)
    test_features = {row.numpy().tobytes() for row in session.held_out.features}
    manifest = session.data.manifest()
    assert not set(image_digests(session.data.train)) & set(image_digests(session.data.test))
    seen: set[bytes] = set()
    original = session_module.train

    def watched(task: Task, examples: Examples, *rest: object, **named: object) -> list[float]:
        seen.update(row.numpy().tobytes() for row in examples.features)
        return original(task, examples, *rest, **named)  # type: ignore[arg-type]  # As given.

    monkeypatch.setattr(session_module, "train", watched)
    session.train(Turn(0, 1), session.initial, None)
    assert len(seen) == len(session.data.train)
    assert not seen & test_features
    assert session.data.manifest() == manifest


def test_training_is_bit_equal_under_a_seed_and_differs_under_another(plan: Plan) -> None:
    outcomes = [
        Session(plan).train(Turn(0, seed), Session(plan).initial, None) for seed in (5, 5, 6)
    ]
    np.testing.assert_array_equal(outcomes[0].domain, outcomes[1].domain)
    np.testing.assert_array_equal(outcomes[0].classes, outcomes[1].classes)
    assert not np.array_equal(outcomes[0].domain, outcomes[2].domain)


def test_a_loss_that_is_no_number_is_trouble_and_the_kept_class_prompt_stays(plan: Plan) -> None:
    session = Session(changed(plan, steps=2))
    first = session.train(Turn(0, 1), session.initial, None)
    huge = np.full_like(session.initial, 1e38)
    with pytest.raises(TrainingTrouble, match="not finite"):
        session.train(Turn(0, 1), huge, None)
    again = session.train(Turn(0, 1), session.initial, first.classes)
    kept = Session(changed(plan, steps=2))
    kept.train(Turn(0, 1), session.initial, None)
    np.testing.assert_array_equal(
        again.classes, kept.train(Turn(0, 1), session.initial, None).classes
    )


def test_prompts_that_are_not_finite_are_refused() -> None:
    with pytest.raises(Misuse, match="not finite"):
        HierarchicalPrompt(torch.full((2, 3), float("nan")))
    with pytest.raises(Misuse, match="shapes"):
        HierarchicalPrompt(torch.zeros(2, 3), torch.zeros(3, 2))


def test_running_out_of_memory_is_trouble_and_other_errors_are_not_hidden() -> None:
    with pytest.raises(TrainingTrouble, match="memory"), memory_trouble():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(TrainingTrouble, match="memory"), memory_trouble():
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="shapes"), memory_trouble():
        raise RuntimeError("shapes")


def test_a_low_rank_class_prompt_starts_from_the_nearest_of_that_rank() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(6, 2, generator=generator), torch.randn(2, 9, generator=generator)
    prompt = HierarchicalPrompt(torch.zeros(6, 9), left @ right, rank=2)
    torch.testing.assert_close(prompt.classes.detach(), left @ right)
    assert not HierarchicalPrompt(torch.zeros(6, 9), rank=2, seed=1).classes.any()
    assert "0." not in repr(prompt)


def test_every_image_is_learned_from_once_before_any_comes_again(plan: Plan) -> None:
    session = Session(plan)
    prompt = HierarchicalPrompt(session.clip.initial_context())
    one = TrainingSettings(steps=1, batch=1000)
    losses = train(session.task, session.examples, prompt, one, seed=0)
    whole = torch.nn.functional.cross_entropy(
        session.task.logits(session.clip.initial_context(), session.examples.features),
        session.examples.labels,
    )
    assert losses == pytest.approx([float(whole)], rel=1e-5)


def test_with_the_embedded_default_a_few_steps_beat_the_template_on_drawings(
    tmp_path: Path,
) -> None:
    data = DataSettings(domain="pencil", part=(1, 4))
    session = Session(Plan(ClipSettings(), data, TrainingSettings(), tmp_path))
    trained = session.train(Turn(0, 0), session.initial, None)
    assert trained.summary.accuracy >= session.zero_shot_accuracy() + 0.05
    assert session.describe().shape == (8, session.clip.text.width)
