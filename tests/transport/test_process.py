"""A daemon asks the system to let it interrupt nobody, and does without where that is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

REFUSED = """
def refuse(*_):
    raise PermissionError
os.sched_setscheduler = refuse
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no SCHED_BATCH")
@pytest.mark.parametrize(("before", "policy"), [("", "SCHED_BATCH"), (REFUSED, "SCHED_OTHER")])
def test_a_settled_process_is_scheduled_as_a_batch_where_it_may_be(before, policy):
    script = f"""
import os
from secfpp.transport import process
{before}
process.settle()
print(os.sched_getscheduler(0) == os.{policy})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
