"""What `make` does in containers, without an engine: what it says, and what images are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from secfpp import __version__

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


def test_images_are_built_with_the_version_and_the_commit_as_labels(tmp_path):
    build, said = make(tmp_path, "images", "COMPOSE=echo")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert build.startswith(f"build --build-arg VERSION={__version__} ")
    assert build.split()[4].removesuffix("-dirty") == f"REVISION={head.stdout.strip()}"
    assert said.startswith(f"images: secfpp-coordinator and secfpp-party {__version__}")


def test_both_images_are_labelled_with_what_the_build_was_told():
    targets = (ROOT / "docker" / "Dockerfile").read_text("utf-8").split("\nFROM ")
    for image in ("coordinator", "party"):
        (text,) = [target for target in targets if target.startswith(f"runtime AS {image}\n")]
        for label in ("version", "revision"):
            assert f"\nARG {label.upper()}=\n" in text
            assert f'org.opencontainers.image.{label}="${label.upper()}"' in text
