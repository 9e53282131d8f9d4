"""The text tower of a CLIP, once for all classes: the context before the names runs only once.

The tower is causal and [SOS][context] is the same for every class. So one packed sequence holds it
once, followed by the few tokens of every class; linear layers run over the packed tokens, and each
class attends to the shared prefix and to itself. Nothing behind a class's EOT is computed. This is
exact: `full_tower` runs the plain tower at its own context length and gives the same features.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secfpp.errors import Misuse


class Block(Protocol):
    """What is used of a residual block of open_clip."""

    ln_1: nn.Module
    ln_2: nn.Module
    ls_1: nn.Module
    ls_2: nn.Module
    mlp: nn.Module
    attn: nn.MultiheadAttention


@dataclass(frozen=True)
class TextModel:
    """The frozen pieces of a causal text tower that reads a text out at its EOT.

    `transformer` takes (texts, length, width) and an additive `causal_mask`; `blocks` are its
    layers. `projection` maps (…, width) to (…, features), and is None where there is none.
    """

    token_embedding: Tensor
    positions: Tensor
    transformer: nn.Module
    blocks: tuple[Block, ...]
    final_norm: nn.Module
    projection: nn.Module | Tensor | None
    causal_mask: Tensor
    start: int
    end: int

    @property
    def width(self) -> int:
        """The length of a token's vector."""
        return int(self.token_embedding.shape[1])

    @property
    def context_length(self) -> int:
        """The most tokens of a text, SOS and EOT included."""
        return int(self.positions.shape[0])

    def project(self, rows: Tensor) -> Tensor:
        """Final norm and projection of the tokens that are read out, (classes, width)."""
        rows = self.final_norm(rows)
        if self.projection is None:
            return rows
        return (
            rows @ self.projection if isinstance(self.projection, Tensor) else self.projection(rows)
        )


@dataclass(frozen=True)
class Group:
    """Classes of one length: `count` classes of `length` tokens, packed from row `first` on."""

    first: int
    count: int
    length: int

    @property
    def rows(self) -> slice:
        """Their packed rows, behind the prefix."""
        return slice(self.first, self.first + self.count * self.length)


class SharedTower:
    """The features of a fixed list of classes as a differentiable function of the context.

    `suffixes` are the token ids behind the context, one sequence a class, without EOT; `tokens` is
    the number of context vectors. A text longer than the tower's context length raises Misuse.
    """

    def __init__(self, model: TextModel, suffixes: Sequence[Sequence[int]], tokens: int) -> None:
        self._model = model
        self._tokens = tokens
        self._prefix = 1 + tokens
        texts = [[*suffix, model.end] for suffix in suffixes]
        longest = self._prefix + max(len(text) for text in texts)
        if longest > model.context_length:
            raise Misuse(f"a text of {longest} tokens exceeds {model.context_length}")
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        lengths = [len(texts[index]) for index in order]
        device = model.token_embedding.device
        packed = [token for index in order for token in texts[index]]
        places = [self._prefix + place for length in lengths for place in range(length)]
        ends = torch.tensor(list(itertools.accumulate(lengths))) + self._prefix - 1
        given = torch.argsort(torch.tensor(order))
        self._ends = ends[given].to(device)
        self._groups = _groups(lengths, self._prefix)
        rows = model.token_embedding[torch.tensor(packed, device=device)]
        self._suffix = (rows + model.positions[torch.tensor(places, device=device)]).detach()

    def __call__(self, context: Tensor) -> Tensor:
        """Features (classes, features), not normalised, of a context (tokens, width)."""
        model = self._model
        if context.shape != (self._tokens, model.width):
            raise Misuse(f"a context must be {(self._tokens, model.width)}, not {context.shape}")
        start = model.token_embedding[model.start : model.start + 1]
        prefix = torch.cat([start, context]) + model.positions[: self._prefix]
        rows = torch.cat([prefix, self._suffix])
        for block in model.blocks[:-1]:
            rows = rows + block.ls_1(self._attention(block.attn, block.ln_1(rows)))
            rows = rows + block.ls_2(block.mlp(block.ln_2(rows)))
        # Of the last layer only the tokens that are read out go on.
        block = model.blocks[-1]
        attended = self._attention(block.attn, block.ln_1(rows), self._ends)
        rows = rows[self._ends] + block.ls_1(attended)
        rows = rows + block.ls_2(block.mlp(block.ln_2(rows)))
        return model.project(rows)

    def _attention(
        self, attention: nn.MultiheadAttention, rows: Tensor, kept: Tensor | None = None
    ) -> Tensor:
        """Self-attention of the packed rows (N, width); of the result, the rows `kept`."""
        joint = F.linear(rows, attention.in_proj_weight, attention.in_proj_bias)
        heads = joint.view(len(rows), 3, attention.num_heads, -1)
        queries, keys, values = heads.unbind(1)
        first = slice(0, self._prefix)
        own = queries[first][None], keys[first][None], values[first][None]
        outcome = [_attend(*own)]
        before = keys[first], values[first]
        for group in self._groups:
            shape = (group.count, group.length, *queries.shape[1:])
            q, k, v = (part[group.rows].view(shape) for part in (queries, keys, values))
            outcome.append(_attend(q, _after(before[0], k), _after(before[1], v)))
        mixed = torch.cat(outcome)
        projected: Tensor = attention.out_proj(mixed if kept is None else mixed[kept])
        return projected


def full_tower(model: TextModel, suffixes: Sequence[Sequence[int]], context: Tensor) -> Tensor:
    """The features of the same classes by the plain tower at its full context length.

    The slow and obvious twin of `SharedTower`: open_clip's own blocks over (classes, context
    length, width), padding included, and each text read out at its EOT.
    """
    ends = [1 + len(context) + len(suffix) for suffix in suffixes]
    ids = torch.zeros(len(suffixes), model.context_length, dtype=torch.long)
    for row, (suffix, end) in enumerate(zip(suffixes, ends, strict=True)):
        ids[row, 0] = model.start
        ids[row, 1 + len(context) : end] = torch.tensor(suffix)
        ids[row, end] = model.end
    vectors = model.token_embedding[ids.to(context.device)]
    shared = context.expand(len(suffixes), -1, -1)
    texts = torch.cat([vectors[:, :1], shared, vectors[:, 1 + len(context) :]], dim=1)
    outcome = model.transformer(texts + model.positions, attn_mask=model.causal_mask)
    return model.project(outcome[torch.arange(len(suffixes)), torch.tensor(ends)])


def _groups(lengths: Sequence[int], first: int) -> tuple[Group, ...]:
    groups = []
    for length, members in itertools.groupby(lengths):
        group = Group(first, len(list(members)), length)
        groups.append(group)
        first = group.rows.stop
    return tuple(groups)


def _after(shared: Tensor, own: Tensor) -> Tensor:
    """The prefix's rows (P, heads, depth) before each class's own (C, L, heads, depth)."""
    return torch.cat([shared.expand(len(own), *shared.shape), own], dim=1)


def _attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention of the last L of P + L places: (C, L, heads, depth) to (C·L, width).

    Written out, because torch's fused kernels are not deterministic backwards on every device.
    """
    count, length, heads, depth = queries.shape
    scores = torch.einsum("clhd,ckhd->chlk", queries, keys) / math.sqrt(depth)
    places = keys.shape[1]
    future = torch.ones(length, places, dtype=torch.bool, device=scores.device)
    future = future.triu(places - length + 1)
    weights = scores.masked_fill(future, -math.inf).softmax(dim=-1).to(values.dtype)
    return torch.einsum("chlk,ckhd->clhd", weights, values).reshape(count * length, heads * depth)
