"""The error of a party whose training cannot go on."""

from __future__ import annotations

from secfpp.errors import SecFPPError


class TrainingTrouble(SecFPPError):
    """Training failed here (not a number, out of memory, a trainer that died or fell silent).

    The party sits the round out and is named; the others go on, and it keeps its prompts.
    """

    code = "SECFPP-E-TRAINING"
    whose = "operator"
    exit_code = 1
