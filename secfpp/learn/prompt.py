"""The hierarchical prompt of a party: context = G + L (SecFPP, arXiv:2503.22330, §3).

G, the domain-level prompt, is what parties cluster and average; L, the class-level prompt, stays
at the party. L starts at zero and may be of low rank, L = U·V, as in FedPGP and DP-FPL.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secfpp.errors import Misuse


class HierarchicalPrompt:
    """Two trainable contexts of shape (tokens, width), added; it has no informative repr.

    `rank` 0 makes L full; otherwise L is the product of (tokens, rank) and (rank, width), and a
    given L is taken at its best approximation of that rank. `seed` fixes the first directions of a
    low-rank L. Shapes that differ, or a number that is not finite, raise Misuse.
    """

    def __init__(
        self, domain: Tensor, classes: Tensor | None = None, *, rank: int = 0, seed: int = 0
    ) -> None:
        start = torch.zeros_like(domain) if classes is None else classes
        if domain.ndim != 2 or start.shape != domain.shape:
            raise Misuse(f"prompts of shapes {tuple(domain.shape)} and {tuple(start.shape)}")
        if not bool(torch.isfinite(domain).all() and torch.isfinite(start).all()):
            raise Misuse("a prompt holds a number that is not finite")
        self.domain = domain.detach().clone().requires_grad_()
        factors = _factors(start.detach(), rank, seed) if rank else (start.detach().clone(),)
        self.class_parameters = tuple(factor.requires_grad_() for factor in factors)

    @property
    def classes(self) -> Tensor:
        """L, (tokens, width)."""
        first, *second = self.class_parameters
        return first @ second[0] if second else first

    @property
    def context(self) -> Tensor:
        """G + L, (tokens, width)."""
        return self.domain + self.classes

    def __repr__(self) -> str:
        return f"HierarchicalPrompt({tuple(self.domain.shape)})"


def as_array(prompt: Tensor) -> NDArray[np.float32]:
    """A prompt as float32 outside torch, where nothing trains it on."""
    return prompt.detach().float().cpu().numpy().copy()


def _factors(start: Tensor, rank: int, seed: int) -> tuple[Tensor, Tensor]:
    """U (tokens, rank) and V (rank, width) with U·V the best approximation of `start`.

    The rows of V are orthonormal, so that a gradient reaches U even where L is zero.
    """
    rank = min(rank, *start.shape)
    if not bool(start.any()):
        generator = torch.Generator().manual_seed(seed)
        random = torch.randn(start.shape[1], rank, generator=generator)
        directions = torch.linalg.qr(random).Q.T.to(start)
        return torch.zeros(len(start), rank).to(start), directions.contiguous()
    left, singular, right = torch.linalg.svd(start, full_matrices=False)
    return (left[:, :rank] * singular[:rank]).contiguous(), right[:rank].contiguous()
