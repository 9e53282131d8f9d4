"""Addresses and names as types of settings: checked when a file is read, not when they are used."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Final

from pydantic import AfterValidator

from secfpp.errors import ConfigError
from secfpp.pki.names import checked_name

_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found["port"]) <= 65_535:
        raise ValueError(
            "host:port is expected, such as 10.0.0.7:7760 or [::1]:7760, with a port from 1 to "
            "65535"
        )
    return text


def _address_or_nowhere(text: str) -> str:
    return text and _address(text)


def _name(text: str) -> str:
    try:
        return checked_name(text)
    except ConfigError:
        raise ValueError(
            "a name of 1 to 63 lowercase letters, digits and inner hyphens is expected"
        ) from None


def _each_elsewhere(addresses: dict[str, str]) -> dict[str, str]:
    """Refuse two participants at one address: one of them would never be reached."""
    for address, count in Counter(addresses.values()).items():
        if count > 1:
            names = " and ".join(name for name, at in addresses.items() if at == address)
            raise ValueError(f"{names} are given one address, {address}; each needs its own")
    return addresses


def _somebody(addresses: dict[str, str]) -> dict[str, str]:
    if not addresses:
        raise ValueError("nobody is on the roster; give at least one name = host:port")
    return addresses


Address = Annotated[str, AfterValidator(_address)]
"""host:port, of a host's name, an IPv4 address, or an IPv6 address in brackets."""

AddressOrNowhere = Annotated[str, AfterValidator(_address_or_nowhere)]
"""An address, or "" for none."""

Name = Annotated[str, AfterValidator(_name)]
"""A participant's name, as certificates may have it."""

Addresses = Annotated[dict[Name, Address], AfterValidator(_each_elsewhere)]
"""Participants by name, each at an address of its own."""

Roster = Annotated[Addresses, AfterValidator(_somebody)]
"""The parties of a federation, at least one."""
