"""What a daemon asks of its process: no core, no file for others, no interruption of others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

USUAL = "os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))"
CHOSEN = "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))"
REFUSED = f"""{USUAL}

def refuse(*_):
    raise PermissionError
os.sched_setscheduler = refuse
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no SCHED_BATCH")
@pytest.mark.parametrize(
    ("before", "policy"), [(USUAL, "SCHED_BATCH"), (CHOSEN, "SCHED_IDLE"), (REFUSED, "SCHED_OTHER")]
)
def test_a_settled_process_is_a_batch_where_it_may_be_and_was_nothing_else(before, policy):
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


def test_a_settled_process_that_crashes_leaves_no_core_and_makes_no_file_for_others(tmp_path):
    script = """
import ctypes
from pathlib import Path
from secfpp.transport import process
process.settle()
Path("made").write_text("here")
ctypes.string_at(0)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert done.returncode == -signal.SIGSEGV
    (made,) = tmp_path.iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
