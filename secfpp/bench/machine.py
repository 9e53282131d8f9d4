"""Where and from what a measurement was made, so that figures can be held against each other."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

CPU_FACTS = Path("/proc/cpuinfo")


def provenance(seed: int) -> dict[str, object]:
    """What was called on which machine, the commit where there is a checkout (else null), seed."""
    called = Path(sys.argv[0])
    name = "secfpp" if called.parent.name == "secfpp" else called.name
    return {
        "command": shlex.join([name, *sys.argv[1:]]),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "seed": seed,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    try:
        lines = CPU_FACTS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _commit() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (fixed arguments)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
