"""Write the known-answer vectors beside this file: python tests/vectors/generate.py

Nothing here imports SecFPP. Vectors over p = 2^61 − 1 are computed by plain Python integers;
`--check` computes them again, compares and writes nothing, and needs the standard library only.
Those over small fields are galois's, which also gives a second opinion on the shares over p.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from error_cases import error_cases, failure_cases, refusal_cases
from keystream import check_published_answers
from quantiser_cases import headroom_cases, level_cases, mean_cases
from seed_cases import seed_cases, word_cases
from sharing_cases import distance_cases, erasure_cases, sharing_cases, zero_cases

HERE = Path(__file__).parent
Cases = Sequence[Mapping[str, object]]
Source = tuple[Callable[[], Cases], str]

PLAIN: Mapping[str, Source] = {
    "sharings": (sharing_cases, "§4"),
    "erasures": (erasure_cases, "§4, §5"),
    "distances": (distance_cases, "§5"),
    "zero_sharings": (zero_cases, "§5, Seeded masks"),
    "seeds": (seed_cases, "§4, Seeds; ChaCha20 of RFC 8439, HKDF of RFC 5869"),
    "words": (word_cases, "§3, Fresh residues"),
    "levels": (level_cases, "§3"),
    "means": (mean_cases, "§7"),
    "headroom": (headroom_cases, "§3, Headroom"),
    "wrong_answers": (error_cases, "§9, Wrong answers"),
    "too_many_wrong_answers": (failure_cases, "§9, Wrong answers"),
    "refusals": (refusal_cases, "§3, §4, §7"),
}


def text_of(cases: Cases) -> str:
    """The cases in JSON, one a line; integers up to 2^64 − 1 are written in full."""
    return "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]"


def write(name: str, cases: Cases, source: str, library: str) -> None:
    """Write one file: where it comes from, the digest of its cases, its cases."""
    text = text_of(cases)
    provenance = {
        "generator": "tests/vectors/generate.py",
        "library": library,
        "source": f"docs/protocol.md {source}",
        "seed": "SHA-256 of a name in the generator and a counter",
        "date": datetime.now(UTC).date().isoformat(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    header = json.dumps(provenance, ensure_ascii=False, indent=2)
    body = f'{{"provenance": {header},\n"cases": {text}}}\n'
    (HERE / f"{name}.json").write_text(body, encoding="utf-8")
    print(f"{name}: {len(cases)} cases")


def changed() -> list[str]:
    """The plain vectors that come out otherwise than they are written."""
    return [
        name
        for name, (cases, _) in PLAIN.items()
        if text_of(cases()) not in (HERE / f"{name}.json").read_text(encoding="utf-8")
    ]


def write_everything() -> None:
    """Every vector; the library galois is loaded here only."""
    import galois
    import small_field_cases as small

    plain = f"none, plain integers of Python {platform.python_version()}"
    opinions = f"; every share also by galois {galois.__version__}"
    small.second_opinion_on_shares(sharing_cases())
    for name, (cases, source) in PLAIN.items():
        write(name, cases(), source, plain + opinions * (name == "sharings"))
    by_galois = f"galois {galois.__version__}"
    write("small_matrices", small.matrix_cases(), "§4", by_galois)
    write("small_zero_matrices", small.zero_matrix_cases(), "§5, Seeded masks", by_galois)
    tried = f"{by_galois}, ReedSolomon; agrees with trying every set of liars"
    write("small_wrong_answers", small.reed_solomon_cases(), "§9, Wrong answers", tried)


def main() -> int:
    parser = argparse.ArgumentParser(description="Known-answer vectors for SecFPP's algebra.")
    parser.add_argument("--check", action="store_true", help="compare the plain ones, write none")
    check = parser.parse_args().check
    check_published_answers()
    if not check:
        write_everything()
        return 0
    different = changed()
    print("\n".join(f"{name}: comes out differently" for name in different) or "all the same")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
