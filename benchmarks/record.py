"""Keep what a measurement has printed, as a file of benchmarks/results.

secfpp bench round … --format json | python benchmarks/record.py NAME

Bytes by party and peer of more than ten parties are left out: there are n² of them a round.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
LARGE = 10
BY_PEER = ("bytes_by", "bytes_wire_by")


def recorded(printed: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an envelope; SystemExit where the measurement did not reach its goal."""
    if printed["status"] != "ok":
        raise SystemExit(f"nothing to keep, the measurement failed: {printed['error']}")
    data: dict[str, Any] = {"schema_version": printed["schema_version"], **printed["data"]}
    left_out = [row for row in data["results"] if row.get("parties", 0) > LARGE]
    for row in left_out:
        for key in BY_PEER:
            row.pop(key, None)
    if left_out:
        data["left_out"] = f"{' and '.join(BY_PEER)} of more than {LARGE} parties"
    return data


def main() -> None:
    """Read the envelope from stdin and write the file."""
    target = RESULTS / f"{sys.argv[1]}.json"
    target.write_text(json.dumps(recorded(json.load(sys.stdin)), indent=1) + "\n", "utf-8")
    sys.stderr.write(f"recorded: {target}\n")


if __name__ == "__main__":
    main()
