"""A party daemon holds no torch in its own process, and a coordinator none at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import sys
import secfpp.{module}
names = sorted({{name.split(".")[0] for name in sys.modules}} & {{"torch", "open_clip", "PIL"}})
maps = open("/proc/self/maps").read() if sys.platform == "linux" else ""
print(names, "libtorch" in maps)
"""


@pytest.mark.parametrize("module", ["party.daemon", "coordinator.daemon", "operator.commands"])
def test_a_daemon_loads_no_torch(module):
    result = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.strip() == "[] False"


def test_the_probe_would_see_torch():
    source = PROBE.format(module="learn.worker")
    result = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=120, check=True
    )
    assert "torch" in result.stdout
    assert "True" in result.stdout
