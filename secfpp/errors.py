"""Every error of SecFPP, sorted by whose fault it is.

An error carries four things a reader needs: a stable symbolic `code` (docs/operations.md has a
paragraph for each), `whose` fault it is, what happened (its text) and what to do about it (`fix`).
Nothing in an error text may be secret: no prompt, share, mask, seed or key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class SecFPPError(Exception):
    """The base of every error raised on purpose.

    `code` is the symbolic name, `whose` is "caller", "peer", "nobody" or "operator",
    `exit_code` the process exit code of docs/operations.md. `outward` is what other participants
    may be told of it: no name of a file here, and no value of a setting.
    """

    code: ClassVar[str] = "SECFPP-E-INTERNAL"
    whose: ClassVar[str] = "secfpp"
    exit_code: ClassVar[int] = 5
    outward: str = "its own log says why"

    def __init__(self, message: str, *, fix: str = "", outward: str = "") -> None:
        super().__init__(message)
        self.fix = fix
        self.outward = outward or self.outward


class Misuse(SecFPPError):
    """The caller broke a rule of the function it called."""

    code = "SECFPP-E-MISUSE"
    whose = "caller"
    exit_code = 2


class ConfigError(SecFPPError):
    """A configuration, job or data file cannot be used as it is."""

    code = "SECFPP-E-CONFIG"
    whose = "operator"
    exit_code = 2
    outward = "its files or settings cannot be used for this; its own log says which"


class PeerViolation(SecFPPError):
    """A peer broke the protocol; `peer` is the name on its certificate."""

    code = "SECFPP-E-PEER"
    whose = "peer"
    exit_code = 4

    def __init__(self, peer: str, reason: str, *, fix: str = "") -> None:
        super().__init__(f"{peer}: {reason}", fix=fix)
        self.peer = peer
        self.reason = reason


class PolicyRefusal(SecFPPError):
    """A party refused what it was asked; `key` names the policy setting that refused.

    Who asked is told all of it.
    """

    code = "SECFPP-E-POLICY"
    whose = "operator"
    exit_code = 4

    def __init__(self, key: str, reason: str, *, fix: str = "") -> None:
        super().__init__(f"{key}: {reason}", fix=fix, outward=f"{key}: {reason}")
        self.key = key
        self.reason = reason


class PeersMissing(SecFPPError):
    """Peers that are needed did not come in time; the text names each and its last sign of life."""

    code = "SECFPP-E-MISSING"
    whose = "nobody"
    exit_code = 3


class RoundFailed(SecFPPError):
    """A round ended without its goal; the text says how many came and how many were needed."""

    code = "SECFPP-E-ROUND"
    whose = "nobody"
    exit_code = 1


class RunStopped(SecFPPError):
    """An operator ended a run before its time."""

    code = "SECFPP-E-STOPPED"
    whose = "operator"
    exit_code = 1


class StoreFailure(SecFPPError):
    """What a daemon must remember cannot be written or read back: disk, database or key file."""

    code = "SECFPP-E-STORE"
    whose = "operator"
    exit_code = 2
    outward = "its state cannot be written or read"


class RequestRefused(SecFPPError):
    """The coordinator does not understand or accept an operator's request."""

    code = "SECFPP-E-REQUEST"
    whose = "operator"
    exit_code = 2


class Interrupted(SecFPPError):
    """Somebody ended the command: SIGINT or SIGTERM."""

    code = "SECFPP-E-INTERRUPTED"
    whose = "caller"
    exit_code = 1


TOLD = (
    SecFPPError,
    Misuse,
    ConfigError,
    StoreFailure,
    PeersMissing,
    RoundFailed,
    RunStopped,
    RequestRefused,
)
"""The kinds that are made of a text alone."""


def told(error: SecFPPError) -> dict[str, str]:
    """An error for another process: its code, its text and what to do about it."""
    return {"code": error.code, "message": str(error), "fix": error.fix}


def heard(fields: Mapping[str, str], otherwise: type[SecFPPError]) -> SecFPPError:
    """The error that another process has told: of its own kind, or of the kind `otherwise`."""
    code, message, fix = fields["code"], fields["message"], fields["fix"]
    if code == PolicyRefusal.code:
        key, _, reason = message.partition(": ")
        return PolicyRefusal(key, reason, fix=fix)
    kind = {kind.code: kind for kind in TOLD}.get(code, otherwise)
    return kind(message, fix=fix)
