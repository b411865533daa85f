"""Change configurations at random, for as long as you like: read, or refused clearly.

Usage: python tests/cases/fuzz_config.py [CASES=1000] [SEED=0]

Any other exception is a fault: the first of each place is printed with the change that
led to it, and the exit status is 1. tests/unit/test_config_property.py holds what is
changed and what is asked for then, and does some hundred cases in `make test`.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/unit"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow/scripts"))

from configurations import paper, read, tiny
from fuzzing import Outcomes
from langneurons.config.errors import ConfigError
from langneurons.study.configuration import load
from test_config_property import change, everything


def main(arguments: Sequence[str]) -> int:
    """Change, load, and ask for what Snakemake asks for when it starts."""
    cases = int(arguments[0]) if arguments else 1000
    seed = int(arguments[1]) if len(arguments) > 1 else 0
    bases = {"paper": paper(), "demo": paper(**read("demo.yaml")), "tiny": tiny()}
    outcomes = Outcomes()
    for case in range(cases):
        rng = random.Random(f"{seed}.{case}")
        base = rng.choice(list(bases))
        raw = copy.deepcopy(bases[base])
        done = [change(raw, rng) for _ in range(rng.choice([1, 1, 1, 2]))]
        try:
            everything(load(raw))
            outcomes.seen["read"] += 1
        except ConfigError:
            outcomes.seen["refused"] += 1
        except Exception as error:
            outcomes.fault(error, f"case {seed}.{case}, {base}: {'; '.join(done)}")
    return outcomes.end(cases)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
