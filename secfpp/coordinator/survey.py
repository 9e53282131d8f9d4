"""How fast the federation's links are, as its participants measure them for an operator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

from secfpp.errors import RequestRefused, SecFPPError
from secfpp.pki.store import Identity
from secfpp.transport.probing import have_measured, measure_links


class Survey:
    """Asks one participant after the other, so that none is measured while another one is.

    `parties` returns addresses by name as the roster is now, `refusal` why not to measure, if so.
    """

    def __init__(
        self,
        identity: Identity,
        parties: Callable[[], Mapping[str, str]],
        refusal: Callable[[], str],
    ) -> None:
        self._identity = identity
        self._parties = parties
        self._refusal = refusal

    async def introduce(self) -> dict[str, object]:
        """Tell every party of all others, so that they let each other in; who does not answer."""
        parties = self._allowed()
        told = await asyncio.gather(
            *(have_measured(self._identity, name, parties, measure=False) for name in parties),
            return_exceptions=True,
        )
        silent = {}
        for name, outcome in zip(parties, told, strict=True):
            if isinstance(outcome, SecFPPError):
                silent[name] = str(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        return {"participants": [self._identity.name, *parties], "silent": silent}

    async def measure(self, name: str) -> dict[str, object]:
        """The ways from one participant to all others."""
        parties = self._allowed()
        if name == self._identity.name:
            speeds = await measure_links(self._identity, parties)
        elif name in parties:
            speeds = await have_measured(self._identity, name, parties, measure=True)
        else:
            raise RequestRefused(f"{name} is not on the coordinator's roster")
        return {"links": [asdict(speed) for speed in speeds]}

    def _allowed(self) -> Mapping[str, str]:
        refusal = self._refusal()
        if refusal:
            raise RequestRefused(refusal, fix="measure when it is over")
        return self._parties()
