"""From a party's settings to what it consents to in a round."""

from __future__ import annotations

from secfpp.protocol.disclosure import Policy
from secfpp.settings.files import PartySettings


def policy_of(settings: PartySettings, colluders: int = 0) -> Policy:
    """The policy in party.toml; `colluders` is a T agreed to before, which is not taken back."""
    chosen = settings.policy
    return Policy(
        coordinator=settings.coordinator,
        minimum_colluders=max(chosen.minimum_colluders, colluders),
        minimum_cluster=chosen.minimum_cluster,
        features=frozenset(chosen.features),
        query_kinds=frozenset(chosen.query_kinds),
        maximum_queries=chosen.maximum_queries,
    )
