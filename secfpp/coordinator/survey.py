"""How fast the federation's links are, as its participants measure them for an operator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

from secfpp.errors import RequestRefused, SecFPPError
from secfpp.pki.store import Identity
from secfpp.transport.probing import have_measured, introduce, measure_link


class Survey:
    """Has one way measured at a time, as an operator asks for one after the other.

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
            *(introduce(self._identity, name, parties) for name in parties),
            return_exceptions=True,
        )
        silent = {}
        for name, outcome in zip(parties, told, strict=True):
            if isinstance(outcome, SecFPPError):
                silent[name] = str(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        return {"participants": [self._identity.name, *parties], "silent": silent}

    async def measure(self, name: str, peer: str) -> dict[str, object]:
        """The way from one participant to another."""
        parties, me = self._allowed(), self._identity.name
        for one in (name, peer):
            if one not in (me, *parties):
                raise RequestRefused(f"{one} is not on the coordinator's roster")
        if name == me:
            return asdict(await measure_link(self._identity, peer, parties[peer]))
        return asdict(await have_measured(self._identity, name, parties, peer))

    def _allowed(self) -> Mapping[str, str]:
        refusal = self._refusal()
        if refusal:
            raise RequestRefused(refusal, fix="measure when it is over")
        return self._parties()
