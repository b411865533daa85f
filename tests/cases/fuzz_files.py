"""Damage files at random, for as long as you like: readers answer, or refuse clearly.

Usage: python tests/cases/fuzz_files.py [CASES=1000] [SEED=0] [KIND ...]

Kinds are those of tests/unit/file_readers.py, such as "xnli.tsv" (none: all of them),
which tests/unit/test_damaged_files.py damages some hundred times each in `make test`.
Any exception but the library's own is a fault: the first of each place is printed, the
damaged file is kept, and the exit status is 1.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/unit"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow/scripts"))

from file_readers import KINDS, quiet
from fuzzing import Outcomes
from langneurons.config.errors import LangneuronsError
from test_damaged_files import damage


def main(arguments: Sequence[str]) -> int:
    """Make a good file of each kind, then damage and read them in turn."""
    cases = int(arguments[0]) if arguments else 1000
    seed = int(arguments[1]) if len(arguments) > 1 else 0
    known = {kind.name: kind for kind in KINDS}
    names = list(arguments[2:]) or list(known)
    if unknown := set(names) - set(known):
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
        return 2
    place = Path(tempfile.mkdtemp(prefix="damaged-"))
    made = {}
    for name in names:
        inside = place / name.replace(" ", "_")
        inside.mkdir()
        made[name] = known[name].make(inside)
    good = {name: path.read_bytes() for name, path in made.items()}
    outcomes = Outcomes()
    for case in range(cases):
        rng = random.Random(f"{seed}.{case}")
        name = rng.choice(names)
        made[name].write_bytes(damage(good[name], rng))
        try:
            with quiet(), redirect_stderr(StringIO()):  # jobs that start over say so
                known[name].read(made[name])
            outcomes.seen["read"] += 1
        except LangneuronsError:
            outcomes.seen["refused"] += 1
        except Exception as error:
            kept = place / f"case-{seed}.{case}-{made[name].name}"
            kept.write_bytes(made[name].read_bytes())
            outcomes.fault(error, f"case {seed}.{case}, {name}: {kept}")
    return outcomes.end(cases)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
