"""The closed form of what all parties send in a round (docs/protocol.md §10), in payload bytes."""

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


def parts_to_open_distances(sizes: Sizes) -> dict[str, int]:
    """All parties' shares, masks, answers and check values: everything up to the opening."""
    n, degree = sizes.parties, sizes.code.product_degree
    mask_dealers = min(n, sizes.colluders + 1 + sizes.stragglers + sizes.adversaries)
    a_dealer = (n - 1 - sizes.colluders) * RESIDUE_BYTES * sizes.width
    a_mask_dealer = RESIDUE_BYTES * sizes.queries * (n - 1 - degree) + SEED_BYTES * degree
    checks = n * (CHECK_BYTES * (n + mask_dealers) + ROOT_BYTES * n) if sizes.adversaries else 0
    return {
        "shares": n * (a_dealer + sizes.colluders * SEED_BYTES),
        "masks": mask_dealers * a_mask_dealer,
        "answers": n * RESIDUE_BYTES * sizes.asked,
        "checks": checks,
    }


def parts_of_round(
    sizes: Sizes, clusters: Sequence[Collection[int]], *, witnesses: int, batches: int, number: int
) -> dict[str, int]:
    """What the parties deal, answer, echo and sum in round `number`, and what is around it.

    `clusters` are as in `sums_sent`. Their few bytes to say that they are ready and done are not in
    it, and nothing that the coordinator sends.
    """
    sums = sums_sent(sizes, clusters, number)
    deals = sizes.parties * (sizes.parties - 1)
    echoes = witnesses * (sizes.parties - 1) * (batches + 1)
    messages = deals + sizes.parties * batches + echoes + sums
    return {
        **parts_to_open_distances(sizes),
        "echoes": echoes * ECHO_BYTES,
        "sums": sums * RESIDUE_BYTES * sizes.width,
        "headings": messages * HEADING_BYTES + deals * DIGEST_BYTES,
    }


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
