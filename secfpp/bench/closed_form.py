"""The closed form of what a round sends (docs/protocol.md §10), in payload bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from secfpp.algebra.coding import LagrangeCode
from secfpp.algebra.randomness import SEED_BYTES

RESIDUE_BYTES = 8
CHECK_BYTES = 16
"""Two check values for one dealer's shares, or for its masks."""

ECHO_BYTES = 103
"""A digest of 32 bytes and its signature, which has 70 to 72."""

ROOT_BYTES = 96
"""A Merkle root of 32 bytes and its signature of about 64."""


HEADING_BYTES = 40
"""What is around the content of a message: the attempt's key, and protobuf's own bytes."""

DIGEST_BYTES = 32
"""A deal names the parameters that it is good for."""


@dataclass(frozen=True)
class Sizes:
    """What the cost of a round depends on; `queries` is the budget Q, `asked` of them are asked."""

    parties: int
    dim: int
    chunks: int
    colluders: int
    stragglers: int
    adversaries: int
    queries: int
    asked: int

    @property
    def code(self) -> LagrangeCode:
        """The round's code."""
        return LagrangeCode(self.parties, self.chunks, self.colluders)

    @property
    def width(self) -> int:
        """The length of a share."""
        return self.code.width(self.dim)


def bytes_to_open_distances(sizes: Sizes) -> int:
    """All parties' shares, masks, check values and answers: everything up to the opening."""
    n, degree = sizes.parties, sizes.code.product_degree
    mask_dealers = min(n, sizes.colluders + 1 + sizes.stragglers + sizes.adversaries)
    shares = n * ((n - 1 - sizes.colluders) * RESIDUE_BYTES * sizes.width)
    seeds = n * sizes.colluders * SEED_BYTES
    masks = mask_dealers * (RESIDUE_BYTES * sizes.queries * (n - 1 - degree) + SEED_BYTES * degree)
    answers = n * RESIDUE_BYTES * sizes.asked
    checks = n * (CHECK_BYTES * (n + mask_dealers) + ROOT_BYTES * n) if sizes.adversaries else 0
    return shares + seeds + masks + answers + checks


def bytes_of_sums(sizes: Sizes, clusters: Sequence[Collection[int]], number: int) -> int:
    """What the helpers of each cluster send in round `number`, as `sums_sent` counts it."""
    return sums_sent(sizes, clusters, number) * RESIDUE_BYTES * sizes.width


def sums_sent(sizes: Sizes, clusters: Sequence[Collection[int]], number: int) -> int:
    """How many shares of sums are sent in round `number`: to every member but the helper itself.

    `clusters` are members' places in the roster by label; those that open nothing are empty.
    """
    helpers = sizes.chunks + sizes.colluders + sizes.stragglers + 2 * sizes.adversaries
    shares = 0
    for label, members in enumerate(clusters):
        for step in range(min(helpers, sizes.parties)):
            helper = (number + label + step) % sizes.parties
            shares += len(members) - (helper in members)
    return shares


def bytes_of_echoes(witnesses: int, parties: int, batches: int) -> int:
    """Every witness's echo of each batch and of the assignment, to all other parties."""
    return witnesses * (parties - 1) * (batches + 1) * ECHO_BYTES


def bytes_of_headings(witnesses: int, parties: int, batches: int, sums: int) -> int:
    """What is around deals, answers, echoes and so many sums, and the digest in each deal."""
    deals, echoes = parties * (parties - 1), witnesses * (parties - 1) * (batches + 1)
    messages = deals + parties * batches + echoes + sums
    return messages * HEADING_BYTES + deals * DIGEST_BYTES
