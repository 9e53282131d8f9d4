"""prices.toml as a model: what a byte and a second cost a participant."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field

from secfpp.settings.loading import SettingsFile


def _written(day: object) -> object:
    """A date of TOML's own as it would be written in quotes."""
    return day.isoformat() if isinstance(day, date) else day


class Prices(SettingsFile):
    """prices.toml; 0 for what costs nothing."""

    file = "prices.toml"

    currency: str = Field("USD", description="only printed")
    dated: Annotated[str, BeforeValidator(_written)] = Field(
        description="(required) the day the prices are of, only printed"
    )
    sent_per_gb: float = Field(ge=0, description="(required) 10^9 bytes that leave")
    received_per_gb: float = Field(0.0, ge=0, description="10^9 bytes that come in")
    cpu_core_hour: float = Field(ge=0, description="(required) one core for an hour")
    gpu_hour: float = Field(ge=0, description="(required) one GPU for an hour")
    free_peers: tuple[str, ...] = Field((), description="peers to and from whom bytes are free")
