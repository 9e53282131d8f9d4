"""An attempt that is opened for other vectors than a party's ends for it, and not its run."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from secfpp.protocol.messages import Accept, Halt, Open
from secfpp.protocol.params import SharingSpec

from .party_alone import conducted, opening, session_in, until

LARGE = (SharingSpec("domain", 128, 1.0, 16),)
TWO = (SharingSpec("domain", 64, 1.0, 16), SharingSpec("prompt", 64, 1.0, 16))


@pytest.mark.parametrize("sharings", [LARGE, TWO])
def test_the_coordinator_hears_why_and_a_fitting_attempt_is_joined_after_it(tmp_path, sharings):
    session, link = session_in(tmp_path)

    async def script() -> None:
        await until(lambda: any(isinstance(m, Accept) for _, m in link.sent))
        session.deliver("boss", Open(replace(opening(1).params, sharings=sharings)))
        await until(lambda: any(isinstance(m, Halt) for _, m in link.sent))
        session.deliver("boss", opening(2))
        await until(lambda: link.deals(opening(2).key) > 0)

    asyncio.run(conducted(session, script))
    (halt,) = [message for _, message in link.sent if isinstance(message, Halt)]
    assert halt.code == "sharings"
