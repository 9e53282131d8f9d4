"""What `make` says in its last line is what happened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make(home: Path, *words: str, path: str = os.environ["PATH"]) -> list[str]:
    """The lines of a `make` that succeeds, with the Python of this test as the installed one."""
    (home / "installed").touch()
    inherited = ("MAKE", "MFLAGS", "PYTEST_", "DOCKER_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(inherited)}
    done = subprocess.run(
        [shutil.which("make"), *words, f"VENV={home}", f"BIN={Path(sys.executable).parent}"],
        cwd=ROOT,
        env=kept | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_tests_in_containers_that_find_no_engine_are_said_to_be_skipped_and_why(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "rm", "cat"):
        (tools / name).symlink_to(shutil.which(name))
    said = make(tmp_path, "test-docker-smoke", path=str(tools))
    assert said[-1].startswith("test-docker-smoke: skipped: no engine answers, and ")
    assert not [line for line in said if line.startswith("test-docker-smoke: passed")]
