"""The mathematics and the protocol touch neither the world nor chance."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import secfpp

PACKAGE = Path(secfpp.__file__).parent
FORBIDDEN = {
    "asyncio",
    "socket",
    "ssl",
    "threading",
    "time",
    "random",
    "secrets",
    "os",
    "logging",
    "grpc",
    "google",
    "torch",
}


def imported(source: str) -> set[str]:
    """The top-level modules that a source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("layer", ["algebra", "cluster", "protocol"])
def test_a_pure_layer_imports_nothing_of_the_world(layer):
    modules = sorted((PACKAGE / layer).rglob("*.py"))
    assert len(modules) > 3
    for path in modules:
        assert not imported(path.read_text("utf-8")) & FORBIDDEN, path.name


def test_the_check_sees_a_violation_even_inside_a_function():
    assert imported("def f():\n    import time\n") & FORBIDDEN
    assert imported("from random import choice\n") & FORBIDDEN
    assert not imported("from secfpp.errors import Misuse\n") & FORBIDDEN


def test_only_the_verifier_s_few_modules_are_behind_the_proof():
    source = (PACKAGE / "demo" / "verify.py").read_text("utf-8")
    own = {
        node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("secfpp")
    }
    assert own
    assert all(name.startswith("secfpp.cluster") for name in own)
