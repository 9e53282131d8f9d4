"""Names and roles, as they stand in certificates."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from secfpp.errors import ConfigError

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Role(Enum):
    """What a certificate's owner may do."""

    PARTY = "party"
    COORDINATOR = "coordinator"
    OPERATOR = "operator"

    @property
    def uri(self) -> str:
        """The subject alternative name that carries the role."""
        return f"secfpp:role:{self.value}"


def checked_name(name: str) -> str:
    """A DNS label: lowercase letters, digits and hyphens, 1 to 63; ConfigError otherwise."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"the name {name!r} is not possible: 1 to 63 lowercase letters, digits and inner "
            "hyphens are",
            fix="choose a name such as hospital-a",
        )
    return name
