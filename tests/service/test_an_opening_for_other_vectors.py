"""An attempt that is opened for other vectors than a party's ends for it, and not its run."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from secfpp.protocol.messages import Accept, Halt, Open
from secfpp.settings.files import JobSettings
from secfpp.settings.rounds import round_params

from .party_alone import DIM, ROSTER, conducted, opening, session_in, until

LONGER = round_params(JobSettings(), opening(1).key, "boss", ROSTER, 2 * DIM)
ONE = opening(1).params.feature_sharing
TWO = replace(opening(1).params, sharings=(ONE, replace(ONE, kind="prompt")))


@pytest.mark.parametrize(("params", "code"), [(LONGER, "sharings"), (TWO, "job")])
def test_the_coordinator_hears_why_and_a_fitting_attempt_is_joined_after_it(tmp_path, params, code):
    """How long its prompts are, a party does not know before it has trained."""
    session, link = session_in(tmp_path)

    async def script() -> None:
        await until(lambda: any(isinstance(m, Accept) for _, m in link.sent))
        session.deliver("boss", Open(params))
        await until(lambda: any(isinstance(m, Halt) for _, m in link.sent))
        session.deliver("boss", opening(2))
        await until(lambda: link.deals(opening(2).key) > 0)

    asyncio.run(conducted(session, script))
    (halt,) = [message for _, message in link.sent if isinstance(message, Halt)]
    assert halt.code == code
