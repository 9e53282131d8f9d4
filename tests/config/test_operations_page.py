"""docs/operations.md has a paragraph for every error code, and its exit code is the true one."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import secfpp
from secfpp.errors import SecFPPError

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def all_errors() -> list[type[SecFPPError]]:
    for module in pkgutil.walk_packages(secfpp.__path__, "secfpp."):
        if (
            "learn" not in module.name
            and "bench" not in module.name
            and "__main__" not in module.name
        ):
            importlib.import_module(module.name)
    importlib.import_module("secfpp.learn.trouble")
    found, waiting = [], [SecFPPError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_the_page_has_a_paragraph_with_the_true_exit_code(kind):
    paragraph = re.search(rf"\*\*{kind.code}\*\* \(exit (\d)\)", PAGE.read_text("utf-8"))
    assert paragraph, kind.code
    assert int(paragraph[1]) == kind.exit_code
