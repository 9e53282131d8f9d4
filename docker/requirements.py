"""Prints what SecFPP, or its extra named on the command line, needs: for a layer of its own."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
extras = [name for extra in sys.argv[1:] for name in project["optional-dependencies"][extra]]
print(*(extras or project["dependencies"]), sep="\n")
