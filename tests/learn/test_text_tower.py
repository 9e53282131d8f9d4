"""The prefix-shared tower against open_clip's plain one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from secfpp.bench.train import TrainBench, measure
from secfpp.errors import Misuse
from secfpp.learn.checkpoints import open_clip_module
from secfpp.learn.clip import Clip
from secfpp.learn.text_tower import SharedTower, TextModel, full_tower

VOCABULARY = 30
WIDTH = 16
TEXT = {
    "context_length": 16,
    "vocab_size": VOCABULARY,
    "width": WIDTH,
    "heads": 2,
    "layers": 2,
}


def text_model(**changes: object) -> TextModel:
    """A text tower with random weights in float64, so that only the algorithm can differ."""
    open_clip_module()
    from open_clip.model import CLIPTextCfg, _build_text_tower

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        quick_gelu = bool(changes.pop("quick_gelu", False))
        tower = _build_text_tower(8, CLIPTextCfg(**{**TEXT, **changes}), quick_gelu=quick_gelu)
    tower = tower.double().eval().requires_grad_(False)
    return TextModel(
        token_embedding=tower.token_embedding.weight * 50,
        positions=tower.positional_embedding * 50,
        transformer=tower.transformer,
        blocks=tuple(tower.transformer.resblocks),
        final_norm=tower.ln_final,
        projection=tower.text_projection,
        causal_mask=tower.attn_mask,
        start=VOCABULARY - 2,
        end=VOCABULARY - 1,
    )


def both(
    model: TextModel, suffixes: list[list[int]], context: Tensor
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Features and gradients of the two towers."""
    outcomes = []
    shared = SharedTower(model, suffixes, len(context))
    for features in (shared(context), full_tower(model, suffixes, context)):
        weight = torch.randn(features.shape, generator=torch.Generator().manual_seed(2)).double()
        (gradient,) = torch.autograd.grad((features * weight).sum(), context)
        outcomes.append((features.detach(), gradient))
    return outcomes[0], outcomes[1]


suffix = st.lists(st.integers(0, VOCABULARY - 3), min_size=1, max_size=6)


@given(
    suffixes=st.lists(suffix, min_size=1, max_size=7),
    tokens=st.integers(0, 8),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_the_shared_tower_equals_the_plain_one_in_values_and_gradients(
    suffixes: list[list[int]], tokens: int, seed: int
) -> None:
    context = torch.randn(tokens, WIDTH, generator=torch.Generator().manual_seed(seed)).double()
    (features, gradient), (expected, slope) = both(text_model(), suffixes, context.requires_grad_())
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(gradient, slope, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "changes",
    [{"quick_gelu": True}, {"ls_init_value": 0.3}, {"proj_bias": True}, {"proj_type": "none"}],
    ids=str,
)
def test_every_detail_of_open_clips_tower_is_honoured(changes: dict[str, object]) -> None:
    context = torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(3)).double()
    suffixes = [[1, 2], [3], [4, 5, 6], [2, 1]]
    plain = SharedTower(text_model(), suffixes, 4)(context)
    (features, gradient), (expected, slope) = both(
        text_model(**changes), suffixes, context.requires_grad_()
    )
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(gradient, slope, rtol=0, atol=1e-9)
    assert features.shape != plain.shape or not torch.allclose(features, plain)


def test_the_plain_tower_equals_open_clips_encode_text(small_clip: Clip) -> None:
    ids = [1, 4, 7]
    context = small_clip.text.token_embedding[[0, 1, 2]]
    text = torch.zeros(1, small_clip.text.context_length, dtype=torch.long)
    text[0, :8] = torch.tensor([small_clip.text.start, 0, 1, 2, *ids, small_clip.text.end])
    features = full_tower(small_clip.text, [ids], context)
    torch.testing.assert_close(features, small_clip.model.encode_text(text), rtol=0, atol=1e-5)


def test_what_comes_after_a_class_or_belongs_to_another_does_not_change_it() -> None:
    model = text_model()
    context = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(4)).double()
    alone = SharedTower(model, [[1, 2, 3]], 3)(context)
    among = SharedTower(model, [[5], [1, 2, 3], [9, 9, 9], [1, 2, 3, 4, 5]], 3)(context)
    torch.testing.assert_close(among[1], alone[0], rtol=0, atol=1e-12)


def test_texts_beyond_the_context_length_and_contexts_of_another_shape_are_refused() -> None:
    model = text_model()
    SharedTower(model, [[1] * 10], 4)
    with pytest.raises(Misuse, match="17 tokens exceeds 16"):
        SharedTower(model, [[1] * 11], 4)
    with pytest.raises(Misuse, match="a context must be"):
        SharedTower(model, [[1]], 4)(torch.zeros(3, WIDTH).double())


def test_the_bench_reports_both_towers_and_that_they_agree() -> None:
    bench = TrainBench(model="RN50", classes=3, tokens=16, device="cpu", threads=1, repeats=1)
    rows = measure(bench)["results"]
    assert isinstance(rows, list)
    assert [row["tower"] for row in rows] == ["full", "shared"]
    assert all(row["max_abs_diff"] < 1e-4 for row in rows)
    assert all(row["gradient_max_abs_diff"] < 1e-4 for row in rows)
    assert rows[0]["ratio"] == 1.0
    assert rows[1]["ratio"] == rows[0]["seconds_per_step"] / rows[1]["seconds_per_step"]
