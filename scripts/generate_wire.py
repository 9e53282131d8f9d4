"""Generate secfpp/wire/v1 from proto/secfpp/wire/v1 with the pinned protoc of grpcio-tools.

python scripts/generate_wire.py           writes the modules and their type stubs
python scripts/generate_wire.py --check   writes nothing; exits 1 where they are out of date
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

from grpc_tools import protoc

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = Path("secfpp/wire/v1")
# Code of later generators does not load on protobuf 6, which we still support.
GENERATOR: Final = "1.81.1"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    if version("grpcio-tools") != GENERATOR:
        print(
            f"grpcio-tools {version('grpcio-tools')} is installed, {GENERATOR} is needed: "
            f"pip install grpcio-tools=={GENERATOR}",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        fresh = generated(Path(folder))
    target = ROOT / PACKAGE
    stale = differing(fresh, target)
    if check:
        for name in stale:
            print(f"{PACKAGE / name} is out of date: run scripts/generate_wire.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        if name in fresh:
            (target / name).write_bytes(fresh[name])
        else:
            (target / name).unlink()
    print(f"{PACKAGE}: {len(fresh)} files, {len(stale)} changed")
    return 0


def generated(folder: Path) -> dict[str, bytes]:
    """Every generated file by name, made in an empty folder."""
    sources = sorted((ROOT / "proto").glob("**/*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={ROOT / 'proto'}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={folder}",
            f"--pyi_out={folder}",
            *(str(source) for source in sources),
        ]
    )
    if status != 0:
        raise SystemExit(f"protoc ended with status {status}")
    return {path.name: path.read_bytes() for path in (folder / PACKAGE).iterdir()}


def differing(fresh: dict[str, bytes], target: Path) -> list[str]:
    """The names that are missing, changed or left over in the committed package."""
    committed = {path.name: path.read_bytes() for path in target.glob("*_pb2.py*")}
    names = sorted(fresh.keys() | committed.keys())
    return [name for name in names if fresh.get(name) != committed.get(name)]


if __name__ == "__main__":
    raise SystemExit(main())
